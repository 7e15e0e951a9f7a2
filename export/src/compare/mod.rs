//! Puts packages of one network beside each other: what their scores tell apart, and how often they flag known pictures.
//!
//! Everything runs as on a robot, through ONNX Runtime. The first package's thresholds are tried on the others too: the rate that
//! they then have is what a network in another number format would do to a monitor that was not calibrated anew.

mod bench;
mod config;
mod report;

use std::path::PathBuf;

use oodwatch::calibrate::CalibrateError;
use oodwatch::evaluation::EvaluationError;
use oodwatch::infer::InferError;
use oodwatch::package::PackageError;
use oodwatch::score::{ScoreError, ScoreName};
use thiserror::Error;

pub use config::{CompareConfig, PackageConfig};
pub use report::{Alarms, Comparison, PackageReport};

use crate::config::ConfigError;
use crate::files::write_whole;
use crate::pictures::PictureError;

/// Name of the file for programs.
const RESULTS_FILE: &str = "results.json";
/// Name of the file for people.
const TABLE_FILE: &str = "table.md";

/// Why a comparison stopped.
#[derive(Debug, Error)]
pub enum CompareError {
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
    /// A package cannot be read.
    #[error("compare: {name}: {source}")]
    Package {
        /// Name of the package.
        name: String,
        /// Why.
        source: PackageError,
    },
    /// A network does not run.
    #[error("compare: {name}: {source}")]
    Infer {
        /// Name of the package.
        name: String,
        /// Why.
        source: InferError,
    },
    /// A score cannot be computed.
    #[error("compare: {name}: {source}")]
    Score {
        /// Name of the package.
        name: String,
        /// Why.
        source: ScoreError,
    },
    /// A package has no threshold for a score.
    #[error("compare: {name}: the package is not calibrated for {score}")]
    NotCalibrated {
        /// Name of the package.
        name: String,
        /// The score.
        score: ScoreName,
    },
    /// Pictures cannot be read.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// The half of a set that is to be judged is empty.
    #[error("compare: set {name:?} has no picture in the half that is judged")]
    EmptySet {
        /// Name of the set.
        name: String,
    },
    /// Scores cannot be compared.
    #[error("compare: {name}, {score}, {set}: {source}")]
    Detection {
        /// Name of the package.
        name: String,
        /// The score.
        score: ScoreName,
        /// Name of the OOD set.
        set: String,
        /// Why.
        source: EvaluationError,
    },
    /// There is no interval for a package's target.
    #[error("compare: {name}, {score}: {source}")]
    Interval {
        /// Name of the package.
        name: String,
        /// The score.
        score: ScoreName,
        /// Why.
        source: CalibrateError,
    },
    /// A result cannot be written.
    #[error("compare: {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Judges all packages on all sets and writes `results.json` and `table.md`.
///
/// # Errors
/// [`CompareError`]; then no result was written.
pub fn run(config: &CompareConfig) -> Result<Comparison, CompareError> {
    let comparison = bench::compare(config)?;
    let failed = |path: PathBuf| move |source| CompareError::File { path, source };
    std::fs::create_dir_all(&config.out).map_err(failed(config.out.clone()))?;
    let path = config.out.join(RESULTS_FILE);
    let json = serde_json::to_string_pretty(&comparison).map_err(|error| failed(path.clone())(error.into()))?;
    write_whole(&path, format!("{json}\n").as_bytes()).map_err(failed(path))?;
    let path = config.out.join(TABLE_FILE);
    write_whole(&path, comparison.markdown().as_bytes()).map_err(failed(path))?;
    Ok(comparison)
}

#[cfg(test)]
mod tests;
