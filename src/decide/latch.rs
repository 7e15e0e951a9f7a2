//! Faults that stay until somebody has looked: they end by `oodwatch reset`, not by the next good frame.
//!
//! A camera that was unplugged comes back and is as good as before, so its fault may end by itself. An inference that took longer
//! than the deadline, or a fault that comes again and again, tells of a machine that is not what it was when it was
//! approved: good frames in between prove nothing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{DecideConfig, Decision};
use crate::verdict::{Reason, State};

/// Within which time faults count as repeated.
const REPEATED_WITHIN: Duration = Duration::from_secs(3_600);

/// A fault that can be latched: `[decide] latch`. A camera whose source has failed stays a fault anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latchable {
    /// One frame kept the judging thread busy for longer than the deadline.
    JudgingStalled,
    /// More faults within an hour than `faults_per_hour`.
    RepeatedFaults,
    /// No frame was judged within the deadline.
    NoFrameWithinDeadline,
    /// A frame was older than the deadline when it was judged.
    FrameTooOld,
    /// The network failed its self-test.
    SelfTestFailed,
}

impl Latchable {
    /// Those that are latched where the config does not say.
    pub const DEFAULT: [Self; 3] = [Self::JudgingStalled, Self::RepeatedFaults, Self::SelfTestFailed];

    /// The reason that latches.
    pub fn reason(self) -> Reason {
        match self {
            Self::JudgingStalled => Reason::JudgingStalled,
            Self::RepeatedFaults => Reason::RepeatedFaults,
            Self::NoFrameWithinDeadline => Reason::NoFrameWithinDeadline,
            Self::FrameTooOld => Reason::FrameTooOld,
            Self::SelfTestFailed => Reason::SelfTestFailed,
        }
    }
}

/// The latched faults of one camera.
#[derive(Debug)]
pub(super) struct Latch {
    which: Vec<Latchable>,
    faults_per_hour: usize,
    /// When the latest faults began, `faults_per_hour` of them at most.
    began: VecDeque<Instant>,
    held: Vec<Reason>,
}

impl Latch {
    pub(super) fn new(config: &DecideConfig) -> Self {
        let faults_per_hour = config.faults_per_hour as usize;
        Self { which: config.latch.clone(), faults_per_hour, began: VecDeque::new(), held: Vec::new() }
    }

    /// What is latched, in the order in which it happened.
    pub(super) fn held(&self) -> &[Reason] {
        &self.held
    }

    /// A fault begins, at `now`.
    pub(super) fn on_fault_begun(&mut self, now: Instant) {
        if self.began.len() < self.faults_per_hour {
            self.began.push_back(now);
            return;
        }
        let oldest = self.began.pop_front();
        self.began.push_back(now);
        if oldest.is_none_or(|oldest| now.duration_since(oldest) < REPEATED_WITHIN) {
            self.hold(Latchable::RepeatedFaults);
        }
    }

    /// What this decision is, given what is latched and what it latches itself.
    pub(super) fn over(&mut self, decision: Decision) -> Decision {
        for place in 0..self.which.len() {
            let one = self.which[place];
            if decision.reasons.contains(&one.reason()) {
                self.hold(one);
            }
        }
        if self.held.is_empty() {
            return decision;
        }
        let mut reasons = vec![Reason::Latched];
        for reason in self.held.iter().chain(&decision.reasons) {
            if !reasons.contains(reason) {
                reasons.push(*reason);
            }
        }
        Decision { state: State::Fault, reasons }
    }

    /// Lets go, counts faults anew, and gives what was latched.
    pub(super) fn reset(&mut self) -> Vec<Reason> {
        self.began.clear();
        std::mem::take(&mut self.held)
    }

    fn hold(&mut self, one: Latchable) {
        let reason = one.reason();
        if self.which.contains(&one) && !self.held.contains(&reason) {
            self.held.push(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latch(which: &[Latchable], faults_per_hour: u32) -> Latch {
        Latch::new(&DecideConfig { latch: which.into(), faults_per_hour, ..DecideConfig::default() })
    }

    fn fault(reason: Reason) -> Decision {
        Decision { state: State::Fault, reasons: vec![reason] }
    }

    #[test]
    fn only_the_faults_that_the_config_names_are_latched() {
        let mut latch = latch(&[Latchable::FrameTooOld], 1);
        let silent = fault(Reason::NoFrameWithinDeadline);
        assert_eq!(latch.over(silent.clone()), silent);
        latch.on_fault_begun(Instant::now());
        latch.on_fault_begun(Instant::now());
        assert!(latch.held().is_empty(), "repeated faults are not to be latched");
        let latched = [Reason::Latched, Reason::FrameTooOld];
        assert_eq!(latch.over(fault(Reason::FrameTooOld)).reasons, latched);
        let known = Decision { state: State::Nominal, reasons: Vec::new() };
        assert_eq!(latch.over(known.clone()), Decision { state: State::Fault, reasons: latched.into() });
        assert_eq!(latch.reset(), [Reason::FrameTooOld]);
        assert_eq!(latch.over(known.clone()), known);
    }

    #[test]
    fn faults_latch_when_one_more_than_allowed_begins_within_an_hour() {
        let start = Instant::now();
        let minutes = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let mut latch = latch(&Latchable::DEFAULT, 2);
        // Never more than two in an hour: the third begins just when the first is an hour old.
        for begun in [0, 40, 60, 100, 120] {
            latch.on_fault_begun(minutes(begun));
            assert!(latch.held().is_empty(), "minute {begun}");
        }
        latch.on_fault_begun(minutes(159));
        assert_eq!(latch.held(), [Reason::RepeatedFaults]);
        assert_eq!(latch.reset(), [Reason::RepeatedFaults]);
        latch.on_fault_begun(minutes(160));
        latch.on_fault_begun(minutes(161));
        assert!(latch.held().is_empty(), "counting starts anew after a reset");
    }

    #[test]
    fn no_fault_allowed_latches_the_first() {
        let mut latch = latch(&Latchable::DEFAULT, 0);
        latch.on_fault_begun(Instant::now());
        assert_eq!(latch.held(), [Reason::RepeatedFaults]);
    }
}
