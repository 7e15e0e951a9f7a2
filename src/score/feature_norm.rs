//! Feature norm: `-||z||_2` of the pooled feature. Networks answer what they know with long features; the background
//! loss (arXiv 2510.12259) shortens the others.

use super::kernels::square_sum;
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::{Model, Score, ScoreName};

struct FeatureNorm {
    place: usize,
}

/// Builds the score of this file.
pub(super) fn build(wanted: Wanted<'_>, _model: &Model<'_>) -> Built {
    Ok(wanted.place(ScoreName::FeatureNorm).map(|place| Box::new(FeatureNorm { place }) as Box<dyn Family>))
}

impl Family for FeatureNorm {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        scores[self.place] = Score(-square_sum(outputs.features).sqrt() as f32);
    }
}
