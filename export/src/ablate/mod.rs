//! Trains and judges a grid of losses, and compares each row with the control of its schedule.
//!
//! A run's folder carries a hash of everything that decides its weights, and what was found for it one of everything
//! that decides the numbers: what is done is not done again, what has changed is, and a killed grid goes on where it
//! was. Choices are made on the validation half of every set. The test half is looked at once, by `--final`, when all
//! networks are there; the grid that was looked at is written down, and another one is refused.

mod config;
mod error;
mod judge;
mod plan;
mod plots;
mod results;
mod summary;
mod table;

use std::path::{Path, PathBuf};

use oodwatch::package::sha256_hex;

pub use config::{AblateConfig, RowConfig};
pub use error::AblateError;
pub(crate) use judge::write_json;
pub(crate) use plan::{Run, plan};
pub(crate) use plots::bars;
pub(crate) use results::summarise;
pub use results::{Metrics, Results, RowResult, ScoreCells, SeedResult};
pub use summary::{Cell, Spread};

use crate::config::TrainConfig;
use crate::evaluate::{NetworkReport, SetReport};
use crate::files::write_whole;
use crate::pictures::Half;
use crate::train::{MODEL, write_start};
use config::slug;
use judge::{Candidate, Judge, Judged};
use plan::hash;
use results::is_scratch;

/// Name of the file for programs.
const RESULTS_FILE: &str = "results.json";
/// Name of the file for people.
const TABLE_FILE: &str = "table.md";
/// Folder of the pictures.
const PLOTS: &str = "plots";
/// Folder of the look at the test half.
const FINAL: &str = "final";
/// Which grid the look was for.
const LOOK_FILE: &str = "grid.sha256";

/// Row and seed of a run, and what became of it.
type Broken = (String, String);

/// A grid with everything that its runs need.
struct Grid<'a> {
    config: &'a AblateConfig,
    base: TrainConfig,
    judge: Judge,
    runs: Vec<Run>,
    /// Folder of tables and plots.
    out: PathBuf,
}

/// Trains and judges what is not done yet and returns the results; tables are written anew after each run. With
/// `final_look`, judges the test half of what is trained already.
///
/// # Errors
/// A row that cannot be trained or judged; what was done before is kept. A network that came to nothing by its own loss does not keep the
/// others from being done: they are, and then it is told. With `final_look`, a network that is
/// missing, or an earlier look for another grid.
pub fn run(config: &AblateConfig, final_look: bool) -> Result<Results, AblateError> {
    config.need_ood()?;
    let base = TrainConfig::read(&config.base)?;
    let half = if final_look { Half::Test } else { Half::Validation };
    let judge = Judge { evaluation: config.evaluation(&base, half), main_score: config.main_score };
    let runs = plan(config, &base)?;
    let out = if final_look { config.out.join(FINAL) } else { config.out.clone() };
    let grid = Grid { config, base, judge, runs, out };
    make_folder(&grid.out.join(PLOTS))?;
    if final_look {
        grid.allow_look()?;
    }
    let (results, broken) = grid.work(final_look)?;
    grid.draw(&results)?;
    if broken.is_empty() { Ok(results) } else { Err(AblateError::Broken { of: grid.runs.len(), broken }) }
}

impl Grid<'_> {
    /// All runs in order; and those whose network came to nothing.
    fn work(&self, final_look: bool) -> Result<(Results, Vec<Broken>), AblateError> {
        tch::set_num_threads(self.base.threads);
        let start = self.start()?;
        let mut seeds: Vec<Vec<SeedResult>> = vec![Vec::new(); self.config.rows.len()];
        let mut pictures = start.as_ref().map(|judged| judged.pictures.clone()).unwrap_or_default();
        let start = start.map(|judged| judged.report);
        let mut results = self.results(start.clone(), &pictures, seeds.clone());
        let mut broken = Vec::new();
        for (index, run) in self.runs.iter().enumerate() {
            let at = format!("ablate: {} of {}", index + 1, self.runs.len());
            let judged = match self.finished(run, &at, final_look) {
                Ok(judged) => judged,
                Err(error) => {
                    let why = error.of_one_network().ok_or(error)?;
                    log::error!("{at}: {}: {why}", run.name);
                    broken.push((run.name.clone(), why));
                    continue;
                }
            };
            pictures = judged.pictures;
            let folder = run.train.out.clone();
            seeds[run.row].push(SeedResult { seed: run.train.seed, folder, report: judged.report });
            results = self.results(start.clone(), &pictures, seeds.clone());
            self.write(&results)?;
        }
        Ok((results, broken))
    }

    /// What was found for a run, after training and judging it where that is not done.
    fn finished(&self, run: &Run, at: &str, final_look: bool) -> Result<Judged, AblateError> {
        let folder = &run.train.out;
        let candidate = Candidate { name: &run.name, checkpoint: run.checkpoint(), hash: &run.hash, folder };
        if let Some(judged) = self.judge.found(&candidate)? {
            log::info!("{at}: {}: done before", run.name);
            return Ok(judged);
        }
        if final_look && !run.checkpoint().exists() {
            return Err(AblateError::Untrained { run: run.name.clone() });
        }
        run.ensure_trained(at)?;
        log::info!("{at}: {}: judging", run.name);
        self.judged(&candidate)
    }

    fn judged(&self, candidate: &Candidate<'_>) -> Result<Judged, AblateError> {
        if self.judge.found(candidate)?.is_none() {
            self.judge.judge(candidate)?;
        }
        // Read back, so that a grid in one go and one with breaks print the same digits.
        self.judge.found(candidate)?.ok_or_else(|| AblateError::File {
            path: candidate.folder.into(),
            source: std::io::Error::other("the result is not the one that was just written"),
        })
    }

    /// The network before any row, when a row is fine-tuned.
    fn start(&self) -> Result<Option<Judged>, AblateError> {
        if self.config.rows.iter().all(|row| is_scratch(row, &self.base)) {
            return Ok(None);
        }
        let plain = TrainConfig { loss: Default::default(), ..self.base.clone() };
        let hash = hash(&plain)?;
        let folder = self.config.out.join(format!("start-{}", &hash[..8]));
        make_folder(&folder)?;
        let checkpoint = folder.join(MODEL);
        if !checkpoint.exists() {
            let failed = |source| AblateError::Train { run: "start".into(), source: Box::new(source) };
            write_start(&plain, &checkpoint).map_err(failed)?;
        }
        self.judged(&Candidate { name: "start", checkpoint, hash: &hash, folder: &folder }).map(Some)
    }

    fn results(&self, start: Option<NetworkReport>, pictures: &[usize], seeds: Vec<Vec<SeedResult>>) -> Results {
        let count = |at: usize| pictures.get(at).copied().unwrap_or(0);
        let evaluation = &self.judge.evaluation;
        let ood = evaluation.ood.iter().enumerate().map(|(i, set)| SetReport {
            name: set.name.clone(),
            source: set.source.clone(),
            pictures: count(i + 1),
            group: Some(set.group),
        });
        Results {
            half: evaluation.half,
            id: SetReport { name: "id".into(), source: evaluation.id.clone(), pictures: count(0), group: None },
            ood: ood.collect(),
            main_score: self.config.main_score,
            start,
            rows: summarise(self.config, &self.base, evaluation.ood.iter().map(|set| set.name.as_str()), seeds),
        }
    }

    fn write(&self, results: &Results) -> Result<(), AblateError> {
        write_json(&self.out.join(RESULTS_FILE), results)?;
        write_text(&self.out.join(TABLE_FILE), &results.markdown())
    }

    /// Bars of all rows; of each row's first seed its ROC curves beside the control's, and its histograms.
    fn draw(&self, results: &Results) -> Result<(), AblateError> {
        let folder = self.out.join(PLOTS);
        let title = format!("{}: OOD accepted at 95% ID acceptance, %", results.main_score);
        plots::bars(&results.rows, results.main_score, &title, &folder.join("bars.png"))?;
        let scores = |row: &RowResult| row.seeds.first().map(|seed| self.judge.read_scores(&seed.folder)).transpose();
        for row in &results.rows {
            let Some(own) = scores(row)? else { continue };
            let control = results.rows.iter().find(|other| Some(&other.name) == row.control.as_ref());
            let beside = control.map(scores).transpose()?.flatten();
            let beside = control.zip(beside.as_ref()).map(|(row, scores)| (row.name.as_str(), scores));
            let name = slug(&row.name);
            plots::roc(results, (&row.name, &own), beside, &folder.join(format!("roc-{name}.png")))?;
            plots::histograms(results, &own, &folder.join(format!("histogram-{name}.png")))?;
        }
        Ok(())
    }

    /// Writes down which grid the test half is looked at for, and refuses a second one.
    fn allow_look(&self) -> Result<(), AblateError> {
        let path = self.out.join(LOOK_FILE);
        let runs: Vec<&str> = self.runs.iter().map(|run| run.hash.as_str()).collect();
        let grid = sha256_hex(format!("{runs:?} {}", self.judge.hash("")).as_bytes());
        if path.exists() {
            let seen =
                std::fs::read_to_string(&path).map_err(|source| AblateError::File { path: path.clone(), source })?;
            return if seen.trim() == grid { Ok(()) } else { Err(AblateError::SecondLook { path }) };
        }
        if let Some(run) = self.runs.iter().find(|run| !run.checkpoint().exists()) {
            return Err(AblateError::Untrained { run: run.name.clone() });
        }
        write_text(&path, &format!("{grid}\n"))
    }
}

pub(crate) fn make_folder(path: &Path) -> Result<(), AblateError> {
    std::fs::create_dir_all(path).map_err(|source| AblateError::File { path: path.into(), source })
}

pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), AblateError> {
    write_whole(path, text.as_bytes()).map_err(|source| AblateError::File { path: path.into(), source })
}
