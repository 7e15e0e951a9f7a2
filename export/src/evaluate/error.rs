//! Why an evaluation stops.

use std::path::PathBuf;

use oodwatch::evaluation::EvaluationError;
use oodwatch::fit::FitError;
use oodwatch::score::{ScoreError, ScoreName};
use thiserror::Error;

use crate::config::ConfigError;
use crate::device::NoCuda;
use crate::pictures::PictureError;
use crate::trained::TrainedError;

/// Why an evaluation stopped.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// The config cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A value of the config is out of range.
    #[error("config: {key}: found {found}, wanted {wanted}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        wanted: &'static str,
    },
    /// CUDA was asked for and is not there.
    #[error("evaluate: {0}")]
    Device(#[from] NoCuda),
    /// A checkpoint cannot be used.
    #[error(transparent)]
    Trained(#[from] TrainedError),
    /// Pictures cannot be read.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// The ID pictures have classes that the network does not know.
    #[error("evaluate: {network}: the ID pictures have {found} classes, the network {wanted}")]
    Classes {
        /// Name of the network.
        network: String,
        /// Classes of the pictures.
        found: usize,
        /// Classes of the network.
        wanted: usize,
    },
    /// The half of a set that is to be judged is empty.
    #[error("evaluate: set {name:?} has no picture in the half that is judged")]
    EmptySet {
        /// Name of the set.
        name: String,
    },
    /// A network's scores cannot be compared.
    #[error("evaluate: {network}, {score}, {set}: {source}")]
    Detection {
        /// Name of the network.
        network: String,
        /// The score.
        score: ScoreName,
        /// Name of the OOD set.
        set: String,
        /// Why.
        source: EvaluationError,
    },
    /// The scores cannot be fitted.
    #[error("evaluate: {0}")]
    Fit(#[from] FitError),
    /// A score cannot be computed.
    #[error("evaluate: {0}")]
    Score(#[from] ScoreError),
    /// A file cannot be read or written.
    #[error("evaluate: {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
