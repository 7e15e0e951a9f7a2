//! What a monitor has to say of each fault, and how soon: the one table that rehearsals are held against.
//!
//! | fault | told by | at the latest, and in addition a deadline |
//! |---|---|---|
//! | freeze | `frozen` | `frozen_s.error` and `consecutive_frames` frames |
//! | black | `dark` | `consecutive_frames` frames |
//! | noise, of which half is above `noise.error` | `noise` | `consecutive_frames` frames |
//! | corrupt: cut off, or half of the bytes changed | `bad_frame`, or `no_frame_within_deadline` | at once |
//! | wrong_size, half or less, of a camera | `bad_frame`, or `no_frame_within_deadline` | at once |
//! | timestamp_jump into the past by more than a deadline | `frame_too_old` | at once |
//! | timestamp_jump into the past by more than `late_ms.error` | `late` | `consecutive_frames` frames |
//! | overexposed, backlit, blocked, low_visibility, color_cast | the finding of that name | `consecutive_frames` frames |
//! | stall, unplug | `camera_silent`, `camera_lost`, or `no_frame_within_deadline` | at once |
//!
//! defocus, dead_channel, color_lost and rate_drop depend on what the picture shows and on what the camera did before; which share of
//! photographs they are told of is counted in tests/it/health.rs.
//!
//! Everything in it makes the verdict unsafe; warnings do not count. A fault that is in no row, is too short, or is one that
//! `[health]` does not look for is promised nothing, with the reason: the score may still find it strange. Faults that
//! overlap hide each other, so the table holds for one at a time.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::config::{FaultConfig, in_script};
use super::promised::{BLOCKS, beyond};
use super::script::{Damage, Fault, Length, Size};
use super::{LATE_AT_LEAST, LATE_INTERVALS};
use crate::decide::DecideConfig;
use crate::decode::PixelFormat;
use crate::health::{HealthConfig, Kind, Level};
use crate::source::{SourceConfig, WAIT_SLICE, WrongValue};
use crate::verdict::{Reason, Verdict};

/// What the operating system may take to wake a thread, and a verdict on its way through the sinks.
const MARGIN: Duration = Duration::from_millis(250);
/// Share of changed bytes from which on a compressed picture is certainly none any more.
const RUINED: f64 = 0.5;
/// Share of the noise that is left where a picture is black or white, and cannot get darker or brighter: the standard
/// deviation of the greater of 0 and a normal number is 0.58 of that number's.
const LEFT_BY_CLIPPING: f64 = 0.5;

/// What tells of a fault in a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Sign {
    /// A reason of the state.
    Reason(Reason),
    /// An error among the findings on the picture or its coming.
    Finding(Kind),
}

impl Sign {
    /// Whether a verdict has it.
    pub fn is_in(self, verdict: &Verdict) -> bool {
        match self {
            Self::Reason(reason) => verdict.reasons.contains(&reason),
            Self::Finding(kind) => {
                verdict.health.iter().any(|finding| finding.kind == kind && finding.level == Level::Error)
            }
        }
    }
}

/// What a monitor has to say of a fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// An unsafe verdict with one of these signs, so soon after the first frame that the fault has.
    Told {
        /// Any of them will do.
        by: Vec<Sign>,
        /// Counted from when that frame was taken, or would have been.
        #[serde(rename = "within_s", serialize_with = "in_seconds")]
        within: Duration,
    },
    /// Nothing in particular.
    NotPromised {
        /// Why not.
        why: &'static str,
    },
}

fn in_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

impl Expectation {
    /// The first of its signs in verdicts that were given from `began_ns` on (CLOCK_MONOTONIC, as in the verdicts), and how
    /// long after that.
    pub fn told<'v>(&self, began_ns: u64, verdicts: impl IntoIterator<Item = &'v Verdict>) -> Option<(Sign, Duration)> {
        let Self::Told { by, .. } = self else { return None };
        let sign_in = |verdict: &Verdict| by.iter().copied().find(|sign| !verdict.safe && sign.is_in(verdict));
        let mut later = verdicts.into_iter().filter(|verdict| verdict.monotonic_ns >= began_ns);
        later.find_map(|verdict| Some((sign_in(verdict)?, Duration::from_nanos(verdict.monotonic_ns - began_ns))))
    }
}

/// When a frame was taken, or would have been, on CLOCK_MONOTONIC: judged by a verdict on another one, of footage or a
/// camera that takes one every `interval`. None for a verdict without a frame.
pub fn taken_ns(frame: u64, by: &Verdict, interval: Duration) -> Option<u64> {
    let interval_ns = interval.as_nanos() as f64;
    let taken_ns = by.monotonic_ns as f64 - 1e6 * by.age_ms?;
    Some((taken_ns + interval_ns * (frame as f64 - by.frame? as f64)).max(0.0) as u64)
}

/// What the promises depend on.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    /// The limits of the picture.
    pub health: &'c HealthConfig,
    /// The deadline.
    pub decide: &'c DecideConfig,
    /// What is made to fail.
    pub source: &'c SourceConfig,
    /// Time between two judged frames. Where frames are dropped it is longer than the camera's.
    pub interval: Duration,
    /// Whether `[health]` measures anything in the pictures ([`crate::health::measures`]).
    pub is_measured: bool,
    /// Whether a part of the pictures does not count.
    pub is_masked: bool,
}

impl FaultConfig {
    /// What a monitor in these circumstances has to say of this fault alone, when it begins while frames flow.
    ///
    /// # Errors
    /// A script that has a wrong value.
    pub fn expectation(&self, given: &Circumstances<'_>) -> Result<Expectation, WrongValue> {
        let step = self.step().map_err(in_script(0))?;
        let promise = given.promise(step.fault);
        let lasts = step.lasts.map_or(Duration::MAX, |lasts| match lasts {
            Length::Time(time) => time,
            Length::Frames(frames) => given.interval.saturating_mul(u32::try_from(frames).unwrap_or(u32::MAX)),
        });
        Ok(match promise {
            Ok(promise) if lasts < promise.lasts_at_least => Expectation::NotPromised { why: "it is over too soon" },
            Ok(Promise { by, onset, .. }) => Expectation::Told { by, within: onset + given.deadline() + MARGIN },
            Err(why) => Expectation::NotPromised { why },
        })
    }
}

/// A row of the table, before the fault's length is looked at.
struct Promise {
    by: Vec<Sign>,
    onset: Duration,
    lasts_at_least: Duration,
}

impl Circumstances<'_> {
    fn deadline(&self) -> Duration {
        Duration::from_millis(self.decide.deadline_ms)
    }

    fn promise(&self, fault: Fault) -> Result<Promise, &'static str> {
        match fault {
            Fault::Freeze => self.frozen(),
            Fault::Black => self.finding(Kind::Dark, self.is_dark(), Duration::ZERO),
            Fault::Noise { sigma } => {
                let noisy = sigma * LEFT_BY_CLIPPING > f64::from(self.health.noise.error);
                self.finding(Kind::Noise, noisy, Duration::ZERO)
            }
            Fault::Corrupt(damage) => self.corrupt(damage),
            Fault::WrongSize(size) => self.wrong_size(size),
            Fault::Spoil(spoil) => {
                let (kind, is_beyond) = beyond(spoil, self)?;
                self.finding(kind, is_beyond, Duration::ZERO)
            }
            Fault::RateDrop { .. } => Err("the rate that a camera should have is learned while it runs"),
            Fault::TimestampJump { by_ms } => self.jump(by_ms),
            Fault::Stall => Ok(self.silence(LATE_AT_LEAST.max(LATE_INTERVALS * self.interval) + self.interval)),
            Fault::Unplug => Ok(self.silence(self.interval)),
        }
    }

    fn is_dark(&self) -> bool {
        self.health.dark_below > 0.0 && BLOCKS > self.health.dark_blocks.error
    }

    fn frozen(&self) -> Result<Promise, &'static str> {
        let limit_s = self.health.frozen_s.error;
        // The first frame beyond the limit comes up to an interval after it.
        let onset = Duration::try_from_secs_f32(limit_s).unwrap_or_default() + self.interval;
        self.finding(Kind::Frozen, limit_s.is_finite(), onset)
    }

    /// What the health checks see in every frame from `from` on.
    fn finding(&self, kind: Kind, beyond: bool, from: Duration) -> Result<Promise, &'static str> {
        if !self.health.enabled {
            return Err("[health] is not enabled");
        }
        if !self.is_measured && kind != Kind::Late {
            return Err(match self.is_masked {
                true => "the mask leaves too little of the pictures to measure anything",
                false => "pictures so small are not measured",
            });
        }
        if !beyond {
            return Err("it is not beyond the error limit of [health]");
        }
        let held = self.health.consecutive_frames;
        let onset = from + self.interval * held.saturating_sub(1);
        Ok(Promise { by: vec![Sign::Finding(kind)], onset, lasts_at_least: from + self.interval * held })
    }

    fn corrupt(&self, damage: Damage) -> Result<Promise, &'static str> {
        match damage {
            Damage::Cut { share } if share > 0.0 && self.has_picture_files() => {
                Err("a JPEG file that is cut off may still be a picture, grey in its lower part")
            }
            Damage::Change { .. } if !self.is_compressed() => Err("other bytes are another picture"),
            Damage::Change { share } if share < RUINED => Err("what still decodes is judged"),
            Damage::Cut { .. } | Damage::Change { .. } => Ok(self.bad_frames()),
        }
    }

    fn wrong_size(&self, size: Size) -> Result<Promise, &'static str> {
        match size {
            _ if !matches!(beneath(self.source), SourceConfig::V4l2(_) | SourceConfig::Pipe(_)) => {
                Err("footage may change its size, and is judged")
            }
            Size::Factor(factor) if factor <= 0.5 => Ok(self.bad_frames()),
            Size::Factor(_) | Size::Pixels(..) => Err("a frame that is longer than its size needs is judged"),
        }
    }

    fn bad_frames(&self) -> Promise {
        let by = vec![Sign::Reason(Reason::BadFrame), Sign::Reason(Reason::NoFrameWithinDeadline)];
        Promise { by, onset: Duration::ZERO, lasts_at_least: self.interval }
    }

    fn jump(&self, by_ms: i64) -> Result<Promise, &'static str> {
        if by_ms > 0 {
            return Err("a frame from the future is as old as its arrival");
        }
        let back = Duration::from_millis(by_ms.unsigned_abs());
        if back > self.deadline() {
            let by = vec![Sign::Reason(Reason::FrameTooOld)];
            return Ok(Promise { by, onset: Duration::ZERO, lasts_at_least: self.interval });
        }
        self.finding(Kind::Late, back.as_secs_f32() * 1000.0 > self.health.late_ms.error, Duration::ZERO)
    }

    /// Told when the source notices, or when the deadline has passed.
    fn silence(&self, noticed: Duration) -> Promise {
        let by = [Reason::CameraSilent, Reason::CameraLost, Reason::NoFrameWithinDeadline].map(Sign::Reason);
        let lasts_at_least = (noticed + 2 * WAIT_SLICE).min(self.deadline() + MARGIN);
        Promise { by: by.into(), onset: Duration::ZERO, lasts_at_least }
    }

    fn has_picture_files(&self) -> bool {
        matches!(beneath(self.source), SourceConfig::Images(_))
    }

    /// Pictures on disk may be of any format. Finished pixels of a video get the bytes of a JPEG before they are damaged.
    fn is_compressed(&self) -> bool {
        match beneath(self.source) {
            SourceConfig::V4l2(camera) => camera.formats.iter().all(|format| *format == PixelFormat::Mjpg),
            SourceConfig::Pipe(pipe) => pipe.format == PixelFormat::Mjpg,
            _ => true,
        }
    }
}

/// The source that a script wraps.
fn beneath(source: &SourceConfig) -> &SourceConfig {
    match source {
        SourceConfig::Faults(faults) => beneath(&faults.source),
        source => source,
    }
}

#[cfg(test)]
#[path = "expected_tests.rs"]
mod tests;
