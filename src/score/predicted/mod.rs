//! `she`, `fdbd` and `nci`: scores that hold the feature against what belongs to the predicted class.
//!
//! The predicted class is that of the largest logit, the first of equal ones. Each score reads one row of a matrix per
//! frame.

mod fdbd;
mod nci;
mod she;

pub(super) use fdbd::build as build_fdbd;
pub(super) use nci::build as build_nci;
pub(super) use she::{build as build_she, fit as fit_she};

use super::kernels::maximum;
use super::metric::centred;
use super::{ScoreError, State, StateReader, wide};
use crate::fit::{FitError, Statistics};

/// The feature relative to the mean of all ID features: h = z - mu.
struct FromMean {
    mean: Vec<f64>,
    h: Vec<f64>,
}

impl FromMean {
    fn read(state: &StateReader<'_>, features: usize) -> Result<Self, ScoreError> {
        let part = |name| state.vector(name, Some(features));
        Ok(Self { mean: wide::join(&part("mean")?, &part("mean_rest")?).to_vec(), h: vec![0.0; features] })
    }

    /// h of these features.
    fn of(&mut self, features: &[f32]) -> &[f64] {
        centred(features, 1.0, &self.mean, &mut self.h);
        &self.h
    }
}

/// Fits `fdbd` and `nci`: the mean feature.
///
/// # Errors
/// None.
pub(super) fn fit_mean(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    Ok(wide::with_wide(State::default(), "mean", "mean_rest", &statistics.mean()))
}

/// Index of the largest logit, the first of equal ones; `None` if one is NaN.
fn predicted(logits: &[f32]) -> Option<usize> {
    let max = maximum(logits);
    logits.iter().position(|logit| f64::from(*logit) == max)
}

/// `x / max(length, least)`; NaN where the length is, which f64::max would hide.
fn per_length(x: f64, length: f64, least: f64) -> f64 {
    x / if length < least { least } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_logits_is_the_predicted_class_and_a_nan_leaves_none() {
        assert_eq!(predicted(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(predicted(&[-0.0, 0.0]), Some(0));
        assert_eq!(predicted(&[3.0, f32::NAN]), None);
        assert_eq!(predicted(&[]), None);
    }
}
