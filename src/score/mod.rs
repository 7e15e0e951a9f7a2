//! Post-hoc scores: one number per frame from what the network already computed.
//!
//! One convention everywhere: a [`Score`] is larger for a stranger frame. The formulas live in [`post_hoc`]; this
//! file holds the names under which configs, command line and packages refer to them.

pub mod post_hoc;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    /// Index of the largest logit and its softmax probability; `None` if no logit is a number.
    pub fn top_class(&self) -> Option<(usize, f32)> {
        let (index, logit) = self
            .logits
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, logit)| !logit.is_nan())
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        let confidence = (f64::from(logit) - post_hoc::log_sum_exp(self.logits)).exp();
        Some((index, confidence as f32))
    }
}

/// The scores this build knows, by the names of the configs and the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreName {
    /// Negative maximum softmax probability.
    Msp,
    /// Negative maximum logit.
    MaxLogit,
    /// Free energy, the negative log-sum-exp of the logits.
    Energy,
    /// Negative L2 norm of the pooled feature.
    FeatureNorm,
}

/// A score was asked for by a name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("score {found:?} is unknown; there are {known}")]
pub struct ScoreError {
    /// The name asked for.
    pub found: String,
    /// The names there are.
    pub known: String,
}

impl ScoreName {
    /// Every score, in the order of METHOD.md.
    pub const ALL: &[Self] = &[Self::Msp, Self::MaxLogit, Self::Energy, Self::FeatureNorm];

    /// The name in configs, packages and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Msp => "msp",
            Self::MaxLogit => "max_logit",
            Self::Energy => "energy",
            Self::FeatureNorm => "feature_norm",
        }
    }

    /// The score of one image. NaN in, NaN out.
    pub fn score(self, outputs: &Outputs<'_>) -> Score {
        match self {
            Self::Msp => post_hoc::msp(outputs.logits),
            Self::MaxLogit => post_hoc::max_logit(outputs.logits),
            Self::Energy => post_hoc::energy(outputs.logits),
            Self::FeatureNorm => post_hoc::feature_norm(outputs.features),
        }
    }
}

impl fmt::Display for ScoreName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for ScoreName {
    type Err = ScoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|name| name.as_str() == text).ok_or_else(|| ScoreError {
            found: text.into(),
            known: Self::ALL.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_survives_the_way_through_text_and_json() {
        for name in ScoreName::ALL {
            assert_eq!(name.as_str().parse::<ScoreName>().unwrap(), *name);
            assert_eq!(serde_json::to_string(name).unwrap(), format!("\"{name}\""));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "enery".parse::<ScoreName>().unwrap_err();
        assert_eq!(error.to_string(), "score \"enery\" is unknown; there are msp, max_logit, energy, feature_norm");
    }

    #[test]
    fn the_top_class_comes_with_its_softmax_probability() {
        let outputs = Outputs { logits: &[0.0, 3.0_f32.ln()], features: &[], local_norms: None, local_logits: None };
        let (class, confidence) = outputs.top_class().unwrap();
        assert_eq!(class, 1);
        assert!((confidence - 0.75).abs() < 1e-6);
    }
}
