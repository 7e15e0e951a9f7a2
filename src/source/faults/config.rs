//! `[camera.source.faults]`: what is wrapped, and the script of what goes wrong.
//!
//! The tables of a script share one type, as TOML writes them; [`FaultConfig::step`] makes of each a [`Step`] that holds what
//! its kind needs and nothing else, or says which key is wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::LATE_INTERVALS;
use super::script::{Damage, Fault, Length, Size, Step};
use super::spoil::Spoil;
use crate::decode::MAX_SIDE_PX;
use crate::source::{SourceConfig, WrongValue};

/// Another source, with faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultsConfig {
    /// What delivers the frames; no faults of its own.
    pub source: Box<SourceConfig>,
    /// Start of the random numbers: the same seed, script and frames give the same result.
    #[serde(default)]
    pub seed: u64,
    /// `[[camera.source.faults.script]]`. Faults may overlap: they are applied in this order, and while one of them keeps
    /// frames back (stall, unplug) no other has anything to act on.
    #[serde(default)]
    pub script: Vec<FaultConfig>,
}

/// One fault of a script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultConfig {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The frame it begins with, from 0. Either this or `from_s`.
    pub from_frame: Option<u64>,
    /// When it begins, in seconds after the first frame.
    pub from_s: Option<f64>,
    /// How many frames it lasts. Without this and `for_s` it lasts to the end.
    pub for_frames: Option<u64>,
    /// How long it lasts, in seconds.
    pub for_s: Option<f64>,
    /// Of noise: its standard deviation, where white is 255.
    pub sigma: Option<f64>,
    /// Of corrupt: the share of the bytes that are changed.
    pub damage: Option<f64>,
    /// Of corrupt: the share of the bytes that are kept, from the start; the rest is cut off.
    pub keep: Option<f64>,
    /// Of timestamp_jump: added to the capture time, in milliseconds.
    pub milliseconds: Option<i64>,
    /// Of wrong_size: both sides are multiplied by this.
    pub factor: Option<f64>,
    /// Of wrong_size: the width in pixels.
    pub width: Option<u32>,
    /// Of wrong_size: the height in pixels.
    pub height: Option<u32>,
    /// Of rate_drop: one frame of so many comes.
    pub keep_every: Option<u64>,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The picture stands still; numbers and timestamps go on.
    Freeze,
    /// The picture is black.
    Black,
    /// The picture is noisy.
    Noise,
    /// The frame's bytes are damaged or cut off.
    Corrupt,
    /// No frames come; the camera is there.
    Stall,
    /// The camera is gone.
    Unplug,
    /// Capture times are off.
    TimestampJump,
    /// The picture has another size.
    WrongSize,
    /// The camera delivers fewer frames, as one that exposes for longer does.
    RateDrop,
    /// The picture is nearly white.
    Overexposed,
    /// The camera looks into light: the left part of the picture lies in shadow, the rest is nearly white.
    Backlit,
    /// Something black covers the left part of the picture.
    Blocked,
    /// Fog: hardly any contrast is left.
    LowVisibility,
    /// Nothing in the picture is sharp.
    Defocus,
    /// The picture has no blue.
    DeadChannel,
    /// The picture has no colours.
    ColorLost,
    /// The picture is green, as where chroma is missing.
    ColorCast,
}

/// Key, what it holds, and what it may hold.
pub(super) type Wrong = (&'static str, String, &'static str);

impl FaultsConfig {
    /// The steps of the script.
    ///
    /// # Errors
    /// The first key whose value is wrong, here or in the wrapped source.
    pub(super) fn steps(&self) -> Result<Vec<Step>, WrongValue> {
        let wrong = |key: String, found: String, wanted| WrongValue { key: format!("faults.{key}"), found, wanted };
        if matches!(*self.source, SourceConfig::Faults(_)) {
            return Err(wrong("source".into(), "faults".into(), "images, video, v4l2 or pipe"));
        }
        if let Some(WrongValue { key, found, wanted }) = self.source.wrong_value() {
            return Err(wrong(format!("source.{key}"), found, wanted));
        }
        if self.script.is_empty() {
            return Err(wrong("script".into(), "empty".into(), "at least one [[camera.source.faults.script]]"));
        }
        let steps = self.script.iter().enumerate().map(|(place, fault)| fault.step().map_err(in_script(place)));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        if steps.iter().any(|step| step.fault.keeps_back())
            && let Some(key) = self.source.footage_in_a_hurry()
        {
            let wanted = "true, since the script has a stall or an unplug, and silence takes its time";
            return Err(wrong(format!("source.{key}"), "false".into(), wanted));
        }
        Ok(steps)
    }

    /// The first value that is out of range.
    pub fn wrong_value(&self) -> Option<WrongValue> {
        self.steps().err()
    }
}

/// Names a key of the fault at this place of the script.
pub(super) fn in_script(place: usize) -> impl Fn(Wrong) -> WrongValue {
    move |(key, found, wanted)| WrongValue { key: format!("faults.script[{}].{key}", place + 1), found, wanted }
}

impl FaultConfig {
    /// A fault from the first frame to the end, without parameters.
    pub fn of(kind: FaultKind) -> Self {
        Self {
            kind,
            from_frame: Some(0),
            from_s: None,
            for_frames: None,
            for_s: None,
            sigma: None,
            damage: None,
            keep: None,
            milliseconds: None,
            factor: None,
            width: None,
            height: None,
            keep_every: None,
        }
    }

    pub(super) fn step(&self) -> Result<Step, Wrong> {
        self.has_no_foreign_parameter()?;
        let from = length(("from_frame", self.from_frame), ("from_s", self.from_s), 0)?;
        let lasts = length(("for_frames", self.for_frames), ("for_s", self.for_s), 1)?;
        let from = from.ok_or_else(|| missing("from_frame", "either from_frame or from_s"))?;
        Ok(Step { fault: self.fault()?, from, lasts })
    }

    /// A parameter that its kind does not have would be silently without effect.
    fn has_no_foreign_parameter(&self) -> Result<(), Wrong> {
        use FaultKind::{Corrupt, Noise, RateDrop, TimestampJump, WrongSize};
        let parameters = [
            ("sigma", self.sigma.is_some(), Noise, "no such key here: it belongs to noise"),
            ("damage", self.damage.is_some(), Corrupt, "no such key here: it belongs to corrupt"),
            ("keep", self.keep.is_some(), Corrupt, "no such key here: it belongs to corrupt"),
            (
                "milliseconds",
                self.milliseconds.is_some(),
                TimestampJump,
                "no such key here: it belongs to timestamp_jump",
            ),
            ("factor", self.factor.is_some(), WrongSize, "no such key here: it belongs to wrong_size"),
            ("width", self.width.is_some(), WrongSize, "no such key here: it belongs to wrong_size"),
            ("height", self.height.is_some(), WrongSize, "no such key here: it belongs to wrong_size"),
            ("keep_every", self.keep_every.is_some(), RateDrop, "no such key here: it belongs to rate_drop"),
        ];
        let foreign = parameters.into_iter().find(|(_, given, kind, _)| *given && *kind != self.kind);
        foreign.map_or(Ok(()), |(key, _, _, wanted)| Err((key, "set".into(), wanted)))
    }

    fn fault(&self) -> Result<Fault, Wrong> {
        Ok(match self.kind {
            FaultKind::Freeze => Fault::Freeze,
            FaultKind::Black => Fault::Black,
            FaultKind::Stall => Fault::Stall,
            FaultKind::Unplug => Fault::Unplug,
            FaultKind::Corrupt => Fault::Corrupt(self.damage()?),
            FaultKind::WrongSize => Fault::WrongSize(self.size()?),
            FaultKind::Noise => match self.sigma {
                Some(sigma) if sigma > 0.0 && sigma <= 255.0 => Fault::Noise { sigma },
                Some(sigma) => return Err(("sigma", sigma.to_string(), "above 0, to 255")),
                None => return Err(missing("sigma", "above 0, to 255")),
            },
            FaultKind::TimestampJump => match self.milliseconds {
                Some(by_ms) if by_ms != 0 && by_ms.unsigned_abs() <= 86_400_000 => Fault::TimestampJump { by_ms },
                Some(by_ms) => return Err(("milliseconds", by_ms.to_string(), "-86400000 to 86400000, not 0")),
                None => return Err(missing("milliseconds", "-86400000 to 86400000, not 0")),
            },
            FaultKind::RateDrop => match self.keep_every {
                Some(keep_every) if (2..=u64::from(LATE_INTERVALS)).contains(&keep_every) => {
                    Fault::RateDrop { keep_every }
                }
                Some(keep_every) => return Err(("keep_every", keep_every.to_string(), "2 to 5")),
                None => return Err(missing("keep_every", "2 to 5")),
            },
            FaultKind::Overexposed => Fault::Spoil(Spoil::Overexposed),
            FaultKind::Backlit => Fault::Spoil(Spoil::Backlit),
            FaultKind::Blocked => Fault::Spoil(Spoil::Blocked),
            FaultKind::LowVisibility => Fault::Spoil(Spoil::LowVisibility),
            FaultKind::Defocus => Fault::Spoil(Spoil::Defocus),
            FaultKind::DeadChannel => Fault::Spoil(Spoil::DeadChannel),
            FaultKind::ColorLost => Fault::Spoil(Spoil::ColorLost),
            FaultKind::ColorCast => Fault::Spoil(Spoil::ColorCast),
        })
    }

    fn damage(&self) -> Result<Damage, Wrong> {
        match (self.damage, self.keep) {
            (Some(share), None) if share > 0.0 && share <= 1.0 => Ok(Damage::Change { share }),
            (Some(share), None) => Err(("damage", share.to_string(), "above 0, to 1")),
            (None, Some(share)) if (0.0..1.0).contains(&share) => Ok(Damage::Cut { share }),
            (None, Some(share)) => Err(("keep", share.to_string(), "0 to below 1")),
            (Some(_), Some(_)) => Err(("keep", "set beside damage".into(), "either damage or keep")),
            (None, None) => Err(missing("damage", "either damage or keep")),
        }
    }

    fn size(&self) -> Result<Size, Wrong> {
        let side = |key, side: u32| match (1..=MAX_SIDE_PX).contains(&side) {
            true => Ok(side),
            false => Err((key, side.to_string(), "1 to 16384")),
        };
        match (self.factor, self.width, self.height) {
            (Some(factor), None, None) if (0.01..=16.0).contains(&factor) => Ok(Size::Factor(factor)),
            (Some(factor), None, None) => Err(("factor", factor.to_string(), "0.01 to 16")),
            (None, Some(width), Some(height)) => Ok(Size::Pixels(side("width", width)?, side("height", height)?)),
            (None, None, None) => Err(missing("factor", "either factor, or width and height")),
            _ => Err(("factor", "not alone".into(), "either factor, or width and height")),
        }
    }
}

fn missing(key: &'static str, wanted: &'static str) -> Wrong {
    (key, "missing".into(), wanted)
}

/// A number of frames or of seconds, of which only one may be given.
fn length(
    (frames_key, frames): (&'static str, Option<u64>),
    (seconds_key, seconds): (&'static str, Option<f64>),
    least_frames: u64,
) -> Result<Option<Length>, Wrong> {
    match (frames, seconds) {
        (None, None) => Ok(None),
        (Some(frames), None) if frames >= least_frames => Ok(Some(Length::Frames(frames))),
        (Some(frames), None) => Err((frames_key, frames.to_string(), "1 or more")),
        (None, Some(seconds)) if (0.0..=1e9).contains(&seconds) && (least_frames == 0 || seconds > 0.0) => {
            Ok(Some(Length::Time(Duration::from_secs_f64(seconds))))
        }
        (None, Some(seconds)) => Err((seconds_key, seconds.to_string(), "a number of seconds")),
        (Some(_), Some(_)) => Err((seconds_key, "set beside the number of frames".into(), "only one of the two")),
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
