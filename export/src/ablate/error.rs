//! Why an ablation stops.

use std::path::PathBuf;

use crate::checkpoint::CheckpointError;
use crate::config::ConfigError;
use crate::evaluate::EvaluateError;
use crate::plot::PlotError;
use crate::train::{EpochError, TrainError};

/// Why an ablation stopped. What was finished before is kept and not done again.
#[derive(Debug, thiserror::Error)]
pub enum AblateError {
    /// The grid or its base cannot be read, or holds a value out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A row's own settings are out of range.
    #[error("ablate: row {row:?}: {source}")]
    Row {
        /// Name of the row.
        row: String,
        /// What is wrong.
        source: ConfigError,
    },
    /// A run failed.
    #[error("ablate: {run}: {source}")]
    Train {
        /// Row and seed.
        run: String,
        /// Why.
        source: Box<TrainError>,
    },
    /// A network cannot be judged.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// Kept scores cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A plot cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A file cannot be read or written.
    #[error("ablate: {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A result cannot be read back or put into words.
    #[error("ablate: {path}: {source}", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Networks that came to nothing, in a grid whose other rows are done.
    #[error("ablate: of {of} runs {} came to nothing; the tables hold the others:{}", broken.len(), listed(broken))]
    Broken {
        /// Runs of the grid.
        of: usize,
        /// Row and seed, and what became of it.
        broken: Vec<(String, String)>,
    },
    /// The test half is asked for before every network is there.
    #[error("ablate: {run} is not trained yet; run once without --final, choose, and then look at the test half")]
    Untrained {
        /// Row and seed.
        run: String,
    },
    /// The test half is asked for again, for another grid.
    #[error(
        "ablate: {path} holds the final look of another grid; a second look at the test half would be a choice made on it (another `out` starts afresh)",
        path = path.display()
    )]
    SecondLook {
        /// The file that says which grid.
        path: PathBuf,
    },
}

impl AblateError {
    /// What it says where it is about what one run's loss has made of its network, of which the other runs know nothing: numbers that are
    /// none, or features that no score can be fitted to.
    pub(super) fn of_one_network(&self) -> Option<String> {
        match self {
            Self::Train { source, .. } => match **source {
                TrainError::Epoch(EpochError::NotFinite { .. }) => Some(source.to_string()),
                _ => None,
            },
            Self::Evaluate(
                error @ (EvaluateError::Fit(_) | EvaluateError::Score(_) | EvaluateError::Detection { .. }),
            ) => Some(error.to_string()),
            _ => None,
        }
    }
}

/// A line each.
fn listed(broken: &[(String, String)]) -> String {
    broken.iter().map(|(run, why)| format!("\n  {run}: {why}")).collect()
}
