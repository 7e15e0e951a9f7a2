//! A video file as frames, one at a time, with the times they have in the file.

use std::path::{Path, PathBuf};
use std::process::ChildStdout;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::ffmpeg::{self, Ffmpeg};
use super::ppm::{PicturePipe, PipeEnd};
use super::{FootageClock, Frame, Source, SourceError};
use crate::decode::Content;

/// `[camera.source.video]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoConfig {
    /// The file, in any format that ffmpeg reads.
    pub path: PathBuf,
    /// The ffmpeg program; empty: $OODWATCH_FFMPEG, .deps/ffmpeg/ffmpeg, or PATH.
    #[serde(default)]
    pub ffmpeg: PathBuf,
    /// Whether to play at the file's own pace, rather than as fast as possible.
    #[serde(default)]
    pub realtime: bool,
    /// Silence of ffmpeg after which the video is given up, in milliseconds.
    #[serde(default = "default_stall_timeout_ms")]
    pub stall_timeout_ms: u64,
}

fn default_stall_timeout_ms() -> u64 {
    30_000
}

impl VideoConfig {
    /// Defaults for a path.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            ffmpeg: PathBuf::new(),
            realtime: false,
            stall_timeout_ms: default_stall_timeout_ms(),
        }
    }
}

/// A video on its way through ffmpeg.
pub struct Video {
    path: PathBuf,
    ffmpeg: Ffmpeg,
    pipe: PicturePipe<ChildStdout>,
    patience: Duration,
    clock: Option<FootageClock>,
    realtime: bool,
    first_time_s: Option<f64>,
    last_offset: Duration,
    next_index: u64,
}

impl Video {
    /// Starts ffmpeg on the configured file.
    ///
    /// # Errors
    /// A file that cannot be opened, or an ffmpeg that cannot be started.
    pub fn open(config: &VideoConfig) -> Result<Self, SourceError> {
        // Asked here for its clear answer; ffmpeg would only log one.
        std::fs::File::open(&config.path).map_err(|source| SourceError::Open { path: config.path.clone(), source })?;
        let program = ffmpeg::find(&config.ffmpeg);
        let (ffmpeg, stdout) = Ffmpeg::start(&program, &config.path)?;
        let patience = Duration::from_millis(config.stall_timeout_ms);
        Ok(Self {
            path: config.path.clone(),
            ffmpeg,
            pipe: PicturePipe::new(stdout, patience),
            patience,
            clock: None,
            realtime: config.realtime,
            first_time_s: None,
            last_offset: Duration::ZERO,
            next_index: 0,
        })
    }

    /// What the end of the pipe means: the end of the video, or an error.
    fn ended(&mut self, end: PipeEnd) -> Result<Option<Frame>, SourceError> {
        let (path, frame) = (self.path.clone(), self.next_index);
        match end {
            PipeEnd::Stopped => Ok(None),
            PipeEnd::Closed => self.ffmpeg.finish(&self.path).map(|()| None),
            PipeEnd::Silent(waited) => Err(SourceError::Stalled { path, frame, waited_ms: waited.as_millis() as u64 }),
            // If ffmpeg failed, its own word explains the broken stream best.
            PipeEnd::Malformed(problem) => {
                self.ffmpeg.finish(&self.path)?;
                Err(SourceError::FfmpegStream { path, frame, problem })
            }
            PipeEnd::Failed(error) => Err(SourceError::FfmpegStream { path, frame, problem: error.to_string() }),
        }
    }

    /// Time since the first frame; a frame without a time of its own gets the one before.
    fn next_offset(&mut self) -> Duration {
        if let Ok(Some(time_s)) = self.ffmpeg.times.recv_timeout(self.patience) {
            let first_s = *self.first_time_s.get_or_insert(time_s);
            let offset = Duration::try_from_secs_f64(time_s - first_s).unwrap_or_default();
            self.last_offset = self.last_offset.max(offset);
        }
        self.last_offset
    }
}

impl Source for Video {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        let image = match self.pipe.next(stop) {
            Ok(image) => image,
            Err(end) => return self.ended(end),
        };
        let offset = self.next_offset();
        // The footage starts when its first frame is there, not when ffmpeg was started.
        let clock = self.clock.get_or_insert_with(|| FootageClock::start(self.realtime));
        let captured_at = clock.reach(offset, stop);
        let index = self.next_index;
        self.next_index += 1;
        Ok(Some(Frame {
            index,
            path: self.path.clone(),
            captured_at,
            taken: Instant::now(),
            content: Content::Rgb(image),
        }))
    }
}
