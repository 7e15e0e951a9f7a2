//! Virtual outliers (Du et al., "VOS: Learning What You Don't Know by Virtual Outlier Synthesis", ICLR 2022).
//!
//! Features of each class are taken as a Gaussian, with one covariance for all classes (eq. 2); its least likely samples
//! (eq. 3) are outliers that no picture was needed for. A small classifier learns to tell their energy from that of
//! real features, and through it the network learns to keep the two apart (eq. 5, 6):
//!
//! ```text
//! s(y)  = log sum_k relu(w_k) exp(y_k)                          the learned (negative) energy, w of length K
//! L_vos = mean over real y and outliers v of  CE(sigmoid(a s + c), real?)    with s of y, or of Wc v + b
//! L     = CE(y, t) + weight * L_vos
//! ```
//!
//! w, a and c are trained with the network, by the same optimiser. As in the authors' code the mean is over the real
//! features of the batch and the K * select outliers together, features enter the queues and the outliers without
//! gradient, and the term begins when its epoch has come and every queue is full. Unlike there, w starts at 1 (plain
//! energy) and a = c = 0 (chance) instead of at random, so that seeds differ in the outliers alone.

mod queue;
mod sample;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::LossError;
use super::objective::Moment;
use crate::model::{Forward, ModelError, Net, ParamStore, Role, values_of};
use crate::optim::Sgd;
use queue::Queue;
use sample::least_likely;

/// Added to the diagonal of the covariance, as in the authors' code.
const RIDGE: f64 = 1e-4;
/// Keeps the outliers' random numbers apart from those of shuffling and augmentation, which use the seed itself.
const SEED_OFFSET: u64 = 0x564f_5300;
/// Prefix of the momentum buffers in a saved state.
const VELOCITY: &str = "velocity.";

/// The table `[loss.virtual_outliers]` of a training config. The defaults are the paper's for CIFAR-10.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VirtualOutliersConfig {
    /// Weight of the term beside the cross-entropy.
    pub weight: f64,
    /// Features kept per class, Q.
    pub queue: usize,
    /// Samples per class and step, of which the least likely are taken.
    pub samples: usize,
    /// Outliers taken per class and step.
    pub select: usize,
    /// First epoch with the term, from 1. The paper trains 100 epochs from scratch and begins with the 41st;
    /// fine-tuning may begin at once.
    pub start_epoch: usize,
}

/// The term with everything that it remembers from step to step.
#[derive(Debug)]
pub struct VirtualOutliers {
    config: VirtualOutliersConfig,
    seed: u64,
    queue: Queue,
    /// w, a, c.
    params: ParamStore,
    sgd: Sgd,
    /// Whether the last step's loss held the term, so that w, a and c have gradients.
    active: bool,
}

impl Default for VirtualOutliersConfig {
    fn default() -> Self {
        Self { weight: 0.1, queue: 1000, samples: 10_000, select: 1, start_epoch: 1 }
    }
}

impl VirtualOutliers {
    /// Empty queues and a classifier at chance, for the head of `net`.
    pub fn new(config: VirtualOutliersConfig, net: &Net, seed: u64, momentum: f64, weight_decay: f64) -> Self {
        let head = net.head_weight().size();
        let mut params = ParamStore::default();
        params.add("energy.weight", Role::Trainable, Tensor::ones([head[0]], tch::kind::FLOAT_CPU));
        params.add("logistic.weight", Role::Trainable, Tensor::zeros([1], tch::kind::FLOAT_CPU));
        params.add("logistic.bias", Role::Trainable, Tensor::zeros([1], tch::kind::FLOAT_CPU));
        params.move_to(net.device());
        let sgd = Sgd::new(&params, momentum, weight_decay);
        let queue = Queue::new(head[0] as usize, config.queue, head[1] as usize);
        Self { config, seed, queue, params, sgd, active: false }
    }

    /// Takes in the batch's features and returns L_vos, a scalar; nothing before the term begins.
    ///
    /// # Errors
    /// Targets that are no integers, features without channels.
    pub fn loss(
        &mut self,
        net: &Net,
        out: &Forward,
        targets: &Tensor,
        at: Moment,
    ) -> Result<Option<Tensor>, LossError> {
        self.queue.push(&values_of(&out.features), &Vec::<i64>::try_from(targets)?);
        self.active = at.epoch >= self.config.start_epoch && self.queue.is_full();
        if !self.active {
            return Ok(None);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(SEED_OFFSET));
        rng.set_stream(at.step as u64);
        let gaussians = self.queue.gaussians(RIDGE);
        let outliers = least_likely(&gaussians, self.config.samples, self.config.select, &mut rng)?;
        let outlier_logits = outliers.to_device(net.device()).linear(net.head_weight(), Some(net.head_bias()));
        let [energy_weight, scale, shift] = [0, 1, 2].map(|i| self.params.at(i));
        Ok(Some(energy_classifier_loss(&out.logits, &outlier_logits, energy_weight, scale, shift)))
    }

    /// Weight of the term.
    pub fn weight(&self) -> f64 {
        self.config.weight
    }

    /// Moves w, a and c along the gradients that the last step's loss gave them.
    pub fn step(&mut self, learning_rate: f64) {
        if self.active {
            self.sgd.step(&self.params, learning_rate);
        }
    }

    /// Everything that a resumed run needs, as named tensors: shape and row-major values.
    pub fn export(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let mut state = self.params.export();
        let velocity = self.sgd.export(&self.params).into_iter();
        state.extend(velocity.map(|(name, shape, values)| (format!("{VELOCITY}{name}"), shape, values)));
        state.extend(self.queue.export().map(|(name, shape, values)| (name.to_owned(), shape, values)));
        state
    }

    /// Takes over a state that [`export`](Self::export) gave; `lookup` finds shape and values by name.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape.
    pub fn load<'a>(&mut self, lookup: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>) -> Result<(), ModelError> {
        self.params.load(&lookup)?;
        self.sgd.load(&self.params, |name| lookup(&format!("{VELOCITY}{name}")))?;
        self.queue.load(lookup)
    }
}

/// L_vos of real logits [N, K] and outliers' logits [M, K]; w [K], a [1], c [1].
fn energy_classifier_loss(real: &Tensor, outliers: &Tensor, w: &Tensor, a: &Tensor, c: &Tensor) -> Tensor {
    let logits = Tensor::cat(&[real, outliers], 0);
    // log sum_k relu(w_k) exp(y_k), with the largest logit taken out before exp can overflow.
    let largest = logits.amax([1i64].as_slice(), true);
    let sum = (w.relu() * (&logits - &largest).exp()).sum_dim_intlist([1i64].as_slice(), false, logits.kind());
    let energy = largest.squeeze_dim(1) + sum.log();
    let options = (logits.kind(), logits.device());
    let is_real = [Tensor::ones([real.size()[0]], options), Tensor::zeros([outliers.size()[0]], options)];
    let is_real = Tensor::cat(&is_real, 0);
    (energy * a + c).binary_cross_entropy_with_logits::<Tensor>(&is_real, None, None, tch::Reduction::Mean)
}

#[cfg(test)]
mod tests;
