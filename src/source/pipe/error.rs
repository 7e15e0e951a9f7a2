//! Why a command gives no frames.

use std::io;

use crate::decode::{DecodeError, LayoutError};

/// Why a command gives no frames. It follows the camera's name.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// The program is not there, or may not run.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// The command ended before it wrote anything, or badly.
    #[error("{program} {ended}{said}", said = said(.message))]
    Ended {
        /// The program.
        program: String,
        /// How, and when.
        ended: String,
        /// The last line that it wrote to stderr.
        message: String,
    },
    /// The command runs and says nothing.
    #[error("{program}: nothing for {waited_ms} ms, wanted {wanted}{said}", said = said(.message))]
    Silent {
        /// The program.
        program: String,
        /// How long, in milliseconds.
        waited_ms: u64,
        /// What was waited for.
        wanted: String,
        /// The last line that it wrote to stderr.
        message: String,
    },
    /// A size that cannot be.
    #[error("its frames cannot be: {0}")]
    Layout(#[from] LayoutError),
    /// What came is no frame.
    #[error("{program}: its first frame is none: {source}")]
    NoFrame {
        /// The program.
        program: String,
        /// What is wrong with it.
        source: Box<DecodeError>,
    },
    /// The pipe failed.
    #[error("{program}: its output cannot be read: {source}")]
    Read {
        /// The program.
        program: String,
        /// The operating system's word on it.
        source: io::Error,
    },
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!("; it said: {message}") }
}
