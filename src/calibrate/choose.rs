//! Chooses a policy on one stretch of in-distribution footage and tests it on a later one.
//!
//! Of each shape of [`super::candidates`] the lowest policy that keeps the wanted rate on the first stretch is tried on
//! cuts into the unknown; the quickest wins. What the first stretch says of the winner is too good, since it was chosen
//! there; what the second says is not, and is what a user should go by.
//!
//! "Lowest": a policy that raises its alarm later than another of its shape has no more alarms to speak of, so a bisection
//! finds it. "Keeps the rate R" means, on T hours of the first stretch in blocks of L: with T R >= 3.0, the exact upper limit of
//! its false alarms is at most R. With less footage no count can show that, so the statistic's highest value is stretched
//! by ln(1 / (L R)) / ln(T / L): if the chance that a block reaches h falls like exp(-c h), the highest of T / L blocks is
//! near ln(T / L) / c, and R is reached at ln(1 / (L R)) / c. An extrapolation, not a proof, and reported as such.
//!
//! No policy is tried that a single frame can raise, however strange: of n + 1 frames one is the strangest, at 30 frames/s
//! and n = 1000 that is 108 times an hour, and a short stretch need not show it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::alarms::{FalseAlarms, Moment, false_alarms, highest, hours, short, time_of};
use super::candidates::{Shape, shapes};
use super::delay::{Cut, Delay, delay, period_s};
use super::{effective_count, hours_without_alarm};
use crate::decide::policy::{Policy, Rule};

/// What a policy has to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// False alarms per hour at most; positive.
    pub max_false_alarms_per_hour: f64,
    /// Seconds within which 95 % of the changes are to be noticed.
    pub max_delay_s: Option<f64>,
}

/// A policy over time with the evidence for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibratedPolicy {
    /// The policy.
    pub policy: Policy,
    /// What it was chosen for.
    pub max_false_alarms_per_hour: f64,
    /// Its false alarms where it was chosen; too good to be true.
    pub chosen_on: FalseAlarms,
    /// Its false alarms on later footage.
    pub tested_on: FalseAlarms,
    /// False alarms there if each flagged frame were one.
    pub frame_by_frame: FalseAlarms,
    /// Alarms closer than this counted once, in seconds.
    pub block_s: f64,
    /// Frames per second of the footage. A monitor that judges fewer is slower than the delay says.
    pub frames_per_second: f64,
    /// How soon it noticed the unknown.
    pub delay: Delay,
    /// What the unknown was, in words.
    pub unknown: String,
}

/// What a goal lacks on some footage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shortfall {
    /// The later stretch is too short to show the rate, even without an alarm.
    Footage {
        /// Hours it has.
        found: f64,
        /// Hours it takes.
        needed: f64,
    },
    /// The later stretch is long enough, and does not show the rate.
    Rate {
        /// The upper limit of its false alarms per hour.
        at_most: f64,
    },
    /// No policy that keeps the rate notices 95 % of the changes in time.
    Delay {
        /// What the quickest does.
        found: Delay,
    },
}

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChooseError {
    /// Too few frames to say anything.
    #[error("{found} frames to choose a policy on and {tested} to test it, wanted at least {wanted} each")]
    TooFew {
        /// Frames to choose on.
        found: usize,
        /// Frames to test on.
        tested: usize,
        /// Frames it takes.
        wanted: usize,
    },
    /// Even the calmest policies alarm too often.
    #[error("none of {tried} policies keeps {wanted} false alarms per hour; {closest}")]
    NoneKeeps {
        /// Policies that were tried.
        tried: usize,
        /// The rate that was asked for.
        wanted: f64,
        /// The best of them, in words.
        closest: String,
    },
    /// What keeps the rate never notices the unknown.
    #[error("{kept} kinds of policy keep {wanted} false alarms per hour, and none of them ever notices {unknown}")]
    NoneNotices {
        /// Shapes of which a policy keeps the rate.
        kept: usize,
        /// The rate that was asked for.
        wanted: f64,
        /// What they should have noticed.
        unknown: String,
    },
}

/// Fewest frames of each stretch.
const FEWEST_FRAMES: usize = 50;
/// Frames that may be missing before a gap makes a policy start anew.
const FRAMES_IN_A_GAP: f64 = 30.0;
/// A gap is never shorter than this, in seconds.
const SHORTEST_GAP_S: f64 = 5.0;

/// Two stretches of known footage, one after the other, and cuts from each into the unknown.
#[derive(Debug)]
pub struct Material<'a> {
    /// To choose on.
    pub choice: &'a [Moment],
    /// To test on; later, with a gap between.
    pub test: &'a [Moment],
    /// Cuts from the first stretch.
    pub choice_cuts: Vec<Cut>,
    /// Cuts from the second stretch.
    pub test_cuts: Vec<Cut>,
    /// What they cut to, in words.
    pub unknown: String,
    /// A frame whose p-value is at most this is flagged.
    pub level: f64,
    /// Scores behind the p-values; none of these is below 1 / (scores + 1).
    pub scores: usize,
}

/// Chooses a policy and tests it.
///
/// # Errors
/// Too few frames, or no policy that keeps the rate, or none of those notices anything.
pub fn choose(material: &Material<'_>, goal: &Goal) -> Result<CalibratedPolicy, ChooseError> {
    let (choice, test) = (material.choice, material.test);
    if choice.len().min(test.len()) < FEWEST_FRAMES {
        return Err(ChooseError::TooFew { found: choice.len(), tested: test.len(), wanted: FEWEST_FRAMES });
    }
    let period_s = period_s(choice);
    let max_gap_s = (FRAMES_IN_A_GAP * period_s).max(SHORTEST_GAP_S);
    let stretch = Stretch {
        choice,
        hours: hours(choice, max_gap_s),
        block_s: block_s(choice, period_s),
        wanted: goal.max_false_alarms_per_hour,
        strangest: Moment { time_s: 0.0, p: 1.0 / (material.scores + 1) as f64 },
    };
    let shapes = shapes(material.level, max_gap_s);
    let kept: Vec<Policy> = shapes.iter().filter_map(|shape| stretch.lowest(shape)).collect();
    if kept.is_empty() {
        return Err(stretch.none_keeps(&shapes));
    }
    let Some(policy) = quickest(&kept, material, goal) else {
        let (wanted, unknown) = (goal.max_false_alarms_per_hour, material.unknown.clone());
        return Err(ChooseError::NoneNotices { kept: kept.len(), wanted, unknown });
    };
    let test_alarms = |policy: Policy| false_alarms(policy, test, stretch.block_s);
    Ok(CalibratedPolicy {
        policy,
        max_false_alarms_per_hour: goal.max_false_alarms_per_hour,
        chosen_on: false_alarms(policy, choice, stretch.block_s),
        tested_on: test_alarms(policy),
        frame_by_frame: test_alarms(Policy::frame(material.level, policy.max_gap_s)),
        block_s: stretch.block_s,
        frames_per_second: 1.0 / period_s,
        delay: delay(policy, &material.test_cuts),
        unknown: material.unknown.clone(),
    })
}

/// Of the policies that notice anything the one that is soonest in the mean, if possible one that is in time.
fn quickest(policies: &[Policy], material: &Material<'_>, goal: &Goal) -> Option<Policy> {
    let timed = policies.iter().map(|policy| (*policy, delay(*policy, &material.choice_cuts)));
    let useful = timed.filter(|(_, delay)| delay.cuts > delay.missed);
    let too_late = |delay: &Delay| goal.max_delay_s.is_some_and(|limit_s| !delay.within(limit_s));
    let best = useful.min_by(|(_, a), (_, b)| too_late(a).cmp(&too_late(b)).then(a.mean_s.total_cmp(&b.mean_s)));
    best.map(|(policy, _)| policy)
}

/// Twice the integrated autocorrelation time of the p-values, in seconds, and no shorter than two frames.
fn block_s(footage: &[Moment], period_s: f64) -> f64 {
    let p_values: Vec<f32> = footage.iter().map(|moment| moment.p as f32).collect();
    2.0 * period_s * (p_values.len() as f64 / effective_count(&p_values).max(1.0))
}

/// The footage to choose on, and what is wanted there.
struct Stretch<'a> {
    choice: &'a [Moment],
    hours: f64,
    block_s: f64,
    wanted: f64,
    /// The strangest frame that a score can make.
    strangest: Moment,
}

impl Stretch<'_> {
    /// The lowest policy of a shape that keeps the rate.
    fn lowest(&self, shape: &Shape) -> Option<Policy> {
        let single = highest(shape.open, &[self.strangest]);
        let from = shape.policies.partition_point(|policy| policy.threshold() <= single);
        let policies = &shape.policies[from..];
        let highest = highest(shape.open, self.choice);
        if self.hours < hours_without_alarm(self.wanted) {
            let reached = self.extrapolated(shape, highest);
            return policies.iter().find(|policy| policy.threshold() > reached).copied();
        }
        // Above the highest value nothing alarms, and the footage is long enough for that to be proof.
        let keeps = |policy: &Policy| {
            let counted = || false_alarms(*policy, self.choice, self.block_s).at_most_per_hour();
            policy.threshold() > highest || counted() <= self.wanted
        };
        policies.get(policies.partition_point(|policy| !keeps(policy))).copied()
    }

    /// What the statistic of a shape would reach about once in 1 / R hours.
    fn extrapolated(&self, shape: &Shape, highest: f64) -> f64 {
        let block_hours = self.block_s / 3600.0;
        let blocks = (self.hours / block_hours).max(2.0);
        let stretched = (1.0 / (block_hours * self.wanted)).ln() / blocks.ln();
        // A count may have missed its next value by one frame.
        let slack = if matches!(shape.open.rule, Rule::KOfN { .. }) { 1.0 } else { 0.0 };
        (highest + slack) * stretched.max(1.0)
    }

    /// Nothing was found; what came closest.
    fn none_keeps(&self, shapes: &[Shape]) -> ChooseError {
        let highest = shapes.iter().filter_map(|shape| shape.policies.last());
        let counted = highest.map(|policy| (policy, false_alarms(*policy, self.choice, self.block_s)));
        let best = counted.min_by(|(_, a), (_, b)| a.per_hour().total_cmp(&b.per_hour()));
        ChooseError::NoneKeeps {
            tried: shapes.iter().map(|shape| shape.policies.len()).sum(),
            wanted: self.wanted,
            closest: best.map_or_else(String::new, |(policy, alarms)| format!("the calmest, {policy}: {alarms}")),
        }
    }
}

impl CalibratedPolicy {
    /// What the evidence lacks for a goal.
    pub fn shortfalls(&self, goal: &Goal) -> Vec<Shortfall> {
        let mut all = Vec::new();
        let (found, needed) = (self.tested_on.hours, hours_without_alarm(goal.max_false_alarms_per_hour));
        let at_most = self.tested_on.at_most_per_hour();
        if found < needed {
            all.push(Shortfall::Footage { found, needed });
        } else if at_most > goal.max_false_alarms_per_hour {
            all.push(Shortfall::Rate { at_most });
        }
        if goal.max_delay_s.is_some_and(|limit_s| !self.delay.within(limit_s)) {
            all.push(Shortfall::Delay { found: self.delay });
        }
        all
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Footage { found, needed } => write!(
                formatter,
                "the rate takes {} without an alarm after the choice, which is the last third of the footage; this one \
                 has {} and leaves it open",
                time_of(*needed),
                time_of(*found)
            ),
            Self::Rate { at_most } => {
                write!(formatter, "the later footage shows no more than a rate of at most {} per hour", short(*at_most))
            }
            Self::Delay { found } => write!(formatter, "no policy that keeps the rate is quick enough: {found}"),
        }
    }
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
