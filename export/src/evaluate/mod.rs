//! Measures finished networks: ID accuracy, and how well each score tells every OOD set from the ID set.
//!
//! Pictures go through the runtime's own preprocessing and scores, so that what is measured here is
//! what a robot gets; the network itself runs in libtorch, which export holds equal to ONNX Runtime.

mod config;
mod judge;
mod report;

use std::path::PathBuf;

use oodwatch::evaluation::{EvaluationError, detection};
use oodwatch::fit::FitError;
use oodwatch::package::Head;
use oodwatch::package::sha256_hex;
use oodwatch::score::{Fitted, Model, ScoreError, ScoreName, Scorers};
use thiserror::Error;

pub use config::{EvaluateConfig, Group, NetworkConfig, OodConfig};
pub use judge::Norms;
pub use report::{NetworkReport, Report, ScoreReport, SetReport};

use crate::config::ConfigError;
use crate::data::DataSource;
use crate::files::write_whole;
use crate::fitting::FitTask;
use crate::pictures::{PictureError, Pictures};
use crate::progress;
use crate::trained::{Trained, TrainedError};
use judge::{Judged, Task, judge};

/// Name of the file for programs.
const METRICS_FILE: &str = "metrics.json";
/// Name of the file for people.
const TABLE_FILE: &str = "table.md";

/// Why an evaluation stopped.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// The config cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A value of the config is out of range.
    #[error("config: {key}: found {found}, wanted {wanted}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        wanted: &'static str,
    },
    /// A checkpoint cannot be used.
    #[error(transparent)]
    Trained(#[from] TrainedError),
    /// Pictures cannot be read.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// The ID pictures have classes that the network does not know.
    #[error("evaluate: {network}: the ID pictures have {found} classes, the network {wanted}")]
    Classes {
        /// Name of the network.
        network: String,
        /// Classes of the pictures.
        found: usize,
        /// Classes of the network.
        wanted: usize,
    },
    /// The half of a set that is to be judged is empty.
    #[error("evaluate: set {name:?} has no picture in the half that is judged")]
    EmptySet {
        /// Name of the set.
        name: String,
    },
    /// A network's scores cannot be compared.
    #[error("evaluate: {network}, {score}, {set}: {source}")]
    Detection {
        /// Name of the network.
        network: String,
        /// The score.
        score: ScoreName,
        /// Name of the OOD set.
        set: String,
        /// Why.
        source: EvaluationError,
    },
    /// The scores cannot be fitted.
    #[error("evaluate: {0}")]
    Fit(#[from] FitError),
    /// A score cannot be computed.
    #[error("evaluate: {0}")]
    Score(#[from] ScoreError),
    /// A file cannot be read or written.
    #[error("evaluate: {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A set of pictures, opened for one network's input size.
struct Set {
    pictures: Pictures,
    indices: Vec<usize>,
}

/// Evaluates all networks on all sets and writes `metrics.json` and `table.md`.
///
/// # Errors
/// [`EvaluateError`]; then no result was written.
pub fn run(config: &EvaluateConfig) -> Result<Report, EvaluateError> {
    tch::set_num_threads(config.threads);
    let networks = config.networks.iter().map(|network| evaluate(config, network)).collect::<Result<Vec<_>, _>>()?;
    let report = assemble(config, networks);
    write(config, &report)?;
    Ok(report)
}

/// One network's row, and how many pictures of the ID set and of each OOD set it was judged on.
struct Evaluated {
    report: NetworkReport,
    pictures: Vec<usize>,
}

fn evaluate(config: &EvaluateConfig, network: &NetworkConfig) -> Result<Evaluated, EvaluateError> {
    let path = &network.checkpoint;
    let trained = Trained::open(path)?;
    let [_, height, width] = trained.input.chw();
    let id = set(config, "id", Pictures::labelled(&config.id, height, width)?)?;
    check_classes(network, &trained, &id)?;
    let mut scorers = scorers(config, network, &trained)?;
    let id = judged(config, network, "id", (&trained, &mut scorers), &id)?;
    let mut pictures = vec![id.pictures];
    let mut by_score: std::collections::BTreeMap<ScoreName, Vec<_>> = Default::default();
    for ood in &config.ood {
        let set = set(config, &ood.name, Pictures::unlabelled(&ood.source)?)?;
        let strange = judged(config, network, &ood.name, (&trained, &mut scorers), &set)?;
        pictures.push(strange.pictures);
        for (score, ood_scores) in &strange.scores {
            let found = detection(&id.scores[score], ood_scores).map_err(|source| EvaluateError::Detection {
                network: network.name.clone(),
                score: *score,
                set: ood.name.clone(),
                source,
            })?;
            by_score.entry(*score).or_default().push((ood.name.clone(), ood.group, found));
        }
    }
    let report = NetworkReport {
        name: network.name.clone(),
        checkpoint: path.clone(),
        sha256: sha256(path)?,
        accuracy: id.accuracy().unwrap_or(f64::NAN),
        norms: id.norms(),
        scores: by_score.into_iter().map(|(score, sets)| (score, ScoreReport::new(sets))).collect(),
    };
    Ok(Evaluated { report, pictures })
}

fn set(config: &EvaluateConfig, name: &str, pictures: Pictures) -> Result<Set, EvaluateError> {
    let indices = config.half.indices(pictures.len());
    if indices.is_empty() {
        return Err(EvaluateError::EmptySet { name: name.to_owned() });
    }
    Ok(Set { pictures, indices })
}

fn check_classes(network: &NetworkConfig, trained: &Trained, id: &Set) -> Result<(), EvaluateError> {
    let found = (0..id.pictures.len()).filter_map(|i| id.pictures.label(i)).max().map_or(0, |label| label + 1);
    let wanted = trained.classes.len();
    if found == wanted { Ok(()) } else { Err(EvaluateError::Classes { network: network.name.clone(), found, wanted }) }
}

fn judged(
    config: &EvaluateConfig,
    network: &NetworkConfig,
    name: &str,
    (trained, scorers): (&Trained, &mut Scorers),
    set: &Set,
) -> Result<Judged, EvaluateError> {
    let bar = progress::bar(set.indices.len(), format!("{} on {name}", network.name));
    let background = config.background.filter(|_| name == "id");
    let (pictures, indices) = (&set.pictures, set.indices.as_slice());
    let mut task = Task { trained, pictures, indices, batch_size: config.batch_size, background, scorers };
    let judged = judge(&mut task, &bar);
    bar.finish_and_clear();
    judged
}

/// Every score with every composition; without pictures to fit on, those that need no fit.
fn scorers(config: &EvaluateConfig, network: &NetworkConfig, trained: &Trained) -> Result<Scorers, EvaluateError> {
    let head = trained.head()?;
    let names: Vec<ScoreName> = ScoreName::all().filter(|name| config.fit.is_some() || !name.needs().fit).collect();
    let fitted = match &config.fit {
        Some(source) => fit(config, network, (trained, &head), source, &names)?,
        None => Fitted { parameters: config.parameters.clone(), ..Fitted::default() },
    };
    let model = Model {
        classes: trained.classes.len(),
        features: trained.output.features,
        local_norms: trained.output.local.is_some(),
        head: Some(&head),
        fitted: &fitted,
    };
    Ok(Scorers::new(&names, &model)?)
}

fn fit(
    config: &EvaluateConfig,
    network: &NetworkConfig,
    (trained, head): (&Trained, &Head),
    source: &DataSource,
    names: &[ScoreName],
) -> Result<Fitted, EvaluateError> {
    let [_, height, width] = trained.input.chw();
    let pictures = Pictures::labelled(source, height, width)?;
    let bar = progress::bar(pictures.len(), format!("{}: fit", network.name));
    let task = FitTask {
        trained,
        head,
        pictures: &pictures,
        batch_size: config.batch_size,
        names,
        parameters: &config.parameters,
        origin: "evaluation",
        bar: &bar,
    };
    let fitted = task.run(|batch| Ok::<_, EvaluateError>(trained.outputs(&trained.forward(batch))?));
    bar.finish_and_clear();
    fitted
}

fn assemble(config: &EvaluateConfig, networks: Vec<Evaluated>) -> Report {
    let pictures = networks.first().map(|network| network.pictures.clone()).unwrap_or_default();
    let count = |at: usize| pictures.get(at).copied().unwrap_or(0);
    let ood = config.ood.iter().enumerate().map(|(i, ood)| SetReport {
        name: ood.name.clone(),
        source: ood.source.clone(),
        pictures: count(i + 1),
        group: Some(ood.group),
    });
    Report {
        half: config.half,
        id: SetReport { name: "id".into(), source: config.id.clone(), pictures: count(0), group: None },
        ood: ood.collect(),
        networks: networks.into_iter().map(|network| network.report).collect(),
    }
}

fn write(config: &EvaluateConfig, report: &Report) -> Result<(), EvaluateError> {
    let failed = |path: PathBuf| move |source| EvaluateError::File { path, source };
    std::fs::create_dir_all(&config.out).map_err(failed(config.out.clone()))?;
    let path = config.out.join(METRICS_FILE);
    let json = serde_json::to_string_pretty(report).map_err(|error| failed(path.clone())(error.into()))?;
    write_whole(&path, format!("{json}\n").as_bytes()).map_err(failed(path))?;
    let path = config.out.join(TABLE_FILE);
    write_whole(&path, report.markdown().as_bytes()).map_err(failed(path))
}

fn sha256(path: &PathBuf) -> Result<String, EvaluateError> {
    let bytes = std::fs::read(path).map_err(|source| EvaluateError::File { path: path.clone(), source })?;
    Ok(sha256_hex(&bytes))
}

#[cfg(test)]
mod tests;
