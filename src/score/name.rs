//! The names of the scores, what each reads, and where it was published.
//!
//! Names are those of configs, packages, metrics and the command line. A rectifier is followed by the score that is
//! taken on its logits: `react` stands for ReAct with energy, as its paper has it, `react+msp` for ReAct with MSP.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ScoreError;

/// The scores this build knows, in the order of METHOD.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ScoreName {
    /// Negative maximum softmax probability.
    Msp,
    /// Negative maximum logit.
    MaxLogit,
    /// Free energy, the negative log-sum-exp of the logits.
    Energy,
    /// Generalised entropy of the largest softmax probabilities.
    Gen,
    /// Smallest KL divergence to a class's mean softmax.
    KlMatching,
    /// MSP of the logits divided by a temperature.
    Temperature,
    /// Negative L2 norm of the pooled feature.
    FeatureNorm,
    /// Negative mean of the local norms.
    LocalNormMean,
    /// Negative largest local norm.
    LocalNormMax,
    /// Negative mean of the largest local norms.
    LocalNormTop,
    /// Features clipped from above.
    React(OnLogits),
    /// Energy of a sparse classifier head.
    Dice,
    /// Small features set to zero.
    AshP(OnLogits),
    /// Small features set to zero, the others to one common value.
    AshB(OnLogits),
    /// Small features set to zero, the others scaled up.
    AshS(OnLogits),
    /// All features scaled up.
    Scale(OnLogits),
    /// Features cut from below and clipped from above.
    Vra(OnLogits),
    /// Norm of the gradient of the last layer, in closed form.
    Gradnorm,
    /// Energy, guided by the nearest neighbours.
    Nnguide,
    /// Distance to the k-th nearest ID feature.
    Knn,
    /// Mahalanobis distance to the nearest class.
    Mahalanobis,
    /// The same on L2-normalised features.
    MahalanobisPp,
    /// Mahalanobis distance less that to all ID features.
    RelativeMahalanobis,
    /// Residual outside the principal space, as a virtual logit.
    Vim,
    /// Norm of the residual outside the principal space.
    Residual,
    /// Likeness to the class's mean pattern.
    She,
    /// Distance to the decision boundaries.
    Fdbd,
    /// Nearness of the feature to its class's weight vector.
    Nci,
    /// Probability of the unknown after OpenMax.
    Openmax,
}

/// The score that is taken on rectified logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum OnLogits {
    /// Energy: what the papers use.
    #[default]
    Energy,
    /// Maximum softmax probability.
    Msp,
    /// Maximum logit.
    MaxLogit,
    /// Generalised entropy.
    Gen,
}

impl OnLogits {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Energy, Self::Msp, Self::MaxLogit, Self::Gen];

    /// The score's own name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Msp => "msp",
            Self::MaxLogit => "max_logit",
            Self::Gen => "gen",
        }
    }
}

/// What a score reads beside its own fitted state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Logits.
    pub logits: bool,
    /// Pooled penultimate features.
    pub features: bool,
    /// Local norms.
    pub local_norms: bool,
    /// The classifier head Wc, b.
    pub head: bool,
    /// State that is fitted on ID frames.
    pub fit: bool,
}

impl Needs {
    const fn none() -> Self {
        Self { logits: false, features: false, local_norms: false, head: false, fit: false }
    }
    const fn logits(self) -> Self {
        Self { logits: true, ..self }
    }
    const fn features(self) -> Self {
        Self { features: true, ..self }
    }
    const fn local_norms(self) -> Self {
        Self { local_norms: true, ..self }
    }
    const fn head(self) -> Self {
        Self { head: true, ..self }
    }
    const fn fit(self) -> Self {
        Self { fit: true, ..self }
    }

    /// What it reads at every frame, by the names of the package.
    pub fn inputs(self) -> Vec<&'static str> {
        let words = [
            (self.logits, "logits"),
            (self.features, "features"),
            (self.local_norms, "local_norms"),
            (self.head, "head"),
        ];
        words.into_iter().filter_map(|(needed, word)| needed.then_some(word)).collect()
    }
}

impl ScoreName {
    /// Every score once, rectifiers with energy; in the order of METHOD.md.
    pub const PLAIN: &[Self] = &[
        Self::Msp,
        Self::MaxLogit,
        Self::Energy,
        Self::Gen,
        Self::KlMatching,
        Self::Temperature,
        Self::FeatureNorm,
        Self::LocalNormMean,
        Self::LocalNormMax,
        Self::LocalNormTop,
        Self::React(OnLogits::Energy),
        Self::Dice,
        Self::AshP(OnLogits::Energy),
        Self::AshB(OnLogits::Energy),
        Self::AshS(OnLogits::Energy),
        Self::Scale(OnLogits::Energy),
        Self::Vra(OnLogits::Energy),
        Self::Gradnorm,
        Self::Nnguide,
        Self::Knn,
        Self::Mahalanobis,
        Self::MahalanobisPp,
        Self::RelativeMahalanobis,
        Self::Vim,
        Self::Residual,
        Self::She,
        Self::Fdbd,
        Self::Nci,
        Self::Openmax,
    ];

    /// The rectifiers, each with every score that it composes with.
    const RECTIFIERS: [fn(OnLogits) -> Self; 6] =
        [Self::React, Self::AshP, Self::AshB, Self::AshS, Self::Scale, Self::Vra];

    /// Every score with every composition: first [`Self::PLAIN`], then rectifiers with other scores than energy.
    pub fn all() -> impl Iterator<Item = Self> {
        let composed =
            Self::RECTIFIERS.iter().flat_map(|rectifier| OnLogits::ALL[1..].iter().map(move |on| rectifier(*on)));
        Self::PLAIN.iter().copied().chain(composed)
    }

    /// The score taken on rectified logits, for a rectifier.
    pub const fn on_logits(self) -> Option<OnLogits> {
        match self {
            Self::React(on) | Self::AshP(on) | Self::AshB(on) | Self::AshS(on) | Self::Scale(on) | Self::Vra(on) => {
                Some(on)
            }
            _ => None,
        }
    }

    /// The name without what it is composed with.
    pub const fn stem(self) -> &'static str {
        match self {
            Self::Msp => "msp",
            Self::MaxLogit => "max_logit",
            Self::Energy => "energy",
            Self::Gen => "gen",
            Self::KlMatching => "kl_matching",
            Self::Temperature => "temperature",
            Self::FeatureNorm => "feature_norm",
            Self::LocalNormMean => "local_norm_mean",
            Self::LocalNormMax => "local_norm_max",
            Self::LocalNormTop => "local_norm_top",
            Self::React(_) => "react",
            Self::Dice => "dice",
            Self::AshP(_) => "ash_p",
            Self::AshB(_) => "ash_b",
            Self::AshS(_) => "ash_s",
            Self::Scale(_) => "scale",
            Self::Vra(_) => "vra",
            Self::Gradnorm => "gradnorm",
            Self::Nnguide => "nnguide",
            Self::Knn => "knn",
            Self::Mahalanobis => "mahalanobis",
            Self::MahalanobisPp => "mahalanobis_pp",
            Self::RelativeMahalanobis => "relative_mahalanobis",
            Self::Vim => "vim",
            Self::Residual => "residual",
            Self::She => "she",
            Self::Fdbd => "fdbd",
            Self::Nci => "nci",
            Self::Openmax => "openmax",
        }
    }

    /// What it reads.
    pub const fn needs(self) -> Needs {
        let needs = Needs::none();
        match self {
            Self::Msp | Self::MaxLogit | Self::Energy | Self::Gen => needs.logits(),
            Self::KlMatching | Self::Temperature | Self::Openmax => needs.logits().fit(),
            Self::FeatureNorm => needs.features(),
            Self::LocalNormMean | Self::LocalNormMax | Self::LocalNormTop => needs.local_norms(),
            Self::AshP(_) | Self::AshB(_) | Self::AshS(_) | Self::Scale(_) => needs.logits().features().head(),
            Self::React(_) | Self::Vra(_) | Self::Vim => needs.logits().features().head().fit(),
            Self::Dice | Self::Residual => needs.features().head().fit(),
            Self::Gradnorm => needs.logits().features(),
            Self::Fdbd | Self::Nci => needs.logits().features().head().fit(),
            Self::Nnguide | Self::She => needs.logits().features().fit(),
            Self::Knn | Self::Mahalanobis | Self::MahalanobisPp | Self::RelativeMahalanobis => needs.features().fit(),
        }
    }

    /// Where it was published.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Msp => "Hendrycks & Gimpel, ICLR 2017",
            Self::MaxLogit | Self::KlMatching => "Hendrycks et al., ICML 2022",
            Self::Energy => "Liu et al., NeurIPS 2020",
            Self::Gen => "Liu et al., CVPR 2023",
            Self::Temperature => "Guo et al., ICML 2017; Liang et al., ICLR 2018",
            Self::FeatureNorm => "arXiv 2510.12259",
            Self::LocalNormMean | Self::LocalNormMax | Self::LocalNormTop => "this project, after arXiv 2510.12259",
            Self::React(_) => "Sun et al., NeurIPS 2021",
            Self::Dice => "Sun & Li, ECCV 2022",
            Self::AshP(_) | Self::AshB(_) | Self::AshS(_) => "Djurisic et al., ICLR 2023",
            Self::Scale(_) => "Xu et al., ICLR 2024",
            Self::Vra(_) => "Xu et al., NeurIPS 2023",
            Self::Gradnorm => "Huang et al., NeurIPS 2021",
            Self::Nnguide => "Park et al., ICCV 2023",
            Self::Knn => "Sun et al., ICML 2022",
            Self::Mahalanobis => "Lee et al., NeurIPS 2018",
            Self::MahalanobisPp => "Mueller & Hein, ICML 2025",
            Self::RelativeMahalanobis => "Ren et al., arXiv 2106.09022",
            Self::Vim | Self::Residual => "Wang et al., CVPR 2022",
            Self::She => "Zhang et al., ICLR 2023",
            Self::Fdbd => "Liu & Qin, ICML 2024",
            Self::Nci => "Liu & Qin, CVPR 2025",
            Self::Openmax => "Bendale & Boult, CVPR 2016",
        }
    }
}

impl fmt::Display for ScoreName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.on_logits() {
            None | Some(OnLogits::Energy) => formatter.pad(self.stem()),
            Some(on) => formatter.pad(&format!("{}+{}", self.stem(), on.as_str())),
        }
    }
}

impl FromStr for ScoreName {
    type Err = ScoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all().find(|name| name.to_string() == text).ok_or_else(|| ScoreError::Unknown { found: text.into() })
    }
}

impl From<ScoreName> for String {
    fn from(name: ScoreName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for ScoreName {
    type Error = ScoreError;

    fn try_from(text: String) -> Result<Self, ScoreError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_survives_the_way_through_text_and_json() {
        for name in ScoreName::all() {
            assert_eq!(name.to_string().parse::<ScoreName>().unwrap(), name);
            assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<ScoreName>(&format!("\"{name}\"")).unwrap(), name);
        }
    }

    #[test]
    fn rectifiers_compose_with_energy_msp_max_logit_and_gen() {
        let names: Vec<String> = ScoreName::all().map(|name| name.to_string()).collect();
        for wanted in ["react", "react+msp", "ash_p+max_logit", "scale+gen", "vra+gen"] {
            assert!(names.iter().any(|name| name == wanted), "{wanted} is missing from {names:?}");
        }
        assert_eq!(names.len(), 29 + 6 * 3);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "enery".parse::<ScoreName>().unwrap_err().to_string();
        for part in ["\"enery\"", "energy", "react", "react+msp"] {
            assert!(error.contains(part), "{part:?} is missing from: {error}");
        }
    }
}
