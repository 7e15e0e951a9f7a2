//! fDBD: mean distance of the feature to the decision boundaries of the predicted class.
//!
//! `-(1 / (K - 1)) sum_{k != p} |y_p - y_k| / ||W_p - W_k|| / ||z - mu||`, p the predicted class, mu the mean ID
//! feature. Liu & Qin, "Fast Decision Boundary based Out-of-Distribution Detector", ICML 2024, equations 4 and 6 (the
//! sign is turned). The paper and pytorch-ood take the mean over the K - 1 boundaries, OpenOOD their sum, which ranks
//! alike. Classes with the same weights have no boundary between them and are left out of the sum.

use ndarray::Array2;

use super::{FromMean, per_length, predicted};
use crate::package::Head;
use crate::score::metric::{dot, row, square_distance};
use crate::score::scorers::{Built, Family, FrameOutputs, Wanted};
use crate::score::{Model, Outputs, Score, ScoreName};

struct Fdbd {
    from_mean: FromMean,
    /// 1 / ||W_p - W_k|| [K, K]; 0 where the weights are the same.
    inverse_distances: Array2<f32>,
    place: usize,
}

impl Fdbd {
    fn value(&mut self, outputs: &Outputs<'_>, p: usize) -> f64 {
        let top = f64::from(outputs.logits[p]);
        let boundaries = outputs.logits.iter().zip(row(&self.inverse_distances, p));
        let sum: f64 = boundaries.map(|(logit, inverse)| (top - f64::from(*logit)).abs() * f64::from(*inverse)).sum();
        let others = outputs.logits.len().saturating_sub(1).max(1) as f64;
        let h = self.from_mean.of(outputs.features);
        -per_length(sum / others, dot(h, h).sqrt(), 1e-8)
    }
}

impl Family for Fdbd {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        let value = predicted(outputs.logits).map_or(f64::NAN, |p| self.value(outputs, p));
        scores[self.place] = Score(value as f32);
    }
}

/// Builds `fdbd`.
pub(in crate::score) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let Some(place) = wanted.place(ScoreName::Fdbd) else { return Ok(None) };
    let from_mean = FromMean::read(&model.fitted.state("fdbd")?, model.features)?;
    let inverse_distances = inverse_distances(model.head(ScoreName::Fdbd)?);
    Ok(Some(Box::new(Fdbd { from_mean, inverse_distances, place })))
}

/// 1 / ||W_p - W_k|| for every pair of classes, 0 where the weights are the same.
fn inverse_distances(head: &Head) -> Array2<f32> {
    let weight = head.weight.as_standard_layout().into_owned();
    let mut inverse = Array2::zeros((weight.nrows(), weight.nrows()));
    for p in 0..weight.nrows() {
        for k in 0..p {
            let square = square_distance(row(&weight, p), row(&weight, k));
            if square > 0.0 {
                inverse[[p, k]] = (1.0 / square.sqrt()) as f32;
                inverse[[k, p]] = inverse[[p, k]];
            }
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use crate::score::ScoreName::Fdbd;
    use crate::score::testing::{Frames, check};

    /// Mean feature (1, 1); ||W_0 - W_1|| = 5; the third class has the weights of the first.
    const FRAMES: Frames<2, 3> = Frames {
        features: &[[0.0, 2.0], [2.0, 0.0]],
        logits: &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        labels: &[0, 1],
        weight: [[3.0, 0.0], [0.0, 4.0], [3.0, 0.0]],
        bias: [0.0; 3],
    };

    #[test]
    fn the_score_is_the_mean_boundary_distance_per_distance_from_the_mean() {
        // Predicted class 0: (|7 - 2| / 5 + nothing for the third) / 2 over ||(4, 5) - (1, 1)|| = 5.
        check(Fdbd, &FRAMES, [4.0, 5.0], [7.0, 2.0, 1.0], -0.5 / 5.0);
        // Predicted class 1: (|7 - 2| / 5 + |7 + 3| / 5) / 2 = 1.5.
        check(Fdbd, &FRAMES, [4.0, 5.0], [2.0, 7.0, -3.0], -1.5 / 5.0);
        check(Fdbd, &FRAMES, [4.0, f32::NAN], [2.0, 7.0, -3.0], f64::NAN);
        check(Fdbd, &FRAMES, [4.0, 5.0], [2.0, 7.0, f32::NAN], f64::NAN);
    }

    #[test]
    fn a_feature_at_the_mean_is_as_known_as_can_be() {
        check(Fdbd, &FRAMES, [1.0, 1.0], [7.0, 2.0, 1.0], -0.5 / 1e-8);
    }
}
