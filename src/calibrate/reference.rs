//! The ID scores of one score with the threshold through them, for all classes or for each.

use super::{CalibrateError, CalibratedPolicy, Judgement, Target, p_value, sorted};
use crate::score::Score;

/// Ascending ID scores and the conformal threshold that a target draws through them.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    scores: Vec<f32>,
    threshold: f32,
    level: f64,
}

impl Reference {
    /// Sorts the scores and finds the threshold: the order statistic of ascending rank n + 1 - k, where k is the number
    /// of ranks that the target lets be flagged.
    ///
    /// # Errors
    /// A score that is not finite, a target out of range, or too few scores for it.
    pub fn new(scores: Vec<f32>, target: Target) -> Result<Self, CalibrateError> {
        let scores = sorted(scores)?;
        let flaggable = target.flagged_ranks(scores.len())?;
        Ok(Self {
            threshold: scores[scores.len() - flaggable],
            level: flaggable as f64 / (scores.len() + 1) as f64,
            scores,
        })
    }

    /// Ascending ID scores.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// A frame whose score is above this is flagged.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// A frame is flagged exactly when its p-value is at most this: k / (n + 1). At most the target's rate, unless a
    /// confidence below 1 - 1/e was asked for.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// p-value of a score, in [1 / (n + 1), 1]. Not for NaN.
    pub fn p_value(&self, score: f32) -> f64 {
        p_value(&self.scores, score)
    }
}

/// The calibration of one score or fusion.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreCalibration {
    /// What its thresholds promise.
    pub target: Target,
    /// ID scores of all frames.
    pub all: Reference,
    /// ID scores by predicted class (Mondrian conformal prediction: the rate then holds within every predicted class),
    /// K of them, where that was asked for; then they decide.
    pub per_class: Option<Vec<Reference>>,
    /// What raises the alarm over time, where that was calibrated.
    pub policy: Option<CalibratedPolicy>,
}

impl ScoreCalibration {
    /// One threshold for all classes.
    ///
    /// # Errors
    /// As [`Reference::new`].
    pub fn new(scores: Vec<f32>, target: Target) -> Result<Self, CalibrateError> {
        Ok(Self { target, all: Reference::new(scores, target)?, per_class: None, policy: None })
    }

    /// One threshold per predicted class, of `classes`.
    ///
    /// # Errors
    /// As [`Reference::new`]; the error names the class.
    pub fn per_class(
        scores: Vec<f32>,
        predicted: &[usize],
        classes: usize,
        target: Target,
    ) -> Result<Self, CalibrateError> {
        let of_class = |class: usize| {
            let of = scores.iter().zip(predicted).filter(|(_, predicted)| **predicted == class);
            Reference::new(of.map(|(score, _)| *score).collect(), target)
                .map_err(|source| CalibrateError::Class { class, source: Box::new(source) })
        };
        let per_class = (0..classes).map(of_class).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { target, all: Reference::new(scores, target)?, per_class: Some(per_class), policy: None })
    }

    /// The scores that a frame of this predicted class is held against.
    pub fn reference(&self, class: Option<usize>) -> &Reference {
        let of_class = self.per_class.as_ref().zip(class).and_then(|(classes, class)| classes.get(class));
        of_class.unwrap_or(&self.all)
    }

    /// Holds a score against this calibration. A score that is no number counts as strange.
    pub fn judge(&self, score: Score, class: Option<usize>) -> Judgement {
        let reference = self.reference(class);
        let finite = score.is_finite();
        Judgement {
            score: finite.then_some(score.0),
            threshold: reference.threshold,
            p_value: finite.then(|| reference.p_value(score.0)),
            flag: !finite || score.0 > reference.threshold,
        }
    }
}
