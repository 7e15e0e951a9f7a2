//! Why a run ended badly.

use crate::infer::InferError;
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::verdict::{self, Reason};

/// Why a run ended badly, or a camera's part of it.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The source broke.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source's thread died.
    #[error("source: its thread panicked")]
    SourcePanicked,
    /// A thread could not be started.
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
    /// A verdict could not be delivered.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A sink took no verdict until the patience with it was over.
    #[error(
        "sink: a verdict was not taken within {waited_ms} ms of the end; nobody reads it, and last verdicts are lost"
    )]
    SinkBlocked {
        /// How long the end was held up, in milliseconds.
        waited_ms: u64,
    },
    /// The network failed; on a picture that could be read this is no bad frame but a broken machine.
    #[error("infer: {0}")]
    Infer(#[from] InferError),
    /// The thread that judges, or the one that supervises it, panicked.
    #[error("the monitor panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The run ended well, but in a fault that nobody has reset.
    #[error("decide: ended in a latched fault: {}", verdict::list(reasons))]
    Latched {
        /// What is latched.
        reasons: Vec<Reason>,
    },
    /// Not one frame could be read.
    #[error("source: none of {captured} frames could be read")]
    NothingRead {
        /// Frames that the source delivered.
        captured: u64,
    },
}
