//! From scores, bad frames and silence to a state.
//!
//! | what happened                              | state    | reasons                      |
//! |--------------------------------------------|----------|------------------------------|
//! | nothing judged yet, within the start time   | starting | no_frame_yet                 |
//! | nothing judged for the deadline             | fault    | no_frame_within_deadline     |
//! | frame older than the deadline when judged   | fault    | frame_too_old                |
//! | calibrated policy: its alarm is up          | ood      | alarm                        |
//! | score above the threshold, and policy frame | ood      | score_above_threshold        |
//! | or frames too far apart for the policy      |          |                              |
//! | score not finite                            | degraded | score_not_finite             |
//! | picture or its coming beyond an error limit | degraded | unhealthy                    |
//! | of `[health]`                               |          |                              |
//! | bad frame since the last judged one         | degraded | bad_frame                    |
//! | camera silent, frozen or lost, and the      | degraded | camera_silent, camera_frozen |
//! | deadline not yet over                       |          | or camera_lost               |
//! | none of these                               | nominal  |                              |
//! | camera's source broke for good              | fault    | camera_failed                |
//! | network failed its self-test                | fault    | self_test_failed             |
//!
//! Where several hold, the upper row names the state and all of them stand in the reasons. A fault for want of frames
//! lasts until the next frame is judged. Only nominal is safe: whatever is not known to be good is not.
//!
//! Under a calibrated [`policy`] a single flagged frame leaves the state nominal: that is what the policy is for. `flag`
//! still tells of it. The alarm stays up, whatever the frames between look like, until the policy clears it; bad frames,
//! silence and faults neither raise nor clear it. A score that is no number counts as the strangest. Frames that are all too
//! far apart to be weighed together stand for themselves: a policy would never alarm on them.
//!
//! The [`Decider`] says what each of these means by itself; the [`Machine`] joins it with the state before and with faults that are
//! latched. `docs/STATES.md` has its table.

mod config;
mod latch;
pub mod policy;
mod state;

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::calibrate::Judgement;
use crate::health::{Finding, Level};
use crate::source::Condition;
use crate::verdict::{Reason, State};
pub use config::{DecideConfig, DecideError, PolicyChoice};
pub use latch::Latchable;
pub use policy::Policy;
use policy::{STRANGEST, Watch};
pub use state::{LastWord, Machine};

/// A state with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The state.
    pub state: State,
    /// Why it is not nominal.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// Whether the robot may rely on its camera: in nominal alone.
    pub fn is_safe(&self) -> bool {
        self.state == State::Nominal
    }
}

/// What is wrong with a source in this condition.
fn reason_of(condition: Condition) -> Option<Reason> {
    match condition {
        Condition::Streaming => None,
        Condition::Silent => Some(Reason::CameraSilent),
        Condition::Frozen => Some(Reason::CameraFrozen),
        Condition::Lost => Some(Reason::CameraLost),
    }
}

/// How near a policy is to its alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// What it counts, after the last judged frame.
    pub statistic: f64,
    /// Where it raises the alarm.
    pub threshold: f64,
}

/// Keeps what a decision depends on beyond the frame at hand.
#[derive(Debug)]
pub struct Decider {
    deadline: Duration,
    startup: Duration,
    started: Instant,
    judged_any: bool,
    bad_since_judged: bool,
    silent_since_judged: bool,
    watch: Option<Watch>,
}

impl Decider {
    /// Starts at `now`, with nothing judged.
    pub fn new(config: &DecideConfig, now: Instant) -> Self {
        Self {
            deadline: Duration::from_millis(config.deadline_ms),
            startup: Duration::from_millis(config.startup_ms),
            started: now,
            judged_any: false,
            bad_since_judged: false,
            silent_since_judged: false,
            watch: None,
        }
    }

    /// With a policy over time; without, each frame stands for itself.
    #[must_use]
    pub fn with_policy(self, policy: Option<Policy>) -> Self {
        Self { watch: policy.map(Watch::new), ..self }
    }

    /// Where the policy stands; nothing where each frame stands for itself.
    pub fn reading(&self) -> Option<Reading> {
        let of = |watch: &Watch| Reading { statistic: watch.statistic(), threshold: watch.policy().threshold() };
        self.watch.as_ref().map(of)
    }

    /// Longest time without a verdict.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// A frame was judged that was taken at `captured_at`, was `age` old, and looked like that.
    pub fn on_judged(
        &mut self,
        judgement: &Judgement,
        health: &[Finding],
        captured_at: Timestamp,
        age: Duration,
    ) -> Decision {
        let too_old = age > self.deadline;
        let unhealthy = health.iter().any(|finding| finding.level == Level::Error);
        let p_value = judgement.p_value.unwrap_or(STRANGEST);
        let strange = judgement.score.is_some() && judgement.flag;
        let (alarm, strange) = match &mut self.watch {
            Some(watch) => (watch.see(seconds(captured_at), p_value), strange && watch.alone()),
            None => (false, strange),
        };
        let conditions = [
            (too_old, State::Fault, Reason::FrameTooOld),
            (alarm, State::Ood, Reason::Alarm),
            (strange, State::Ood, Reason::ScoreAboveThreshold),
            (judgement.score.is_none(), State::Degraded, Reason::ScoreNotFinite),
            (unhealthy, State::Degraded, Reason::Unhealthy),
            (self.bad_since_judged, State::Degraded, Reason::BadFrame),
        ];
        self.judged_any = true;
        self.bad_since_judged = false;
        self.silent_since_judged = false;
        let holding = || conditions.iter().filter(|(holds, _, _)| *holds);
        Decision {
            state: holding().map(|(_, state, _)| *state).next().unwrap_or(State::Nominal),
            reasons: holding().map(|(_, _, reason)| *reason).collect(),
        }
    }

    /// A frame came that could not be judged; whether it is the first since one could.
    pub fn on_bad_frame(&mut self) -> bool {
        !std::mem::replace(&mut self.bad_since_judged, true)
    }

    /// The deadline passed without a verdict on a fresh frame.
    pub fn on_silence(&mut self, now: Instant, condition: Condition) -> Decision {
        self.silent_since_judged = true;
        let (state, reason) = match self.is_starting(now) {
            true => (State::Starting, Reason::NoFrameYet),
            false => (State::Fault, Reason::NoFrameWithinDeadline),
        };
        Decision { state, reasons: [Some(reason), reason_of(condition)].into_iter().flatten().collect() }
    }

    /// The condition of a live source has changed, and the deadline has not passed. None where there is nothing to add to the
    /// last verdict: frames flow, which the next one will show, or the silence has been told already.
    pub fn on_condition(&self, now: Instant, condition: Condition) -> Option<Decision> {
        let reason = reason_of(condition)?;
        let (state, reasons) = match self.is_starting(now) {
            true => (State::Starting, vec![Reason::NoFrameYet, reason]),
            false => (State::Degraded, vec![reason]),
        };
        (!self.silent_since_judged).then_some(Decision { state, reasons })
    }

    /// Whatever the start time says: the absence of frames is a fault from now on, for something worse has happened.
    pub fn end_start(&mut self) {
        self.startup = Duration::ZERO;
    }

    fn is_starting(&self, now: Instant) -> bool {
        !self.judged_any && now.duration_since(self.started) < self.startup
    }

    /// The camera's source broke down or panicked: nothing will come of it in this run.
    pub fn on_failure(&self) -> Decision {
        Decision { state: State::Fault, reasons: vec![Reason::CameraFailed] }
    }
}

/// Seconds since 1970; to a microsecond, which is what a double holds of them.
fn seconds(time: Timestamp) -> f64 {
    time.as_microsecond() as f64 / 1e6
}

#[cfg(test)]
mod tests;
