//! Training configs (`configs/train/*.toml`). Paths are relative to the working directory.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::{Augment, DataSource, Normalise};
use crate::device::Device;
use crate::loss::LossConfig;
use crate::model::{Precision, StartHead};

/// Everything that decides a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Folder that the run writes: config, log, curves, checkpoint, model, metrics.
    pub out: PathBuf,
    /// Decides initial weights, order of pictures and augmentation.
    pub seed: u64,
    /// CPU threads. Runs are bit-equal for equal numbers of threads.
    #[serde(default = "one")]
    pub threads: i32,
    /// On what the steps are computed.
    #[serde(default, skip_serializing_if = "Device::is_cpu")]
    pub device: Device,
    /// The network.
    pub model: ModelConfig,
    /// Pictures.
    pub data: DataConfig,
    /// Random changes to training pictures.
    #[serde(default)]
    pub augment: Augment,
    /// Optimiser and its schedule.
    pub schedule: ScheduleConfig,
    /// Terms beside the cross-entropy.
    #[serde(default)]
    pub loss: LossConfig,
}

/// The table `[model]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// One of [`crate::plan::ARCHITECTURES`].
    pub arch: String,
    /// Weights to start from (.safetensors, .pth, .th); without, training starts from scratch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// What becomes of the start's head, where it was trained on other classes.
    #[serde(default, skip_serializing_if = "StartHead::is_same")]
    pub start_head: StartHead,
    /// Batch norms take the start's statistics while training too, and leave them as they are: for few pictures, or small
    /// batches.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep_statistics: bool,
    /// Precision of the convolutions.
    #[serde(default)]
    pub precision: Precision,
}

/// The table `[data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Pictures to train on.
    pub train: DataSource,
    /// Pictures never trained on; those of even index measure the run (validation half).
    pub test: DataSource,
    /// Only the first so many training pictures; all of them without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// Names of the classes; read from the data where it has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Rows of the network's input, pixels.
    #[serde(default = "side")]
    pub height: usize,
    /// Columns of the network's input, pixels.
    #[serde(default = "side")]
    pub width: usize,
    /// Normalisation of pixels.
    pub normalise: Normalise,
}

/// The table `[schedule]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Passes over the training pictures.
    pub epochs: usize,
    /// Pictures per step.
    pub batch_size: usize,
    /// Peak learning rate; it falls to 0 along half a cosine.
    pub learning_rate: f64,
    /// Epochs of linear warm-up before the peak; may be a fraction.
    #[serde(default)]
    pub warmup_epochs: f64,
    /// Nesterov momentum.
    pub momentum: f64,
    /// L2 penalty on all weights.
    pub weight_decay: f64,
}

/// What is wrong with a config.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("config: {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML of the expected keys.
    #[error("config: {path}:\n{source}", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, caret, and what was expected.
        source: Box<toml::de::Error>,
    },
    /// A value lies outside its range.
    #[error("config: {key} = {found}: {wanted}")]
    Value {
        /// Dotted name of the key.
        key: &'static str,
        /// The value.
        found: String,
        /// The range that it must lie in.
        wanted: &'static str,
    },
}

impl TrainConfig {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// An unreadable file, an unknown key (with line and caret), or a value out of range.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let config: Self = read_toml(path)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values out of range.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let schedule = &self.schedule;
        ensure(self.threads >= 1, "threads", self.threads, "at least 1")?;
        ensure(schedule.epochs >= 1, "schedule.epochs", schedule.epochs, "at least 1")?;
        ensure(schedule.batch_size >= 1, "schedule.batch_size", schedule.batch_size, "at least 1")?;
        let finite_rate = schedule.learning_rate.is_finite() && schedule.learning_rate > 0.0;
        ensure(finite_rate, "schedule.learning_rate", schedule.learning_rate, "a number above 0")?;
        let warmup = (0.0..schedule.epochs as f64).contains(&schedule.warmup_epochs);
        ensure(warmup, "schedule.warmup_epochs", schedule.warmup_epochs, "from 0 to less than schedule.epochs")?;
        ensure(
            (0.0..1.0).contains(&schedule.momentum),
            "schedule.momentum",
            schedule.momentum,
            "from 0 to less than 1",
        )?;
        ensure(schedule.weight_decay >= 0.0, "schedule.weight_decay", schedule.weight_decay, "0 or more")?;
        ensure(self.data.train_limit != Some(0), "data.train_limit", 0, "at least 1")?;
        let size = (self.data.width, self.data.height);
        let cifar = [&self.data.train, &self.data.test].iter().any(|source| matches!(source, DataSource::Cifar(_)));
        ensure(
            size.0 == size.1 && size.0 >= 8,
            "data.width, data.height",
            format!("{size:?}"),
            "a square of at least 8",
        )?;
        ensure(
            !cifar || size.0 == 32,
            "data.width, data.height",
            format!("{size:?}"),
            "32, the size of CIFAR pictures",
        )?;
        let stds = self.data.normalise.std;
        ensure(stds.iter().all(|&s| s > 0.0), "data.normalise.std", format!("{stds:?}"), "numbers above 0")?;
        let model = &self.model;
        let about_start = model.keep_statistics || !model.start_head.is_same();
        ensure(
            model.start.is_some() || !about_start,
            "model.start_head, model.keep_statistics",
            "set",
            "a model.start that they are about",
        )?;
        self.loss.check(schedule.epochs)
    }
}

/// Refuses the value `found` of `key` unless `holds`.
pub(crate) fn ensure(
    holds: bool,
    key: &'static str,
    found: impl ToString,
    wanted: &'static str,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Value { key, found: found.to_string(), wanted }) }
}

/// Reads a TOML file into `T`; errors carry the path, the line and a caret.
///
/// # Errors
/// An unreadable file, or text that is not `T`.
pub fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
    toml::from_str(&text).map_err(|source| ConfigError::Parse { path: path.into(), source: Box::new(source) })
}

// serde hands this a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

fn one() -> i32 {
    1
}

fn side() -> usize {
    32
}
