//! The settings of the scores: one table per score, each with the default of its paper or of the usual benchmark.
//!
//! They take part in fitting, so they are chosen when a package is calibrated and kept in it.
//! `configs/scores.toml` lists them all.

use serde::{Deserialize, Serialize};

use super::ScoreError;

/// All settings. Missing tables and keys have their defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// `[temperature]`.
    pub temperature: TemperatureParameters,
    /// `[gen]`.
    pub r#gen: GenParameters,
    /// `[local_norm_top]`.
    pub local_norm_top: LocalNormTopParameters,
    /// `[react]`.
    pub react: ReactParameters,
    /// `[dice]`.
    pub dice: DiceParameters,
    /// `[ash_p]`.
    pub ash_p: AshParameters,
    /// `[ash_b]`.
    pub ash_b: AshParameters,
    /// `[ash_s]`.
    pub ash_s: AshParameters,
    /// `[scale]`.
    pub scale: ScaleParameters,
    /// `[vra]`.
    pub vra: VraParameters,
    /// `[nnguide]`.
    pub nnguide: NnguideParameters,
    /// `[knn]`.
    pub knn: KnnParameters,
    /// `[vim]`, for `residual` too.
    pub vim: VimParameters,
    /// `[nci]`.
    pub nci: NciParameters,
    /// `[openmax]`.
    pub openmax: OpenmaxParameters,
    /// `[sample]`.
    pub sample: SampleParameters,
}

macro_rules! parameters {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

parameters! {
    /// Temperature-scaled MSP.
    TemperatureParameters {
        /// Temperature, above 0. Absent: the one that fits the labels best (negative log-likelihood).
        t: Option<f64> = None,
    }
}
parameters! {
    /// Generalised entropy.
    GenParameters {
        /// Exponent of p (1 - p), in (0, 1).
        gamma: f64 = 0.1,
        /// How many of the largest probabilities count; all, where there are fewer.
        top: usize = 100,
    }
}
parameters! {
    /// Mean of the largest local norms.
    LocalNormTopParameters {
        /// Share of the locations that count, in (0, 1]; at least one location.
        share: f64 = 0.1,
    }
}
parameters! {
    /// ReAct.
    ReactParameters {
        /// Features are clipped at this quantile of all ID activations, in (0, 1).
        quantile: f64 = 0.9,
    }
}
parameters! {
    /// DICE.
    DiceParameters {
        /// Share of the head's weights that is set to zero, in (0, 1).
        sparsity: f64 = 0.9,
    }
}
parameters! {
    /// ASH-P, ASH-B, ASH-S.
    AshParameters {
        /// Share of a frame's features that is set to zero, in (0, 1).
        prune: f64 = 0.9,
    }
}
parameters! {
    /// SCALE.
    ScaleParameters {
        /// Features above this quantile of the frame's own are the large ones, in (0, 1).
        quantile: f64 = 0.85,
    }
}
parameters! {
    /// VRA-P.
    VraParameters {
        /// Features below this quantile of all ID activations are the small ones.
        low_quantile: f64 = 0.6,
        /// Features above this quantile of all ID activations become that quantile.
        high_quantile: f64 = 0.95,
        /// What features below the low quantile become: `zero` (the paper) or `clip`.
        form: VraForm = VraForm::Zero,
    }
}

/// What VRA makes of features below its low threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VraForm {
    /// 0: VRA-P of the paper.
    Zero,
    /// The threshold: OpenOOD's form.
    Clip,
}

parameters! {
    /// NNGuide.
    NnguideParameters {
        /// Neighbours.
        k: usize = 10,
        /// Most ID frames that are kept.
        bank: usize = 1_000,
    }
}
parameters! {
    /// K nearest neighbours.
    KnnParameters {
        /// Which neighbour's distance is the score.
        k: usize = 50,
        /// Most ID frames that are kept.
        bank: usize = 10_000,
        /// Largest bank that is searched exactly, in numbers (frames times features). A larger one gets an approximate
        /// index, whose distances are never too small.
        exact: usize = 25_600_000,
    }
}
parameters! {
    /// ViM and residual.
    VimParameters {
        /// Dimensions of the principal space. Absent: 1000 from C = 2048 on, 512 from C = 768 on, else half of C.
        dimensions: Option<usize> = None,
    }
}
parameters! {
    /// NCI.
    NciParameters {
        /// Weight of the feature's norm.
        alpha: f64 = 1e-4,
    }
}
parameters! {
    /// OpenMax.
    OpenmaxParameters {
        /// Largest distances per class that the Weibull law is fitted to.
        tail: usize = 20,
        /// Largest logits that are revised; all, where there are fewer.
        alpha: usize = 10,
    }
}
parameters! {
    /// The seeded sample of ID frames that banks, quantiles and second looks are taken from.
    SampleParameters {
        /// Most frames that are kept.
        frames: usize = 50_000,
        /// Most numbers (features and logits) that are kept; bounds the memory to four bytes each.
        numbers: usize = 32_000_000,
        /// Seed of the choice, and of every other choice in fitting.
        seed: u64 = 0,
    }
}

impl Parameters {
    /// Whether every setting is in its range, also those of scores that are not wanted: all of them are kept in a
    /// package.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), ScoreError> {
        let shares = [
            ("gen", "gamma", self.r#gen.gamma),
            ("react", "quantile", self.react.quantile),
            ("dice", "sparsity", self.dice.sparsity),
            ("ash_p", "prune", self.ash_p.prune),
            ("ash_b", "prune", self.ash_b.prune),
            ("ash_s", "prune", self.ash_s.prune),
            ("scale", "quantile", self.scale.quantile),
            ("vra", "low_quantile", self.vra.low_quantile),
            ("vra", "high_quantile", self.vra.high_quantile),
        ];
        let counts = [
            ("gen", "top", self.r#gen.top),
            ("nnguide", "k", self.nnguide.k),
            ("nnguide", "bank", self.nnguide.bank),
            ("knn", "k", self.knn.k),
            ("knn", "bank", self.knn.bank),
            ("vim", "dimensions", self.vim.dimensions.unwrap_or(1)),
            ("openmax", "tail", self.openmax.tail),
            ("openmax", "alpha", self.openmax.alpha),
            ("sample", "frames", self.sample.frames),
            ("sample", "numbers", self.sample.numbers),
        ];
        let refuse = |score, key, found: String, wanted| Err(ScoreError::Parameter { score, key, found, wanted });
        for (score, key, found) in shares {
            if !(found > 0.0 && found < 1.0) {
                return refuse(score, key, found.to_string(), "a number between 0 and 1");
            }
        }
        if let Some((score, key, _)) = counts.into_iter().find(|(_, _, found)| *found == 0) {
            return refuse(score, key, "0".into(), "at least 1");
        }
        if !self.nci.alpha.is_finite() {
            return refuse("nci", "alpha", self.nci.alpha.to_string(), "a finite number");
        }
        let share = self.local_norm_top.share;
        if !(share > 0.0 && share <= 1.0) {
            return refuse("local_norm_top", "share", share.to_string(), "a number above 0, at most 1");
        }
        match self.temperature.t {
            Some(t) if !(t.is_finite() && t > 0.0) => refuse("temperature", "t", t.to_string(), "a number above 0"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = include_str!("../../configs/scores.toml");

    #[test]
    fn a_setting_out_of_range_is_named_whether_or_not_its_score_is_wanted() {
        assert_eq!(Parameters::default().check(), Ok(()));
        for (text, named) in [
            ("[vra]\nlow_quantile = nan", "score vra: its setting low_quantile is NaN"),
            ("[knn]\nk = 0", "score knn: its setting k is 0, wanted at least 1"),
            ("[sample]\nframes = 0", "score sample: its setting frames is 0"),
            ("[temperature]\nt = -1.0", "score temperature: its setting t is -1"),
            ("[nci]\nalpha = inf", "score nci: its setting alpha is inf"),
            ("[local_norm_top]\nshare = 1.5", "share is 1.5, wanted a number above 0, at most 1"),
        ] {
            let error = toml::from_str::<Parameters>(text).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    /// Keys without a default stand in comments.
    #[test]
    fn the_listed_settings_are_all_there_are_and_have_the_defaults_of_the_code() {
        assert_eq!(toml::from_str::<Parameters>(LISTED).unwrap(), Parameters::default());
        let written: toml::Table = toml::from_str(LISTED).unwrap();
        assert_eq!(toml::Table::try_from(Parameters::default()).unwrap(), written);
        let uncommented = LISTED.replace("# t = ", "t = ").replace("# dimensions = ", "dimensions = ");
        let all: Parameters = toml::from_str(&uncommented).unwrap();
        assert_eq!((all.temperature.t, all.vim.dimensions), (Some(1000.0), Some(512)));
    }
}
