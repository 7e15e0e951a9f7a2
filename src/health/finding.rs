//! What is said about a frame.

use serde::{Deserialize, Serialize};

/// What is wrong with a picture or its coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing in it changes. Seconds.
    Frozen,
    /// Its number or its time is not after that of the frame before. 1 where it is so.
    OutOfOrder,
    /// It is old. Milliseconds.
    Late,
    /// The camera delivers fewer frames than it should. Share of the rate.
    RateDrop,
    /// It is dark. Blocks.
    Dark,
    /// It is covered in part, by something black. Blocks.
    Blocked,
    /// There is hardly any contrast: fog, or something bright before the lens. Share of 255.
    LowVisibility,
    /// There is no fine detail anywhere. Root mean square of the Laplacian.
    Defocus,
    /// It is over-exposed. Blocks.
    Overexposed,
    /// The camera looks into light: as much in shadow as over-exposed. Blocks.
    Backlit,
    /// It is noisy. Standard deviation.
    Noise,
    /// A colour channel is dead. Range of its values.
    DeadChannel,
    /// It is grey, and the camera showed colours before. Difference between channels.
    ColorLost,
    /// It is green or magenta, as where chroma is missing. Blocks.
    ColorCast,
    /// Not of this picture: those of the last hour are stranger than the calibration's ([`crate::drift`]). Mean p-value.
    ScoreDrift,
    /// They are more alike or more familiar than the calibration's, and thresholds are blunt for them. Mean p-value, or that of
    /// |2p - 1|.
    ScoreSlack,
    /// Not of this picture: the board holds itself back ([`crate::board`]). Number of causes.
    BoardThrottled,
    /// Not of this picture: the board is close to switching itself off. Degrees Celsius.
    BoardHot,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Frozen,
        Self::OutOfOrder,
        Self::Late,
        Self::RateDrop,
        Self::Dark,
        Self::Blocked,
        Self::LowVisibility,
        Self::Defocus,
        Self::Overexposed,
        Self::Backlit,
        Self::Noise,
        Self::DeadChannel,
        Self::ColorLost,
        Self::ColorCast,
        Self::ScoreDrift,
        Self::ScoreSlack,
        Self::BoardThrottled,
        Self::BoardHot,
    ];

    /// Whether it is said of a picture or its coming, and not of what many of them or the machine are.
    pub fn is_of_picture(self) -> bool {
        !matches!(self, Self::ScoreDrift | Self::ScoreSlack | Self::BoardThrottled | Self::BoardHot)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Beyond `warn`.
    Warn,
    /// Beyond `error`.
    Error,
}

/// Something that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// How bad.
    pub level: Level,
    /// The reading, in the unit of its kind.
    pub value: f32,
    /// The limit that it is beyond.
    pub threshold: f32,
}

/// What was measured, whether or not anything is wrong. Units as in [`super::HealthConfig`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Readings {
    /// Seconds for which nothing changed.
    pub frozen_s: f32,
    /// Age in milliseconds.
    pub late_ms: f32,
    /// Frames per second, once known.
    pub rate_hz: Option<f32>,
    /// Share of the expected rate, once known.
    pub rate_share: Option<f32>,
    /// Mean luma.
    pub brightness: f32,
    /// Dark blocks.
    pub dark_blocks: f32,
    /// Over-exposed blocks.
    pub bright_blocks: f32,
    /// Blocks in shadow, or over-exposed ones, whichever are fewer.
    pub backlit_blocks: f32,
    /// Covered blocks.
    pub covered_blocks: f32,
    /// Share of 255 between dark and bright.
    pub contrast: f32,
    /// Root mean square of the Laplacian where it is strong.
    pub sharpness: f32,
    /// Standard deviation of the noise.
    pub noise: f32,
    /// Range of the channel that varies least; none without colour.
    pub channel_range: Option<f32>,
    /// Mean difference between channels; none without colour.
    pub colorfulness: Option<f32>,
    /// Green blocks or magenta ones, whichever are more; none without colour.
    pub cast_blocks: Option<f32>,
}

/// What is said about a frame: readings, and findings where they are beyond a limit.
#[derive(Debug, Default, PartialEq)]
pub struct Findings {
    /// What was measured.
    pub readings: Readings,
    /// What is wrong, in the order of [`Kind::ALL`], and has been for as many frames as the config wants.
    pub list: Vec<Finding>,
}

impl Findings {
    /// How bad the worst of it is.
    pub fn worst(&self) -> Option<Level> {
        self.list.iter().map(|finding| finding.level).max()
    }

    /// How bad something is, if it is.
    pub fn level(&self, kind: Kind) -> Option<Level> {
        self.list.iter().find(|finding| finding.kind == kind).map(|finding| finding.level)
    }
}
