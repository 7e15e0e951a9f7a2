//! Attention transfer: the network keeps looking where its start looked (Zagoruyko & Komodakis, "Paying More Attention
//! to Attention", ICLR 2017, eq. 2, activation-based, with the map sum_c F_c^2).
//!
//! Shrinking the background can move where a network looks. This term ties the spatial map of the network S that is
//! tuned to that of a frozen network T:
//!
//! ```text
//! Q[n,h,w] = sum_c F[n,c,h,w]^2
//! L_at     = (1/N) sum_n || Q_S[n] / ||Q_S[n]||_2 - Q_T[n] / ||Q_T[n]||_2 ||_2^2
//! L        = CE(y, t) + weight * L_at
//! ```
//!
//! The square is that of the authors' code: the paper's plain norm has no gradient at 0, where fine-tuning begins. Their
//! code takes the mean over locations instead of the sum, so that its beta/2 is `weight * H * W` here.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::norm::norms_with_zero_gradient_at_zero;

/// Smallest norm that a map is divided by, as PyTorch's `normalize` has it.
const SMALLEST_NORM: f64 = 1e-12;

/// The table `[loss.attention_transfer]` of a training config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionTransferConfig {
    /// Weight of the term beside the cross-entropy.
    pub weight: f64,
    /// Weights of the frozen network, of the same architecture; without, those that the run starts from (from scratch,
    /// its fresh weights).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<PathBuf>,
}

/// Normalised maps Q / ||Q||_2, [N, H*W], of a feature map [N, C, H, W]; all zero where F is.
pub fn attention_maps(feature_map: &Tensor) -> Tensor {
    let kind: Kind = feature_map.kind();
    let maps = feature_map.square().sum_dim_intlist([1i64].as_slice(), false, kind).flatten(1, -1);
    let norms = norms_with_zero_gradient_at_zero(&maps).clamp_min(SMALLEST_NORM);
    maps / norms.unsqueeze(-1)
}

/// L_at of a batch, a scalar; both feature maps are [N, C, H, W], C may differ. The gradient flows through the first.
pub fn attention_transfer_loss(feature_map: &Tensor, teacher: &Tensor) -> Tensor {
    let difference = attention_maps(feature_map) - attention_maps(&teacher.detach());
    difference.square().sum(feature_map.kind()) / feature_map.size()[0] as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_gradient;
    use super::*;
    use tch::Device;

    /// One channel, one row of locations.
    fn row(values: &[f64]) -> Tensor {
        Tensor::from_slice(values).view([1, 1, 1, values.len() as i64])
    }

    #[test]
    fn the_loss_is_the_value_worked_out_by_hand() {
        // Maps (9, 16) / 337^0.5 and (1, 0).
        let (student, teacher) = (row(&[3.0, 4.0]), row(&[5.0, 0.0]));
        let norm = 337f64.sqrt();
        let wanted = (9.0 / norm - 1.0).powi(2) + (16.0 / norm).powi(2);
        let found = attention_transfer_loss(&student, &teacher).double_value(&[]);
        assert!((found - wanted).abs() < 1e-12, "{found} != {wanted}");
    }

    #[test]
    fn the_scale_of_either_network_does_not_matter_and_the_start_costs_nothing() {
        let map = row(&[3.0, 4.0, 0.5]);
        assert!(attention_transfer_loss(&map, &(&map * 7.0)).double_value(&[]) < 1e-24);
    }

    #[test]
    fn the_teacher_gets_no_gradient_and_a_silent_network_a_finite_one() {
        let student = row(&[0.0, 0.0]).set_requires_grad(true);
        let teacher = row(&[1.0, 2.0]).set_requires_grad(true);
        attention_transfer_loss(&student, &teacher).backward();
        assert!(!teacher.grad().defined());
        assert_eq!(student.grad().abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let values: Vec<f64> = (0..2 * 3 * 4).map(|i| f64::from(i * 37 % 11) / 5.0 - 1.0).collect();
        let student = Tensor::from_slice(&values).view([2, 3, 2, 2]);
        let teacher = Tensor::ones([2, 5, 2, 2], (Kind::Double, Device::Cpu)).cumsum(3, Kind::Double);
        assert_gradient(|f| attention_transfer_loss(f, &teacher), &student, |_| true, "feature map");
    }
}
