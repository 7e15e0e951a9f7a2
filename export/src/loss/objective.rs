//! The whole loss of a step: the cross-entropy or LogitNorm, plus every term of the config with its weight.

use std::path::PathBuf;

use rand_distr::ChiSquaredError;
use tch::{Device, TchError, Tensor, no_grad};

use super::{LossConfig, VirtualOutliers, attention_transfer_loss, background_loss, logit_norm_loss};
use crate::config::{ModelConfig, TrainConfig};
use crate::model::{Forward, ModelError, Net, StartError, StartHead, fill, fresh};

/// Why a loss cannot be set up or computed.
#[derive(Debug, thiserror::Error)]
pub enum LossError {
    /// The frozen network of attention transfer cannot be read.
    #[error("loss.attention_transfer: {0}")]
    Teacher(#[from] StartError),
    /// A network cannot be built, or a checkpoint lacks a term's state.
    #[error("loss: {0}")]
    Model(#[from] ModelError),
    /// libtorch gave a tensor of another kind than asked for.
    #[error("loss: libtorch: {0}")]
    Torch(#[from] TchError),
    /// Virtual outliers cannot be drawn.
    #[error("loss.virtual_outliers: {0}")]
    Outliers(#[from] ChiSquaredError),
}

/// Where in a run a step is.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Step of the run, from 0.
    pub step: usize,
    /// Steps of the run.
    pub steps: usize,
}

/// What one step's loss is made of, without weights.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    /// Cross-entropy, or LogitNorm's in its place.
    pub cross_entropy: f64,
    /// Mean norm of the background locations, with `[loss.background]`.
    pub background_norm: Option<f64>,
    /// Mean norm of the other locations, with `[loss.background]`.
    pub foreground_norm: Option<f64>,
    /// Share of the locations that are background, with `[loss.background]`.
    pub background_share: Option<f64>,
    /// L_vos, once the term has begun.
    pub virtual_outliers: Option<f64>,
    /// L_at, with `[loss.attention_transfer]`.
    pub attention_transfer: Option<f64>,
}

/// The loss of a run and what its terms remember from step to step.
#[derive(Debug)]
pub struct Objective {
    config: LossConfig,
    virtual_outliers: Option<VirtualOutliers>,
    teacher: Option<Net>,
}

impl Objective {
    /// The loss that `config` asks for, for the network `net` of `classes` classes.
    ///
    /// # Errors
    /// The weights of attention transfer's frozen network cannot be read.
    pub fn new(config: &TrainConfig, net: &Net, classes: usize) -> Result<Self, LossError> {
        let loss = config.loss.clone();
        let schedule = &config.schedule;
        let virtual_outliers = loss
            .virtual_outliers
            .map(|term| VirtualOutliers::new(term, net, config.seed, schedule.momentum, schedule.weight_decay));
        let teacher = match &loss.attention_transfer {
            Some(term) => Some(teacher(config, term.teacher.as_ref(), (net.device(), classes))?),
            None => None,
        };
        Ok(Self { config: loss, virtual_outliers, teacher })
    }

    /// The loss of a batch that gave `out`, a scalar, and its parts.
    ///
    /// # Errors
    /// A term that cannot be computed.
    pub fn loss(
        &mut self,
        net: &Net,
        images: &Tensor,
        out: &Forward,
        targets: &Tensor,
        at: Moment,
    ) -> Result<(Tensor, Parts), LossError> {
        let mut total = match self.config.logit_norm {
            Some(term) => logit_norm_loss(&out.logits, targets, term.temperature),
            None => out.logits.cross_entropy_for_logits(targets),
        };
        let mut parts = Parts { cross_entropy: total.double_value(&[]), ..Parts::default() };
        if self.config.background.is_some() {
            total = self.add_background(total, &mut parts, net, out, targets, at);
        }
        if let Some(term) = &mut self.virtual_outliers
            && let Some(loss) = term.loss(net, out, targets, at)?
        {
            parts.virtual_outliers = Some(loss.double_value(&[]));
            total = loss * term.weight() + total;
        }
        if let (Some(term), Some(teacher)) = (&self.config.attention_transfer, &self.teacher) {
            let looked = no_grad(|| teacher.forward(images, false)).feature_map;
            let loss = attention_transfer_loss(&out.feature_map, &looked);
            parts.attention_transfer = Some(loss.double_value(&[]));
            total = loss * term.weight + total;
        }
        Ok((total, parts))
    }

    fn add_background(
        &self,
        total: Tensor,
        parts: &mut Parts,
        net: &Net,
        out: &Forward,
        targets: &Tensor,
        at: Moment,
    ) -> Tensor {
        let Some(term) = self.config.background else { return total };
        let (weight, bias) = (net.head_weight().detach(), net.head_bias().detach());
        let found = background_loss(&out.feature_map, &weight, &bias, targets, &term);
        let size = out.feature_map.size();
        parts.background_norm = Some(found.norm.double_value(&[]));
        parts.foreground_norm = Some(found.foreground_norm.double_value(&[]));
        parts.background_share = Some(found.count.double_value(&[]) / (size[0] * size[2] * size[3]) as f64);
        total + found.loss * term.weight(at.step, at.steps)
    }

    /// Moves what the terms themselves have learned along its gradients.
    pub fn step(&mut self, learning_rate: f64) {
        self.virtual_outliers.iter_mut().for_each(|term| term.step(learning_rate));
    }

    /// What a resumed run needs beside the network, as named tensors: shape and row-major values.
    pub fn export(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let state = self.virtual_outliers.iter().flat_map(VirtualOutliers::export);
        state.map(|(name, shape, values)| (format!("virtual_outliers.{name}"), shape, values)).collect()
    }

    /// Takes over a state that [`export`](Self::export) gave; `lookup` finds shape and values by name.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape.
    pub fn load<'a>(&mut self, lookup: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>) -> Result<(), ModelError> {
        match &mut self.virtual_outliers {
            Some(term) => term.load(|name| lookup(&format!("virtual_outliers.{name}"))),
            None => Ok(()),
        }
    }
}

/// The frozen network: `weights`, else those that the run starts from, else the run's own fresh ones.
fn teacher(
    config: &TrainConfig,
    weights: Option<&PathBuf>,
    (device, classes): (Device, usize),
) -> Result<Net, StartError> {
    let mut model = config.model.clone();
    if let Some(path) = weights {
        model = ModelConfig { start: Some(path.clone()), start_head: StartHead::Same, ..model };
    }
    let mut net = fresh(&model, classes, config.seed)?;
    net.move_to(device);
    fill(&model, &net)?;
    Ok(net)
}
