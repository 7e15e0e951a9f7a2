//! GradNorm: the length of the gradient that would pull the softmax towards the uniform distribution. LONG MEANS KNOWN.
//!
//! Huang, Geng & Li, "On the Importance of Gradients for Detecting Distributional Shifts in the Wild", NeurIPS 2021,
//! equations 3 and 7. The loss is the mean cross-entropy to the uniform target, `(1/K) sum_k -log p_k`; its gradient
//! with respect to the last layer's weights is the outer product of `p - 1/K` and z, so that its L1 norm is a product
//! of two L1 norms and no backward pass is needed:
//!
//! `-||z||_1 * sum_k |p_k - 1/K|`, temperature 1, weights without the bias.
//!
//! pytorch-ood computes this. OpenOOD and the authors' code take targets of 1 in the place of 1/K, which makes it
//! K times as much: the same ranking.

use super::kernels::{absolute_sum, exp_inline, sum_of, vectorised};
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::{Model, Score, ScoreName};

/// The score of pooled features, and of logits whose log-sum-exp is given.
fn gradnorm(features: &[f32], logits: &[f32], log_sum_exp: f64) -> f64 {
    if !log_sum_exp.is_finite() {
        return f64::NAN;
    }
    -absolute_sum(features) * distance_from_uniform(logits, log_sum_exp)
}

vectorised! {
    /// `sum_k |softmax(y)_k - 1/K|` of logits whose [`log_sum_exp`] is given.
    fn distance_from_uniform(logits: &[f32], log_sum_exp: f64) -> f64 {
        let uniform = 1.0 / logits.len() as f64;
        sum_of(logits, |logit| (exp_inline(f64::from(logit) - log_sum_exp) - uniform).abs())
    }
}

struct Gradnorm {
    place: usize,
}

/// Builds the score of this file, if it is wanted.
pub(super) fn build(wanted: Wanted<'_>, _model: &Model<'_>) -> Built {
    Ok(wanted.place(ScoreName::Gradnorm).map(|place| Box::new(Gradnorm { place }) as Box<dyn Family>))
}

impl Family for Gradnorm {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        scores[self.place] = Score(gradnorm(outputs.features, outputs.logits, outputs.log_sum_exp()) as f32);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::score::kernels::log_sum_exp;

    fn score(features: &[f32], logits: &[f32]) -> f64 {
        gradnorm(features, logits, log_sum_exp(logits))
    }

    #[test]
    fn the_score_of_two_logits_is_that_worked_out_by_hand() {
        // Softmax 1/4 and 3/4, each 1/4 from uniform; L1 norm 1 + 2 + 3.
        let score = score(&[1.0, -2.0, 3.0], &[0.0, 3.0_f32.ln()]);
        assert!((score + 6.0 * 0.5).abs() < 1e-7, "{score}");
    }

    #[test]
    fn equal_logits_one_class_and_zero_features_have_no_gradient() {
        for (features, logits) in [(&[1.0, 2.0][..], &[3.0, 3.0][..]), (&[1.0], &[5.0]), (&[0.0, 0.0], &[1.0, 2.0])] {
            assert!(score(features, logits).abs() < 1e-12);
        }
    }

    #[test]
    fn a_nan_in_features_or_logits_makes_a_nan_score() {
        assert!(score(&[1.0, f32::NAN], &[1.0, 2.0]).is_nan());
        assert!(score(&[1.0, 2.0], &[1.0, f32::NAN]).is_nan());
    }

    /// Mean cross-entropy of `W z` to the uniform target.
    fn loss(weight: &[f64], features: &[f64]) -> f64 {
        let logits: Vec<f64> =
            weight.chunks(features.len()).map(|row| row.iter().zip(features).map(|(w, z)| w * z).sum()).collect();
        let sum = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
        logits.iter().map(|logit| sum - logit).sum::<f64>() / logits.len() as f64
    }

    proptest! {
        /// Tolerance: central differences with a step of 1e-5 are good to about 1e-9 of a loss near 1; the logits are
        /// rounded to f32 (6e-8 of at most 20).
        #[test]
        fn the_closed_form_is_the_gradient_that_differences_show(
            weight in prop::collection::vec(-1.0_f64..1.0, 12),
            features in prop::collection::vec(-3.0_f32..3.0, 4),
        ) {
            let wide: Vec<f64> = features.iter().map(|value| f64::from(*value)).collect();
            let moved = |place: usize, step: f64| {
                let mut weight = weight.clone();
                weight[place] += step;
                loss(&weight, &wide)
            };
            let norm: f64 = (0..12).map(|place| ((moved(place, 1e-5) - moved(place, -1e-5)) / 2e-5).abs()).sum();
            let logits: Vec<f32> =
                weight.chunks(4).map(|row| row.iter().zip(&wide).map(|(w, z)| w * z).sum::<f64>() as f32).collect();
            prop_assert!((score(&features, &logits) + norm).abs() <= 1e-5 * (1.0 + norm));
        }
    }
}
