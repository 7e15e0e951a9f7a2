//! Where frames come from: pictures on disk, a video file through an ffmpeg child process, a camera by V4L2, or a command that
//! writes frames to a pipe; each of them also with faults, to rehearse.
//!
//! A source reads and stamps frames, nothing more; what they contain is for [`crate::decode`]. It runs in a thread
//! of its own and must look at the stop flag wherever it waits.

pub mod cameras;
pub mod faults;
mod ffmpeg;
pub mod images;
pub mod list;
mod live;
pub mod pipe;
mod pool;
pub mod ppm;
pub mod recorded;
mod reopening;
pub mod v4l2;
pub mod video;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decode::Content;

pub use faults::{Faults, FaultsConfig};
pub use ffmpeg::{FFMPEG_VARIABLE, find as find_ffmpeg};
pub use images::{Images, ImagesConfig};
pub use live::{Condition, Live};
pub use pipe::{Pipe, PipeConfig};
pub use pool::{FrameBytes, Pool};
pub use v4l2::{V4l2, V4l2Config};
pub use video::{Video, VideoConfig};

/// Longest sleep or wait between two looks at the stop flag.
pub const WAIT_SLICE: Duration = Duration::from_millis(50);

/// `[camera.source.*]`: exactly one of these tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceConfig {
    /// Pictures from a folder, a list or a file.
    Images(ImagesConfig),
    /// A video file.
    Video(VideoConfig),
    /// A camera.
    V4l2(V4l2Config),
    /// A command that writes frames.
    Pipe(PipeConfig),
    /// One of the others, with faults.
    Faults(FaultsConfig),
}

/// A value that a source cannot work with.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("camera.source.{key} is {found}, wanted {wanted}")]
pub struct WrongValue {
    /// Its key, below `camera.source`. Tables of an array are counted from 1.
    pub key: String,
    /// What it holds.
    pub found: String,
    /// What it may hold.
    pub wanted: &'static str,
}

impl SourceConfig {
    /// The first value that is out of range.
    pub fn wrong_value(&self) -> Option<WrongValue> {
        let wrong = |key: &str, found, wanted| WrongValue { key: key.into(), found, wanted };
        match self {
            Self::Images(ImagesConfig { frames_per_second: rate, .. }) => (!(0.001..=10_000.0).contains(rate))
                .then(|| wrong("images.frames_per_second", rate.to_string(), "0.001 to 10000")),
            Self::Video(_) => None,
            Self::V4l2(camera) => {
                camera.wrong_value().map(|(key, found, wanted)| wrong(&format!("v4l2.{key}"), found, wanted))
            }
            Self::Pipe(pipe) => {
                pipe.wrong_value().map(|(key, found, wanted)| wrong(&format!("pipe.{key}"), found, wanted))
            }
            Self::Faults(faults) => faults.wrong_value(),
        }
    }
}

/// One frame on its way.
#[derive(Debug)]
pub struct Frame {
    /// Running number within its source, from 0; bad frames have one too.
    pub index: u64,
    /// The file it came from; of a video, the video's.
    pub path: PathBuf,
    /// When the picture was taken, on the wall clock. Footage starts at the moment it is opened and keeps its own
    /// distances from there.
    pub captured_at: Timestamp,
    /// From when on it ages: of a camera when the picture was taken, of footage when it reached this process.
    pub taken: Instant,
    /// Its bytes or pixels.
    pub content: Content,
}

/// Something that delivers frames in order.
pub trait Source: Send {
    /// The next frame, or `None` at the end or once `stop` is set.
    ///
    /// # Errors
    /// The source as a whole is broken; a single bad frame is no error but a frame of unreadable content.
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError>;

    /// Of a live source, what it tells besides its frames. A live source does not wait: its older frames give way to newer ones.
    fn live(&self) -> Option<Arc<Live>> {
        None
    }
}

/// Why a source cannot deliver.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The path cannot be opened or listed.
    #[error("source: {}: {source}", path.display())]
    Open {
        /// The path.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// A folder or list without a single picture.
    #[error("source: {}: no pictures in it; wanted files ending in {wanted}", path.display())]
    Nothing {
        /// The folder or list.
        path: PathBuf,
        /// The endings that count as pictures.
        wanted: String,
    },
    /// ffmpeg is not where it was looked for.
    #[error(
        "source: ffmpeg cannot be started as {}: {source}; name it in the config (camera.source.video.ffmpeg) or in \
         OODWATCH_FFMPEG, or install it", program.display()
    )]
    FfmpegMissing {
        /// The program that was tried.
        program: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// ffmpeg gave up on the video.
    #[error("source: {}: ffmpeg ended with {status}: {message}", path.display())]
    FfmpegFailed {
        /// The video.
        path: PathBuf,
        /// Its exit status, in words.
        status: String,
        /// Its last error line.
        message: String,
    },
    /// What ffmpeg sent is not what was asked of it.
    #[error("source: {}: frame {frame}: {problem}", path.display())]
    FfmpegStream {
        /// The video.
        path: PathBuf,
        /// The frame's number.
        frame: u64,
        /// What is wrong.
        problem: String,
    },
    /// No data for too long.
    #[error("source: {}: frame {frame}: nothing from ffmpeg for {waited_ms} ms", path.display())]
    Stalled {
        /// The video.
        path: PathBuf,
        /// The frame that was waited for.
        frame: u64,
        /// How long, in milliseconds.
        waited_ms: u64,
    },
    /// The config of the source has a wrong value.
    #[error("source: {0}")]
    Value(#[from] WrongValue),
    /// The camera cannot be used.
    #[error("source: {}: {source}", path.display())]
    Camera {
        /// The device.
        path: PathBuf,
        /// Why not.
        source: Box<v4l2::OpenError>,
    },
    /// A command gives no frames.
    #[error("source: {camera}: {source}")]
    Pipe {
        /// The camera's name.
        camera: String,
        /// Why not.
        source: Box<pipe::PipeError>,
    },
}

/// Opens the configured source of a camera that has no name.
///
/// # Errors
/// As [`open_as`].
pub fn open(config: &SourceConfig) -> Result<Box<dyn Source>, SourceError> {
    open_as("camera", config)
}

/// Opens the configured source; `camera` is whose it is, for the log.
///
/// # Errors
/// A path that cannot be opened, a missing ffmpeg, a camera that cannot be used, or a command that gives nothing.
pub fn open_as(camera: &str, config: &SourceConfig) -> Result<Box<dyn Source>, SourceError> {
    Ok(match config {
        SourceConfig::Images(config) => Box::new(Images::open(config)?),
        SourceConfig::Video(config) => Box::new(Video::open(config)?),
        SourceConfig::V4l2(config) => Box::new(V4l2::open(config)?),
        SourceConfig::Pipe(config) => Box::new(Pipe::open(config, camera)?),
        SourceConfig::Faults(config) => Box::new(Faults::open(config, camera)?),
    })
}

/// The source that fits a path on the command line: a folder, a list or a picture, or else a video.
pub fn config_for_path(path: &Path) -> SourceConfig {
    let list = path.extension().is_some_and(|ending| ending == "txt");
    if path == Path::new("-") || path.is_dir() || list || images::is_picture(path) {
        SourceConfig::Images(ImagesConfig::new(path))
    } else {
        SourceConfig::Video(VideoConfig::new(path))
    }
}

/// The clock of footage: maps its own times onto the wall clock, and can hold frames back to the original pace.
#[derive(Debug)]
pub(crate) struct FootageClock {
    wall_start: Timestamp,
    start: Instant,
    realtime: bool,
}

impl FootageClock {
    pub(crate) fn start(realtime: bool) -> Self {
        Self { wall_start: Timestamp::now(), start: Instant::now(), realtime }
    }

    /// The wall-clock time of a frame `offset` into the footage; waits for it first in real time.
    pub(crate) fn reach(&self, offset: Duration, stop: &AtomicBool) -> Timestamp {
        if self.realtime {
            sleep_until(self.start + offset, stop);
        }
        self.wall_start.saturating_add(offset).unwrap_or(self.wall_start)
    }
}

/// Sleeps until a moment, or until `stop` is set.
pub(crate) fn sleep_until(moment: Instant, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(WAIT_SLICE));
    }
}
