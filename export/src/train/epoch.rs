//! One pass over the training pictures, and the accuracy on pictures that are never trained on.

use indicatif::ProgressBar;
use tch::{Kind, Tensor, no_grad};

use super::log::EpochRow;
use crate::config::TrainConfig;
use crate::data::{Batcher, shuffled};
use crate::loss::background_loss;
use crate::model::ResNet;
use crate::optim::{Sgd, cosine_rate};

/// Pictures per batch where no gradient is needed.
const EVALUATION_BATCH: usize = 500;

/// What stops an epoch.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// The loss is no number any more.
    #[error(
        "train: the loss is {loss} at epoch {epoch}, step {step}; a lower schedule.learning_rate or a longer warm-up may help"
    )]
    NotFinite {
        /// The loss.
        loss: f64,
        /// Epoch, from 1.
        epoch: usize,
        /// Step in the epoch, from 1.
        step: usize,
    },
}

/// Running means of what an epoch reports.
#[derive(Debug, Default)]
struct Sums {
    steps: f64,
    pictures: f64,
    correct: f64,
    cross_entropy: f64,
    background_norm: f64,
    background_share: f64,
    foreground_norm: f64,
}

/// Trains for one epoch (`epoch` counts from 1) and returns its row of the log, without validation accuracy and times.
///
/// # Errors
/// The loss became infinite or NaN.
pub(super) fn train_epoch(
    config: &TrainConfig,
    net: &ResNet,
    sgd: &mut Sgd,
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
        let batch = batcher.augmented(indices, config.augment, &mut rng);
        let loss = step_loss(config, net, &batch.images, &batch.targets, &mut sums);
        let value = loss.double_value(&[]);
        if !value.is_finite() {
            return Err(EpochError::NotFinite { loss: value, epoch, step: i + 1 });
        }
        loss.backward();
        rate = cosine_rate(schedule.learning_rate, (epoch - 1) * steps + i, warmup, schedule.epochs * steps);
        sgd.step(&net.params, rate);
        bar.inc(1);
    }
    Ok(sums.row(config, epoch, rate))
}

/// The loss of one batch, L = CE + lambda * L_bg.
fn step_loss(config: &TrainConfig, net: &ResNet, images: &Tensor, targets: &Tensor, sums: &mut Sums) -> Tensor {
    let out = net.forward(images, true);
    let cross_entropy = out.logits.cross_entropy_for_logits(targets);
    sums.steps += 1.0;
    sums.pictures += targets.size()[0] as f64;
    sums.correct += correct(&out.logits, targets);
    sums.cross_entropy += cross_entropy.double_value(&[]);
    let Some(background) = config.loss.background else { return cross_entropy };
    let term = background_loss(
        &out.feature_map,
        &net.head_weight().detach(),
        &net.head_bias().detach(),
        targets,
        background.rule,
    );
    let locations: i64 = out.feature_map.size().iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, d)| d).product();
    sums.background_norm += term.loss.double_value(&[]);
    sums.background_share += term.count.double_value(&[]) / locations as f64;
    sums.foreground_norm += term.foreground_norm.double_value(&[]);
    cross_entropy + term.loss * background.lambda
}

impl Sums {
    fn row(&self, config: &TrainConfig, epoch: usize, learning_rate: f64) -> EpochRow {
        let background = |sum: f64| config.loss.background.map(|_| sum / self.steps);
        EpochRow {
            epoch,
            learning_rate,
            cross_entropy: self.cross_entropy / self.steps,
            background_norm: background(self.background_norm),
            foreground_norm: background(self.foreground_norm),
            background_share: background(self.background_share),
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
pub fn accuracy(net: &ResNet, batcher: &Batcher<'_>, indices: &[usize]) -> f64 {
    hits(net, batcher, indices) / indices.len() as f64
}

/// How many of the pictures at `indices` the network classifies as labelled.
pub(super) fn hits(net: &ResNet, batcher: &Batcher<'_>, indices: &[usize]) -> f64 {
    let of_chunk = |chunk: &[usize]| {
        let batch = batcher.plain(chunk);
        correct(&no_grad(|| net.forward(&batch.images, false)).logits, &batch.targets)
    };
    indices.chunks(EVALUATION_BATCH).map(of_chunk).sum()
}
