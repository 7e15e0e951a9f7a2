//! `[camera.source.v4l2]`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::decode::{MAX_SIDE_PX, Matrix, PixelFormat, Range};

/// A camera by V4L2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V4l2Config {
    /// `/dev/videoN`, or a link to it. Links are followed anew at every opening, so a name under `/dev/v4l/by-id` or
    /// `/dev/v4l/by-path` finds a camera that was plugged in again as another N.
    pub device: PathBuf,
    /// Pixel formats, wanted first. The first that the camera has at the wanted size and rate is taken.
    #[serde(default = "default_formats")]
    pub formats: Vec<PixelFormat>,
    /// Width in pixels.
    #[serde(default = "default_width")]
    pub width: u32,
    /// Height in pixels.
    #[serde(default = "default_height")]
    pub height: u32,
    /// Frames per second; 0 leaves the camera's own setting.
    #[serde(default = "default_frames_per_second")]
    pub frames_per_second: f64,
    /// Buffers that the driver fills.
    #[serde(default = "default_buffers")]
    pub buffers: u32,
    /// Whether a camera that changes any of the above, or a control, is refused; otherwise it is logged as a warning.
    #[serde(default)]
    pub exact: bool,
    /// Matrix between YCbCr and RGB.
    #[serde(default)]
    pub color_matrix: ColorMatrix,
    /// Numbers that stand for black and white.
    #[serde(default)]
    pub color_range: ColorRange,
    /// What tells when a frame was captured.
    #[serde(default)]
    pub timestamps: Timestamps,
    /// Time without a fresh frame after which the camera is opened anew, in milliseconds.
    #[serde(default = "default_stall_timeout_ms")]
    pub stall_timeout_ms: u64,
    /// Pause before the first attempt to open a lost camera, in milliseconds; doubles with every failed one.
    #[serde(default = "default_reopen_min_ms")]
    pub reopen_min_ms: u64,
    /// Longest pause between attempts, in milliseconds.
    #[serde(default = "default_reopen_max_ms")]
    pub reopen_max_ms: u64,
    /// Controls to set, by the names that `oodwatch cameras` shows.
    #[serde(default)]
    pub controls: BTreeMap<String, ControlValue>,
}

/// Where the matrix between YCbCr and RGB comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColorMatrix {
    /// What the driver says.
    #[default]
    Driver,
    /// ITU-R BT.601.
    Bt601,
    /// ITU-R BT.709.
    Bt709,
    /// SMPTE 240M.
    Smpte240m,
    /// ITU-R BT.2020.
    Bt2020,
}

impl ColorMatrix {
    /// The matrix, where the config names one.
    pub fn named(self) -> Option<Matrix> {
        match self {
            Self::Driver => None,
            Self::Bt601 => Some(Matrix::Bt601),
            Self::Bt709 => Some(Matrix::Bt709),
            Self::Smpte240m => Some(Matrix::Smpte240m),
            Self::Bt2020 => Some(Matrix::Bt2020),
        }
    }
}

/// Where the range of the numbers comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColorRange {
    /// What the driver says.
    #[default]
    Driver,
    /// 16 to 235.
    Limited,
    /// 0 to 255.
    Full,
}

impl ColorRange {
    /// The range, where the config names one.
    pub fn named(self) -> Option<Range> {
        match self {
            Self::Driver => None,
            Self::Limited => Some(Range::Limited),
            Self::Full => Some(Range::Full),
        }
    }
}

/// What tells when a frame was captured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timestamps {
    /// The driver's timestamp, where it is of the monotonic clock.
    #[default]
    Kernel,
    /// The moment at which the frame reached this process: for drivers whose clock is another.
    Arrival,
}

/// The value of a control: `true`, `50`, or the name of a menu's entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ControlValue {
    /// Of a switch.
    Switch(bool),
    /// Of anything.
    Number(i64),
    /// Of a menu.
    Name(String),
}

impl fmt::Display for ControlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(on) => write!(f, "{on}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

fn default_formats() -> Vec<PixelFormat> {
    PixelFormat::ALL.to_vec()
}

fn default_width() -> u32 {
    640
}

fn default_height() -> u32 {
    480
}

fn default_frames_per_second() -> f64 {
    30.0
}

fn default_buffers() -> u32 {
    4
}

fn default_stall_timeout_ms() -> u64 {
    2_000
}

fn default_reopen_min_ms() -> u64 {
    100
}

fn default_reopen_max_ms() -> u64 {
    5_000
}

impl V4l2Config {
    /// Defaults for a device.
    pub fn new(device: &Path) -> Self {
        Self {
            device: device.into(),
            formats: default_formats(),
            width: default_width(),
            height: default_height(),
            frames_per_second: default_frames_per_second(),
            buffers: default_buffers(),
            exact: false,
            color_matrix: ColorMatrix::default(),
            color_range: ColorRange::default(),
            timestamps: Timestamps::default(),
            stall_timeout_ms: default_stall_timeout_ms(),
            reopen_min_ms: default_reopen_min_ms(),
            reopen_max_ms: default_reopen_max_ms(),
            controls: BTreeMap::new(),
        }
    }

    /// The first key whose value is out of range, with what it holds and what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        let side = 1..=MAX_SIDE_PX;
        let rate = self.frames_per_second;
        let pause = 1..=3_600_000;
        let formats = format!("{} formats", self.formats.len());
        [
            (!self.formats.is_empty(), "formats", formats, "at least one"),
            (side.contains(&self.width), "width", self.width.to_string(), "1 to 16384"),
            (side.contains(&self.height), "height", self.height.to_string(), "1 to 16384"),
            ((0.0..=10_000.0).contains(&rate), "frames_per_second", rate.to_string(), "0 to 10000"),
            ((2..=32).contains(&self.buffers), "buffers", self.buffers.to_string(), "2 to 32"),
            (
                pause.contains(&self.stall_timeout_ms),
                "stall_timeout_ms",
                self.stall_timeout_ms.to_string(),
                "1 to 3600000",
            ),
            (pause.contains(&self.reopen_min_ms), "reopen_min_ms", self.reopen_min_ms.to_string(), "1 to 3600000"),
            (
                (self.reopen_min_ms..=3_600_000).contains(&self.reopen_max_ms),
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
