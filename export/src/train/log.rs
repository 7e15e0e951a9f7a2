//! The log of a run: one JSON line per epoch.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::write_whole;

/// One epoch's line in `log.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// From 1.
    pub epoch: usize,
    /// At the last step.
    pub learning_rate: f64,
    /// Mean cross-entropy (or LogitNorm's in its place) on the training pictures, as augmented.
    pub cross_entropy: f64,
    /// Mean L2 norm of the background locations (L_bg, unless it is relative); null without the term.
    pub background_norm: Option<f64>,
    /// Mean L2 norm of the other locations; null without the term.
    pub foreground_norm: Option<f64>,
    /// Share of locations that were background; null without the term.
    pub background_share: Option<f64>,
    /// Mean loss of the virtual outliers' classifier; absent without the term, and before it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_outliers: Option<f64>,
    /// Mean squared distance of the attention maps; absent without the term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention_transfer: Option<f64>,
    /// On the training pictures, as augmented and while the weights moved.
    pub train_accuracy: f64,
    /// On the test pictures of even index.
    pub validation_accuracy: f64,
    /// Wall time of the epoch with its validation.
    pub seconds: f64,
    /// Training pictures per second.
    pub images_per_second: f64,
}

/// What goes wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be read or written.
    #[error("log: {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not a row.
    #[error("log: {path}:{line}: {source}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

/// Appends a row and flushes it to the disk.
pub(super) fn append(path: &Path, row: &EpochRow) -> Result<(), LogError> {
    let write = || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        writeln!(file, "{}", serde_json::json!(row))?;
        file.sync_all()
    };
    write().map_err(|source| LogError::File { path: path.into(), source })
}

/// Keeps the rows up to `epoch` and drops what a killed run may have written after its last checkpoint.
pub(super) fn rewind(path: &Path, epoch: usize) -> Result<Vec<EpochRow>, LogError> {
    let file = |source| LogError::File { path: path.into(), source };
    if epoch == 0 {
        write_whole(path, b"").map_err(file)?;
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path).map_err(file)?;
    let lines: Vec<&str> = text.lines().take(epoch).collect();
    let row = |(i, line): (usize, &&str)| {
        serde_json::from_str(line).map_err(|source| LogError::Line { path: path.into(), line: i + 1, source })
    };
    let rows = lines.iter().enumerate().map(row).collect::<Result<_, _>>()?;
    // The lines as they were, not as they would be printed again: a float need not survive that digit by digit.
    let kept: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    write_whole(path, kept.as_bytes()).map_err(file)?;
    Ok(rows)
}
