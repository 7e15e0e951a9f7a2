//! The first day on a new robot: records footage of what it is to know, says what that footage lacks, and words the config of a
//! monitor that is calibrated on it. `oodwatch init` joins these with `calibrate` and `check`.
//!
//! ```text
//!  Source ──► record() ──► Recorder: one PNG per frame, whole or not there, its time in its name
//!                     └──► Survey: the same picture again? stood still? dark? ──► Concerns
//! ```
//!
//! Footage is kept as the camera gave it: a picture that the monitor will see belongs into the calibration, also a bad one.
//! What is wrong with it is said, and what would help; a person decides.

mod concern;
mod config_file;
mod record;
mod recorder;
mod survey;
mod thumbnail;

pub use concern::Concern;
pub use config_file::Wiring;
pub use record::{End, Limits, Progress, Recording, record, review};
pub use recorder::Recorder;
pub use survey::Survey;

use std::io;
use std::path::PathBuf;

use crate::source::SourceError;

/// Why nothing could be recorded, or no config be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Something that is not ours, or that nobody said may go, is where the footage is to be.
    #[error("init: {}: holds {}, which is no recorded picture; name another folder", dir.display(), found.display())]
    NotFootage {
        /// The folder.
        dir: PathBuf,
        /// What is in it.
        found: PathBuf,
    },
    /// The disk refuses.
    #[error("init: {}: {source}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// A picture could not be written.
    #[error("init: {}: cannot be written: {source}", path.display())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// The encoder's word on it.
        source: image::ImageError,
    },
    /// The disk has less room than the footage may take.
    #[error(
        "init: {}: the disk has room for {room_mb} MB of pictures (512 MB stay free), and {wanted_mb} MB were allowed; free \
         some, or allow less", dir.display()
    )]
    Full {
        /// The folder.
        dir: PathBuf,
        /// Megabytes that it can hold.
        room_mb: u64,
        /// Megabytes that it was to hold.
        wanted_mb: u64,
    },
    /// The source broke.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A thread could not be started.
    #[error("init: a thread cannot be started: {0}")]
    Thread(io::Error),
    /// The config cannot be worded.
    #[error("init: the config cannot be written as TOML: {0}")]
    Toml(#[from] toml::ser::Error),
}
