//! Comparison configs (`configs/train/quantised-*.toml`): which packages on which pictures. Paths are relative to the working directory.

use std::path::{Path, PathBuf};

use oodwatch::score::ScoreName;
use serde::{Deserialize, Serialize};

use super::CompareError;
use crate::config::read_toml;
use crate::data::DataSource;
use crate::evaluate::OodConfig;
use crate::pictures::Half;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareConfig {
    /// Folder that gets `results.json` and `table.md`.
    pub out: PathBuf,
    /// Half of every set that is judged; not the one that set the packages' thresholds.
    pub half: Half,
    /// In-distribution pictures with their classes.
    pub id: DataSource,
    /// Scores to judge by; without, every one that all packages are calibrated for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreName>,
    /// Packages, side by side in the tables; the thresholds of the first one are tried on the others.
    #[serde(rename = "package")]
    pub packages: Vec<PackageConfig>,
    /// Out-of-distribution sets.
    #[serde(rename = "ood")]
    pub ood: Vec<OodConfig>,
}

/// One `[[package]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageConfig {
    /// Name in the tables.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
}

impl CompareConfig {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// An unreadable file, an unknown key (with line and caret), or a value out of range.
    pub fn read(path: &Path) -> Result<Self, CompareError> {
        let config: Self = read_toml(path)?;
        let wrong = |key, found: String, wanted| Err(CompareError::Value { key, found, wanted });
        if config.packages.is_empty() {
            return wrong("package", "none".into(), "at least one [[package]]");
        }
        let names = config.packages.iter().map(|p| &p.name).chain(config.ood.iter().map(|o| &o.name));
        let mut seen = std::collections::BTreeSet::new();
        match names.into_iter().find(|name| !seen.insert(*name)) {
            Some(twice) => wrong("name", format!("{twice:?} twice"), "a different name for each package and set"),
            None => Ok(config),
        }
    }
}
