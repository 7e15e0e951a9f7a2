//! `[camera.source.pipe]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decode::{Encoding, LayoutError, Matrix, PixelFormat, Range, RawLayout};

/// A command that writes frames to its stdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipeConfig {
    /// Program and arguments. No shell reads them; who wants one names it: `["sh", "-c", "..."]`.
    pub command: Vec<String>,
    /// Where the command runs; empty: where the monitor does.
    #[serde(default)]
    pub directory: PathBuf,
    /// What it writes.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes from one row of the first plane to the next; 0: rows follow one another without padding.
    #[serde(default)]
    pub stride_bytes: u32,
    /// Frames per second that are to come: a camera is late by this, and a recording has its times from it.
    #[serde(default = "default_frames_per_second")]
    pub frames_per_second: f64,
    /// Whether it is a camera: the newest frame counts, others are dropped, and a command that ends is started anew. Otherwise it
    /// is a recording: every frame is judged, and its end is the end.
    #[serde(default = "default_live")]
    pub live: bool,
    /// Matrix between YCbCr and RGB.
    #[serde(default)]
    pub color_matrix: PipeMatrix,
    /// Numbers that stand for black and white.
    #[serde(default)]
    pub color_range: PipeRange,
    /// Time that the command may take from its start to its first byte, in milliseconds.
    #[serde(default = "default_start_timeout_ms")]
    pub start_timeout_ms: u64,
    /// Time without a whole frame after which the command is started anew, in milliseconds; a recording is given up.
    #[serde(default = "default_stall_timeout_ms")]
    pub stall_timeout_ms: u64,
    /// Pause before the first attempt to start it anew, in milliseconds; doubles with every failed one.
    #[serde(default = "default_reopen_min_ms")]
    pub reopen_min_ms: u64,
    /// Longest pause between attempts, in milliseconds.
    #[serde(default = "default_reopen_max_ms")]
    pub reopen_max_ms: u64,
}

/// Matrix between YCbCr and RGB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipeMatrix {
    /// ITU-R BT.601.
    #[default]
    Bt601,
    /// ITU-R BT.709.
    Bt709,
    /// SMPTE 240M.
    Smpte240m,
    /// ITU-R BT.2020.
    Bt2020,
}

impl From<PipeMatrix> for Matrix {
    fn from(matrix: PipeMatrix) -> Self {
        match matrix {
            PipeMatrix::Bt601 => Self::Bt601,
            PipeMatrix::Bt709 => Self::Bt709,
            PipeMatrix::Smpte240m => Self::Smpte240m,
            PipeMatrix::Bt2020 => Self::Bt2020,
        }
    }
}

/// Numbers that stand for black and white.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipeRange {
    /// What GStreamer and ffmpeg mean when they say nothing: full for RGB and grey, limited for YCbCr.
    #[default]
    Usual,
    /// 16 to 235.
    Limited,
    /// 0 to 255.
    Full,
}

impl PipeRange {
    fn of(self, format: PixelFormat) -> Range {
        match self {
            Self::Limited => Range::Limited,
            Self::Usual if !format.is_rgb() && format != PixelFormat::Grey => Range::Limited,
            Self::Usual | Self::Full => Range::Full,
        }
    }
}

fn default_frames_per_second() -> f64 {
    30.0
}

fn default_live() -> bool {
    true
}

/// A CSI camera's first frame comes seconds after its command: the ISP is started and finds exposure and white balance.
fn default_start_timeout_ms() -> u64 {
    10_000
}

fn default_stall_timeout_ms() -> u64 {
    2_000
}

fn default_reopen_min_ms() -> u64 {
    500
}

fn default_reopen_max_ms() -> u64 {
    10_000
}

impl PipeConfig {
    /// Defaults for a command that writes such frames.
    pub fn new(command: &[&str], format: PixelFormat, (width, height): (u32, u32)) -> Self {
        Self {
            command: command.iter().map(ToString::to_string).collect(),
            directory: PathBuf::new(),
            format,
            width,
            height,
            stride_bytes: 0,
            frames_per_second: default_frames_per_second(),
            live: default_live(),
            color_matrix: PipeMatrix::default(),
            color_range: PipeRange::default(),
            start_timeout_ms: default_start_timeout_ms(),
            stall_timeout_ms: default_stall_timeout_ms(),
            reopen_min_ms: default_reopen_min_ms(),
            reopen_max_ms: default_reopen_max_ms(),
        }
    }

    /// How its frames are read.
    ///
    /// # Errors
    /// Sizes and strides that do not go together.
    pub fn layout(&self) -> Result<RawLayout, LayoutError> {
        let encoding = Encoding { matrix: self.color_matrix.into(), range: self.color_range.of(self.format) };
        RawLayout::new(self.format, (self.width, self.height), self.stride_bytes, encoding)
    }

    /// Time of one frame.
    pub(super) fn interval(&self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.frames_per_second).unwrap_or_default()
    }

    /// The first key whose value is out of range, with what it holds and what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        if let Err(error) = self.layout() {
            return Some(match error {
                LayoutError::Size { .. } => {
                    ("width and height", format!("{}x{}", self.width, self.height), "1x1 to 16384x16384")
                }
                LayoutError::OddWidth { .. } => ("width", self.width.to_string(), "an even number with YUYV and UYVY"),
                LayoutError::Stride { .. } => (
                    "stride_bytes",
                    self.stride_bytes.to_string(),
                    "0, or at least the bytes of a row, an even number with YU12, and 512 MiB a plane at most",
                ),
            });
        }
        let (rate, time) = (self.frames_per_second, 1..=3_600_000);
        let program = self.command.first().is_some_and(|program| !program.is_empty());
        let command = match self.command.len() {
            0 => "empty".into(),
            _ => format!("{:?}", self.command),
        };
        [
            (program, "command", command, "a program and its arguments: [\"cat\", \"frames.raw\"]"),
            ((0.001..=10_000.0).contains(&rate), "frames_per_second", rate.to_string(), "0.001 to 10000"),
            time_is("start_timeout_ms", self.start_timeout_ms),
            time_is("stall_timeout_ms", self.stall_timeout_ms),
            time_is("reopen_min_ms", self.reopen_min_ms),
            (
                time.contains(&self.reopen_max_ms) && self.reopen_min_ms <= self.reopen_max_ms,
                "reopen_max_ms",
                self.reopen_max_ms.to_string(),
                "reopen_min_ms to 3600000",
            ),
        ]
        .into_iter()
        .find(|(sound, ..)| !sound)
        .map(|(_, key, found, wanted)| (key, found, wanted))
    }
}

fn time_is(key: &'static str, ms: u64) -> (bool, &'static str, String, &'static str) {
    ((1..=3_600_000).contains(&ms), key, ms.to_string(), "1 to 3600000")
}
