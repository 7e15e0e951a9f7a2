//! SHE: likeness of the feature to the stored pattern of the predicted class.
//!
//! `-<z, S_p>`, S_p the mean feature of the rightly classified ID frames of the predicted class p. Zhang et al.,
//! "Out-of-Distribution Detection based on In-Distribution Data Patterns Memorization with Modern Hopfield Energy",
//! ICLR 2023, equation 9 (the sign is turned). References and paper agree. A class without a rightly classified frame
//! takes all its frames; one without any has the zero pattern, the strangest for features >= 0 (OpenOOD gives NaN,
//! pytorch-ood refuses).

use ndarray::Array2;

use super::predicted;
use crate::fit::{FitError, Statistics};
use crate::score::metric::{dot, row};
use crate::score::scorers::{Built, Family, FrameOutputs, Wanted};
use crate::score::{Model, Score, ScoreName, State};

struct She {
    /// S [K, C].
    patterns: Array2<f32>,
    place: usize,
}

impl Family for She {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        let likeness = |class| dot(outputs.features, row(&self.patterns, class));
        scores[self.place] = Score(-predicted(outputs.logits).map_or(f64::NAN, likeness) as f32);
    }
}

/// Builds `she`.
pub(in crate::score) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let Some(place) = wanted.place(ScoreName::She) else { return Ok(None) };
    let patterns = model.fitted.state("she")?.matrix("patterns", [Some(model.classes), Some(model.features)])?;
    Ok(Some(Box::new(She { patterns, place })))
}

/// Fits the patterns.
///
/// # Errors
/// None.
pub(in crate::score) fn fit(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let right = &statistics.right_features;
    let mut patterns = right.means();
    let of_all_frames = statistics.by_label.means();
    for class in (0..statistics.classes).filter(|class| right.counts[*class] == 0) {
        patterns.row_mut(class).assign(&of_all_frames.row(class));
    }
    Ok(State::default().with_tensor("patterns", patterns.mapv(|value| value as f32)))
}

#[cfg(test)]
mod tests {
    use crate::score::ScoreName::She;
    use crate::score::testing::{Frames, check};

    /// Classes 0 and 1; frame 2 is of class 1 but taken for class 0, so it is in no pattern.
    const FRAMES: Frames<2, 2> = Frames {
        features: &[[1.0, 0.0], [3.0, 0.0], [9.0, 9.0], [0.0, 2.0]],
        logits: &[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
        labels: &[0, 0, 1, 1],
        weight: [[1.0, 0.0], [0.0, 1.0]],
        bias: [0.0, 0.0],
    };

    #[test]
    fn the_score_is_the_product_with_the_pattern_of_the_predicted_class() {
        // Patterns (2, 0) and (0, 2).
        check(She, &FRAMES, [5.0, 7.0], [1.0, 0.0], -10.0);
        check(She, &FRAMES, [5.0, 7.0], [0.0, 1.0], -14.0);
        check(She, &FRAMES, [f32::NAN, 7.0], [0.0, 1.0], f64::NAN);
        check(She, &FRAMES, [5.0, 7.0], [0.0, f32::NAN], f64::NAN);
    }

    #[test]
    fn a_class_without_a_right_frame_takes_all_of_its_frames_and_one_without_any_scores_zero() {
        let wrong = Frames { features: &[[4.0, 2.0]], logits: &[[1.0, 0.0]], labels: &[1], ..FRAMES };
        check(She, &wrong, [1.0, 1.0], [0.0, 1.0], -6.0);
        check(She, &wrong, [1.0, 1.0], [1.0, 0.0], 0.0);
    }
}
