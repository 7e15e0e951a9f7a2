//! How many of m further in-distribution frames get flagged, given that n frames set the threshold.
//!
//! The threshold is one draw: its realised rate follows Beta(k, n + 1 - k) with k = floor((n + 1) a), so the count
//! over m exchangeable frames is beta-binomial (Vovk, "Conditional validity of inductive conformal predictors", 2012).

use super::{CalibrateError, Target};

/// The equal-tailed interval (lowest, highest count) that holds the number of flagged frames among `m` new
/// in-distribution frames with probability at least `coverage`, after calibration on `n` frames for `target`.
///
/// # Errors
/// A rate or coverage outside (0, 1), or an `n` too small for the rate.
pub fn beta_binomial_interval(
    n: usize,
    target: Target,
    m: usize,
    coverage: f64,
) -> Result<(usize, usize), CalibrateError> {
    if !(coverage > 0.0 && coverage < 1.0) {
        return Err(CalibrateError::Coverage { found: coverage });
    }
    let k = target.flagged_ranks(n)?;
    let tail = (1.0 - coverage) / 2.0;
    let probabilities = probabilities(m, k as f64, (n + 1 - k) as f64);
    // Each tail outside the interval holds at most `tail`; summing from its own side keeps small tails exact.
    let low = first_past(probabilities.iter(), tail);
    let high = m - first_past(probabilities.iter().rev(), tail);
    Ok((low, high))
}

/// P(X = 0..=m) for X ~ BetaBinomial(m, alpha, beta).
fn probabilities(m: usize, alpha: f64, beta: f64) -> Vec<f64> {
    let m_f = m as f64;
    let mut log_p: f64 = (0..m).map(|i| ((beta + i as f64) / (alpha + beta + i as f64)).ln()).sum();
    let mut all = Vec::with_capacity(m + 1);
    for x in 0..=m {
        all.push(log_p.exp());
        let x = x as f64;
        // P(x + 1) / P(x)
        log_p += ((m_f - x) / (x + 1.0)).ln() + ((alpha + x) / (beta + m_f - x - 1.0)).ln();
    }
    all
}

/// How many leading probabilities sum to at most `tail`.
fn first_past<'a>(probabilities: impl Iterator<Item = &'a f64>, tail: f64) -> usize {
    let mut sum = 0.0;
    probabilities
        .take_while(|p| {
            sum += **p;
            sum <= tail
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_sums_to_one_and_has_the_right_mean() {
        let (m, alpha, beta) = (500, 25.0, 475.0);
        let law = probabilities(m, alpha, beta);
        let sum: f64 = law.iter().sum();
        let mean: f64 = law.iter().enumerate().map(|(x, p)| x as f64 * p).sum();
        assert!((sum - 1.0).abs() < 1e-9, "sum {sum}");
        assert!((mean - m as f64 * alpha / (alpha + beta)).abs() < 1e-6, "mean {mean}");
    }

    #[test]
    fn one_calibration_frame_and_one_test_frame_are_worked_out_by_hand() {
        // n = 1, rate 1/2: k = 1, Beta(1, 1); one frame is flagged with probability 1/2.
        let law = probabilities(1, 1.0, 1.0);
        assert!(law.iter().all(|p| (p - 0.5).abs() < 1e-12), "{law:?}");
        assert_eq!(beta_binomial_interval(1, Target::rate(0.5), 1, 0.9), Ok((0, 1)));
    }

    #[test]
    fn a_wider_coverage_gives_a_wider_interval() {
        let (low_90, high_90) = beta_binomial_interval(5000, Target::rate(0.05), 5000, 0.90).unwrap();
        let (low_99, high_99) = beta_binomial_interval(5000, Target::rate(0.05), 5000, 0.99).unwrap();
        assert!(low_99 < low_90 && low_90 < 250 && 250 < high_90 && high_90 < high_99);
    }

    #[test]
    fn too_few_frames_are_refused_by_number() {
        assert_eq!(
            beta_binomial_interval(18, Target::rate(0.05), 100, 0.9),
            Err(CalibrateError::TooFew { found: 18, needed: 19, target: Target::rate(0.05) })
        );
    }
}
