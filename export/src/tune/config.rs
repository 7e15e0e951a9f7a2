//! The table `[tune]` of an ablation config: what stands in for out-of-distribution pictures.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::pseudo::Pseudo;
use crate::config::{ConfigError, ensure};

/// The table `[tune]`; every key has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TuneConfig {
    /// Decides how each picture is spoilt.
    pub seed: u64,
    /// Pseudo-OOD sets; the criterion is the mean over them.
    pub sets: Vec<Pseudo>,
    /// Pictures per set, spread evenly over the validation half of the ID pictures; all of that half without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pictures: Option<usize>,
}

impl Default for TuneConfig {
    fn default() -> Self {
        Self { seed: 1, sets: Pseudo::DEFAULT.to_vec(), pictures: None }
    }
}

impl TuneConfig {
    /// Refuses settings that make no set.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        ensure(!self.sets.is_empty(), "tune.sets", "none", "at least one set")?;
        let mut names = BTreeSet::new();
        let distinct = self.sets.iter().all(|set| names.insert(set.to_string()));
        ensure(distinct, "tune.sets", "one set twice", "each set once")?;
        ensure(self.pictures != Some(0), "tune.pictures", 0, "at least 1")?;
        self.sets.iter().try_for_each(Pseudo::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match toml::from_str::<TuneConfig>(text) {
            Ok(config) => config.check().map_or_else(|e| e.to_string(), |()| "good".into()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_key_has_a_default_and_a_range() {
        assert_eq!(toml::from_str::<TuneConfig>("").unwrap(), TuneConfig::default());
        for (text, wanted) in [
            ("", "good"),
            ("seed = 2\npictures = 500\nsets = [{ jigsaw = 3 }, { jigsaw = 2 }, \"phase\"]", "good"),
            ("sets = []", "at least one set"),
            ("sets = [\"blend\", \"blend\"]", "each set once"),
            ("sets = [{ jigsaw = 1 }]", "tune.sets.jigsaw = 1: from 2 to 8"),
            ("sets = [{ background = 0.6 }]", "tune.sets.background = 0.6: above 0, at most 0.5"),
            ("sets = [{ background = nan }]", "above 0, at most 0.5"),
            ("pictures = 0", "at least 1"),
            ("sets = [\"svhn\"]", "jigsaw"),
            ("set = []", "unknown field `set`"),
        ] {
            let said = read(text);
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
