//! Chooses a row of a grid and a score without any out-of-distribution picture, and says afterwards what that cost.
//!
//! The rows are those of `ablate`, and so are their trained networks. Each is judged on pictures that are made of
//! in-distribution ones ([`Pseudo`]); of the rows that keep their accuracy the one wins that accepts the fewest of them.
//! The choice is made and written by [`blind`], which is given the grid without its out-of-distribution sets. Only then,
//! where a grid names some, are they read: to tell the regret and how far the order of the rows agrees.
//!
//! Leaving classes out, the other way to have strangers without OOD pictures, is not here: it takes one more start and one
//! more training of every row for each split, since a network that is fine-tuned from one that has seen the classes knows them.

mod choose;
mod compare;
mod config;
mod error;
mod judge;
mod plots;
mod pseudo;
mod table;
#[cfg(test)]
mod testing;

use std::path::{Path, PathBuf};

use oodwatch::score::ScoreName;
use serde::Serialize;

pub use choose::{Candidate, Choice};
pub use compare::{Comparison, Regret};
pub use config::TuneConfig;
pub use error::TuneError;
pub use pseudo::Pseudo;

use crate::ablate::{self, AblateConfig, RowResult, SeedResult, make_folder, plan, summarise, write_json, write_text};
use crate::config::{TrainConfig, ensure};
use crate::evaluate::{EvaluateConfig, Group};
use crate::pictures::Half;
use judge::Judge;

/// Folder beside the tables of `ablate`.
const FOLDER: &str = "tune";
/// What was chosen, written before any out-of-distribution picture is read.
const CHOICE_FILE: &str = "choice.json";
/// Name of the file for programs.
const RESULTS_FILE: &str = "results.json";
/// Name of the file for people.
const TABLE_FILE: &str = "table.md";
const BARS_FILE: &str = "bars.png";
const SCATTER_FILE: &str = "pseudo-and-real.png";

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Tuned {
    /// What was chosen.
    pub choice: Choice,
    /// How much accuracy a row may lose, points of percent.
    pub accuracy_drop: f64,
    /// The score of the plots and of the table of sets.
    pub main_score: ScoreName,
    /// ID pictures, all of the validation half.
    pub id_pictures: usize,
    /// The pseudo-OOD sets in the order of the config.
    pub sets: Vec<PseudoReport>,
    /// One entry per row in the order of the config.
    pub rows: Vec<RowResult>,
    /// The choice beside real sets; null where the grid names none.
    pub comparison: Option<Comparison>,
}

/// A pseudo-OOD set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PseudoReport {
    /// Its name.
    pub name: String,
    /// The kind of real pictures that it stands for.
    pub group: Group,
    /// Pictures that were judged.
    pub pictures: usize,
}

/// Trains what `ablate` has not, judges what is not judged, chooses, and compares with the grid's out-of-distribution sets
/// if it has any. `accuracy_drop`: points of percent that a row may lose against the most accurate row without a loss table.
///
/// # Errors
/// A row that cannot be trained or judged; what was done before is kept. A grid without a control. With
/// out-of-distribution sets that cannot be read, the choice is written all the same.
pub fn run(config: &AblateConfig, accuracy_drop: f64) -> Result<Tuned, TuneError> {
    let good = accuracy_drop.is_finite() && accuracy_drop >= 0.0;
    ensure(good, "--accuracy-drop", accuracy_drop, "0 or more points of percent")?;
    if !config.rows.iter().any(|row| row.loss.is_plain()) {
        return Err(TuneError::NoControl);
    }
    let out = config.out.join(FOLDER);
    make_folder(&out)?;
    let without_ood = AblateConfig { ood: Vec::new(), ..config.clone() };
    let mut tuned = blind(&without_ood, accuracy_drop, &out)?;
    if config.ood.is_empty() {
        return Ok(tuned);
    }
    let real = ablate::run(config, false)?;
    tuned.comparison = compare::compare(&tuned.choice, &tuned.rows, &real);
    tuned.write(&out)?;
    plots::scatter(&tuned, &real, &out.join(SCATTER_FILE))?;
    Ok(tuned)
}

/// Everything up to the choice, of a grid without out-of-distribution sets.
fn blind(config: &AblateConfig, accuracy_drop: f64, out: &Path) -> Result<Tuned, TuneError> {
    let base = TrainConfig::read(&config.base)?;
    let (seeds, pictures) = judged(config, &base)?;
    let sets = reports(&config.tune, &pictures);
    let rows = summarise(config, &base, sets.iter().map(|set| set.name.as_str()), seeds);
    let tuned = Tuned {
        choice: choose::choose(&rows, accuracy_drop)?,
        accuracy_drop,
        main_score: config.main_score,
        id_pictures: pictures.first().copied().unwrap_or(0),
        sets,
        rows,
        comparison: None,
    };
    write_json(&out.join(CHOICE_FILE), &tuned.choice)?;
    tuned.write(out)?;
    plots::bars(&tuned, &out.join(BARS_FILE))?;
    let Candidate { row, score, .. } = &tuned.choice.overall;
    log::info!("tune: chose {row:?} with {score}, see {}", out.join(CHOICE_FILE).display());
    Ok(tuned)
}

/// Trains and judges all runs: what was found for each row's seeds, and the numbers of pictures (ID, then each set).
fn judged(config: &AblateConfig, base: &TrainConfig) -> Result<(Vec<Vec<SeedResult>>, Vec<usize>), TuneError> {
    tch::set_num_threads(base.threads);
    let evaluation = EvaluateConfig { background: None, ..config.evaluation(base, Half::Validation) };
    let judge = Judge { evaluation, tune: config.tune.clone() };
    let runs = plan(config, base)?;
    let mut seeds: Vec<Vec<SeedResult>> = vec![Vec::new(); config.rows.len()];
    let mut pictures = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let at = format!("tune: {} of {}", index + 1, runs.len());
        run.ensure_trained(&at)?;
        let judged = judge.judged(run, &at)?;
        pictures = judged.pictures;
        seeds[run.row].push(SeedResult { seed: run.train.seed, folder: run.train.out.clone(), report: judged.report });
    }
    Ok((seeds, pictures))
}

/// The sets of the config; `pictures` counts those of the ID set, then those of each.
fn reports(config: &TuneConfig, pictures: &[usize]) -> Vec<PseudoReport> {
    let report = |(index, set): (usize, &Pseudo)| PseudoReport {
        name: set.to_string(),
        group: set.group(),
        pictures: pictures.get(index + 1).copied().unwrap_or(0),
    };
    config.sets.iter().enumerate().map(report).collect()
}

impl Tuned {
    fn write(&self, out: &Path) -> Result<(), TuneError> {
        write_json(&out.join(RESULTS_FILE), self)?;
        Ok(write_text(&out.join(TABLE_FILE), &self.markdown())?)
    }
}

/// Where `run` writes what it found for a grid.
pub fn folder(config: &AblateConfig) -> PathBuf {
    config.out.join(FOLDER)
}
