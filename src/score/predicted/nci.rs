//! NCI: how far the feature points along the weights of the predicted class, and how large it is.
//!
//! `-(<W_p, z - mu> / ||z - mu|| + alpha ||z||_1)`, p the predicted class, mu the mean ID feature. Liu & Qin, "Detecting
//! Out-of-Distribution through the Lens of Neural Collapse", CVPR 2025, equation 8 (the sign is turned). The L1 norm is
//! that of z, not of z - mu. alpha is OpenOOD's 1e-4 by default; pytorch-ood's default is 0.

use ndarray::Array2;

use super::{FromMean, per_length, predicted};
use crate::score::kernels::absolute_sum;
use crate::score::metric::{dot, row};
use crate::score::scorers::{Built, Family, FrameOutputs, Wanted};
use crate::score::{Model, Outputs, Score, ScoreError, ScoreName};

struct Nci {
    from_mean: FromMean,
    /// Wc [K, C].
    weight: Array2<f32>,
    alpha: f64,
    place: usize,
}

impl Nci {
    fn value(&mut self, outputs: &Outputs<'_>, p: usize) -> f64 {
        let h = self.from_mean.of(outputs.features);
        let along = per_length(dot(row(&self.weight, p), h), dot(h, h).sqrt(), 1e-12);
        -(along + self.alpha * absolute_sum(outputs.features))
    }
}

impl Family for Nci {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        let value = predicted(outputs.logits).map_or(f64::NAN, |p| self.value(outputs, p));
        scores[self.place] = Score(value as f32);
    }
}

/// Builds `nci`.
pub(in crate::score) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let Some(place) = wanted.place(ScoreName::Nci) else { return Ok(None) };
    let alpha = model.fitted.parameters.nci.alpha;
    if !alpha.is_finite() {
        let wanted = "a finite number";
        return Err(ScoreError::Parameter { score: "nci", key: "alpha", found: alpha.to_string(), wanted });
    }
    let from_mean = FromMean::read(&model.fitted.state("nci")?, model.features)?;
    let weight = model.head(ScoreName::Nci)?.weight.as_standard_layout().into_owned();
    Ok(Some(Box::new(Nci { from_mean, weight, alpha, place })))
}

#[cfg(test)]
mod tests {
    use crate::score::ScoreName::Nci;
    use crate::score::testing::{Frames, check, check_with};
    use crate::score::{NciParameters, Parameters};

    /// Mean feature (1, 1).
    const FRAMES: Frames<2, 2> = Frames {
        features: &[[0.0, 2.0], [2.0, 0.0]],
        logits: &[[1.0, 0.0], [0.0, 1.0]],
        labels: &[0, 1],
        weight: [[3.0, 0.0], [0.0, 4.0]],
        bias: [0.0; 2],
    };

    #[test]
    fn the_score_is_the_cosine_with_the_class_weights_times_their_norm_and_a_share_of_the_size() {
        // h = (3, 4), ||h|| = 5, ||z||_1 = 9.
        check(Nci, &FRAMES, [4.0, 5.0], [1.0, 0.0], -(9.0 / 5.0 + 9e-4));
        check(Nci, &FRAMES, [4.0, 5.0], [0.0, 1.0], -(16.0 / 5.0 + 9e-4));
        check(Nci, &FRAMES, [f32::NAN, 5.0], [0.0, 1.0], f64::NAN);
        check(Nci, &FRAMES, [4.0, 5.0], [f32::NAN, 1.0], f64::NAN);
        check(Nci, &FRAMES, [1.0, 1.0], [0.0, 1.0], -2e-4);
    }

    #[test]
    fn alpha_weighs_the_size() {
        let parameters = Parameters { nci: NciParameters { alpha: 1.0 }, ..Parameters::default() };
        check_with(parameters, Nci, &FRAMES, [4.0, 5.0], [1.0, 0.0], -(9.0 / 5.0 + 9.0));
    }
}
