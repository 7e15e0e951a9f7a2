//! Gives every calibrated score and fusion a policy over time, from the end of the footage that calibrated it.

use std::collections::BTreeMap;

use super::alarms::Moment;
use super::choose::{ChooseError, Goal, Material, choose};
use super::delay::{Cut, measured_cuts, modelled_cuts};
use super::{Calibrated, Criterion, FootageError, Judge, Spool};
use crate::decide::policy::STRANGEST;
use crate::package::{Calibration, Manifest};
use crate::score::{Model, ScoreName, Scorers};

/// Outputs on frames with the times at which these were taken.
pub struct Footage<'a> {
    /// The outputs.
    pub spool: &'a mut Spool,
    /// Seconds, one per frame, in the same order.
    pub times_s: &'a [f64],
    /// Where it comes from, in words.
    pub origin: &'a str,
}

/// Which criteria have no policy, and why not.
pub type WithoutPolicy = BTreeMap<Criterion, ChooseError>;

/// Chooses and tests a policy for every criterion of `calibrated`, on the parts of `known` that were kept for it, and puts
/// it into the calibration. `unknown` is footage that policies are to notice; without, a model stands for it. `tick` is
/// called once per frame.
///
/// # Errors
/// Outputs that cannot be read back or scored. A criterion without a policy is no error; it is in the answer.
pub fn choose_policies(
    known: Footage<'_>,
    unknown: Option<Footage<'_>>,
    manifest: &Manifest,
    calibrated: &mut Calibrated,
    goal: &Goal,
    tick: &dyn Fn(),
) -> Result<WithoutPolicy, FootageError> {
    let mut watcher = Watcher::new(manifest, &calibrated.calibration)?;
    let choice = watcher.watch(known.spool, known.times_s, &calibrated.parts.choice, tick)?;
    let test = watcher.watch(known.spool, known.times_s, &calibrated.parts.test, tick)?;
    let (unknown, name) = match unknown {
        Some(footage) => {
            let all: Vec<usize> = (0..footage.spool.len()).collect();
            (Some(watcher.watch(footage.spool, footage.times_s, &all, tick)?), footage.origin.to_string())
        }
        None => (None, "a model of the unknown, P(p <= x) = x^0.2".into()),
    };
    let mut without = WithoutPolicy::new();
    for (place, criterion) in watcher.criteria().into_iter().enumerate() {
        let Some(calibration) = criterion.calibration(&calibrated.calibration) else { continue };
        let seen = unknown.as_ref().map(|unknown| unknown[place].as_slice());
        let scores = calibration.all.scores().len();
        let [choice_cuts, test_cuts] = cuts(&choice[place], &test[place], seen, scores);
        let material = Material {
            choice: &choice[place],
            test: &test[place],
            choice_cuts,
            test_cuts,
            unknown: name.clone(),
            level: calibration.all.level(),
            scores,
        };
        match choose(&material, goal) {
            Ok(policy) => calibrated.calibration.set_policy(&criterion, policy),
            Err(error) => drop(without.insert(criterion, error)),
        }
    }
    Ok(without)
}

/// Cuts to choose by and cuts to report; of footage of the unknown each gets a half of its own.
fn cuts(choice: &[Moment], test: &[Moment], unknown: Option<&[Moment]>, scores: usize) -> [Vec<Cut>; 2] {
    match unknown {
        Some(unknown) => {
            let (first, second) = unknown.split_at(unknown.len().div_ceil(2));
            [measured_cuts(choice, first), measured_cuts(test, second)]
        }
        None => [modelled_cuts(choice, scores), modelled_cuts(test, scores)],
    }
}

/// Judges frames as a monitor does, by every criterion at once.
struct Watcher {
    scorers: Scorers,
    judges: Vec<Judge>,
}

impl Watcher {
    fn new(manifest: &Manifest, calibration: &Calibration) -> Result<Self, FootageError> {
        let names: Vec<ScoreName> = calibration.scores.keys().copied().collect();
        let model = Model::new(manifest, calibration.head.as_ref(), &calibration.fitted);
        let scores = calibration.scores.keys().map(|score| Criterion::Score(*score));
        let criteria = scores.chain(calibration.fusions.keys().cloned().map(Criterion::Fusion));
        Ok(Self {
            scorers: Scorers::new(&names, &model)?,
            judges: criteria.filter_map(|criterion| Judge::new(&criterion, calibration, &names)).collect(),
        })
    }

    fn criteria(&self) -> Vec<Criterion> {
        self.judges.iter().map(|judge| judge.criterion().clone()).collect()
    }

    /// The p-values of some frames, per criterion.
    fn watch(
        &mut self,
        spool: &mut Spool,
        times_s: &[f64],
        frames: &[usize],
        tick: &dyn Fn(),
    ) -> Result<Vec<Vec<Moment>>, FootageError> {
        let mut moments = vec![Vec::with_capacity(frames.len()); self.judges.len()];
        for frame in frames {
            let outputs = spool.read(*frame)?;
            let class = outputs.top_class().map(|(class, _)| class);
            let scores = self.scorers.score(&outputs);
            let time_s = times_s.get(*frame).copied().unwrap_or_default();
            for (judge, moments) in self.judges.iter_mut().zip(&mut moments) {
                let p = judge.judge(scores, class).p_value.unwrap_or(STRANGEST);
                moments.push(Moment { time_s, p });
            }
            tick();
        }
        Ok(moments)
    }
}
