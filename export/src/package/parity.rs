//! Holds ONNX Runtime against libtorch: the exported network must be the trained one.

use ndarray::{Array, Axis, Dimension};
use oodwatch::infer::NetworkOutputs;
use serde::Serialize;

/// The largest difference that is let through, in every output: absolute, and of a value above 1 relative to it. Sums of
/// 1280 squares that make a norm of 50 differ by 1e-4 already by the order in which they are added up.
pub(super) const TOLERANCE: f32 = 1e-4;

/// Fewest pictures that the two are compared on.
pub(super) const PICTURES: usize = 64;

/// Largest differences over a number of pictures, as [`TOLERANCE`] counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Parity {
    /// Pictures compared.
    pub pictures: usize,
    /// In `logits`.
    pub logits: f32,
    /// In `features`.
    pub features: f32,
    /// In `local_norms`.
    pub local_norms: f32,
    /// In `local_logits`.
    pub local_logits: f32,
    /// Between the mean of `local_logits` over H and W and `logits`, both from ONNX Runtime.
    pub mean_local_logits: f32,
}

impl Parity {
    /// Takes another batch in: what ONNX Runtime and libtorch made of the same pictures.
    pub(super) fn add(&mut self, onnx: &NetworkOutputs, torch: &NetworkOutputs) {
        self.pictures += onnx.count();
        self.logits = self.logits.max(largest(&onnx.logits, &torch.logits));
        self.features = self.features.max(largest(&onnx.features, &torch.features));
        if let (Some(onnx), Some(torch)) = (&onnx.local_norms, &torch.local_norms) {
            self.local_norms = self.local_norms.max(largest(onnx, torch));
        }
        if let (Some(local), Some(torch)) = (&onnx.local_logits, &torch.local_logits) {
            self.local_logits = self.local_logits.max(largest(local, torch));
            let means = local.mean_axis(Axis(3)).and_then(|rows| rows.mean_axis(Axis(2)));
            let difference = means.map_or(f32::INFINITY, |means| largest(&means, &onnx.logits));
            self.mean_local_logits = self.mean_local_logits.max(difference);
        }
    }

    /// The output with the largest difference, and that difference.
    pub fn worst(&self) -> (&'static str, f32) {
        let outputs = [
            ("logits", self.logits),
            ("features", self.features),
            ("local_norms", self.local_norms),
            ("local_logits", self.local_logits),
            ("mean of local_logits", self.mean_local_logits),
        ];
        outputs.into_iter().fold(outputs[0], |worst, next| if next.1 > worst.1 { next } else { worst })
    }
}

/// Largest difference of `a` from `b`, of values above 1 relative to them; infinite when their shapes differ or one holds
/// a NaN.
fn largest<D: Dimension>(a: &Array<f32, D>, b: &Array<f32, D>) -> f32 {
    if a.shape() != b.shape() {
        return f32::INFINITY;
    }
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
    differences.fold(0.0, |worst, d| if d.is_nan() { f32::INFINITY } else { worst.max(d) })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, Array4};

    use super::*;

    fn outputs() -> NetworkOutputs {
        NetworkOutputs {
            logits: Array2::zeros((2, 3)),
            features: Array2::zeros((2, 4)),
            local_norms: Some(Array3::zeros((2, 5, 5))),
            local_logits: Some(Array4::zeros((2, 3, 5, 5))),
        }
    }

    #[test]
    fn the_worst_output_is_named() {
        let (onnx, mut torch) = (outputs(), outputs());
        torch.features[[1, 2]] = -0.5;
        torch.logits[[0, 0]] = 0.25;
        let mut parity = Parity::default();
        parity.add(&onnx, &torch);
        assert_eq!(parity.pictures, 2);
        assert_eq!(parity.worst(), ("features", 0.5));
    }

    #[test]
    fn local_logits_whose_mean_is_not_the_logits_are_found() {
        let mut onnx = outputs();
        onnx.logits[[1, 1]] = 0.125;
        let mut parity = Parity::default();
        parity.add(&onnx, &onnx.clone());
        assert_eq!(parity.worst(), ("mean of local_logits", 0.125));
    }

    #[test]
    fn differences_of_large_values_are_relative() {
        let (mut onnx, mut torch) = (outputs(), outputs());
        if let (Some(onnx), Some(torch)) = (&mut onnx.local_norms, &mut torch.local_norms) {
            (onnx[[0, 0, 0]], torch[[0, 0, 0]]) = (64.25, 64.0);
        }
        let mut parity = Parity::default();
        parity.add(&onnx, &torch);
        assert_eq!(parity.worst(), ("local_norms", 0.25 / 64.0));
    }

    #[test]
    fn nan_never_agrees() {
        let (mut onnx, torch) = (outputs(), outputs());
        onnx.logits[[0, 0]] = f32::NAN;
        let mut parity = Parity::default();
        parity.add(&onnx, &torch);
        assert_eq!(parity.worst().1, f32::INFINITY);
    }
}
