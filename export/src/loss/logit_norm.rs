//! LogitNorm: cross-entropy on logits of constant norm (Wei et al., "Mitigating Neural Network Overconfidence with
//! Logit Normalization", ICML 2022, eq. 5).
//!
//! Cross-entropy keeps growing the norm of the logits long after every training picture is right, and a long vector
//! of logits is confidence. Dividing by the norm takes that way out:
//!
//! ```text
//! L = -log( exp(y_t / (tau ||y||_2)) / sum_k exp(y_k / (tau ||y||_2)) )
//! ```
//!
//! It stands in the place of the cross-entropy; other terms are added to it. The paper trains from scratch;
//! fine-tuning with it is another method and should be called so.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::norm::norms_with_zero_gradient_at_zero;

/// Added to the norm, as in the authors' code; all-zero logits then give chance.
const EPSILON: f64 = 1e-7;

/// The table `[loss.logit_norm]` of a training config.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogitNormConfig {
    /// tau; the paper's value for CIFAR-10 is 0.04.
    #[serde(default = "cifar10_temperature")]
    pub temperature: f64,
}

/// Mean LogitNorm cross-entropy of a batch; logits [N, K], true classes [N] int64.
pub fn logit_norm_loss(logits: &Tensor, targets: &Tensor, temperature: f64) -> Tensor {
    let norms = (norms_with_zero_gradient_at_zero(logits) + EPSILON).unsqueeze(-1);
    (logits / (norms * temperature)).log_softmax(-1, logits.kind()).nll_loss(targets)
}

fn cifar10_temperature() -> f64 {
    0.04
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_gradient;
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn the_loss_is_the_value_worked_out_by_hand() {
        // y = (3, 4), ||y|| = 5, tau = 0.1: y / (tau ||y||) = (6, 8); -log softmax of the first = log(1 + e^2).
        let logits = Tensor::from_slice(&[3.0f64, 4.0]).view([1, 2]);
        let found = logit_norm_loss(&logits, &Tensor::from_slice(&[0i64]), 0.1).double_value(&[]);
        // 1e-6 bounds what the epsilon beside the norm does.
        assert!((found - (1.0 + 2f64.exp()).ln()).abs() < 1e-6, "{found}");
    }

    #[test]
    fn the_length_of_the_logits_does_not_matter() {
        let logits = Tensor::from_slice(&[0.3f64, -0.4, 1.2]).view([1, 3]);
        let loss = |scale: f64| logit_norm_loss(&(&logits * scale), &Tensor::from_slice(&[2i64]), 0.04);
        assert!((loss(1.0) - loss(1000.0)).abs().double_value(&[]) < 1e-5);
    }

    #[test]
    fn zero_logits_give_chance_and_a_finite_gradient() {
        let logits = Tensor::zeros([2, 4], (Kind::Double, Device::Cpu)).set_requires_grad(true);
        let loss = logit_norm_loss(&logits, &Tensor::from_slice(&[0i64, 3]), 0.04);
        assert!((loss.double_value(&[]) - 4f64.ln()).abs() < 1e-12);
        loss.backward();
        assert_eq!(logits.grad().isfinite().all().int64_value(&[]), 1);
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let logits = Tensor::from_slice(&[0.3f64, -0.4, 1.2, 2.0, 0.1, -3.0]).view([2, 3]);
        let targets = Tensor::from_slice(&[2i64, 1]);
        assert_gradient(|y| logit_norm_loss(y, &targets, 0.5), &logits, |_| true, "logits");
    }
}
