//! Holds a frame's scores against their calibration: one score alone, or several combined.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::{Fusion, FusionError, ScoreCalibration};
use crate::package::Calibration;
use crate::score::{Score, ScoreError, ScoreName};

/// What decides: a score, or a fusion of several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Criterion {
    /// One score.
    Score(ScoreName),
    /// Several scores' p-values, combined.
    Fusion(Fusion),
}

/// Why a text names no criterion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CriterionError {
    /// It has parentheses, but is no fusion.
    #[error(transparent)]
    Fusion(#[from] FusionError),
    /// It is no score.
    #[error("{0}; several can be combined: fisher(energy,knn)")]
    Score(#[from] ScoreError),
}

impl Criterion {
    /// The scores to compute for it.
    pub fn scores(&self) -> &[ScoreName] {
        match self {
            Self::Score(score) => std::slice::from_ref(score),
            Self::Fusion(fusion) => &fusion.scores,
        }
    }

    /// The scores to compute for all of `criteria`, each once.
    pub fn all_scores(criteria: &[Self]) -> Vec<ScoreName> {
        let mut scores = Vec::new();
        for score in criteria.iter().flat_map(Self::scores) {
            if !scores.contains(score) {
                scores.push(*score);
            }
        }
        scores
    }

    /// Its calibration, if there is one.
    pub fn calibration<'c>(&self, calibration: &'c Calibration) -> Option<&'c ScoreCalibration> {
        match self {
            Self::Score(score) => calibration.scores.get(score),
            Self::Fusion(fusion) => calibration.fusions.get(fusion),
        }
    }
}

impl Default for Criterion {
    fn default() -> Self {
        Self::Score(ScoreName::Energy)
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Score(score) => score.fmt(formatter),
            Self::Fusion(fusion) => fusion.fmt(formatter),
        }
    }
}

impl FromStr for Criterion {
    type Err = CriterionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('(') { Ok(Self::Fusion(text.parse()?)) } else { Ok(Self::Score(text.parse()?)) }
    }
}

impl Serialize for Criterion {
    /// Its name, written where it belongs: every verdict has one.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for Criterion {
    type Error = CriterionError;

    fn try_from(text: String) -> Result<Self, CriterionError> {
        text.parse()
    }
}

/// What a calibrated score says about one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// The score, if it is a number.
    pub score: Option<f32>,
    /// The threshold that it was held against.
    pub threshold: f32,
    /// Its conformal p-value.
    pub p_value: Option<f64>,
    /// Whether it is above the threshold. A score that is no number counts as strange.
    pub flag: bool,
}

/// A criterion with its calibration, ready to judge the scores of frames.
#[derive(Debug, Clone)]
pub struct Judge {
    criterion: Criterion,
    calibration: ScoreCalibration,
    /// Per score of the criterion: its place among the computed scores.
    places: Vec<usize>,
    /// Per score of a fusion: its calibration.
    components: Vec<ScoreCalibration>,
    p_values: Vec<f64>,
}

impl Judge {
    /// For scores that are computed in the order of `computed`; nothing if the criterion or one of its scores is not
    /// calibrated or not computed.
    pub fn new(criterion: &Criterion, calibration: &Calibration, computed: &[ScoreName]) -> Option<Self> {
        let own = criterion.calibration(calibration)?.clone();
        let scores = criterion.scores();
        let place = |score: &ScoreName| computed.iter().position(|computed| computed == score);
        let components = match criterion {
            Criterion::Score(_) => Vec::new(),
            Criterion::Fusion(_) => {
                scores.iter().map(|score| calibration.scores.get(score).cloned()).collect::<Option<_>>()?
            }
        };
        Some(Self {
            criterion: criterion.clone(),
            calibration: own,
            places: scores.iter().map(place).collect::<Option<_>>()?,
            components,
            p_values: Vec::with_capacity(scores.len()),
        })
    }

    /// What decides.
    pub fn criterion(&self) -> &Criterion {
        &self.criterion
    }

    /// Its calibration.
    pub fn calibration(&self) -> &ScoreCalibration {
        &self.calibration
    }

    /// Judges a frame by its computed scores and its predicted class.
    pub fn judge(&mut self, scores: &[Score], class: Option<usize>) -> Judgement {
        let score = match &self.criterion {
            Criterion::Score(_) => of_place(scores, &self.places, 0),
            Criterion::Fusion(fusion) => {
                let given = (0..self.places.len()).map(|index| of_place(scores, &self.places, index));
                combine(fusion, given, &self.components, class, &mut self.p_values)
            }
        };
        self.calibration.judge(score, class)
    }
}

/// A score that was not computed leaves nothing to judge: no number, never safe.
fn of_place(scores: &[Score], places: &[usize], index: usize) -> Score {
    places.get(index).and_then(|place| scores.get(*place)).copied().unwrap_or(Score(f32::NAN))
}

/// The combined score of a frame; NaN if one of its scores is.
pub(super) fn combine(
    fusion: &Fusion,
    scores: impl Iterator<Item = Score>,
    components: &[ScoreCalibration],
    class: Option<usize>,
    p_values: &mut Vec<f64>,
) -> Score {
    p_values.clear();
    for (score, component) in scores.zip(components) {
        if !score.is_finite() {
            return Score(f32::NAN);
        }
        let reference = component.reference(class);
        // Half a rank below the p-value: inside (0, 1), where every combination is finite.
        p_values.push(reference.p_value(score.0) - 0.5 / (reference.scores().len() + 1) as f64);
    }
    fusion.combination.combine(p_values)
}
