//! Judges a run on pseudo-OOD pictures once and keeps what was found in the run's folder.

use std::path::{Path, PathBuf};

use oodwatch::package::sha256_hex;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::config::TuneConfig;
use super::error::TuneError;
use super::pseudo::{make, spread_evenly};
use crate::ablate::{AblateError, Run, write_json};
use crate::evaluate::{Bench, EvaluateConfig, Evaluated, NetworkConfig, NetworkReport, Set};

/// Name of the file in a run's folder.
const KEPT_FILE: &str = "judged-pseudo.json";

/// How all runs are judged.
pub(super) struct Judge {
    /// Without any out-of-distribution set.
    pub(super) evaluation: EvaluateConfig,
    pub(super) tune: TuneConfig,
}

/// What was found for one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Judged {
    /// sha256 over everything that decides the numbers, hex.
    hash: String,
    /// How many pictures of the ID set and of each pseudo-OOD set it was judged on.
    pub(super) pictures: Vec<usize>,
    pub(super) report: NetworkReport,
}

impl Judge {
    /// What was found for a trained run, now or before under the same settings; `at` says which of how many it is.
    ///
    /// # Errors
    /// Pictures or weights that cannot be read, a result that cannot be read or written.
    pub(super) fn judged(&self, run: &Run, at: &str) -> Result<Judged, TuneError> {
        let path = run.train.out.join(KEPT_FILE);
        let hash = self.hash(&run.hash);
        if let Some(judged) = read(&path)?.filter(|judged| judged.hash == hash) {
            log::info!("{at}: {}: judged before", run.name);
            return Ok(judged);
        }
        log::info!("{at}: {}: judging on pseudo-OOD pictures", run.name);
        let Evaluated { report, pictures, .. } = self.evaluate(run)?;
        let judged = Judged { hash, pictures, report };
        write_json(&path, &judged)?;
        // Read back, so that a grid in one go and one with breaks give the same digits.
        Ok(read(&path)?.unwrap_or(judged))
    }

    fn evaluate(&self, run: &Run) -> Result<Evaluated, TuneError> {
        let network = NetworkConfig { name: run.name.clone(), checkpoint: run.checkpoint() };
        let mut bench = Bench::open(&self.evaluation, &network)?;
        let indices = spread_evenly(&bench.id.indices, self.tune.pictures);
        for &set in &self.tune.sets {
            // One set at a time in memory.
            let pictures = make(set, &bench.id.pictures, &indices, self.tune.seed)?;
            let all = (0..pictures.len()).collect();
            bench.judge(&set.to_string(), set.group(), &Set { pictures, indices: all })?;
        }
        Ok(bench.finish()?)
    }

    /// sha256 over the settings of judging and a run's own hash.
    fn hash(&self, run: &str) -> String {
        let of = &self.evaluation;
        let settings = json!([of.half, of.id, of.fit, of.scores, of.parameters, self.tune, run]);
        sha256_hex(settings.to_string().as_bytes())
    }
}

fn read(path: &Path) -> Result<Option<Judged>, AblateError> {
    if !path.exists() {
        return Ok(None);
    }
    let path = || PathBuf::from(path);
    let text = std::fs::read_to_string(path()).map_err(|source| AblateError::File { path: path(), source })?;
    serde_json::from_str(&text).map(Some).map_err(|source| AblateError::Json { path: path(), source })
}
