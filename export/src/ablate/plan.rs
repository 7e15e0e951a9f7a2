//! The runs of a grid in the order in which they are done, each with a folder that its settings decide.

use std::path::{Path, PathBuf};

use oodwatch::package::sha256_hex;
use serde_json::json;

use super::AblateError;
use super::config::{AblateConfig, slug};
use crate::config::TrainConfig;
use crate::train::{MODEL, train};

/// One row with one seed.
#[derive(Debug)]
pub(crate) struct Run {
    /// Index of the row in the config.
    pub(crate) row: usize,
    /// Row and seed in words.
    pub(crate) name: String,
    /// Its training config, whose `out` is the run's folder.
    pub(crate) train: TrainConfig,
    /// sha256 over everything that decides the weights, hex.
    pub(crate) hash: String,
}

impl Run {
    /// What it has trained or will train.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.train.out.join(MODEL)
    }

    /// Trains it where that is not done; one that was killed goes on after its last finished epoch. `at` says which of
    /// how many it is.
    ///
    /// # Errors
    /// [`AblateError::Train`].
    pub(crate) fn ensure_trained(&self, at: &str) -> Result<(), AblateError> {
        if self.checkpoint().exists() {
            return Ok(());
        }
        log::info!("{at}: {}: training in {}", self.name, self.train.out.display());
        let failed = |source| AblateError::Train { run: self.name.clone(), source: Box::new(source) };
        train(&self.train, true).map(drop).map_err(failed)
    }
}

/// All runs: every row with its first seed, then every row with its second, so that a table is whole early.
///
/// # Errors
/// A row whose settings are out of range, weights that cannot be read.
pub(crate) fn plan(config: &AblateConfig, base: &TrainConfig) -> Result<Vec<Run>, AblateError> {
    let longest = config.rows.iter().map(|row| config.seeds_of(row).len()).max().unwrap_or(0);
    let mut runs = Vec::new();
    for nth in 0..longest {
        for (index, row) in config.rows.iter().enumerate() {
            if let Some(&seed) = config.seeds_of(row).get(nth) {
                runs.push(run(config, base, index, seed)?);
            }
        }
    }
    Ok(runs)
}

fn run(config: &AblateConfig, base: &TrainConfig, index: usize, seed: u64) -> Result<Run, AblateError> {
    let row = &config.rows[index];
    let mut train = row.apply(base, seed);
    train.check().map_err(|source| AblateError::Row { row: row.name.clone(), source })?;
    let hash = hash(&train)?;
    // Other settings under the same name are another folder: nothing is mixed, nothing overwritten.
    train.out = config.out.join("rows").join(slug(&row.name)).join(format!("seed-{seed}-{}", &hash[..8]));
    Ok(Run { row: index, name: format!("{}, seed {seed}", row.name), train, hash })
}

/// sha256 over a training config without its folder, and over the weights that it reads.
pub(super) fn hash(config: &TrainConfig) -> Result<String, AblateError> {
    let settings = TrainConfig { out: PathBuf::new(), ..config.clone() };
    let teacher = config.loss.attention_transfer.as_ref().and_then(|term| term.teacher.as_deref());
    let weights = [config.model.start.as_deref(), teacher].map(|path| path.map(sha256_of).transpose());
    let [start, teacher] = weights;
    Ok(sha256_hex(json!([settings, start?, teacher?]).to_string().as_bytes()))
}

fn sha256_of(path: &Path) -> Result<String, AblateError> {
    let bytes = std::fs::read(path).map_err(|source| AblateError::File { path: path.into(), source })?;
    Ok(sha256_hex(&bytes))
}
