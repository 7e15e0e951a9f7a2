//! For tests of scores: fits one on a handful of frames and scores another frame, the whole way that users go.

use ndarray::{Array1, Array2};

use super::{Fitted, Model, Outputs, Parameters, ScoreName, Scorers};
use crate::fit::{Fit, FitError};
use crate::package::Head;

/// ID frames of C features and K logits, and the head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frames<'a, const C: usize, const K: usize> {
    pub(super) features: &'a [[f32; C]],
    pub(super) logits: &'a [[f32; K]],
    pub(super) labels: &'a [usize],
    pub(super) weight: [[f32; C]; K],
    pub(super) bias: [f32; K],
}

impl<const C: usize, const K: usize> Frames<'_, C, K> {
    pub(super) fn head(&self) -> Head {
        let weight = Array2::from_shape_fn((K, C), |(k, c)| self.weight[k][c]);
        Head { weight, bias: Array1::from_iter(self.bias) }
    }

    /// Fits one score.
    pub(super) fn fit(&self, name: ScoreName, parameters: Parameters) -> Result<Fitted, FitError> {
        let head = self.head();
        let mut fit = Fit::new(&[name], K, C, Some(&head), parameters);
        for ((features, logits), label) in self.features.iter().zip(self.logits).zip(self.labels) {
            fit.add(&outputs(features, logits), Some(*label))?;
        }
        fit.finish("a test")
    }

    /// Scores frames with one score.
    pub(super) fn score(&self, name: ScoreName, parameters: Parameters, frames: &[([f32; C], [f32; K])]) -> Vec<f32> {
        let fitted = self.fit(name, parameters).unwrap();
        let head = self.head();
        let model = Model { classes: K, features: C, local_norms: false, head: Some(&head), fitted: &fitted };
        let mut scorers = Scorers::new(&[name], &model).unwrap();
        frames.iter().map(|(features, logits)| scorers.score(&outputs(features, logits))[0].0).collect()
    }
}

/// A frame without local outputs.
pub(super) fn outputs<'a>(features: &'a [f32], logits: &'a [f32]) -> Outputs<'a> {
    Outputs { logits, features, local_norms: None, local_logits: None }
}

/// Asserts a score to within 1e-6 of its size, which bounds f32 rounding; NaN is wanted as NaN.
pub(super) fn check_with<const C: usize, const K: usize>(
    parameters: Parameters,
    name: ScoreName,
    frames: &Frames<'_, C, K>,
    features: [f32; C],
    logits: [f32; K],
    want: f64,
) {
    let got = f64::from(frames.score(name, parameters, &[(features, logits)])[0]);
    let close = (got - want).abs() <= 1e-6 * want.abs().max(1e-3) || (got.is_nan() && want.is_nan());
    assert!(close, "{name} of {features:?}, {logits:?} is {got}, wanted {want}");
}

/// As [`check_with`], with default settings.
pub(super) fn check<const C: usize, const K: usize>(
    name: ScoreName,
    frames: &Frames<'_, C, K>,
    features: [f32; C],
    logits: [f32; K],
    want: f64,
) {
    check_with(Parameters::default(), name, frames, features, logits, want);
}
