//! One pass over the training pictures, and the accuracy on pictures that are never trained on.

use indicatif::ProgressBar;
use tch::{Kind, Tensor, no_grad};

use super::log::EpochRow;
use crate::config::TrainConfig;
use crate::data::{Batch, Batcher, shuffled};
use crate::loss::{LossError, Moment, Objective, Parts};
use crate::model::Net;
use crate::optim::{Sgd, cosine_rate};

/// Pictures of 32x32 pixels per batch where no gradient is needed.
const EVALUATION_BATCH: usize = 500;

/// What stops an epoch.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// The loss is no number any more.
    #[error(
        "train: the loss is {loss} at epoch {epoch}, step {step} of the run; a lower schedule.learning_rate or a longer warm-up may help"
    )]
    NotFinite {
        /// The loss.
        loss: f64,
        /// Epoch, from 1.
        epoch: usize,
        /// Step of the run, from 0.
        step: usize,
    },
    /// A term of the loss cannot be computed.
    #[error(transparent)]
    Loss(#[from] LossError),
}

/// What moves while a run lasts: the network, its optimiser, and what the loss remembers.
pub(super) struct Learner {
    pub(super) net: Net,
    pub(super) sgd: Sgd,
    pub(super) objective: Objective,
}

/// Running sums of what an epoch reports.
#[derive(Debug, Default)]
struct Sums {
    steps: f64,
    pictures: f64,
    correct: f64,
    cross_entropy: f64,
    background_norm: Mean,
    background_share: Mean,
    foreground_norm: Mean,
    virtual_outliers: Mean,
    attention_transfer: Mean,
}

/// The mean over the steps that had a value.
#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    steps: f64,
}

/// Trains for one epoch (`epoch` counts from 1) and returns its row of the log, without validation accuracy and times.
///
/// # Errors
/// The loss became infinite or NaN.
pub(super) fn train_epoch(
    config: &TrainConfig,
    learner: &mut Learner,
    batcher: &Batcher<'_>,
    count: usize,
    epoch: usize,
    bar: &ProgressBar,
) -> Result<EpochRow, EpochError> {
    let schedule = &config.schedule;
    let steps = count.div_ceil(schedule.batch_size);
    let warmup = (schedule.warmup_epochs * steps as f64).round() as usize;
    let (order, mut rng) = shuffled(count, config.seed, epoch);
    let mut sums = Sums::default();
    let mut rate = 0.0;
    for (i, indices) in order.chunks(schedule.batch_size).enumerate() {
        let batch = batcher.augmented(indices, config.augment, &mut rng).to_device(learner.net.device());
        let at = Moment { epoch, step: (epoch - 1) * steps + i, steps: schedule.epochs * steps };
        rate = cosine_rate(schedule.learning_rate, at.step, warmup, at.steps);
        let (logits, parts) = step(learner, &batch, at, rate)?;
        sums.add(&logits, &batch.targets, &parts);
        bar.inc(1);
    }
    Ok(sums.row(epoch, rate))
}

/// One step: forward, loss, backward, and the weights move. Returns the logits and what the loss was made of.
///
/// # Errors
/// The loss became infinite or NaN; then the weights stay.
pub(super) fn step(learner: &mut Learner, batch: &Batch, at: Moment, rate: f64) -> Result<(Tensor, Parts), EpochError> {
    let out = learner.net.forward(&batch.images, true);
    let (loss, parts) = learner.objective.loss(&learner.net, &batch.images, &out, &batch.targets, at)?;
    let value = loss.double_value(&[]);
    if !value.is_finite() {
        return Err(EpochError::NotFinite { loss: value, epoch: at.epoch, step: at.step });
    }
    loss.backward();
    learner.sgd.step(&learner.net.params, rate);
    learner.objective.step(rate);
    Ok((out.logits, parts))
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.steps += 1.0;
        }
    }

    fn value(&self) -> Option<f64> {
        (self.steps > 0.0).then(|| self.sum / self.steps)
    }
}

impl Sums {
    fn add(&mut self, logits: &Tensor, targets: &Tensor, parts: &Parts) {
        self.steps += 1.0;
        self.pictures += targets.size()[0] as f64;
        self.correct += correct(logits, targets);
        self.cross_entropy += parts.cross_entropy;
        self.background_norm.add(parts.background_norm);
        self.background_share.add(parts.background_share);
        self.foreground_norm.add(parts.foreground_norm);
        self.virtual_outliers.add(parts.virtual_outliers);
        self.attention_transfer.add(parts.attention_transfer);
    }

    fn row(&self, epoch: usize, learning_rate: f64) -> EpochRow {
        EpochRow {
            epoch,
            learning_rate,
            cross_entropy: self.cross_entropy / self.steps,
            background_norm: self.background_norm.value(),
            foreground_norm: self.foreground_norm.value(),
            background_share: self.background_share.value(),
            virtual_outliers: self.virtual_outliers.value(),
            attention_transfer: self.attention_transfer.value(),
            train_accuracy: self.correct / self.pictures,
            validation_accuracy: 0.0,
            seconds: 0.0,
            images_per_second: 0.0,
        }
    }
}

fn correct(logits: &Tensor, targets: &Tensor) -> f64 {
    no_grad(|| logits.argmax(1, false).eq_tensor(targets).sum(Kind::Int64).int64_value(&[]) as f64)
}

/// Share of the pictures at `indices` that the network classifies as labelled.
pub fn accuracy(net: &Net, batcher: &Batcher<'_>, indices: &[usize]) -> f64 {
    hits(net, batcher, indices) / indices.len() as f64
}

/// How many of the pictures at `indices` the network classifies as labelled.
pub(super) fn hits(net: &Net, batcher: &Batcher<'_>, indices: &[usize]) -> f64 {
    let of_chunk = |chunk: &[usize]| {
        let batch = batcher.plain(chunk).to_device(net.device());
        correct(&no_grad(|| net.forward(&batch.images, false)).logits, &batch.targets)
    };
    indices.chunks(batcher.at_once(EVALUATION_BATCH)).map(of_chunk).sum()
}
