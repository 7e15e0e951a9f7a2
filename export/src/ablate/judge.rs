//! Judges a network once and keeps what was found beside it.

use std::path::{Path, PathBuf};

use oodwatch::package::sha256_hex;
use oodwatch::score::ScoreName;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::AblateError;
use crate::checkpoint::Checkpoint;
use crate::evaluate::{EvaluateConfig, Evaluated, NetworkConfig, NetworkReport, evaluate};
use crate::files::write_whole;
use crate::pictures::Half;

/// What was found for one network on one half of the pictures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Judged {
    /// sha256 over everything that decides the numbers, hex.
    hash: String,
    /// How many pictures of the ID set and of each OOD set it was judged on.
    pub(super) pictures: Vec<usize>,
    pub(super) report: NetworkReport,
}

/// How all networks of a grid are judged.
pub(super) struct Judge {
    pub(super) evaluation: EvaluateConfig,
    pub(super) main_score: ScoreName,
}

/// A network to judge: its name, its weights, the hash of what made them, and the folder that keeps the result.
pub(super) struct Candidate<'a> {
    pub(super) name: &'a str,
    pub(super) checkpoint: PathBuf,
    pub(super) hash: &'a str,
    pub(super) folder: &'a Path,
}

impl Judge {
    /// sha256 over the settings of judging and a network's own hash.
    pub(super) fn hash(&self, network: &str) -> String {
        let of = &self.evaluation;
        let settings =
            json!([of.half, of.background, of.id, of.fit, of.scores, of.parameters, of.ood, self.main_score, network]);
        sha256_hex(settings.to_string().as_bytes())
    }

    fn half(&self) -> &'static str {
        match self.evaluation.half {
            Half::Validation => "validation",
            Half::Test => "test",
            Half::All => "all",
        }
    }

    fn result_path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("judged-{}.json", self.half()))
    }

    fn scores_path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("scores-{}.safetensors", self.half()))
    }

    /// What was found for `candidate` before under the same settings.
    ///
    /// # Errors
    /// A result that cannot be read.
    pub(super) fn found(&self, candidate: &Candidate<'_>) -> Result<Option<Judged>, AblateError> {
        let path = self.result_path(candidate.folder);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|source| AblateError::File { path: path.clone(), source })?;
        let judged: Judged = serde_json::from_str(&text).map_err(|source| AblateError::Json { path, source })?;
        Ok((judged.hash == self.hash(candidate.hash)).then_some(judged))
    }

    /// Judges `candidate` and keeps the result: the scores of the plots first, so that a result is never without them.
    ///
    /// # Errors
    /// Pictures or weights that cannot be read, a full disk.
    pub(super) fn judge(&self, candidate: &Candidate<'_>) -> Result<(), AblateError> {
        let network = NetworkConfig { name: candidate.name.into(), checkpoint: candidate.checkpoint.clone() };
        let evaluated = evaluate(&self.evaluation, &network)?;
        self.main_scores(&evaluated).write(&self.scores_path(candidate.folder))?;
        let Evaluated { report, pictures, .. } = evaluated;
        let judged = Judged { hash: self.hash(candidate.hash), pictures, report };
        write_json(&self.result_path(candidate.folder), &judged)
    }

    /// The main score of every picture, one tensor per set: `id`, and each OOD set by its place in the config.
    fn main_scores(&self, evaluated: &Evaluated) -> Checkpoint {
        let mut file = Checkpoint::default();
        for (index, set) in evaluated.scores.iter().enumerate() {
            let values = set.get(&self.main_score).cloned().unwrap_or_default();
            file.tensors.insert(format!("set.{index}"), (vec![values.len()], values));
        }
        file
    }

    /// The main score of every picture: of the ID set, then of each OOD set in the order of the config.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub(super) fn read_scores(&self, folder: &Path) -> Result<Vec<Vec<f32>>, AblateError> {
        let mut file = Checkpoint::read(&self.scores_path(folder))?;
        let sets = 0..=self.evaluation.ood.len();
        Ok(sets.map(|i| file.tensors.remove(&format!("set.{i}")).unwrap_or_default().1).collect())
    }
}

/// Writes `value` as JSON, whole or not at all.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), AblateError> {
    let text = serde_json::to_string_pretty(value).map_err(|source| AblateError::Json { path: path.into(), source })?;
    write_whole(path, format!("{text}\n").as_bytes()).map_err(|source| AblateError::File { path: path.into(), source })
}
