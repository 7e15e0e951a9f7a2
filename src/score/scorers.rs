//! A set of scores, ready to be computed frame by frame.
//!
//! Scores that share work form a family: one pass over a matrix serves all of them. Everything a family needs is
//! allocated when it is built; a frame allocates nothing.

use std::cell::OnceCell;
use std::ops::Deref;

use super::{
    Fitted, Needs, Outputs, Score, ScoreError, ScoreName, classes, dice, feature_norm, gradnorm, knn, local, logits,
    mahalanobis, nnguide, openmax, predicted, rectify, vim,
};
use crate::package::{Head, Manifest};

/// What scores are built for: the network's sizes, its head, and what was fitted.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    /// K: number of classes.
    pub classes: usize,
    /// C: length of the pooled feature.
    pub features: usize,
    /// Whether the network gives local norms.
    pub local_norms: bool,
    /// The classifier head, where the package has it.
    pub head: Option<&'a Head>,
    /// Fitted state and settings.
    pub fitted: &'a Fitted,
}

impl<'a> Model<'a> {
    /// The model that a manifest, a head and fitted state describe.
    pub fn new(manifest: &Manifest, head: Option<&'a Head>, fitted: &'a Fitted) -> Self {
        Self {
            classes: manifest.class_count(),
            features: manifest.output.features,
            local_norms: manifest.output.local.is_some(),
            head,
            fitted,
        }
    }

    /// The head.
    ///
    /// # Errors
    /// The package has none; `score` names who wanted it.
    pub fn head(&self, score: ScoreName) -> Result<&'a Head, ScoreError> {
        self.head.ok_or(ScoreError::Lacking { score, lacking: "the classifier head" })
    }

    /// The first thing that the package lacks for a score, fitted state aside.
    pub fn lacks(&self, score: ScoreName) -> Option<ScoreError> {
        let Needs { local_norms, head, .. } = score.needs();
        if local_norms && !self.local_norms {
            return Some(ScoreError::Lacking { score, lacking: "the output local_norms" });
        }
        (head && self.head.is_none()).then_some(ScoreError::Lacking { score, lacking: "the classifier head" })
    }
}

/// What the network gave for one image, and what several families make of it.
pub(super) struct FrameOutputs<'a> {
    outputs: &'a Outputs<'a>,
    log_sum_exp: OnceCell<f64>,
}

impl<'a> FrameOutputs<'a> {
    /// Of these outputs.
    pub(super) fn new(outputs: &'a Outputs<'a>) -> Self {
        Self { outputs, log_sum_exp: OnceCell::new() }
    }

    /// [`Outputs::log_sum_exp`], worked out once.
    pub(super) fn log_sum_exp(&self) -> f64 {
        *self.log_sum_exp.get_or_init(|| self.outputs.log_sum_exp())
    }
}

impl<'a> Deref for FrameOutputs<'a> {
    type Target = Outputs<'a>;

    fn deref(&self) -> &Outputs<'a> {
        self.outputs
    }
}

/// Scores that are computed together.
pub(super) trait Family: Send {
    /// Writes this family's scores of one image to their places. NaN in, NaN out.
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]);
}

/// Which scores are wanted, and at which places of the result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a>(pub(super) &'a [ScoreName]);

impl Wanted<'_> {
    /// The place of a score, if it is wanted.
    pub(super) fn place(&self, name: ScoreName) -> Option<usize> {
        self.0.iter().position(|wanted| *wanted == name)
    }
}

/// A family, if one of its scores is wanted.
pub(super) type Built = Result<Option<Box<dyn Family>>, ScoreError>;

/// Every family's way to be built.
const FAMILIES: &[fn(Wanted<'_>, &Model<'_>) -> Built] = &[
    logits::build,
    feature_norm::build,
    local::build,
    rectify::build,
    dice::build,
    gradnorm::build,
    classes::build,
    openmax::build,
    mahalanobis::build,
    mahalanobis::build_pp,
    vim::build,
    predicted::build_she,
    predicted::build_fdbd,
    predicted::build_nci,
    nnguide::build,
    knn::build,
];

/// A set of scores in a fixed order, with the memory that they work in.
pub struct Scorers {
    names: Vec<ScoreName>,
    families: Vec<Box<dyn Family>>,
    scores: Vec<Score>,
}

impl Scorers {
    /// Builds the scores `names`, each of them once.
    ///
    /// # Errors
    /// A score whose input or fitted state the model lacks, or whose state has another shape.
    pub fn new(names: &[ScoreName], model: &Model<'_>) -> Result<Self, ScoreError> {
        if let Some(lacking) = names.iter().find_map(|name| model.lacks(*name)) {
            return Err(lacking);
        }
        if let Some(score) =
            names.iter().enumerate().find_map(|(place, name)| names[..place].contains(name).then_some(name))
        {
            return Err(ScoreError::Twice { score: *score });
        }
        let built = FAMILIES.iter().map(|build| build(Wanted(names), model)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            names: names.to_vec(),
            families: built.into_iter().flatten().collect(),
            scores: vec![Score(f32::NAN); names.len()],
        })
    }

    /// The scores' names, in the order of the results.
    pub fn names(&self) -> &[ScoreName] {
        &self.names
    }

    /// The scores of one image, in the order of [`Self::names`]. NaN in, NaN out. Allocates nothing.
    pub fn score(&mut self, outputs: &Outputs<'_>) -> &[Score] {
        let frame = FrameOutputs::new(outputs);
        for family in &mut self.families {
            family.score(&frame, &mut self.scores);
        }
        &self.scores
    }
}
