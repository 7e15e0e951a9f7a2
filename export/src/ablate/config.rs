//! Ablation configs (`configs/train/ablate-*.toml`): a grid of losses on one base, judged on the same pictures.
//! Paths are relative to the working directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oodwatch::score::{Parameters, ScoreName};
use serde::{Deserialize, Serialize};

use super::AblateError;
use crate::config::{ConfigError, TrainConfig, ensure, read_toml};
use crate::evaluate::{EvaluateConfig, OodConfig};
use crate::loss::{BackgroundRule, LossConfig};
use crate::model::StartHead;
use crate::pictures::Half;
use crate::tune::TuneConfig;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblateConfig {
    /// Folder that gets the runs, `table.md`, `results.json` and the plots.
    pub out: PathBuf,
    /// Training config that every row starts from; its `out`, `seed` and `[loss]` give way to those of the row. Its
    /// training pictures fit the scores, its test pictures are the ID set.
    pub base: PathBuf,
    /// Seeds of every row that names none.
    pub seeds: Vec<u64>,
    /// Pictures per batch while judging.
    #[serde(default = "batch_size")]
    pub batch_size: usize,
    /// Rule that splits the locations of ID pictures into background and foreground for the reported norms: the same
    /// for every row, whatever it was trained with.
    pub background: BackgroundRule,
    /// Scores to judge by; without, every one that there is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreName>,
    /// The score of the overview and of the plots.
    #[serde(default = "energy")]
    pub main_score: ScoreName,
    /// Settings of the scores.
    #[serde(default)]
    pub parameters: Parameters,
    /// What is compared, in the order of the tables.
    #[serde(rename = "row")]
    pub rows: Vec<RowConfig>,
    /// Out-of-distribution sets; `tune` does without.
    #[serde(default, rename = "ood", skip_serializing_if = "Vec::is_empty")]
    pub ood: Vec<OodConfig>,
    /// What `tune` judges the rows by, in the place of out-of-distribution sets.
    #[serde(default)]
    pub tune: TuneConfig,
}

/// One `[[row]]`. A row without any loss table is the control of all rows of its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowConfig {
    /// Name in the tables.
    pub name: String,
    /// Seeds of this row, instead of the grid's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<u64>,
    /// Instead of the base's `schedule.epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Instead of the base's `schedule.learning_rate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Instead of the base's `schedule.warmup_epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_epochs: Option<f64>,
    /// Trained from fresh weights instead of the base's `model.start`.
    #[serde(default)]
    pub scratch: bool,
    /// The row's loss tables.
    #[serde(default)]
    pub loss: LossConfig,
}

impl AblateConfig {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// An unreadable file, an unknown key (with line and caret), or a value out of range.
    pub fn read(path: &Path) -> Result<Self, AblateError> {
        let config: Self = read_toml(path)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), AblateError> {
        ensure(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")?;
        ensure(!self.rows.is_empty(), "row", "none", "at least one [[row]]")?;
        let main = self.main_score.to_string();
        let judged = self.scores.is_empty() || self.scores.contains(&self.main_score);
        ensure(judged, "main_score", main, "one of `scores`")?;
        // Names of rows become names of folders, in which only letters and digits are kept.
        let names = distinct(self.rows.iter().map(|row| slug(&row.name)));
        ensure(names, "row.name", "two that differ by no letter or digit", "a name of its own for each row")?;
        let names = distinct(self.ood.iter().map(|set| set.name.clone()));
        ensure(names, "ood.name", "one name twice", "a name of its own for each set")?;
        self.tune.check()?;
        for row in &self.rows {
            let seeds = self.seeds_of(row);
            let good = !seeds.is_empty() && distinct(seeds.iter().copied());
            ensure(good, "seeds", format!("{seeds:?} for {:?}", row.name), "at least one, none of them twice")?;
        }
        Ok(())
    }

    /// Refuses a grid without out-of-distribution sets: without them nothing can be compared.
    pub(super) fn need_ood(&self) -> Result<(), ConfigError> {
        ensure(!self.ood.is_empty(), "ood", "none", "at least one [[ood]]")
    }

    /// The seeds that a row is trained with.
    pub(super) fn seeds_of<'a>(&'a self, row: &'a RowConfig) -> &'a [u64] {
        if row.seeds.is_empty() { &self.seeds } else { &row.seeds }
    }

    /// How networks are judged on one half of the pictures.
    pub(crate) fn evaluation(&self, base: &TrainConfig, half: Half) -> EvaluateConfig {
        EvaluateConfig {
            out: self.out.clone(),
            half,
            threads: base.threads,
            device: base.device,
            batch_size: self.batch_size,
            background: Some(self.background),
            id: base.data.test.clone(),
            fit: Some(base.data.train.clone()),
            scores: self.scores.clone(),
            parameters: self.parameters.clone(),
            networks: Vec::new(),
            ood: self.ood.clone(),
        }
    }
}

impl RowConfig {
    /// The base with this row's changes and that seed; `out` is left to the caller.
    pub(super) fn apply(&self, base: &TrainConfig, seed: u64) -> TrainConfig {
        let mut config = base.clone();
        config.seed = seed;
        config.loss = self.loss.clone();
        let schedule = &mut config.schedule;
        schedule.epochs = self.epochs.unwrap_or(schedule.epochs);
        schedule.learning_rate = self.learning_rate.unwrap_or(schedule.learning_rate);
        schedule.warmup_epochs = self.warmup_epochs.unwrap_or(schedule.warmup_epochs);
        if self.scratch {
            config.model.start = None;
            config.model.start_head = StartHead::Same;
            config.model.keep_statistics = false;
        }
        config
    }
}

/// A name as part of a path: letters and digits, everything between them one dash.
pub(super) fn slug(name: &str) -> String {
    let kept: String = name.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    kept.split_whitespace().collect::<Vec<_>>().join("-")
}

fn distinct<T: Ord>(mut items: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    items.all(|item| seen.insert(item))
}

fn energy() -> ScoreName {
    ScoreName::Energy
}

fn batch_size() -> usize {
    250
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        out = "runs/grid"
        base = "base.toml"
        seeds = [1, 2]
        background = { lowest = 0.3 }
        [[row]]
        name = "control"
        [[row]]
        name = "lowest 30%, lambda 0.1"
        epochs = 3
        [row.loss.background]
        lambda = 0.1
        rule = { lowest = 0.3 }
        [[ood]]
        name = "textures"
        group = "far"
        source = { folder = "textures" }
    "#;

    fn read(text: &str) -> Result<AblateConfig, AblateError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ablate.toml");
        std::fs::write(&path, text).unwrap();
        AblateConfig::read(&path)
    }

    #[test]
    fn a_grid_is_read_with_its_defaults() {
        let config = read(GOOD).unwrap();
        assert_eq!((config.main_score, config.batch_size), (ScoreName::Energy, 250));
        assert!(config.rows[0].loss.is_plain() && !config.rows[1].loss.is_plain());
        assert_eq!(slug(&config.rows[1].name), "lowest-30-lambda-0-1");
        assert_eq!(config.seeds_of(&config.rows[0]), [1, 2]);
    }

    #[test]
    fn a_config_says_where_it_is_wrong() {
        for (from, to, wanted) in [
            ("epochs", "epoch", "epoch"),
            ("\"control\"", "\"Lowest 30 lambda 0.1\"", "a name of its own for each row"),
            ("[1, 2]", "[1, 1]", "none of them twice"),
            ("[1, 2]", "[1]\nscores = [\"msp\"]", "main_score = energy: one of `scores`"),
            ("[1, 2]", "[]", "at least one, none of them twice"),
        ] {
            let text = read(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(text.contains(wanted), "{text}");
        }
    }

    #[test]
    fn the_grids_of_the_repository_are_good() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let whole = |name| (name, None);
        let grids = [
            "ablate-cifar10",
            "ablate-cifar10-10k",
            "ablate-cifar10-50k",
            "ablate-cifar10-resnet18",
            "ablate-cifar10-resnet18-gentle",
            "final-cifar10-10k",
            "final-cifar10-50k",
            "final-cifar10-resnet18-gentle",
            "scratch-cifar10-10k",
        ];
        let grids = grids.map(whole);
        for (name, pictures) in grids.into_iter().chain([("tune-cifar10-10k", Some(1000))]) {
            let config = AblateConfig::read(&root.join(format!("configs/train/{name}.toml"))).unwrap();
            let base = TrainConfig::read(&root.join(&config.base)).unwrap();
            for row in &config.rows {
                row.apply(&base, 1).check().unwrap();
            }
            assert!(config.rows[0].loss.is_plain());
            assert_eq!(config.tune, TuneConfig { pictures, ..TuneConfig::default() });
        }
    }
}
