//! Decision over time: from a stream of p-values to an alarm that is raised, held and cleared.
//!
//! A flag at 5 % false alarms is 90 alarms a minute at 30 frames/s; nobody stops a robot on that. A policy weighs several
//! frames. Its numbers are chosen on in-distribution footage ([`crate::calibrate`]); no theorem stands behind them, since
//! neighbouring frames of a video are anything but independent.
//!
//! | rule       | statistic                                       | raised at                | cleared                        |
//! |------------|-------------------------------------------------|--------------------------|--------------------------------|
//! | k_of_n     | frames with p <= level among the last `window`  | `enter` of them          | full window, fewer than `leave`|
//! | cusum      | S = max(0, S + ln((1 - p) / p) - allowance)     | S >= `enter`             | S <= `leave`                   |
//! | martingale | S = max(0, S + ln g(p)), g the bet              | S >= `enter`             | S <= `leave`, and S restarts   |
//!
//! Cusum: Page, "Continuous inspection schemes", Biometrika 1954. For a uniform p the mean of ln((1 - p) / p) is 0, so
//! without an allowance S wanders up by itself. Martingale: the log wealth of a bet against "p is uniform" (Vovk,
//! Nouretdinov & Gammerman, ICML 2003), restarted when its stake is lost (Volkhonskiy et al., "Inductive conformal
//! martingales for change-point detection", 2017) and after an alarm. The bet g(p) = e max(p, 0.001)^(e - 1) / Z has mean 1
//! over a uniform p and is bounded; S is a statistic and nothing else, as Ville's bound does not hold on correlated frames.
//!
//! S does not grow beyond `enter`: how long an alarm takes to clear does not depend on how long it lasted.
//!
//! Time is `captured_at`. Where two judged frames are more than `max_gap_s` apart, or time runs backwards, what was before
//! says nothing about what comes: the statistic starts anew. An alarm is not cleared by that; it takes a full window, or
//! S from `enter` down, of frames that look known. Frames that all come after a gap leave nothing to sum up, and a policy
//! would never alarm: [`Watch::alone`] tells of them, so that they can be judged one by one.

mod weigh;
mod window;

use std::fmt;

use serde::{Deserialize, Serialize};

use weigh::Weigh;
use window::Window;

pub use window::LONGEST_WINDOW;

/// The p-value of a frame whose score is no number: stranger than any.
pub const STRANGEST: f64 = 0.0;

/// How alarms are raised and cleared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What is counted.
    pub rule: Rule,
    /// Longest time between two judged frames that still belong together, in seconds.
    pub max_gap_s: f64,
}

/// What is counted, and at which counts an alarm begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Strange frames among the last ones.
    KOfN {
        /// A frame is strange when its p-value is at most this, in (0, 1).
        level: f64,
        /// n: frames that are looked back on, 1 to 128.
        window: u32,
        /// k: strange frames that raise the alarm, 1 to n.
        enter: u32,
        /// With fewer strange frames than this among n the alarm is cleared, 1 to k.
        leave: u32,
    },
    /// Sum of log odds.
    Cusum {
        /// What every frame takes off the sum; positive.
        allowance: f64,
        /// The sum that raises the alarm; positive.
        enter: f64,
        /// The sum that clears it; at least 0, below `enter`.
        leave: f64,
    },
    /// Log wealth of a bet.
    Martingale {
        /// e of the bet, in (0, 1); smaller bets more on very small p-values.
        bet: f64,
        /// The log wealth that raises the alarm; positive.
        enter: f64,
        /// The log wealth that clears it; at least 0, below `enter`.
        leave: f64,
    },
}

impl Policy {
    /// Every flagged frame is an alarm; what a monitor without a policy does.
    pub fn frame(level: f64, max_gap_s: f64) -> Self {
        Self { rule: Rule::KOfN { level, window: 1, enter: 1, leave: 1 }, max_gap_s }
    }

    /// Whether the numbers make sense.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        let in_order = |enter: f64, leave: f64| enter > 0.0 && enter.is_finite() && leave >= 0.0 && leave < enter;
        let sound = match self.rule {
            Rule::KOfN { level, window, enter, leave } => {
                level > 0.0 && level < 1.0 && window <= LONGEST_WINDOW && enter <= window && leave <= enter && leave > 0
            }
            Rule::Cusum { allowance, enter, leave } => {
                allowance > 0.0 && allowance.is_finite() && in_order(enter, leave)
            }
            Rule::Martingale { bet, enter, leave } => bet > 0.0 && bet < 1.0 && in_order(enter, leave),
        };
        if !(self.max_gap_s > 0.0 && self.max_gap_s.is_finite()) {
            return Err(format!("max_gap_s is {}, wanted a positive number", self.max_gap_s));
        }
        if sound { Ok(()) } else { Err(format!("{self} is out of range")) }
    }

    /// The statistic at which the alarm is raised.
    pub fn threshold(&self) -> f64 {
        match self.rule {
            Rule::KOfN { enter, .. } => f64::from(enter),
            Rule::Cusum { enter, .. } | Rule::Martingale { enter, .. } => enter,
        }
    }

    /// `k_of_n`, `cusum` or `martingale`.
    pub fn name(&self) -> &'static str {
        match self.rule {
            Rule::KOfN { .. } => "k_of_n",
            Rule::Cusum { .. } => "cusum",
            Rule::Martingale { .. } => "martingale",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self.rule {
            Rule::KOfN { level, window, enter, leave } => write!(
                formatter,
                "{name}: {enter} of {window} frames with p <= {level}, cleared below {leave} of {window}"
            ),
            Rule::Cusum { allowance, enter, leave } => {
                write!(formatter, "{name}: allowance {allowance}, raised at {enter:.2}, cleared at {leave:.2}")
            }
            Rule::Martingale { bet, enter, leave } => {
                write!(formatter, "{name}: bet {bet}, raised at {enter:.2}, cleared at {leave:.2}")
            }
        }
    }
}

/// A policy at work on one camera. Deterministic; looking at a frame allocates nothing.
#[derive(Debug, Clone)]
pub struct Watch {
    policy: Policy,
    weigh: Weigh,
    window: Window,
    sum: f64,
    alarm: bool,
    last_s: Option<f64>,
    /// Whether the last frame was the first, or came after a gap.
    apart: bool,
    alone: bool,
}

impl Watch {
    /// Nothing seen, no alarm.
    pub fn new(policy: Policy) -> Self {
        let (weigh, window) = (Weigh::new(&policy.rule), Window::new(&policy.rule));
        Self { policy, weigh, window, sum: 0.0, alarm: false, last_s: None, apart: false, alone: false }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the alarm is up.
    pub fn alarm(&self) -> bool {
        self.alarm
    }

    /// Whether the last frame came after a gap, and so did the one before it, or there was none before that: too far apart to
    /// be weighed together.
    pub fn alone(&self) -> bool {
        self.alone
    }

    /// What the policy's threshold is held against.
    pub fn statistic(&self) -> f64 {
        match self.policy.rule {
            Rule::KOfN { .. } => f64::from(self.window.strange()),
            Rule::Cusum { .. } | Rule::Martingale { .. } => self.sum,
        }
    }

    /// Looks at the p-value of a frame taken at `time_s` seconds, on any clock that goes on evenly; whether the alarm is
    /// up now.
    pub fn see(&mut self, time_s: f64, p: f64) -> bool {
        let gap = self.last_s.is_some_and(|last_s| !(0.0..=self.policy.max_gap_s).contains(&(time_s - last_s)));
        if gap {
            self.forget();
        }
        self.alone = gap && self.apart;
        self.apart = gap || self.last_s.is_none();
        self.last_s = Some(time_s);
        let p = if p.is_nan() { STRANGEST } else { p };
        let alarmed = self.alarm;
        self.alarm = match self.policy.rule {
            Rule::KOfN { level, enter, leave, .. } => {
                self.window.push(p <= level);
                let strange = self.window.strange();
                strange >= enter || (self.alarm && (strange >= leave || !self.window.is_full()))
            }
            Rule::Cusum { enter, leave, .. } | Rule::Martingale { enter, leave, .. } => {
                self.sum = (self.sum + self.weigh.of(p)).max(0.0).min(enter);
                self.sum >= enter || (self.alarm && self.sum > leave)
            }
        };
        let cleared = alarmed && !self.alarm;
        if cleared && matches!(self.policy.rule, Rule::Martingale { .. }) {
            self.sum = 0.0;
        }
        self.alarm
    }

    /// Forgets the frames so far, but not the alarm.
    fn forget(&mut self) {
        self.window.clear();
        self.sum = if self.alarm { self.policy.threshold() } else { 0.0 };
    }
}

#[cfg(test)]
mod tests;
