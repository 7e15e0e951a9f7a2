//! The state machine of one camera: what happens, and the state that it is in afterwards.
//!
//! `docs/STATES.md` is its table, and a test holds the table against this code, cell by cell. What a judged frame or a
//! silence means by itself is the [`Decider`]'s; here it is joined with the state before:
//!
//! - a fault lasts until a frame is judged, whatever the camera says of itself meanwhile;
//! - a latched fault lasts until [`Machine::reset`], and after it until a frame is judged;
//! - the last word of a run is a fault, for from then on nobody watches.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::latch::Latch;
use super::{DecideConfig, Decider, Decision, Reading};
use crate::calibrate::Judgement;
use crate::health::Finding;
use crate::source::Condition;
use crate::verdict::{Reason, State};

/// Why a run ends, where its listeners have to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastWord {
    /// The monitor was told to stop.
    Stopped,
    /// The judging thread panicked.
    Panicked,
    /// The network failed on a picture that could be read.
    JudgingFailed,
}

impl LastWord {
    fn reason(self) -> Reason {
        match self {
            Self::Stopped => Reason::Stopped,
            Self::Panicked => Reason::Panicked,
            Self::JudgingFailed => Reason::JudgingFailed,
        }
    }
}

/// A camera's state over time.
#[derive(Debug)]
pub struct Machine {
    decider: Decider,
    latch: Latch,
    state: State,
    /// The camera's source has failed for good.
    failed: bool,
}

impl Machine {
    /// Starts in [`State::Starting`], with nothing latched.
    pub fn new(decider: Decider, config: &DecideConfig) -> Self {
        Self { decider, latch: Latch::new(config), state: State::Starting, failed: false }
    }

    /// Longest time without a verdict.
    pub fn deadline(&self) -> Duration {
        self.decider.deadline()
    }

    /// The state as it was last told.
    pub fn state(&self) -> State {
        self.state
    }

    /// The faults that are latched, in the order in which they happened.
    pub fn latched(&self) -> &[Reason] {
        self.latch.held()
    }

    /// Where the policy stands; nothing where each frame stands for itself.
    pub fn reading(&self) -> Option<Reading> {
        self.decider.reading()
    }

    /// A frame was judged that was taken at `captured_at` and was `age` old.
    pub fn on_judged(
        &mut self,
        judgement: &Judgement,
        health: &[Finding],
        captured_at: Timestamp,
        age: Duration,
        now: Instant,
    ) -> Decision {
        let decision = self.decider.on_judged(judgement, health, captured_at, age);
        self.enter(decision, now)
    }

    /// A frame came that could not be judged; whether it is the first since one could.
    pub fn on_bad_frame(&mut self) -> bool {
        self.decider.on_bad_frame()
    }

    /// The deadline passed without a verdict on a fresh frame; `stalled` where one frame has kept the judging thread busy for
    /// longer than that.
    pub fn on_silence(&mut self, now: Instant, condition: Condition, stalled: bool) -> Decision {
        if self.failed {
            return self.on_failure(now);
        }
        let mut decision = self.decider.on_silence(now, condition);
        // A network that warms up is no fault yet.
        if stalled && decision.state == State::Fault {
            decision.reasons.push(Reason::JudgingStalled);
        }
        self.enter(decision, now)
    }

    /// The condition of a live source has changed before the deadline. None where that adds nothing to the last verdict: frames
    /// flow, which the next one will show, or the state is a fault already.
    pub fn on_condition(&mut self, now: Instant, condition: Condition) -> Option<Decision> {
        if self.state == State::Fault {
            return None;
        }
        let decision = self.decider.on_condition(now, condition)?;
        Some(self.enter(decision, now))
    }

    /// The camera's source broke down or panicked: nothing will come of it in this run.
    pub fn on_failure(&mut self, now: Instant) -> Decision {
        self.failed = true;
        let decision = self.decider.on_failure();
        self.enter(decision, now)
    }

    /// The network failed its self-test: what it says of any frame is worth nothing.
    pub fn on_self_test_failed(&mut self, now: Instant) -> Decision {
        self.decider.end_start();
        let decision = Decision { state: State::Fault, reasons: vec![Reason::SelfTestFailed] };
        self.enter(decision, now)
    }

    /// The last word of the run. That it ends is no fault of the machine, and is not counted as one.
    pub fn on_end(&mut self, last_word: LastWord) -> Decision {
        self.state = State::Fault;
        self.latch.over(Decision { state: State::Fault, reasons: vec![last_word.reason()] })
    }

    /// Lets the latched faults go and gives them. The state is a fault until the next frame is judged.
    pub fn reset(&mut self) -> Vec<Reason> {
        self.latch.reset()
    }

    fn enter(&mut self, decision: Decision, now: Instant) -> Decision {
        if decision.state == State::Fault && self.state != State::Fault {
            self.latch.on_fault_begun(now);
        }
        let decision = self.latch.over(decision);
        self.state = decision.state;
        decision
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
