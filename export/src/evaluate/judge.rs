//! Runs a network over a set of pictures and keeps what the metrics need.

use std::collections::BTreeMap;

use indicatif::ProgressBar;
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::{ScoreName, Scorers};
use serde::{Deserialize, Serialize};
use tch::{Tensor, no_grad};

use super::EvaluateError;
use crate::loss::{BackgroundConfig, BackgroundRule, background_loss};
use crate::model::Forward;
use crate::pictures::{PictureError, Pictures};
use crate::trained::Trained;

/// Every picture's scores by name, and sums over pictures whose class is known.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) scores: BTreeMap<ScoreName, Vec<f32>>,
    pub(super) pictures: usize,
    labelled: usize,
    right: usize,
    norms: NormSums,
}

/// Mean L2 norms of F over the locations of ID pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Norms {
    /// Of background locations; null when there are none.
    pub background: Option<f64>,
    /// Of the other locations; null when there are none.
    pub foreground: Option<f64>,
    /// Share of locations that are background.
    pub background_share: f64,
}

#[derive(Debug, Default)]
struct NormSums {
    background: f64,
    background_count: f64,
    foreground: f64,
    locations: f64,
}

/// What is done to a set.
pub(super) struct Task<'a> {
    pub(super) trained: &'a Trained,
    pub(super) pictures: &'a Pictures,
    pub(super) indices: &'a [usize],
    pub(super) batch_size: usize,
    /// Splits locations where classes are known.
    pub(super) background: Option<BackgroundRule>,
    /// The scores to judge by.
    pub(super) scorers: &'a mut Scorers,
}

/// Runs the pictures through the network in batches, without gradients.
pub(super) fn judge(task: &mut Task<'_>, bar: &ProgressBar) -> Result<Judged, EvaluateError> {
    let trained = task.trained;
    let mut preprocessor = Preprocessor::new(&trained.input).map_err(PictureError::from)?;
    let mut judged = Judged::default();
    for indices in task.indices.chunks(task.batch_size) {
        let batch = task.pictures.batch(indices, &mut preprocessor, trained.input.chw())?;
        let forward = trained.forward(batch.view());
        let labels: Option<Vec<usize>> = indices.iter().map(|&index| task.pictures.label(index)).collect();
        judged.take_in(trained, &forward, labels.as_deref(), task.scorers)?;
        if let (Some(rule), Some(labels)) = (task.background, &labels) {
            judged.norms.take_in(trained, &forward, labels, rule);
        }
        bar.inc(indices.len() as u64);
    }
    Ok(judged)
}

impl Judged {
    /// Share of the labelled pictures whose class is right.
    pub(super) fn accuracy(&self) -> Option<f64> {
        (self.labelled > 0).then(|| self.right as f64 / self.labelled as f64)
    }

    /// Mean norms, where a rule and classes were given.
    pub(super) fn norms(&self) -> Option<Norms> {
        let NormSums { background, background_count, foreground, locations } = self.norms;
        let mean = |sum: f64, count: f64| (count > 0.0).then(|| sum / count);
        (locations > 0.0).then(|| Norms {
            background: mean(background, background_count),
            foreground: mean(foreground, locations - background_count),
            background_share: background_count / locations,
        })
    }

    fn take_in(
        &mut self,
        trained: &Trained,
        forward: &Forward,
        labels: Option<&[usize]>,
        scorers: &mut Scorers,
    ) -> Result<(), EvaluateError> {
        let names = scorers.names().to_vec();
        let outputs = trained.outputs(forward)?;
        self.pictures += outputs.count();
        for (index, image) in outputs.images().enumerate() {
            for (name, score) in names.iter().zip(scorers.score(&image)) {
                self.scores.entry(*name).or_default().push(score.0);
            }
            if let Some(labels) = labels {
                self.labelled += 1;
                self.right += usize::from(image.top_class().is_some_and(|(class, _)| class == labels[index]));
            }
        }
        Ok(())
    }
}

impl NormSums {
    fn take_in(&mut self, trained: &Trained, forward: &Forward, labels: &[usize], rule: BackgroundRule) {
        let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        let targets = Tensor::from_slice(&targets).to_device(trained.net.device());
        let (weight, bias) = (trained.net.head_weight(), trained.net.head_bias());
        let term = BackgroundConfig::plain(1.0, rule);
        let term = no_grad(|| background_loss(&forward.feature_map, weight, bias, &targets, &term));
        let size = forward.feature_map.size();
        let locations = (size[0] * size[2] * size[3]) as f64;
        let count = term.count.double_value(&[]);
        self.background += term.norm.double_value(&[]) * count;
        self.background_count += count;
        self.foreground += term.foreground_norm.double_value(&[]) * (locations - count);
        self.locations += locations;
    }
}
