//! Conformal thresholds: from in-distribution scores and a wanted false-alarm rate to a threshold and p-values.
//!
//! With n exchangeable calibration scores and rate a the threshold is the order statistic of ascending rank
//! n + 1 - floor((n + 1) a); a frame is flagged when its score is above it. Its p-value is
//! (1 + #{calibration scores >= s}) / (n + 1), and flagged is exactly p <= a (Vovk, Gammerman & Shafer,
//! "Algorithmic Learning in a Random World", 2005; inductive conformal anomaly detection, Laxhammar & Falkman 2015).
//!
//! A [`Target`] is the rate, perhaps with a confidence; a [`Reference`] holds the scores and the threshold drawn through
//! them; a [`Judge`] holds a frame's scores against them, alone or as a [`Fusion`]. [`calibrate()`] does all of it on
//! footage that was written to a [`Spool`].
//!
//! Rates per frame say little about alarms over time: frames of a video resemble each other. [`choose_policies()`] tries
//! policies over time on footage of their own and reports how often they alarmed for nothing, and how soon for something.

mod alarms;
mod autocorrelation;
mod beta_binomial;
mod candidates;
mod choose;
mod delay;
mod footage;
mod fusion;
mod judge;
mod poisson;
mod policies;
mod reference;
mod split;
mod spool;
mod target;

pub use alarms::{FalseAlarms, Moment, false_alarms, short, time_of};
pub use autocorrelation::effective_count;
pub use beta_binomial::beta_binomial_interval;
pub use choose::{CalibratedPolicy, ChooseError, Goal, Material, Shortfall, choose};
pub use delay::{Cut, Delay, delay, delays_s, measured_cuts, modelled_cuts};
pub use footage::{Calibrated, FootageError, Wanted, calibrate};
pub use fusion::{Combination, Fusion, FusionError};
pub use judge::{Criterion, CriterionError, Judge, Judgement};
pub use poisson::{hours_without_alarm, upper_limit_per_hour};
pub use policies::{Footage, WithoutPolicy, choose_policies};
pub use reference::{Reference, ScoreCalibration};
pub use split::{Order, Parts};
pub use spool::{Spool, SpoolError};
pub use target::Target;

/// Why no threshold can be set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalibrateError {
    /// The rate is not a rate.
    #[error("false-alarm rate is {found}, wanted a number between 0 and 1, at least 1e-9")]
    Rate {
        /// What was given.
        found: f64,
    },
    /// Too few scores for such a small rate.
    #[error("{found} calibration frames cannot set a false-alarm rate of {target}; it takes at least {needed}")]
    TooFew {
        /// Scores there are.
        found: usize,
        /// Scores it takes; ceil(1 / rate) - 1 without a confidence.
        needed: usize,
        /// The rate asked for.
        target: Target,
    },
    /// A score is NaN or infinite.
    #[error("calibration score {index} is not finite; leave this score out by naming others, or look at that frame")]
    NotFinite {
        /// Its place in the sequence.
        index: usize,
    },
    /// A share of probability that is none.
    #[error("coverage is {found}, wanted a number between 0 and 1")]
    Coverage {
        /// What was given.
        found: f64,
    },
    /// A confidence that is none.
    #[error("confidence is {found}, wanted a number between 0 and 1")]
    Confidence {
        /// What was given.
        found: f64,
    },
    /// Too few scores of one class.
    #[error("class {class}: {source}")]
    Class {
        /// Index of the predicted class.
        class: usize,
        /// What it lacks.
        source: Box<CalibrateError>,
    },
}

/// Sorts calibration scores ascending.
///
/// # Errors
/// A score that is NaN or infinite.
pub fn sorted(mut scores: Vec<f32>) -> Result<Vec<f32>, CalibrateError> {
    if let Some(index) = scores.iter().position(|score| !score.is_finite()) {
        return Err(CalibrateError::NotFinite { index });
    }
    scores.sort_by(f32::total_cmp);
    Ok(scores)
}

/// p-value of a score against ascending calibration scores, in [1 / (n + 1), 1]. Not for NaN.
pub fn p_value(sorted_scores: &[f32], score: f32) -> f64 {
    let below = sorted_scores.partition_point(|calibration| *calibration < score);
    (1 + sorted_scores.len() - below) as f64 / (sorted_scores.len() + 1) as f64
}

#[cfg(test)]
mod tests;
