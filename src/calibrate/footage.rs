//! From the network's outputs on ID footage to a calibration: fit, thresholds, fusions, each on its own frames.

use std::collections::BTreeMap;

use super::judge::combine;
use super::{
    CalibrateError, Criterion, Fusion, Order, Parts, ScoreCalibration, Spool, SpoolError, Target, effective_count,
};
use crate::fit::{Fit, FitError, Refused};
use crate::package::{Calibration, Manifest};
use crate::score::{Fitted, Model, Parameters, Score, ScoreError, ScoreName, Scorers};

/// What to calibrate, and how.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The scores.
    pub scores: Vec<ScoreName>,
    /// The fusions; their scores are calibrated too.
    pub fusions: Vec<Fusion>,
    /// Settings of the scores that are fitted anew; nothing keeps the fitted state that the calibration has.
    pub refit: Option<Parameters>,
    /// What thresholds promise.
    pub target: Target,
    /// One threshold per predicted class.
    pub per_class: bool,
    /// Whether the last two thirds of the footage are kept for policies over time ([`super::choose_policies`]).
    pub policies: bool,
    /// What the order of the frames means.
    pub order: Order,
    /// Where the frames come from, in words.
    pub origin: String,
}

/// A calibration and how it came about.
#[derive(Debug, Clone)]
pub struct Calibrated {
    /// The calibration.
    pub calibration: Calibration,
    /// Which frames served what.
    pub parts: Parts,
    /// Per score: how many independent frames its thresholds are worth.
    pub effective: BTreeMap<ScoreName, f64>,
    /// Scores that are not calibrated because their state could not be fitted, or is not there to be kept.
    pub left_out: Vec<(ScoreName, FitError)>,
}

/// Why footage gives no calibration.
#[derive(Debug, thiserror::Error)]
pub enum FootageError {
    /// The outputs cannot be kept or read back.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The scores cannot be fitted.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A score lacks something.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// No threshold can be set.
    #[error("{criterion}: {source}{}", hint(.parts))]
    Calibrate {
        /// For what.
        criterion: Criterion,
        /// Why.
        source: CalibrateError,
        /// How many frames went where.
        parts: Box<Parts>,
    },
}

fn hint(parts: &Parts) -> String {
    match (parts.fit.len(), parts.fusions.len(), parts.choice.len() + parts.test.len()) {
        (0, 0, 0) => String::new(),
        (fit, fusions, policies) => format!(
            " ({fit} frames fit scores, {} set thresholds, {fusions} calibrate fusions{}, gaps of {} are left out)",
            parts.thresholds.len(),
            if policies > 0 { format!(", {policies} choose and test policies") } else { String::new() },
            parts.gap
        ),
    }
}

/// Calibrates on the frames of `spool`, starting from what the package has; `tick` is called once per frame and part.
///
/// # Errors
/// Frames that cannot be read back, outputs that are not finite, or too few frames for the target.
pub fn calibrate(
    spool: &mut Spool,
    manifest: &Manifest,
    base: &Calibration,
    wanted: &Wanted,
    tick: &dyn Fn(),
) -> Result<Calibrated, FootageError> {
    let mut names = wanted.scores.clone();
    names.extend(wanted.fusions.iter().flat_map(|fusion| &fusion.scores));
    names.sort_unstable();
    names.dedup();
    let fits = wanted.refit.is_some() && names.iter().any(|name| name.needs().fit);
    let gap = if wanted.order == Order::Footage { gap(spool)? } else { 0 };
    let seed = wanted.refit.as_ref().unwrap_or(&base.fitted.parameters).sample.seed;
    let frames = if wanted.policies { Parts::before_policies(spool.len()) } else { spool.len() };
    let mut parts = Parts::new(frames, fits, !wanted.fusions.is_empty(), wanted.order, gap, seed);
    if wanted.policies {
        parts = parts.with_policies(spool.len());
    }

    let (fitted, refused) = match &wanted.refit {
        Some(parameters) if fits => fit(spool, &parts.fit, manifest, base, &names, (parameters, &wanted.origin), tick)?,
        Some(parameters) => (Fitted { parameters: parameters.clone(), ..Fitted::default() }, Vec::new()),
        None => (base.fitted.clone(), Vec::new()),
    };
    let left_out = leave_out(&mut names, &fitted, &refused);
    let fused = |name: &ScoreName| wanted.fusions.iter().any(|fusion| fusion.scores.contains(name));
    if let Some((_, error)) = left_out.iter().find(|(name, _)| fused(name)) {
        return Err(error.clone().into());
    }
    let model = Model::new(manifest, base.head.as_ref(), &fitted);
    let mut stage = Stage { spool, scorers: Scorers::new(&names, &model)?, wanted, parts: &parts, tick };
    let (scores, effective) = stage.scores(manifest.class_count())?;
    let fusions = stage.fusions(&scores, manifest.class_count())?;
    let calibration = Calibration {
        scores,
        fusions,
        images: parts.thresholds.len(),
        origin: wanted.origin.clone(),
        fitted,
        ..base.clone()
    };
    Ok(Calibrated { calibration, parts, effective, left_out })
}

/// Takes the scores out of `names` whose state is missing, and says why.
fn leave_out(
    names: &mut Vec<ScoreName>,
    fitted: &Fitted,
    refused: &[(&'static str, FitError)],
) -> Vec<(ScoreName, FitError)> {
    let (kept, missing): (Vec<_>, Vec<_>) = names.iter().partition(|name| !name.needs().fit || fitted.serves(**name));
    *names = kept;
    let why = |name: ScoreName| {
        let refused = refused.iter().find(|(state, _)| Fitted::state_name(name) == Some(*state));
        refused.map_or(FitError::Score(ScoreError::NotFitted { score: name.stem() }), |(_, error)| error.clone())
    };
    missing.into_iter().map(|name| (name, why(name))).collect()
}

/// One autocorrelation time: frames further apart say something new. The larger of those of energy and feature norm,
/// which need no fit.
fn gap(spool: &mut Spool) -> Result<usize, FootageError> {
    let (mut energy, mut norms) = (Vec::with_capacity(spool.len()), Vec::with_capacity(spool.len()));
    for frame in 0..spool.len() {
        let outputs = spool.read(frame)?;
        energy.push(-outputs.log_sum_exp() as f32);
        norms.push(outputs.features.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32);
    }
    let time = |scores: &[f32]| (scores.len() as f64 / effective_count(scores).max(1.0)).ceil() as usize;
    Ok(time(&energy).max(time(&norms)))
}

fn fit(
    spool: &mut Spool,
    frames: &[usize],
    manifest: &Manifest,
    base: &Calibration,
    names: &[ScoreName],
    (parameters, origin): (&Parameters, &str),
    tick: &dyn Fn(),
) -> Result<(Fitted, Refused), FootageError> {
    let (classes, features) = (manifest.class_count(), manifest.output.features);
    let mut fit = Fit::new(names, classes, features, base.head.as_ref(), parameters.clone());
    for frame in frames {
        fit.add(&spool.read(*frame)?, None)?;
        tick();
    }
    Ok(fit.finish_each(origin)?)
}

/// Frames' scores, and the class that each frame was predicted to be.
struct Scored {
    scores: Vec<Vec<f32>>,
    predicted: Vec<usize>,
}

/// Scores the parts that come after the fit.
struct Stage<'a> {
    spool: &'a mut Spool,
    scorers: Scorers,
    wanted: &'a Wanted,
    parts: &'a Parts,
    tick: &'a dyn Fn(),
}

type Calibrations = (BTreeMap<ScoreName, ScoreCalibration>, BTreeMap<ScoreName, f64>);

impl Stage<'_> {
    fn scores(&mut self, classes: usize) -> Result<Calibrations, FootageError> {
        let scored = self.score(&self.parts.thresholds)?;
        let (mut calibrations, mut effective) = (BTreeMap::new(), BTreeMap::new());
        for (name, scores) in self.scorers.names().iter().zip(scored.scores) {
            let independent = match self.wanted.order {
                Order::Footage => effective_count(&scores),
                Order::Shuffled => scores.len() as f64,
            };
            effective.insert(*name, independent);
            let criterion = Criterion::Score(*name);
            calibrations.insert(*name, self.calibration(criterion, scores, &scored.predicted, classes)?);
        }
        Ok((calibrations, effective))
    }

    fn fusions(
        &mut self,
        calibrations: &BTreeMap<ScoreName, ScoreCalibration>,
        classes: usize,
    ) -> Result<BTreeMap<Fusion, ScoreCalibration>, FootageError> {
        let scored = self.score(&self.parts.fusions)?;
        let mut fusions = BTreeMap::new();
        for fusion in &self.wanted.fusions {
            let place = |name: &ScoreName| self.scorers.names().iter().position(|other| other == name);
            let found = |name: &ScoreName| place(name).ok_or(ScoreError::NotFitted { score: name.stem() });
            let places = fusion.scores.iter().map(found).collect::<Result<Vec<_>, _>>()?;
            let components: Vec<ScoreCalibration> =
                fusion.scores.iter().filter_map(|name| calibrations.get(name).cloned()).collect();
            let mut p_values = Vec::new();
            let combined = scored.predicted.iter().enumerate().map(|(frame, class)| {
                let scores = places.iter().map(|place| Score(scored.scores[*place][frame]));
                combine(fusion, scores, &components, Some(*class), &mut p_values).0
            });
            let combined = combined.collect();
            let criterion = Criterion::Fusion(fusion.clone());
            fusions.insert(fusion.clone(), self.calibration(criterion, combined, &scored.predicted, classes)?);
        }
        Ok(fusions)
    }

    /// The scores of some frames, per score in the order of the scorers.
    fn score(&mut self, frames: &[usize]) -> Result<Scored, FootageError> {
        let mut scored = Scored {
            scores: vec![Vec::with_capacity(frames.len()); self.scorers.names().len()],
            predicted: Vec::new(),
        };
        for frame in frames {
            let outputs = self.spool.read(*frame)?;
            let class = outputs.top_class().map(|(class, _)| class);
            scored.predicted.push(class.ok_or(FitError::NotFinite { frame: *frame })?);
            for (all, score) in scored.scores.iter_mut().zip(self.scorers.score(&outputs)) {
                all.push(score.0);
            }
            (self.tick)();
        }
        Ok(scored)
    }

    fn calibration(
        &self,
        criterion: Criterion,
        scores: Vec<f32>,
        predicted: &[usize],
        classes: usize,
    ) -> Result<ScoreCalibration, FootageError> {
        let target = self.wanted.target;
        let calibration = match self.wanted.per_class {
            true => ScoreCalibration::per_class(scores, predicted, classes, target),
            false => ScoreCalibration::new(scores, target),
        };
        calibration.map_err(|source| FootageError::Calibrate { criterion, source, parts: Box::new(self.parts.clone()) })
    }
}
