//! Conformal thresholds: from in-distribution scores and a wanted false-alarm rate to a threshold and p-values.
//!
//! With n exchangeable calibration scores and rate a the threshold is the order statistic of ascending rank
//! n + 1 - floor((n + 1) a); a frame is flagged when its score is above it. Its p-value is
//! (1 + #{calibration scores >= s}) / (n + 1), and flagged is exactly p <= a (Vovk, Gammerman & Shafer,
//! "Algorithmic Learning in a Random World", 2005; inductive conformal anomaly detection, Laxhammar & Falkman 2015).

mod autocorrelation;
mod beta_binomial;

pub use autocorrelation::effective_count;
pub use beta_binomial::beta_binomial_interval;

/// Why no threshold can be set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalibrateError {
    /// The rate is not a rate.
    #[error("false-alarm rate is {found}, wanted a number between 0 and 1")]
    Rate {
        /// What was given.
        found: f64,
    },
    /// Too few scores for such a small rate.
    #[error("{found} calibration frames cannot set a false-alarm rate of {rate}; it takes at least {needed}")]
    TooFew {
        /// Scores there are.
        found: usize,
        /// Scores it takes: ceil(1 / rate) - 1.
        needed: usize,
        /// The rate asked for.
        rate: f64,
    },
    /// A score is NaN or infinite.
    #[error("calibration score {index} is not finite: the network's output on that frame is unusable")]
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

/// The conformal threshold of ascending `sorted_scores` for a per-frame false-alarm `rate` in (0, 1).
///
/// # Errors
/// A rate outside (0, 1), or fewer than ceil(1 / rate) - 1 scores; the error names how many it takes.
pub fn threshold(sorted_scores: &[f32], rate: f64) -> Result<f32, CalibrateError> {
    let found = sorted_scores.len();
    let flaggable = flagged_ranks(found, rate)?;
    match flaggable {
        0 => Err(CalibrateError::TooFew { found, needed: needed_scores(rate), rate }),
        _ => Ok(sorted_scores[found - flaggable]),
    }
}

/// p-value of a score against ascending calibration scores, in [1 / (n + 1), 1]. Not for NaN.
pub fn p_value(sorted_scores: &[f32], score: f32) -> f64 {
    let below = sorted_scores.partition_point(|calibration| *calibration < score);
    (1 + sorted_scores.len() - below) as f64 / (sorted_scores.len() + 1) as f64
}

/// The smallest number of calibration scores that can set a threshold for `rate`: ceil(1 / rate) - 1.
pub fn needed_scores(rate: f64) -> usize {
    let guess = ((1.0 / rate).ceil() as usize).saturating_sub(1);
    // 1/rate is rounded; settle it with the same comparison that flags frames.
    let suffices = |n: usize| 1.0 / (n + 1) as f64 <= rate;
    match (guess.checked_sub(1).is_some_and(suffices), suffices(guess)) {
        (true, _) => guess - 1,
        (false, true) => guess,
        (false, false) => guess + 1,
    }
}

/// floor((n + 1) rate), as the largest k with k / (n + 1) <= rate in the very arithmetic of [`p_value`]: a rounded
/// product would make "flagged" and "p <= rate" disagree at the edge (n = 99, rate = 0.29).
pub(crate) fn flagged_ranks(n: usize, rate: f64) -> Result<usize, CalibrateError> {
    if !(rate > 0.0 && rate < 1.0) {
        return Err(CalibrateError::Rate { found: rate });
    }
    let total = (n + 1) as f64;
    let within = |k: usize| k as f64 / total <= rate;
    let mut k = (total * rate).floor() as usize;
    while within(k + 1) {
        k += 1;
    }
    while !within(k) {
        k -= 1;
    }
    Ok(k.min(n))
}

#[cfg(test)]
mod tests;
