//! Why there is no page.

use std::io;
use std::path::PathBuf;

use crate::decide::DecideError;
use crate::evaluation::EvaluationError;
use crate::monitor::MonitorError;
use crate::open::OpenError;
use crate::pipeline::PipelineError;
use crate::source::SourceError;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The package cannot be put to work.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// `[decide]` demands what the calibration does not give.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// Footage cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The network fails.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A run with a fault broke down.
    #[error("fault injection: {0}")]
    Monitor(#[from] MonitorError),
    /// Metrics cannot be worked out.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// Hardly any footage.
    #[error("{}: {found} frames could be read and {bad} could not; wanted 2 or more that can", path.display())]
    TooFew {
        /// The footage.
        path: PathBuf,
        /// Frames that were read.
        found: usize,
        /// Frames that could not be.
        bad: u64,
    },
    /// Known footage that set the threshold.
    #[error(
        "{}: these are pictures of the calibration: half of them or more have a score that set the threshold, which \
         therefore looks better on them than it is; wanted footage that the calibration has not seen", path.display()
    )]
    SamePictures {
        /// The footage.
        path: PathBuf,
    },
    /// Something is at the place of the page.
    #[error("{}: is there already; --force replaces a page that this program wrote, and an empty folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// What is there is no page.
    #[error("{}: is no evidence page (it has no evidence.json), and is left alone; name another folder", path.display())]
    NotAPage {
        /// The folder.
        path: PathBuf,
    },
    /// The page cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// The evidence cannot be put into JSON.
    #[error("evidence.json: {0}")]
    Json(#[from] serde_json::Error),
}
