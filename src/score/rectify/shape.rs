//! The rectifiers: what becomes of a feature, and what the logits are made of then.

use super::Stem;
use super::levels::{Levels, Rule};
use crate::score::{Model, ScoreError, ScoreName, VraForm};

/// Logits `b + network (y - b) + sum of terms + all S + rest R`, with S the sum of all columns of the head, and R the
/// sum of `W[:, c] z_c` over the features above no level.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Mix {
    pub(super) network: f64,
    pub(super) terms: [Term; 2],
    pub(super) all: f64,
    pub(super) rest: f64,
}

/// `product * sum W[:, c] z_c + columns * sum W[:, c]` over the features above a level.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Term {
    pub(super) level: usize,
    pub(super) product: f64,
    pub(super) columns: f64,
}

impl Term {
    /// Whether it adds anything.
    pub(super) fn counts(&self) -> bool {
        self.product != 0.0 || self.columns != 0.0
    }
}

/// What becomes of a frame's feature. Levels are places in [`Levels`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Rectifier {
    /// `z' = min(z, c)`, c the 0.9 quantile of all ID activations. Sun, Guo & Li, "ReAct: Out-of-distribution Detection
    /// With Rectified Activations", NeurIPS 2021, equation 2. The references agree.
    React { level: usize, clip: f64 },
    /// `z'` is z where it is among the k largest, else 0. Djurisic, Bozanic, Ashok & Liu, "Extremely Simple Activation
    /// Shaping for Out-of-Distribution Detection", ICLR 2023. The references agree on the formulas of ASH and SCALE but
    /// for what they reshape: they take F before pooling, here it is always the pooled z, since F never leaves the
    /// network. Their default shares differ.
    AshP { level: usize },
    /// `z'` is `sum(z) / k` where z is among the k largest, else 0. The same paper.
    AshB { level: usize },
    /// `z'` is `exp(sum(z) / sum(k largest)) z` where z is among the k largest, else 0. The same paper.
    AshS { level: usize },
    /// `z' = exp(sum(z) / sum(k largest)) z`; nothing becomes 0. Xu, Chen, Franchi & Yao, "Scaling for Training Time and
    /// Post-hoc Out-of-distribution Detection Enhancement", ICLR 2024.
    Scale { level: usize },
    /// VRA-P: `z'` is 0 where z < low, high where z > high, else z. Xu, Lian, Liu & Tao, "VRA: Variational Rectified
    /// Activation for Out-of-distribution Detection", NeurIPS 2023, equation 12. OpenOOD and pytorch-ood clip from below
    /// as well (`z' = low`), the latter with thresholds per feature; `form = "clip"` is OpenOOD's.
    Vra { low_level: usize, low: f64, high_level: usize, high: f64, form: VraForm },
}

impl Rectifier {
    /// What a frame's logits are made of, when its features, which sum to `total`, have been sorted by `levels`. With
    /// `anew`, the network's logits are as costly as any product.
    pub(super) fn mix(&self, features: &[f32], total: f64, levels: &Levels, anew: bool) -> Mix {
        let term = |level, product, columns| Term { level, product, columns };
        let of_term = |term| Mix { terms: [term, Term::default()], ..Mix::default() };
        // exp(sum / sum of the largest); 1 where those sum to 0 (the references: NaN).
        let sharpening = |level| match levels.kept_sum(level) {
            0.0 => 1.0,
            kept => (total / kept).exp(),
        };
        match *self {
            Self::React { level, clip } => Mix { network: 1.0, ..of_term(term(level, -1.0, clip)) },
            Self::AshP { level } => of_term(term(level, 1.0, 0.0)),
            Self::AshB { level } => of_term(term(level, 0.0, total / levels.size(level).max(1) as f64)),
            Self::AshS { level } => of_term(term(level, sharpening(level), 0.0)),
            Self::Scale { level } => Mix { network: sharpening(level), ..Mix::default() },
            Self::Vra { low_level, low, high_level, high, form } => {
                let clipped = term(high_level, -1.0, high);
                let kept = |columns| [clipped, term(low_level, 1.0, columns)];
                match form {
                    VraForm::Clip => Mix { terms: kept(-low), all: low, ..Mix::default() },
                    VraForm::Zero if !anew && levels.rest_is_shorter(low_level, features) => {
                        Mix { network: 1.0, rest: -1.0, ..of_term(clipped) }
                    }
                    VraForm::Zero => Mix { terms: kept(0.0), ..Mix::default() },
                }
            }
        }
    }
}

/// Makes a rectifier, and adds the levels that it reads.
type Make = fn(&Model<'_>, &mut Levels) -> Result<Rectifier, ScoreError>;

/// Every rectifier's name, and how it is made.
pub(super) const RECTIFIERS: [(Stem, Make); 6] = [
    (ScoreName::React, |model, levels| {
        let clip = model.fitted.state("react")?.number("clip")?;
        Ok(Rectifier::React { level: levels.add(Rule::above(clip)), clip })
    }),
    (ScoreName::AshP, |model, levels| {
        let kept = kept_features("ash_p", "prune", model.fitted.parameters.ash_p.prune, model.features)?;
        Ok(Rectifier::AshP { level: levels.add(Rule::Largest(kept)) })
    }),
    (ScoreName::AshB, |model, levels| {
        let kept = kept_features("ash_b", "prune", model.fitted.parameters.ash_b.prune, model.features)?;
        Ok(Rectifier::AshB { level: levels.add(Rule::Largest(kept)) })
    }),
    (ScoreName::AshS, |model, levels| {
        let kept = kept_features("ash_s", "prune", model.fitted.parameters.ash_s.prune, model.features)?;
        Ok(Rectifier::AshS { level: levels.add(Rule::Largest(kept)) })
    }),
    (ScoreName::Scale, |model, levels| {
        let kept = kept_features("scale", "quantile", model.fitted.parameters.scale.quantile, model.features)?;
        Ok(Rectifier::Scale { level: levels.add(Rule::Largest(kept)) })
    }),
    (ScoreName::Vra, |model, levels| {
        let state = model.fitted.state("vra")?;
        let (low, high) = (state.number("low")?, state.number("high")?);
        let (low_level, high_level) = (levels.add(Rule::from(low)), levels.add(Rule::above(high)));
        Ok(Rectifier::Vra { low_level, low, high_level, high, form: model.fitted.parameters.vra.form })
    }),
];

/// How many of C features are kept when the share `cut` is not: `C - round(C * cut)`, halves to even as in the
/// references, and at least one.
///
/// # Errors
/// A share out of range.
fn kept_features(score: &'static str, key: &'static str, cut: f64, features: usize) -> Result<usize, ScoreError> {
    if !(cut > 0.0 && cut < 1.0) {
        return Err(ScoreError::Parameter { score, key, found: cut.to_string(), wanted: "a number between 0 and 1" });
    }
    Ok(features.saturating_sub((features as f64 * cut).round_ties_even() as usize).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_kept_features_rounds_as_the_references_do() {
        let kept = |features, cut| kept_features("ash_p", "prune", cut, features).unwrap();
        assert_eq!([kept(64, 0.9), kept(1280, 0.9), kept(12, 0.9), kept(12, 0.65)], [6, 128, 1, 4]);
        // 10 * 0.25 = 2.5 rounds to 2; 6 * 0.25 = 1.5 rounds to 2.
        assert_eq!([kept(10, 0.25), kept(6, 0.25), kept(64, 0.85), kept(2, 0.99)], [8, 4, 10, 1]);
        for cut in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(kept_features("scale", "quantile", cut, 64).is_err(), "{cut}");
        }
    }
}
