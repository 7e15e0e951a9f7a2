//! What was set out to be reached, and what was measured of it. A goal over several cases is as good as its worst.

use std::fmt;

use super::numbers::{Ratio, median};
use super::plan::{Case, Network, Peer};
use super::results::{InMemory, Measured, Run};

/// A goal with what became of it.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) text: String,
    /// The worst case: its name, and what was measured.
    pub(super) worst: Option<(String, f64)>,
    pub(super) limit: Limit,
}

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(formatter, ">= {least:.2}"),
            Self::AtMost(most) => write!(formatter, "<= {most:.2}"),
        }
    }
}

impl Goal {
    /// Of the measured cases; each gives a number or has no part in it.
    fn new(text: &str, limit: Limit, kept: &[(Case, Measured)], of: impl Fn(Case, &Measured) -> Option<f64>) -> Self {
        let values = kept.iter().filter_map(|(case, measured)| Some((case.to_string(), of(*case, measured)?)));
        let worse = |one: &(String, f64), other: &(String, f64)| match limit {
            Limit::AtLeast(_) => other.1.total_cmp(&one.1),
            Limit::AtMost(_) => one.1.total_cmp(&other.1),
        };
        Self { text: text.to_owned(), worst: values.max_by(worse), limit }
    }

    /// Whether it is reached; none where nothing of it was measured.
    pub(super) fn reached(&self) -> Option<bool> {
        let (_, value) = self.worst.as_ref()?;
        Some(match self.limit {
            Limit::AtLeast(least) => *value >= least,
            Limit::AtMost(most) => *value <= most,
        })
    }
}

/// How much longer another takes than we do, from bytes to tensor.
pub(super) fn frame_path(measured: &Measured, other: Peer) -> Ratio {
    frame_path_by(measured, other, Peer::Ours)
}

/// How much longer one takes than the other, from bytes to tensor.
pub(super) fn frame_path_by(measured: &Measured, one: Peer, other: Peer) -> Ratio {
    in_memory(measured, |repeat| (repeat.passes[&one].prepare_us, repeat.passes[&other].prepare_us))
}

/// How much longer another takes than we do, from bytes to verdict.
pub(super) fn whole(measured: &Measured, other: Peer) -> Ratio {
    in_memory(measured, |repeat| (repeat.passes[&other].all_us, repeat.passes[&Peer::Ours].all_us))
}

/// Everything of ours but the network, by the network alone in Python.
pub(super) fn overhead(measured: &Measured) -> Ratio {
    in_memory(measured, |repeat| (all_but_infer_us(repeat), repeat.network_us))
}

/// Everything of ours but the network, of the median repeat.
pub(super) fn overhead_us(measured: &Measured) -> f64 {
    median(&measured.in_memory.iter().map(all_but_infer_us).collect::<Vec<_>>())
}

fn all_but_infer_us(repeat: &InMemory) -> f64 {
    let ours = repeat.passes[&Peer::Ours];
    ours.all_us - ours.infer_us
}

/// A quotient over the repeats in memory.
pub(super) fn in_memory(measured: &Measured, pair: impl Fn(&InMemory) -> (f64, f64)) -> Ratio {
    Ratio::of(measured.in_memory.iter().map(pair))
}

/// Ours by another's, over the runs through a pipe.
pub(super) fn ours_by(measured: &Measured, other: Peer, number: impl Fn(&Run) -> f64) -> Ratio {
    by(measured, Peer::Ours, other, number)
}

/// One's by another's, over the runs through a pipe.
pub(super) fn by(measured: &Measured, one: Peer, other: Peer, number: impl Fn(&Run) -> f64) -> Ratio {
    Ratio::of(measured.through_a_pipe.iter().map(|by| (number(&by[&one]), number(&by[&other]))))
}

/// Every goal.
pub(super) fn goals(kept: &[(Case, Measured)]) -> Vec<Goal> {
    let full_hd = |case: Case| case.camera.size == "1080p";
    let raw = |case: Case| full_hd(case) && case.is_raw();
    let at_least = |text: &str, least, of: &dyn Fn(Case, &Measured) -> Option<f64>| {
        Goal::new(text, Limit::AtLeast(least), kept, of)
    };
    let at_most =
        |text: &str, most, of: &dyn Fn(Case, &Measured) -> Option<f64>| Goal::new(text, Limit::AtMost(most), kept, of);
    let (area, linear) = (Peer::Area, Peer::Linear);
    let speed = |other| move |measured: &Measured| ours_by(measured, other, |run| run.frames_per_second).median;
    let mut goals = vec![
        at_most("everything but inference, by a bare session.run, Lite0 at 720p raw", 0.05, &|case, measured| {
            let counts = case.camera.size == "720p" && case.is_raw() && case.network == Network::Lite0;
            counts.then(|| overhead(measured).median)
        }),
        at_least("frame path, 1080p raw, INTER_AREA by ours", 4.0, &|case, measured| {
            raw(case).then(|| frame_path(measured, area).median)
        }),
        at_least("frame path, 1080p raw, INTER_LINEAR by ours", 1.5, &|case, measured| {
            raw(case).then(|| frame_path(measured, linear).median)
        }),
        at_least("frame path, 1080p MJPG, INTER_LINEAR by ours", 1.5, &|case, measured| {
            (full_hd(case) && !case.is_raw()).then(|| frame_path(measured, linear).median)
        }),
        at_least("frame path, 1080p MJPG decoded smaller, INTER_LINEAR by ours", 1.5, &|case, measured| {
            (full_hd(case) && !case.is_raw()).then(|| frame_path_by(measured, linear, Peer::Scaled).median)
        }),
    ];
    for (network, other, least) in [
        (Network::ResNet20, area, 5.0),
        (Network::ResNet20, linear, 2.5),
        (Network::Lite0, area, 1.3),
        (Network::Lite0, linear, 1.3),
    ] {
        let way = if other == area { "INTER_AREA" } else { "INTER_LINEAR" };
        let counts = move |case: Case| raw(case) && case.network == network;
        goals.push(at_least(
            &format!("whole, {network}, 1080p raw in memory, {way} by ours"),
            least,
            &|case, measured| counts(case).then(|| whole(measured, other).median),
        ));
        goals.push(at_least(
            &format!("whole, {network}, 1080p raw through a pipe, frames/s by {way}'s"),
            least,
            &|case, measured| counts(case).then(|| speed(other)(measured)),
        ));
    }
    goals.push(at_most("peak memory, by INTER_LINEAR's", 0.5, &|_, measured| {
        Some(ours_by(measured, linear, |run| run.peak_kib as f64).median)
    }));
    goals.push(at_most("start to first verdict, by INTER_LINEAR's", 1.0 / 3.0, &|_, measured| {
        Some(ours_by(measured, linear, |run| run.start_ms).median)
    }));
    goals.push(at_most("peak memory with a prepared network, by INTER_LINEAR's", 0.5, &|_, measured| {
        Some(by(measured, Peer::Prepared, linear, |run| run.peak_kib as f64).median)
    }));
    goals.push(at_most(
        "start to first verdict with a prepared network, by INTER_LINEAR's",
        1.0 / 3.0,
        &|_, measured| Some(by(measured, Peer::Prepared, linear, |run| run.start_ms).median),
    ));
    goals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_its_worst_case_and_unknown_without_one() {
        let nothing = goals(&[]);
        assert!(nothing.iter().all(|goal| goal.reached().is_none()));
        let (least, most) = (Limit::AtLeast(2.0), Limit::AtMost(2.0));
        let goal = |limit, value| Goal { text: String::new(), worst: Some((String::new(), value)), limit };
        assert_eq!(goal(least, 2.0).reached(), Some(true));
        assert_eq!(goal(least, 1.9).reached(), Some(false));
        assert_eq!(goal(most, 1.9).reached(), Some(true));
        assert_eq!(goal(most, f64::NAN).reached(), Some(false));
    }
}
