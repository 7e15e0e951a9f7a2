//! The formulas of the scores that need nothing but the network's outputs. Sums run in f64.

use super::Score;

/// MSP: `-max_k softmax(y)_k`. Hendrycks & Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution
/// Examples in Neural Networks", ICLR 2017 (the sign is turned so that larger is stranger).
pub fn msp(logits: &[f32]) -> Score {
    // max softmax = exp(max - logsumexp), which cannot overflow.
    Score(-(maximum(logits) - log_sum_exp(logits)).exp() as f32)
}

/// Max logit: `-max_k y_k`. Hendrycks et al., "Scaling Out-of-Distribution Detection for Real-World Settings",
/// ICML 2022.
pub fn max_logit(logits: &[f32]) -> Score {
    Score(-maximum(logits) as f32)
}

/// Energy: `-log sum_k exp(y_k)`, temperature 1. Liu et al., "Energy-based Out-of-distribution Detection",
/// NeurIPS 2020.
pub fn energy(logits: &[f32]) -> Score {
    Score(-log_sum_exp(logits) as f32)
}

/// Feature norm: `-||z||_2` of the pooled feature. Networks answer what they know with long features; the
/// background loss (arXiv 2510.12259) shortens the others.
pub fn feature_norm(features: &[f32]) -> Score {
    let square_sum: f64 = features.iter().map(|value| f64::from(*value).powi(2)).sum();
    Score(-square_sum.sqrt() as f32)
}

/// `log sum_k exp(y_k)` with the maximum taken out, so that it neither overflows nor loses small terms.
pub(super) fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = maximum(logits);
    if max.is_infinite() {
        return max;
    }
    let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - max).exp()).sum();
    max + sum.ln()
}

/// The largest value; NaN if any is NaN (f32::max would hide it), -infinity of nothing.
fn maximum(values: &[f32]) -> f64 {
    values.iter().fold(f64::NEG_INFINITY, |max, value| {
        let value = f64::from(*value);
        if value.is_nan() || max.is_nan() { f64::NAN } else { max.max(value) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: Score, want: f32) {
        assert!((got.0 - want).abs() <= 1e-6 * (1.0 + want.abs()), "{got:?}, wanted {want}");
    }

    #[test]
    fn scores_of_two_logits_are_those_worked_out_by_hand() {
        let logits = [0.0, 3.0_f32.ln()];
        close(msp(&logits), -0.75);
        close(max_logit(&logits), -(3.0_f32.ln()));
        close(energy(&logits), -(4.0_f32.ln()));
        close(feature_norm(&[3.0, 4.0]), -5.0);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        close(energy(&[3e4, 3e4]), -(3e4 + 2.0_f32.ln()));
        close(msp(&[3e4, -3e4]), -1.0);
    }

    #[test]
    fn a_nan_logit_makes_a_nan_score() {
        for score in [msp(&[1.0, f32::NAN]), max_logit(&[f32::NAN, 1.0]), energy(&[f32::NAN, 1.0])] {
            assert!(!score.is_finite());
        }
        assert!(!feature_norm(&[f32::NAN]).is_finite());
    }

    #[test]
    fn a_sure_network_scores_lower_than_an_unsure_one() {
        for scorer in [msp, max_logit, energy] {
            assert!(scorer(&[9.0, 0.0, 0.0]) < scorer(&[1.0, 1.0, 1.0]));
        }
    }
}
