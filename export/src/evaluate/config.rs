//! Evaluation configs (`configs/train/evaluate-*.toml`): which networks on which pictures.
//! Paths are relative to the working directory.

use std::path::{Path, PathBuf};

use oodwatch::score::{Parameters, ScoreName};
use serde::{Deserialize, Serialize};

use super::EvaluateError;
use crate::config::read_toml;
use crate::data::DataSource;
use crate::device::Device;
use crate::loss::BackgroundRule;
use crate::pictures::Half;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateConfig {
    /// Folder that gets `metrics.json` and `table.md`.
    pub out: PathBuf,
    /// Half of every set that is judged.
    #[serde(default)]
    pub half: Half,
    /// CPU threads.
    #[serde(default = "one")]
    pub threads: i32,
    /// On what the networks run; scores are always computed on the processor.
    #[serde(default, skip_serializing_if = "Device::is_cpu")]
    pub device: Device,
    /// Pictures per batch.
    #[serde(default = "batch_size")]
    pub batch_size: usize,
    /// Rule that splits the locations of ID pictures into background and foreground, whose mean norms
    /// are then reported; without, they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<BackgroundRule>,
    /// In-distribution pictures with their classes.
    pub id: DataSource,
    /// ID pictures with their classes that scores are fitted on, none of them in `id`; without, only scores that need
    /// no fit are judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<DataSource>,
    /// Scores to judge by; without, every one that the network and `fit` allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreName>,
    /// Settings of the scores.
    #[serde(default)]
    pub parameters: Parameters,
    /// Networks, side by side in the tables.
    #[serde(rename = "network")]
    pub networks: Vec<NetworkConfig>,
    /// Out-of-distribution sets.
    #[serde(rename = "ood")]
    pub ood: Vec<OodConfig>,
}

/// One `[[network]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Name in the tables.
    pub name: String,
    /// What training wrote (.safetensors).
    pub checkpoint: PathBuf,
}

/// One `[[ood]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OodConfig {
    /// Name in the tables.
    pub name: String,
    /// Which mean it belongs to.
    pub group: Group,
    /// Its pictures; a folder may be nested in any way.
    pub source: DataSource,
}

/// How like the in-distribution pictures a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Other classes of the same kind of picture.
    Near,
    /// Pictures of another kind.
    Far,
}

impl EvaluateConfig {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// An unreadable file, an unknown key (with line and caret), or a value out of range.
    pub fn read(path: &Path) -> Result<Self, EvaluateError> {
        let config: Self = read_toml(path)?;
        let wrong = |key, found: String, wanted| Err(EvaluateError::Value { key, found, wanted });
        if config.threads < 1 {
            return wrong("threads", config.threads.to_string(), "at least 1");
        }
        if config.batch_size == 0 {
            return wrong("batch_size", "0".into(), "at least 1");
        }
        if config.networks.is_empty() {
            return wrong("network", "none".into(), "at least one [[network]]");
        }
        if config.ood.is_empty() {
            return wrong("ood", "none".into(), "at least one [[ood]]");
        }
        let names = config.networks.iter().map(|n| &n.name).chain(config.ood.iter().map(|o| &o.name));
        let mut seen = std::collections::BTreeSet::new();
        match names.into_iter().find(|name| !seen.insert(*name)) {
            Some(twice) => wrong("name", format!("{twice:?} twice"), "a different name for each network and set"),
            None => Ok(config),
        }
    }
}

fn one() -> i32 {
    1
}

fn batch_size() -> usize {
    250
}
