//! `[camera.source.faults]`: what is wrapped, and the script of what goes wrong.
//!
//! The tables of a script share one type, as TOML writes them; [`FaultConfig::step`] makes of each a [`Step`] that holds what
//! its kind needs and nothing else, or says which key is wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::script::{Damage, Fault, Length, Size, Step};
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
        use FaultKind::{Corrupt, Noise, TimestampJump, WrongSize};
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
mod tests {
    use super::*;

    const PICTURES: &str = "[source.images]\npath = \"pictures\"\nrealtime = true\n";

    /// What is said of a script, or nothing.
    fn check(source: &str, script: &str) -> String {
        let text = format!("{source}[[script]]\n{script}");
        let config: FaultsConfig = toml::from_str(&text).unwrap();
        config.wrong_value().map(|wrong| wrong.to_string()).unwrap_or_default()
    }

    #[test]
    fn every_kind_is_understood_with_what_it_needs() {
        for parameters in [
            "kind = \"freeze\"\nfrom_frame = 3",
            "kind = \"black\"\nfrom_s = 0.5\nfor_frames = 2",
            "kind = \"noise\"\nfrom_frame = 0\nsigma = 20",
            "kind = \"corrupt\"\nfrom_frame = 0\ndamage = 0.1",
            "kind = \"corrupt\"\nfrom_frame = 0\nkeep = 0.5",
            "kind = \"stall\"\nfrom_frame = 0\nfor_s = 2",
            "kind = \"unplug\"\nfrom_frame = 0",
            "kind = \"timestamp_jump\"\nfrom_frame = 0\nmilliseconds = -5000",
            "kind = \"wrong_size\"\nfrom_frame = 0\nfactor = 0.5",
            "kind = \"wrong_size\"\nfrom_frame = 0\nwidth = 32\nheight = 16",
        ] {
            assert_eq!(check(PICTURES, parameters), "", "{parameters}");
        }
    }

    #[test]
    fn what_a_kind_lacks_or_cannot_have_is_named_by_its_key() {
        for (script, wanted) in [
            ("kind = \"noise\"\nfrom_frame = 0", "script[1].sigma is missing, wanted above 0, to 255"),
            ("kind = \"noise\"\nfrom_frame = 0\nsigma = -1", "script[1].sigma is -1, wanted above 0, to 255"),
            ("kind = \"noise\"\nfrom_frame = 0\nsigma = nan", "script[1].sigma is NaN"),
            ("kind = \"black\"\nfrom_frame = 0\nsigma = 9", "script[1].sigma is set, wanted no such key here"),
            ("kind = \"black\"", "script[1].from_frame is missing, wanted either from_frame or from_s"),
            ("kind = \"black\"\nfrom_frame = 0\nfrom_s = 1", "script[1].from_s is set beside the number of frames"),
            ("kind = \"black\"\nfrom_s = -1", "script[1].from_s is -1, wanted a number of seconds"),
            ("kind = \"black\"\nfrom_frame = 0\nfor_frames = 0", "script[1].for_frames is 0, wanted 1 or more"),
            ("kind = \"black\"\nfrom_frame = 0\nfor_s = 0", "script[1].for_s is 0"),
            ("kind = \"corrupt\"\nfrom_frame = 0", "script[1].damage is missing, wanted either damage or keep"),
            ("kind = \"corrupt\"\nfrom_frame = 0\nkeep = 1", "script[1].keep is 1, wanted 0 to below 1"),
            ("kind = \"wrong_size\"\nfrom_frame = 0\nwidth = 3", "script[1].factor is not alone"),
            ("kind = \"wrong_size\"\nfrom_frame = 0\nwidth = 0\nheight = 1", "script[1].width is 0, wanted 1 to 16384"),
            ("kind = \"timestamp_jump\"\nfrom_frame = 0\nmilliseconds = 0", "script[1].milliseconds is 0"),
        ] {
            let said = check(PICTURES, script);
            assert!(said.starts_with(&format!("camera.source.faults.{wanted}")), "{script}: {said}");
        }
    }

    #[test]
    fn faults_within_faults_are_refused() {
        let inner =
            "[source.faults.source.images]\npath = \"a\"\n[[source.faults.script]]\nkind = \"black\"\nfrom_s = 0\n";
        let said = check(inner, "kind = \"black\"\nfrom_s = 0");
        assert_eq!(said, "camera.source.faults.source is faults, wanted images, video, v4l2 or pipe");
    }

    #[test]
    fn the_wrapped_source_is_checked_too() {
        let source = "[source.images]\npath = \"a\"\nframes_per_second = 0\n";
        let said = check(source, "kind = \"black\"\nfrom_s = 0");
        assert_eq!(said, "camera.source.faults.source.images.frames_per_second is 0, wanted 0.001 to 10000");
    }

    #[test]
    fn silence_needs_footage_at_its_own_pace() {
        let source = "[source.video]\npath = \"a\"\n";
        let said = check(source, "kind = \"stall\"\nfrom_s = 0");
        assert!(said.starts_with("camera.source.faults.source.video.realtime is false, wanted true"), "{said}");
        assert_eq!(check(source, "kind = \"black\"\nfrom_s = 0"), "");
        assert_eq!(check("[source.v4l2]\ndevice = \"/dev/video0\"\n", "kind = \"stall\"\nfrom_s = 0"), "");
    }

    #[test]
    fn a_script_without_faults_is_refused() {
        let config: FaultsConfig = toml::from_str(PICTURES).unwrap();
        assert!(config.wrong_value().unwrap().to_string().contains("faults.script is empty"));
    }
}
