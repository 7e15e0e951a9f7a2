//! Post-hoc scores: one number per frame from what the network already computed.
//!
//! One convention everywhere: a [`Score`] is larger for a stranger frame. [`ScoreName`] names them; [`Scorers`] computes
//! a set of them, family by family; [`crate::fit`] learns from ID frames what the fitted ones need.

mod centre;
mod classes;
mod coarse;
mod dice;
#[cfg(test)]
mod edge_cases;
mod error;
mod feature_norm;
mod fits;
mod gradnorm;
mod kernels;
mod knn;
mod local;
mod logits;
mod mahalanobis;
mod metric;
mod name;
mod nearest;
mod nnguide;
mod openmax;
mod parameters;
mod predicted;
mod rectify;
mod scorers;
mod state;
pub mod synthetic;
#[cfg(test)]
mod testing;
mod triangle;
mod vim;
mod wide;

pub use error::ScoreError;
pub(crate) use fits::fit_states;
pub use name::{Needs, OnLogits, ScoreName};
pub use parameters::*;
pub use scorers::{Model, Scorers};
pub use state::{Fitted, State, StateReader};

/// A score of one frame; HIGHER MEANS MORE OUT-OF-DISTRIBUTION, for every scorer.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Score(pub f32);

impl Score {
    /// Whether the number can be compared with a threshold; NaN and infinities cannot.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }
}

/// What the network says about one image, borrowed from the batch it was computed in.
#[derive(Debug, Clone, Copy)]
pub struct Outputs<'a> {
    /// Logits y, K of them.
    pub logits: &'a [f32],
    /// Pooled penultimate feature z, C of them.
    pub features: &'a [f32],
    /// L2 norm of F at each of the H*W locations, row by row, where the network has it.
    pub local_norms: Option<&'a [f32]>,
    /// The head applied at each location, K*H*W, class by class, where the network has it.
    pub local_logits: Option<&'a [f32]>,
}

impl Outputs<'_> {
    /// Index of the largest logit, the lowest one among equals, and its softmax probability; `None` if no logit is a
    /// number.
    pub fn top_class(&self) -> Option<(usize, f32)> {
        let (index, logit) = self
            .logits
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, logit)| !logit.is_nan())
            .reduce(|best, other| if other.1 > best.1 { other } else { best })?;
        let confidence = (f64::from(logit) - self.log_sum_exp()).exp();
        Some((index, confidence as f32))
    }

    /// `log sum_k exp(y_k)`, without overflow.
    pub fn log_sum_exp(&self) -> f64 {
        kernels::log_sum_exp(self.logits)
    }

    /// Whether every number of logits, features and local norms is finite.
    pub fn is_finite(&self) -> bool {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        finite(self.logits) && finite(self.features) && self.local_norms.is_none_or(finite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_is_computed_and_a_nan_input_makes_every_score_nan_that_reads_it() {
        let names: Vec<ScoreName> = ScoreName::all().collect();
        let mut synthetic = synthetic::Synthetic::new(7, 20, 5);
        let parameters = Parameters { temperature: TemperatureParameters { t: Some(2.0) }, ..Parameters::default() };
        let fitted = synthetic.fit(&names, parameters, 300).unwrap();
        let frame = synthetic.frame();
        let mut scorers = Scorers::new(&names, &synthetic.model(&fitted)).unwrap();
        let whole = frame.outputs();
        for (name, score) in names.iter().zip(scorers.score(&whole)) {
            assert!(score.is_finite(), "{name}");
        }
        let with_nan = |values: &[f32]| [&values[..values.len() - 1], &[f32::NAN]].concat();
        let (logits, features) = (with_nan(whole.logits), with_nan(whole.features));
        let norms = with_nan(whole.local_norms.unwrap());
        let broken = Outputs { logits: &logits, features: &features, local_norms: Some(&norms), local_logits: None };
        for (name, score) in names.iter().zip(scorers.score(&broken)) {
            assert!(score.0.is_nan(), "{name}");
        }
        // Only what is read counts.
        let broken = Outputs { features: &features, ..whole };
        for (name, score) in names.iter().zip(scorers.score(&broken)) {
            assert_eq!(score.0.is_nan(), name.needs().features, "{name}");
        }
    }

    #[test]
    fn the_top_class_comes_with_its_softmax_probability() {
        let outputs = Outputs { logits: &[0.0, 3.0_f32.ln()], features: &[], local_norms: None, local_logits: None };
        let (class, confidence) = outputs.top_class().unwrap();
        assert_eq!(class, 1);
        assert!((confidence - 0.75).abs() < 1e-6);
        let tied = Outputs { logits: &[f32::NAN, 2.0, 2.0], ..outputs };
        assert_eq!(tied.top_class().map(|(class, _)| class), Some(1));
    }
}
