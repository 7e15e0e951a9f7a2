//! Stochastic gradient descent with Nesterov momentum, and its learning-rate schedule.
//!
//! libtorch's optimiser keeps its momentum to itself; a run that is to go on bit-equal after a kill
//! must save it, so the few lines are ours.

use std::f64::consts::PI;

use tch::{Tensor, no_grad};

use crate::model::{ModelError, ParamStore, export_one, load_into};

/// SGD as in PyTorch: `g += weight_decay * p; v = momentum * v + g; p -= rate * (g + momentum * v)`.
#[derive(Debug)]
pub struct Sgd {
    momentum: f64,
    weight_decay: f64,
    velocity: Vec<Tensor>,
}

impl Sgd {
    /// An optimiser at rest for the trainable tensors of `params`.
    pub fn new(params: &ParamStore, momentum: f64, weight_decay: f64) -> Self {
        let velocity = params.trainable().map(|(_, p)| p.detach().zeros_like()).collect();
        Self { momentum, weight_decay, velocity }
    }

    /// Moves the weights along their gradients and clears the gradients.
    pub fn step(&mut self, params: &ParamStore, learning_rate: f64) {
        no_grad(|| {
            for ((_, weight), velocity) in params.trainable().zip(&mut self.velocity) {
                let mut weight = weight.shallow_clone();
                let gradient = weight.grad() + &weight * self.weight_decay;
                *velocity *= self.momentum;
                *velocity += &gradient;
                weight -= (gradient + &*velocity * self.momentum) * learning_rate;
                weight.zero_grad();
            }
        });
    }

    /// Fills the momentum buffers; `lookup` gives shape and values by the name of the weight.
    ///
    /// # Errors
    /// A buffer that is missing or has another shape than its weight.
    pub fn load<'a>(
        &mut self,
        params: &ParamStore,
        lookup: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>,
    ) -> Result<(), ModelError> {
        load_into(params.trainable().map(|(name, _)| name).zip(&self.velocity), lookup)
    }

    /// The momentum buffers under the names of their weights: shape and row-major values.
    pub fn export(&self, params: &ParamStore) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        params.trainable().zip(&self.velocity).map(|((name, _), v)| export_one(name, v)).collect()
    }
}

/// Learning rate at `step` of `steps`: a linear warm-up over `warmup` steps, then half a cosine down to 0
/// (Loshchilov & Hutter, "SGDR", ICLR 2017, eq. 5 without restarts).
pub fn cosine_rate(peak: f64, step: usize, warmup: usize, steps: usize) -> f64 {
    if step < warmup {
        return peak * (step + 1) as f64 / warmup as f64;
    }
    let progress = (step - warmup) as f64 / (steps - warmup).max(1) as f64;
    peak * 0.5 * (1.0 + (PI * progress).cos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    #[test]
    fn two_nesterov_steps_match_values_worked_out_by_hand() {
        let mut params = ParamStore::default();
        params.add("w", Role::Trainable, Tensor::from_slice(&[1.0f32]));
        let mut sgd = Sgd::new(&params, 0.9, 0.1);
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (_, w) = params.trainable().next().unwrap();
            (w * 2.0).sum(tch::Kind::Float).backward();
            sgd.step(&params, 0.5);
            seen.push(w.double_value(&[0]));
        }
        // g = 2 + 0.1*1 = 2.1; v = 2.1; w = 1 - 0.5*(2.1 + 0.9*2.1) = -0.995
        // g = 2 - 0.0995 = 1.9005; v = 0.9*2.1 + 1.9005 = 3.7905; w = -0.995 - 0.5*(1.9005 + 0.9*3.7905)
        for (found, wanted) in seen.into_iter().zip([-0.995, -3.650975]) {
            assert!((found - wanted).abs() < 1e-6, "{found} != {wanted}");
        }
    }

    #[test]
    fn the_rate_warms_up_peaks_and_ends_near_zero() {
        assert_eq!(cosine_rate(0.1, 0, 10, 110), 0.01);
        assert_eq!(cosine_rate(0.1, 9, 10, 110), 0.1);
        assert!((cosine_rate(0.1, 60, 10, 110) - 0.05).abs() < 1e-12);
        assert!(cosine_rate(0.1, 109, 10, 110) < 1e-4);
    }
}
