//! Everything that a grid has shown so far: `results.json`, and what tables and plots are made of.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oodwatch::evaluation::Detection;
use oodwatch::score::ScoreName;
use serde::Serialize;

use super::config::{AblateConfig, RowConfig};
use super::summary::Cell;
use crate::config::{ScheduleConfig, TrainConfig};
use crate::evaluate::{NetworkReport, ScoreReport, SetReport};
use crate::loss::LossConfig;
use crate::pictures::Half;

/// The whole grid.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// Half of every set that was judged.
    pub half: Half,
    /// In-distribution pictures.
    pub id: SetReport,
    /// Out-of-distribution sets in the order of the config.
    pub ood: Vec<SetReport>,
    /// The score of the overview and of the plots.
    pub main_score: ScoreName,
    /// The network that fine-tuned rows start from; null when no row does.
    pub start: Option<NetworkReport>,
    /// One entry per row in the order of the config.
    pub rows: Vec<RowResult>,
}

/// One row over its seeds.
#[derive(Clone, Debug, Serialize)]
pub struct RowResult {
    /// Its name.
    pub name: String,
    /// Its loss tables.
    pub loss: LossConfig,
    /// Its schedule.
    pub schedule: ScheduleConfig,
    /// Whether it was trained from fresh weights.
    pub scratch: bool,
    /// Name of the row without a loss table on the same schedule; null for that row itself, and without one.
    pub control: Option<String>,
    /// What was found for each seed that is done.
    pub seeds: Vec<SeedResult>,
    /// Share of ID pictures whose class is right.
    pub accuracy: Option<Cell>,
    /// Mean norm of background locations on ID pictures.
    pub background_norm: Option<Cell>,
    /// Mean norm of the other locations on ID pictures.
    pub foreground_norm: Option<Cell>,
    /// Detection by score.
    pub scores: BTreeMap<ScoreName, ScoreCells>,
}

/// One seed of a row.
#[derive(Clone, Debug, Serialize)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// The run's folder.
    pub folder: PathBuf,
    /// Everything that was measured.
    pub report: NetworkReport,
}

/// One score of a row.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreCells {
    /// By name of the out-of-distribution set.
    pub sets: BTreeMap<String, Metrics>,
    /// Mean over the near sets; null without any.
    pub near: Option<Metrics>,
    /// Mean over the far sets; null without any.
    pub far: Option<Metrics>,
    /// Mean over all sets.
    pub mean: Option<Metrics>,
}

/// The metrics of the tables; the others are in each seed's report.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Metrics {
    /// OOD accepted at 95% ID acceptance.
    pub fpr95_id: Cell,
    /// Probability that a random OOD picture scores above a random ID picture.
    pub auroc: Cell,
}

/// Sums up what is done on the `sets` of these names: `seeds` has one list per row of the config.
pub(crate) fn summarise<'a>(
    config: &AblateConfig,
    base: &TrainConfig,
    sets: impl Iterator<Item = &'a str> + Clone,
    seeds: Vec<Vec<SeedResult>>,
) -> Vec<RowResult> {
    let controls: Vec<Option<usize>> = (0..config.rows.len()).map(|row| control_of(config, base, row)).collect();
    let empty = Vec::new();
    let rows = config.rows.iter().zip(&controls).zip(&seeds);
    rows.map(|((row, control), own)| {
        let reference = control.map(|index| seeds.get(index).unwrap_or(&empty).as_slice());
        let cell = |value: &dyn Fn(&NetworkReport) -> Option<f64>| {
            Cell::of(&by_seed(own, value), reference.map(|seeds| by_seed(seeds, value)).as_ref())
        };
        RowResult {
            name: row.name.clone(),
            loss: row.loss.clone(),
            schedule: row.apply(base, 0).schedule,
            scratch: is_scratch(row, base),
            control: control.map(|index| config.rows[index].name.clone()),
            accuracy: cell(&|report| Some(report.accuracy)),
            background_norm: cell(&|report| report.norms.and_then(|norms| norms.background)),
            foreground_norm: cell(&|report| report.norms.and_then(|norms| norms.foreground)),
            scores: score_cells(sets.clone(), own, &cell),
            seeds: own.clone(),
        }
    })
    .collect()
}

/// The first row without a loss table that has the same schedule and start, unless it is the row itself.
fn control_of(config: &AblateConfig, base: &TrainConfig, index: usize) -> Option<usize> {
    let settings = |row: &RowConfig| {
        let config = row.apply(base, 0);
        (config.schedule, config.model)
    };
    let own = settings(&config.rows[index]);
    let control = config.rows.iter().position(|row| row.loss.is_plain() && settings(row) == own);
    control.filter(|&found| found != index)
}

/// Whether a row trains fresh weights: by its own word, or because the base names no start.
pub(super) fn is_scratch(row: &RowConfig, base: &TrainConfig) -> bool {
    row.scratch || base.model.start.is_none()
}

fn by_seed(seeds: &[SeedResult], value: &dyn Fn(&NetworkReport) -> Option<f64>) -> BTreeMap<u64, f64> {
    seeds.iter().filter_map(|seed| value(&seed.report).map(|found| (seed.seed, found))).collect()
}

type CellOf<'a> = dyn Fn(&dyn Fn(&NetworkReport) -> Option<f64>) -> Option<Cell> + 'a;

fn score_cells<'a>(
    sets: impl Iterator<Item = &'a str> + Clone,
    seeds: &[SeedResult],
    cell: &CellOf<'_>,
) -> BTreeMap<ScoreName, ScoreCells> {
    let names = seeds.iter().flat_map(|seed| seed.report.scores.keys().copied());
    let of_score = |name: ScoreName| {
        let metrics = |of: &dyn Fn(&ScoreReport) -> Option<Detection>| {
            let metric = |value: fn(&Detection) -> f64| {
                cell(&|report| report.scores.get(&name).and_then(of).map(|detection| value(&detection)))
            };
            Some(Metrics { fpr95_id: metric(|d| d.fpr95_id)?, auroc: metric(|d| d.auroc)? })
        };
        let sets = sets
            .clone()
            .filter_map(|set| metrics(&|score| score.sets.get(set).copied()).map(|found| (set.to_owned(), found)));
        let cells = ScoreCells {
            sets: sets.collect(),
            near: metrics(&|score| score.near),
            far: metrics(&|score| score.far),
            mean: metrics(&|score| score.all),
        };
        (name, cells)
    };
    names.map(of_score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_toml;

    /// A base of 2 epochs and rows of these names, epochs and losses.
    fn grid(rows: &str) -> (AblateConfig, TrainConfig) {
        let folder = tempfile::tempdir().unwrap();
        let base = r#"
            out = "unused"
            seed = 1
            model = { arch = "resnet20", start = "start.safetensors" }
            schedule = { epochs = 2, batch_size = 20, learning_rate = 0.01, momentum = 0.9, weight_decay = 5e-4 }
            [data]
            train = { cifar = ["train.bin"] }
            test = { cifar = ["test.bin"] }
            normalise = { mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }
        "#;
        let config = format!(
            "out = \"grid\"\nbase = \"base.toml\"\nseeds = [1]\nbackground = \"all\"\n{rows}\n\
             [[ood]]\nname = \"noise\"\ngroup = \"far\"\nsource = {{ folder = \"noise\" }}\n"
        );
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        (AblateConfig::read(&write("grid.toml", &config)).unwrap(), read_toml(&write("base.toml", base)).unwrap())
    }

    #[test]
    fn a_control_has_no_loss_table_and_the_schedule_and_start_of_the_row() {
        let term = "loss = { logit_norm = {} }";
        let (config, base) = grid(&format!(
            "[[row]]\nname = \"term\"\n{term}\n[[row]]\nname = \"control\"\n[[row]]\nname = \"again\"\n\
             [[row]]\nname = \"long term\"\nepochs = 3\n{term}\n[[row]]\nname = \"fresh term\"\nscratch = true\n{term}\n\
             [[row]]\nname = \"fresh control\"\nscratch = true\n[[row]]\nname = \"same epochs\"\nepochs = 2\n{term}\n"
        ));
        let rows = summarise(&config, &base, ["noise"].into_iter(), vec![Vec::new(); config.rows.len()]);
        let controls: Vec<_> = rows.iter().map(|row| row.control.as_deref()).collect();
        let (control, fresh) = (Some("control"), Some("fresh control"));
        assert_eq!(controls, [control, None, control, None, fresh, None, control]);
        assert!(rows.iter().all(|row| row.accuracy.is_none() && row.scores.is_empty()));
        assert_eq!(rows.iter().filter(|row| row.scratch).count(), 2);
    }
}
