//! Rectifiers: ReAct, ASH-P, ASH-B, ASH-S, SCALE and VRA reshape the pooled feature, and energy, MSP, max logit or GEN is
//! taken on the logits `W z' + b` that follow.
//!
//! The products with the head are what costs: a full one reads 5 MB at K = 1000, C = 1280. But each rectifier treats the
//! features above some level alike, so that its logits are a sum of few parts: `sum W[:, c] z_c` and `sum W[:, c]` over
//! the features above a level. [`shape`] says which parts, [`levels`] sorts a frame's features by the levels, and
//! [`product`] reads each column of the head at most once for all rectifiers together.

mod fit;
mod levels;
mod product;
mod shape;

pub(super) use fit::{fit_react, fit_vra};

use self::levels::Levels;
use self::product::Product;
use self::shape::{Mix, Rectifier};
use super::kernels::{has_nan, relative_to_largest, sum};
use super::logits::LogitScore;
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::{Model, OnLogits, Score, ScoreError, ScoreName};

/// One rectifier, and the scores that are taken on its logits, each with its place.
struct Member {
    rectifier: Rectifier,
    scores: Vec<(usize, LogitScore)>,
}

/// The wanted rectifiers.
struct Rectified {
    levels: Levels,
    product: Product,
    members: Vec<Member>,
    /// What this frame's logits are made of, per member.
    mixes: Vec<Mix>,
    /// What logits lack to the largest of them [K].
    relative: Vec<f32>,
}

/// A rectifier by its name with each score.
type Stem = fn(OnLogits) -> ScoreName;

/// Builds the wanted scores of this folder.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let mut levels = Levels::new(model.features);
    let mut members = Vec::new();
    let mut some_name = None;
    for (stem, make) in shape::RECTIFIERS {
        let scores = scores_on(stem, wanted, model)?;
        if !scores.is_empty() {
            some_name = Some(stem(OnLogits::Energy));
            members.push(Member { rectifier: make(model, &mut levels)?, scores });
        }
    }
    let Some(name) = some_name else { return Ok(None) };
    Ok(Some(Box::new(Rectified {
        levels,
        product: Product::new(model.head(name)?, members.len()),
        mixes: vec![Mix::default(); members.len()],
        members,
        relative: vec![0.0; model.classes],
    })))
}

/// The wanted ones of a rectifier's four scores.
fn scores_on(stem: Stem, wanted: Wanted<'_>, model: &Model<'_>) -> Result<Vec<(usize, LogitScore)>, ScoreError> {
    let placed = OnLogits::ALL.into_iter().filter_map(|on| Some((wanted.place(stem(on))?, on)));
    placed.map(|(place, on)| Ok((place, LogitScore::new(on, model)?))).collect()
}

impl Family for Rectified {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        if has_nan(outputs.features) || has_nan(outputs.logits) {
            let places = self.members.iter().flat_map(|member| &member.scores);
            places.for_each(|(place, _)| scores[*place] = Score(f32::NAN));
            return;
        }
        self.levels.find(outputs.features);
        let total = sum(outputs.features);
        for (mix, member) in self.mixes.iter_mut().zip(&self.members) {
            *mix = member.rectifier.mix(outputs.features, total, &self.levels, self.product.is_small());
        }
        self.product.run(outputs, &self.levels, &self.mixes);
        for (member, logits) in self.members.iter_mut().zip(self.product.logits()) {
            let largest = relative_to_largest(logits, &mut self.relative);
            for (place, score) in &mut member.scores {
                scores[*place] = score.score_of_relative(&self.relative, largest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
