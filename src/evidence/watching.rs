//! Listens to a run with a fault: whether the fault was told, when, and what was said besides.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::source::faults::{Expectation, Sign, taken_ns};
use crate::verdict::{Reason, State, Verdict};

/// How long is watched after a fault was told, and beyond the time by which it should have been.
const AFTER: Duration = Duration::from_secs(1);
/// How long is watched for faults of which nothing is promised.
const UNPROMISED: Duration = Duration::from_secs(1);
/// How long a run may take to give its first verdict on a frame.
const START: Duration = Duration::from_secs(30);

/// What a run with a fault came to. Seconds count from the fault's first frame.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measured {
    /// The first of the signs that are waited for.
    pub told_by: Option<Sign>,
    /// When.
    pub told_after_s: Option<f64>,
    /// The reasons of the first verdict that was not safe, whatever the signs.
    pub unsafe_by: Vec<Reason>,
    /// When that was.
    pub unsafe_after_s: Option<f64>,
    /// Whether a verdict before the fault was safe.
    pub safe_before: bool,
    /// Every change of the state.
    pub states: Vec<(f64, State)>,
    /// How long was watched.
    pub watched_s: f64,
}

/// What has been heard of a run.
pub(super) struct Watching<'e> {
    begins: u64,
    interval: Duration,
    expectation: &'e Expectation,
    began_ns: Option<u64>,
    verdicts: Vec<Verdict>,
}

impl<'e> Watching<'e> {
    /// Of a run whose fault begins with this frame.
    pub(super) fn new(begins: u64, interval: Duration, expectation: &'e Expectation) -> Self {
        Self { begins, interval, expectation, began_ns: None, verdicts: Vec::new() }
    }

    /// More of what was said.
    pub(super) fn hear(&mut self, verdicts: Vec<Verdict>) {
        self.verdicts.extend(verdicts);
        if self.began_ns.is_none() {
            let begins = |verdict: &Verdict| taken_ns(self.begins, verdict, self.interval);
            self.began_ns = self.verdicts.iter().find_map(begins);
        }
    }

    fn told(&self) -> Option<(Sign, Duration)> {
        self.expectation.told(self.began_ns?, &self.verdicts)
    }

    /// Whether nothing more is waited for, so long after the start.
    pub(super) fn is_over(&self, running: Duration) -> bool {
        let Some(began_ns) = self.began_ns else { return running > START };
        let horizon = match (self.told(), self.expectation) {
            (Some((_, after)), _) => after,
            (None, Expectation::Told { within, .. }) => *within,
            (None, Expectation::NotPromised { .. }) => UNPROMISED,
        };
        Duration::from_nanos(now_ns().saturating_sub(began_ns)) > horizon + AFTER
    }

    /// What it came to.
    pub(super) fn measured(&self) -> Measured {
        let Some(began_ns) = self.began_ns else { return Measured::default() };
        let at_s = |verdict: &Verdict| (verdict.monotonic_ns as f64 - began_ns as f64) / 1e9;
        let (before, later): (Vec<_>, Vec<_>) =
            self.verdicts.iter().partition(|verdict| verdict.monotonic_ns < began_ns);
        let told = self.told();
        let first_unsafe = later.iter().find(|verdict| !verdict.safe);
        let mut states: Vec<(f64, State)> = Vec::new();
        for verdict in &self.verdicts {
            if states.last().is_none_or(|(_, state)| *state != verdict.state) {
                states.push((at_s(verdict), verdict.state));
            }
        }
        Measured {
            told_by: told.map(|(sign, _)| sign),
            told_after_s: told.map(|(_, after)| after.as_secs_f64()),
            unsafe_by: first_unsafe.map(|verdict| verdict.reasons.clone()).unwrap_or_default(),
            unsafe_after_s: first_unsafe.map(|verdict| at_s(verdict)),
            safe_before: before.iter().any(|verdict| verdict.safe),
            states,
            watched_s: (now_ns() as f64 - began_ns as f64) / 1e9,
        }
    }
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
