//! What a threshold promises: a share of flagged ID frames, on average or with a stated confidence.

use std::fmt;

use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

use super::CalibrateError;

/// A per-frame false-alarm rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Wanted share of ID frames that are flagged, in (0, 1).
    pub rate: f64,
    /// Without: the rate holds on average over calibration sets. With: the realised rate of this calibration set
    /// stays at or below `rate` with this probability, in (0, 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

impl Target {
    /// The rate on average.
    pub const fn rate(rate: f64) -> Self {
        Self { rate, confidence: None }
    }

    /// The smallest rate: one false alarm in a billion frames, a year of them at 30 frames/s.
    const SMALLEST_RATE: f64 = 1e-9;

    /// Whether both are probabilities.
    ///
    /// # Errors
    /// The rate is not in [1e-9, 1), or the confidence not in (0, 1).
    pub fn check(self) -> Result<Self, CalibrateError> {
        if !(self.rate >= Self::SMALLEST_RATE && self.rate < 1.0) {
            return Err(CalibrateError::Rate { found: self.rate });
        }
        match self.confidence {
            Some(confidence) if !(confidence > 0.0 && confidence < 1.0) => {
                Err(CalibrateError::Confidence { found: confidence })
            }
            _ => Ok(self),
        }
    }

    /// How many of n ascending scores, from the largest, a frame may tie with or exceed and be flagged: the largest k
    /// that keeps the promise.
    ///
    /// # Errors
    /// A rate or confidence outside (0, 1), or an n that keeps it for no k; the error names the n that would.
    pub fn flagged_ranks(self, n: usize) -> Result<usize, CalibrateError> {
        self.check()?;
        match largest(n, |k| self.keeps(n, k)) {
            0 => Err(CalibrateError::TooFew { found: n, needed: self.needed_scores(), target: self }),
            k => Ok(k),
        }
    }

    /// The smallest number of calibration scores for which there is a threshold: ceil(1 / rate) - 1, and
    /// ceil(log(1 - confidence) / log(1 - rate)) with a confidence. At least 1.
    pub fn needed_scores(self) -> usize {
        let guess = match self.confidence {
            None => (1.0 / self.rate).ceil() - 1.0,
            Some(confidence) => ((-confidence).ln_1p() / (-self.rate).ln_1p()).ceil(),
        };
        // The guess is rounded; settle it with the same comparison that flags frames.
        let mut n = (guess as usize).max(1);
        while n > 1 && self.keeps(n - 1, 1) {
            n -= 1;
        }
        while !self.keeps(n, 1) {
            n += 1;
        }
        n
    }

    /// Whether flagging p <= k / (n + 1) keeps the promise. On average the rate of such a threshold is k / (n + 1), in
    /// the very arithmetic of the p-value: a rounded product would make "flagged" and "p <= rate" disagree at the edge
    /// (n = 99, rate = 0.29). Given one calibration set it follows Beta(k, n + 1 - k) (Vovk 2012).
    fn keeps(self, n: usize, k: usize) -> bool {
        match self.confidence {
            None => k as f64 / (n + 1) as f64 <= self.rate,
            Some(confidence) => k <= n && beta_reg(k as f64, (n + 1 - k) as f64, self.rate) >= confidence,
        }
    }
}

/// The largest k in 0..=n that `keeps`, which holds for every smaller one too.
fn largest(n: usize, keeps: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if keeps(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// `0.01`, or `0.01 with confidence 0.95`.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.confidence {
            None => write!(formatter, "{}", self.rate),
            Some(confidence) => write!(formatter, "{} with confidence {confidence}", self.rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P(Beta(k, n + 1 - k) <= a) = P(Binomial(n, a) >= k), summed term by term.
    fn at_least(n: usize, k: usize, a: f64) -> f64 {
        let mut term = (1.0 - a).powi(n as i32);
        let mut below = 0.0;
        for i in 0..k {
            below += term;
            term *= (n - i) as f64 / (i + 1) as f64 * a / (1.0 - a);
        }
        1.0 - below
    }

    #[test]
    fn a_confidence_takes_the_largest_rank_whose_binomial_tail_reaches_it() {
        for (n, rate, confidence) in [(59, 0.05, 0.95), (100, 0.05, 0.9), (500, 0.1, 0.99), (2000, 0.01, 0.95)] {
            let k = Target { rate, confidence: Some(confidence) }.flagged_ranks(n).unwrap();
            assert!(at_least(n, k, rate) >= confidence && at_least(n, k + 1, rate) < confidence, "n {n}, k {k}");
        }
    }

    #[test]
    fn a_confidence_of_95_percent_for_a_rate_of_5_percent_takes_59_scores() {
        let target = Target { rate: 0.05, confidence: Some(0.95) };
        assert_eq!(target.needed_scores(), 59);
        assert_eq!(target.flagged_ranks(59), Ok(1));
        let error = target.flagged_ranks(58).unwrap_err().to_string();
        assert_eq!(
            error,
            "58 calibration frames cannot set a false-alarm rate of 0.05 with confidence 0.95; it takes at least 59"
        );
    }

    #[test]
    fn a_rate_whose_product_is_rounded_down_still_counts_its_full_rank() {
        // 100 * 0.29 is 28.999999999999996 in f64, but 29/100 == 0.29.
        assert_eq!(Target::rate(0.29).flagged_ranks(99), Ok(29));
    }

    #[test]
    fn a_rate_too_small_to_mean_anything_is_refused_and_the_smallest_one_is_counted_out() {
        for confidence in [None, Some(0.95)] {
            for rate in [1e-30, 1e-12, f64::MIN_POSITIVE] {
                let error = Target { rate, confidence }.flagged_ranks(1000).unwrap_err();
                assert_eq!(error, CalibrateError::Rate { found: rate });
            }
            let needed = Target { rate: 1e-9, confidence }.needed_scores();
            assert!((999_999_998..4_000_000_000).contains(&needed), "{needed}");
        }
    }

    #[test]
    fn a_confidence_that_is_none_is_refused() {
        for confidence in [0.0, 1.0, f64::NAN] {
            let target = Target { rate: 0.05, confidence: Some(confidence) };
            assert!(matches!(target.flagged_ranks(1000), Err(CalibrateError::Confidence { .. })));
        }
    }
}
