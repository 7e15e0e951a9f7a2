//! From scores, bad frames and silence to a state.
//!
//! | what happened                              | state    | reasons                      |
//! |--------------------------------------------|----------|------------------------------|
//! | nothing judged yet, within the start time   | starting | no_frame_yet                 |
//! | nothing judged for the deadline             | fault    | no_frame_within_deadline     |
//! | frame older than the deadline when judged   | fault    | frame_too_old                |
//! | score above the threshold                   | ood      | score_above_threshold        |
//! | score not finite                            | degraded | score_not_finite             |
//! | bad frame since the last judged one         | degraded | bad_frame                    |
//! | camera silent, frozen or lost, and the      | degraded | camera_silent, camera_frozen |
//! | deadline not yet over                       |          | or camera_lost               |
//! | none of these                               | nominal  |                              |
//! | camera's source broke for good              | fault    | camera_failed                |
//!
//! Where several hold, the upper row names the state and all of them stand in the reasons. A fault for want of frames
//! lasts until the next frame is judged. Only nominal is safe: whatever is not known to be good is not.
//!
//! The [`Decider`] says what each of these means by itself; the [`Machine`] joins it with the state before and with faults that are
//! latched. `docs/STATES.md` has its table.

mod latch;
mod state;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::calibrate::Judgement;
use crate::source::Condition;
use crate::verdict::{Reason, State};
pub use latch::Latchable;
pub use state::{LastWord, Machine};

/// `[decide]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecideConfig {
    /// Longest time without a verdict on a fresh frame, in milliseconds; after it the state is fault.
    pub deadline_ms: u64,
    /// Time that the first frame may take, in milliseconds, before the absence of one is a fault.
    pub startup_ms: u64,
    /// Faults that stay until `oodwatch reset`.
    pub latch: Vec<Latchable>,
    /// Faults within an hour that are not yet `repeated_faults`.
    pub faults_per_hour: u32,
}

impl Default for DecideConfig {
    fn default() -> Self {
        Self { deadline_ms: 1_000, startup_ms: 10_000, latch: Latchable::DEFAULT.into(), faults_per_hour: 10 }
    }
}

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

/// Keeps what a decision depends on beyond the frame at hand.
#[derive(Debug)]
pub struct Decider {
    deadline: Duration,
    startup: Duration,
    started: Instant,
    judged_any: bool,
    bad_since_judged: bool,
    silent_since_judged: bool,
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
        }
    }

    /// Longest time without a verdict.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// A frame was judged that was `age` old.
    pub fn on_judged(&mut self, judgement: &Judgement, age: Duration) -> Decision {
        let too_old = age > self.deadline;
        let strange = judgement.score.is_some() && judgement.flag;
        let conditions = [
            (too_old, State::Fault, Reason::FrameTooOld),
            (strange, State::Ood, Reason::ScoreAboveThreshold),
            (judgement.score.is_none(), State::Degraded, Reason::ScoreNotFinite),
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

    fn is_starting(&self, now: Instant) -> bool {
        !self.judged_any && now.duration_since(self.started) < self.startup
    }

    /// The camera's source broke down or panicked: nothing will come of it in this run.
    pub fn on_failure(&self) -> Decision {
        Decision { state: State::Fault, reasons: vec![Reason::CameraFailed] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::ZERO;
    const KNOWN: Judgement = Judgement { score: Some(0.0), threshold: 1.0, p_value: Some(0.5), flag: false };
    const STRANGE: Judgement = Judgement { score: Some(9.0), threshold: 1.0, p_value: Some(0.01), flag: true };
    const BROKEN: Judgement = Judgement { score: None, threshold: 1.0, p_value: None, flag: true };

    fn decider() -> Decider {
        Decider::new(&DecideConfig::default(), Instant::now())
    }

    fn check(decision: Decision, state: State, reasons: &[Reason]) {
        assert_eq!((decision.state, decision.reasons.as_slice()), (state, reasons));
        assert_eq!(decision.is_safe(), state == State::Nominal);
    }

    #[test]
    fn a_known_frame_is_nominal_and_a_strange_one_is_not() {
        let mut decider = decider();
        check(decider.on_judged(&KNOWN, FRESH), State::Nominal, &[]);
        check(decider.on_judged(&STRANGE, FRESH), State::Ood, &[Reason::ScoreAboveThreshold]);
        check(decider.on_judged(&KNOWN, FRESH), State::Nominal, &[]);
    }

    #[test]
    fn a_score_that_is_no_number_is_never_safe() {
        check(decider().on_judged(&BROKEN, FRESH), State::Degraded, &[Reason::ScoreNotFinite]);
    }

    #[test]
    fn a_bad_frame_degrades_the_next_verdict_and_only_that() {
        let mut decider = decider();
        decider.on_bad_frame();
        check(decider.on_judged(&KNOWN, FRESH), State::Degraded, &[Reason::BadFrame]);
        check(decider.on_judged(&KNOWN, FRESH), State::Nominal, &[]);
    }

    #[test]
    fn the_gravest_condition_names_the_state_and_all_are_told() {
        let mut decider = decider();
        decider.on_bad_frame();
        let old = decider.deadline() + Duration::from_millis(1);
        check(
            decider.on_judged(&STRANGE, old),
            State::Fault,
            &[Reason::FrameTooOld, Reason::ScoreAboveThreshold, Reason::BadFrame],
        );
    }

    #[test]
    fn silence_is_starting_at_first_and_a_fault_later() {
        let start = Instant::now();
        let mut decider = Decider::new(&DecideConfig::default(), start);
        check(decider.on_silence(start, Condition::Streaming), State::Starting, &[Reason::NoFrameYet]);
        let late = start + Duration::from_secs(10);
        check(decider.on_silence(late, Condition::Streaming), State::Fault, &[Reason::NoFrameWithinDeadline]);
        decider.on_judged(&KNOWN, FRESH);
        check(decider.on_silence(start, Condition::Streaming), State::Fault, &[Reason::NoFrameWithinDeadline]);
    }

    #[test]
    fn a_camera_in_trouble_is_degraded_then_a_fault_until_the_next_frame() {
        let (mut decider, now) = (decider(), Instant::now());
        decider.on_judged(&KNOWN, FRESH);
        assert_eq!(decider.on_condition(now, Condition::Streaming), None);
        check(decider.on_condition(now, Condition::Silent).unwrap(), State::Degraded, &[Reason::CameraSilent]);
        check(decider.on_condition(now, Condition::Lost).unwrap(), State::Degraded, &[Reason::CameraLost]);
        let fault = [Reason::NoFrameWithinDeadline, Reason::CameraLost];
        check(decider.on_silence(now, Condition::Lost), State::Fault, &fault);
        assert_eq!(decider.on_condition(now, Condition::Frozen), None);
        check(decider.on_judged(&KNOWN, FRESH), State::Nominal, &[]);
        check(decider.on_condition(now, Condition::Frozen).unwrap(), State::Degraded, &[Reason::CameraFrozen]);
    }
}
