//! The local background feature loss (arXiv 2510.12259).
//!
//! A location of the last feature map that does not look like the picture's own class is a free
//! sample of "something else". Its L2 norm is added to the loss, so that the network learns to stay
//! quiet on what it does not know:
//!
//! ```text
//! L    = CE(y, t) + lambda * L_bg
//! L_bg = (1 / sum_n |B(n)|) * sum_n sum_{(h,w) in B(n)} || F[n,:,h,w] ||_2
//! ```
//!
//! With `relative`, each norm is divided by f(n), the mean norm of the same picture's foreground, through
//! which no gradient flows. Batch norm lets a network shrink F as a whole and grow its head instead; then
//! the plain term falls and nothing was learned. The relative one falls only where the background grows
//! quieter than the foreground:
//!
//! ```text
//! L_bg = (1 / sum_n |B(n)|) * sum_n sum_{(h,w) in B(n)} || F[n,:,h,w] ||_2 / f(n)
//! ```
//!
//! The gradient of a norm is as large however small the norm is. With a `floor` above 0 only what a norm, relative or not, has
//! above it counts, `max(0, norm - floor)`, so that a location that is quiet enough is left alone. Ours, not the paper's.

mod mask;

use serde::{Deserialize, Serialize};
use tch::{Tensor, no_grad};

use super::norm::norms_with_zero_gradient_at_zero;
pub use mask::BackgroundRule;
use mask::background_mask;

/// The table `[loss.background]` of a training config.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackgroundConfig {
    /// Weight of the term beside the cross-entropy.
    pub lambda: f64,
    /// Share of the run's steps over which the weight grows from 0 to lambda along a line, in 0..=1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warmup: f64,
    /// Norms are taken relative to the mean norm of the picture's own foreground.
    #[serde(default, skip_serializing_if = "is_false")]
    pub relative: bool,
    /// What of a norm does not count, as it is taken: a share of the foreground's where norms are relative.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub floor: f64,
    /// Which locations are background.
    pub rule: BackgroundRule,
}

/// The loss and what it was computed from.
#[derive(Debug)]
pub struct Background {
    /// L_bg, a scalar that carries the gradient. Exactly 0 when no location is background.
    pub loss: Tensor,
    /// Mean norm of the background locations, a scalar without gradient: the loss itself unless it is relative or has a floor.
    pub norm: Tensor,
    /// Number of background locations in the batch, a scalar.
    pub count: Tensor,
    /// Mean norm of the locations that are not background, a scalar without gradient (0 if there are none).
    pub foreground_norm: Tensor,
}

impl BackgroundConfig {
    /// The paper's term: plain norms, all of which count, with lambda from the first step on.
    pub const fn plain(lambda: f64, rule: BackgroundRule) -> Self {
        Self { lambda, warmup: 0.0, relative: false, floor: 0.0, rule }
    }

    /// Weight of the term at `step` (from 0) of a run of `steps`.
    pub fn weight(&self, step: usize, steps: usize) -> f64 {
        let growing = (self.warmup * steps as f64).round() as usize;
        if step < growing { self.lambda * (step + 1) as f64 / growing as f64 } else { self.lambda }
    }
}

/// Computes L_bg for a batch.
///
/// * `feature_map`: F, [N, C, H, W]
/// * `head_weight`, `head_bias`: Wc [K, C] and b [K]; they choose locations and get no gradient here
/// * `targets`: true classes, [N], int64
/// * `term`: which locations, and how their norms count. Relative ones are divided by the mean norm of their picture's foreground; for a
///   picture without any, or with one of norm 0, by that of the batch's foreground; without that, by 1
pub fn background_loss(
    feature_map: &Tensor,
    head_weight: &Tensor,
    head_bias: &Tensor,
    targets: &Tensor,
    term: &BackgroundConfig,
) -> Background {
    let BackgroundConfig { rule, relative, floor, .. } = *term;
    let (n, c) = (feature_map.size()[0], feature_map.size()[1]);
    let kind = feature_map.kind();
    let locations = feature_map.permute([0, 2, 3, 1]).reshape([n, -1, c]);
    let mask = no_grad(|| background_mask(&locations, head_weight, head_bias, targets, rule)).to_kind(kind);
    let norms = norms_with_zero_gradient_at_zero(&locations);
    let count = mask.sum(kind);
    let mean = |norms: &Tensor| (norms * &mask).sum(kind) / count.clamp_min(1.0);
    let counted = if relative { &norms / no_grad(|| foreground_of_each(&norms, &mask)) } else { norms.shallow_clone() };
    let loss = mean(&if floor > 0.0 { (counted - floor).relu() } else { counted });
    let norm = if relative || floor > 0.0 { no_grad(|| mean(&norms)) } else { loss.detach() };
    let foreground_norm = no_grad(|| {
        let foreground = 1.0 - &mask;
        (norms * &foreground).sum(kind) / foreground.sum(kind).clamp_min(1.0)
    });
    Background { loss, norm, count, foreground_norm }
}

/// f(n), [N, 1]: what the norms [N, H*W] of each picture are divided by.
fn foreground_of_each(norms: &Tensor, mask: &Tensor) -> Tensor {
    let kind = norms.kind();
    let foreground = 1.0 - mask;
    let norms = norms * &foreground;
    let per_picture = |x: &Tensor| x.sum_dim_intlist([1i64].as_slice(), true, kind);
    let own = per_picture(&norms) / per_picture(&foreground).clamp_min(1.0);
    let of_batch = (norms.sum(kind) / foreground.sum(kind).clamp_min(1.0)).expand_as(&own);
    let known = own.where_self(&own.gt(0.0), &of_batch);
    known.where_self(&known.gt(0.0), &known.ones_like())
}

// serde hands these a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

#[cfg(test)]
mod tests;
