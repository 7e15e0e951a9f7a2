//! What footage lacks, and what would help.

use std::fmt;

use crate::health::Kind;

/// Something about footage that makes a calibration on it worth less than its number of frames says.
#[derive(Debug, Clone, PartialEq)]
pub enum Concern {
    /// Pictures that are there twice, byte by byte.
    Duplicates {
        /// Repeated pictures.
        found: u64,
        /// Of so many.
        frames: u64,
    },
    /// Nothing moved.
    StoodStill {
        /// Frames of stretches in which nothing did.
        found: u64,
        /// Of so many.
        frames: u64,
    },
    /// Neighbouring frames are much alike.
    LittleVariety {
        /// Independent frames that they are worth.
        worth: f64,
        /// Independent frames that the false-alarm rate takes.
        wanted: usize,
        /// Frames there are.
        frames: u64,
    },
    /// Pictures in which `[health]` finds something.
    Unhealthy {
        /// What.
        kind: Kind,
        /// Such frames.
        found: u64,
        /// Of so many.
        frames: u64,
    },
    /// Frames that were no pictures; they are not in the footage.
    Unreadable {
        /// Such frames.
        found: u64,
        /// Of so many.
        frames: u64,
    },
}

impl fmt::Display for Concern {
    /// What was found, then what would help.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicates { found, frames } => write!(
                formatter,
                "{found} of {frames} frames are exact duplicates: the camera repeats pictures, or pictures were copied; ask \
                 it for a rate that it has, and look at the cable"
            ),
            Self::StoodStill { found, frames } => write!(
                formatter,
                "stood still for {found} of {frames} frames: they say the same again and again; drive while recording"
            ),
            Self::LittleVariety { worth, wanted, frames } => write!(
                formatter,
                "{frames} frames are worth about {worth:.0} independent ones, and the false-alarm rate takes {wanted}: record \
                 for longer, and at more places and times of the day"
            ),
            Self::Unhealthy { kind, found, frames } => {
                write!(formatter, "{} in {found} of {frames} frames: {}", kind_name(*kind), advice(*kind))
            }
            Self::Unreadable { found, frames } => write!(
                formatter,
                "{found} of {frames} frames could not be read and are left out: look at the cable, or choose another format"
            ),
        }
    }
}

fn kind_name(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(String::from)).unwrap_or_default()
}

fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Frozen => "the picture did not change by a single bit; look at the camera and its driver",
        Kind::OutOfOrder | Kind::Late | Kind::RateDrop => {
            "look at the clock, the cable, and what else this machine does"
        }
        Kind::Dark => "switch on the light that the robot will have, or lower [health] dark_below if this is its world",
        Kind::Blocked => "take off the cap, or what hangs before the lens",
        Kind::LowVisibility | Kind::Defocus => "focus and clean the lens",
        Kind::Overexposed | Kind::Backlit => "set the exposure, or turn the camera away from the light",
        Kind::Noise => "give it more light, or less gain",
        Kind::DeadChannel | Kind::ColorLost | Kind::ColorCast => {
            "look at the pixel format, the white balance and the cable"
        }
        Kind::ScoreDrift | Kind::ScoreSlack => "calibrate again",
        Kind::BoardThrottled | Kind::BoardHot => "cool the board, or give it a stronger supply",
    }
}
