//! Several scores' p-values combined into one number, which is calibrated in its turn.
//!
//! The textbook laws of these combinations presume independent p-values. Scores of one network are anything but, so
//! no such law is used: the combination of ID frames is ranked like any other score, on frames that set neither the
//! components' state nor their p-values.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::score::{Score, ScoreError, ScoreName};

/// How p-values are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Combination {
    /// `-2 sum ln p_i`. Fisher, "Statistical Methods for Research Workers", 1925. One very strange score is enough.
    Fisher,
    /// `sum Phi^-1(1 - p_i) / sqrt(m)`. Stouffer et al., "The American Soldier", 1949. Scores outvote each other.
    Stouffer,
    /// `-ln min_i (m p_(i) / i)`, p ascending. Simes, Biometrika 1986. Strange in any one, or a little in several.
    Simes,
}

/// A combination of at least two scores, written `fisher(energy,knn,vim)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fusion {
    /// How.
    pub combination: Combination,
    /// Of what; no score twice.
    pub scores: Vec<ScoreName>,
}

/// Why a text names no fusion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FusionError {
    /// It is not written as one.
    #[error("fusion {found:?} is not written as fisher(A,B,...), stouffer(A,B,...) or simes(A,B,...)")]
    Form {
        /// The text.
        found: String,
    },
    /// It has fewer than two scores.
    #[error("fusion {found:?} has {scores} score, wanted at least 2")]
    TooFew {
        /// The text.
        found: String,
        /// Scores it has.
        scores: usize,
    },
    /// It has a score that does not exist, or twice the same.
    #[error("fusion {found:?}: {source}")]
    Score {
        /// The text.
        found: String,
        /// Which.
        source: ScoreError,
    },
}

impl Combination {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Fisher, "fisher"), (Self::Stouffer, "stouffer"), (Self::Simes, "simes")];

    /// The combined score of p-values that are in (0, 1); larger is stranger. Sorts them in place.
    pub fn combine(self, p_values: &mut [f64]) -> Score {
        let count = p_values.len() as f64;
        Score(match self {
            Self::Fisher => -2.0 * p_values.iter().map(|p| p.ln()).sum::<f64>(),
            Self::Stouffer => p_values.iter().map(|p| -Normal::standard().inverse_cdf(*p)).sum::<f64>() / count.sqrt(),
            Self::Simes => {
                p_values.sort_by(f64::total_cmp);
                let ranked = p_values.iter().enumerate().map(|(index, p)| count * p / (index + 1) as f64);
                -ranked.fold(f64::INFINITY, f64::min).ln()
            }
        } as f32)
    }
}

impl fmt::Display for Fusion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Combination::ALL.iter().find(|(combination, _)| *combination == self.combination);
        let scores: Vec<String> = self.scores.iter().map(ToString::to_string).collect();
        formatter.pad(&format!("{}({})", word.map_or("", |(_, word)| word), scores.join(",")))
    }
}

impl FromStr for Fusion {
    type Err = FusionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || FusionError::Form { found: text.into() };
        let (word, rest) = text.trim().split_once('(').ok_or_else(form)?;
        let inner = rest.strip_suffix(')').ok_or_else(form)?;
        let (combination, _) = Combination::ALL.iter().find(|(_, name)| *name == word.trim()).ok_or_else(form)?;
        let wrong = |source| FusionError::Score { found: text.into(), source };
        let scores: Vec<ScoreName> =
            inner.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>().map_err(wrong)?;
        if scores.len() < 2 {
            return Err(FusionError::TooFew { found: text.into(), scores: scores.len() });
        }
        match scores.iter().enumerate().find(|(place, score)| scores[..*place].contains(score)) {
            Some((_, score)) => Err(wrong(ScoreError::Twice { score: *score })),
            None => Ok(Self { combination: *combination, scores }),
        }
    }
}

impl From<Fusion> for String {
    fn from(fusion: Fusion) -> Self {
        fusion.to_string()
    }
}

impl TryFrom<String> for Fusion {
    type Error = FusionError;

    fn try_from(text: String) -> Result<Self, FusionError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(combination: Combination, mut p_values: Vec<f64>) -> f64 {
        f64::from(combination.combine(&mut p_values).0)
    }

    #[test]
    fn combinations_are_those_worked_out_by_hand() {
        let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-5, "{got}, wanted {want}");
        close(combined(Combination::Fisher, vec![0.1, 0.01]), -2.0 * 0.001_f64.ln());
        // Phi^-1(0.975) = 1.959964, Phi^-1(0.5) = 0.
        close(combined(Combination::Stouffer, vec![0.025, 0.5]), 1.959_964 / 2.0_f64.sqrt());
        // m = 3: 3 * 0.04 / 1 = 0.12, 3 * 0.05 / 2 = 0.075, 3 * 0.9 / 3 = 0.9.
        close(combined(Combination::Simes, vec![0.9, 0.05, 0.04]), -(0.075_f64.ln()));
    }

    #[test]
    fn smaller_p_values_are_stranger_in_every_combination() {
        for (combination, _) in Combination::ALL {
            assert!(combined(combination, vec![0.01, 0.3]) > combined(combination, vec![0.2, 0.4]));
        }
    }

    #[test]
    fn a_fusion_survives_the_way_through_text_and_bad_ones_are_named() {
        let fusion: Fusion = " simes( energy, knn ,react+msp )".parse().unwrap();
        assert_eq!(fusion.to_string(), "simes(energy,knn,react+msp)");
        assert_eq!(fusion.to_string().parse::<Fusion>().unwrap(), fusion);
        for (text, part) in [
            ("median(energy,knn)", "is not written as"),
            ("fisher(energy)", "at least 2"),
            ("fisher(energy,energy)", "energy is asked for twice"),
            ("fisher(energy,knm)", "\"knm\" is unknown"),
            ("fisher energy", "is not written as"),
        ] {
            let error = text.parse::<Fusion>().unwrap_err().to_string();
            assert!(error.contains(part), "{part:?} is missing from: {error}");
        }
    }
}
