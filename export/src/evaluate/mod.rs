//! Measures finished networks: ID accuracy, and how well each score tells every OOD set from the ID set.
//!
//! Pictures go through the runtime's own preprocessing and scores, so that what is measured here is
//! what a robot gets; the network itself runs in libtorch, which export holds equal to ONNX Runtime.

mod config;
mod error;
mod judge;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;

use oodwatch::evaluation::detection;
use oodwatch::package::Head;
use oodwatch::package::sha256_hex;
use oodwatch::score::{Fitted, Model, ScoreName, Scorers};

pub use config::{EvaluateConfig, Group, NetworkConfig, OodConfig};
pub use error::EvaluateError;
pub use judge::Norms;
pub use report::{NetworkReport, Report, ScoreReport, SetReport};

use crate::data::DataSource;
use crate::files::write_whole;
use crate::fitting::FitTask;
use crate::pictures::Pictures;
use crate::progress;
use crate::trained::Trained;
use judge::{Judged, Task, judge};

/// Name of the file for programs.
const METRICS_FILE: &str = "metrics.json";
/// Name of the file for people.
const TABLE_FILE: &str = "table.md";

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

/// One network's row, and what it was worked out from.
pub(crate) struct Evaluated {
    pub(crate) report: NetworkReport,
    /// How many pictures of the ID set and of each OOD set it was judged on.
    pub(crate) pictures: Vec<usize>,
    /// Every picture's score: of the ID set, then of each OOD set in the order of the config.
    pub(crate) scores: Vec<BTreeMap<ScoreName, Vec<f32>>>,
}

/// Measures one network on all sets.
///
/// # Errors
/// [`EvaluateError`].
pub(crate) fn evaluate(config: &EvaluateConfig, network: &NetworkConfig) -> Result<Evaluated, EvaluateError> {
    let path = &network.checkpoint;
    let trained = Trained::open(path)?;
    let [_, height, width] = trained.input.chw();
    let id = set(config, "id", Pictures::labelled(&config.id, height, width)?)?;
    check_classes(network, &trained, &id)?;
    let mut scorers = scorers(config, network, &trained)?;
    let mut sets = vec![judged(config, network, "id", (&trained, &mut scorers), &id)?];
    for ood in &config.ood {
        let set = set(config, &ood.name, Pictures::unlabelled(&ood.source)?)?;
        sets.push(judged(config, network, &ood.name, (&trained, &mut scorers), &set)?);
    }
    let report = NetworkReport {
        name: network.name.clone(),
        checkpoint: path.clone(),
        sha256: sha256(path)?,
        accuracy: sets[0].accuracy().unwrap_or(f64::NAN),
        norms: sets[0].norms(),
        scores: compare(config, network, &sets)?,
    };
    let pictures = sets.iter().map(|set| set.pictures).collect();
    Ok(Evaluated { report, pictures, scores: sets.into_iter().map(|set| set.scores).collect() })
}

/// Every score's detection of each OOD set against the first set, which is the ID set.
fn compare(
    config: &EvaluateConfig,
    network: &NetworkConfig,
    sets: &[Judged],
) -> Result<BTreeMap<ScoreName, ScoreReport>, EvaluateError> {
    let of_score = |(score, id): (&ScoreName, &Vec<f32>)| {
        let of_set = |(ood, strange): (&OodConfig, &Judged)| {
            let found = detection(id, &strange.scores[score]).map_err(|source| EvaluateError::Detection {
                network: network.name.clone(),
                score: *score,
                set: ood.name.clone(),
                source,
            })?;
            Ok((ood.name.clone(), ood.group, found))
        };
        let detections = config.ood.iter().zip(&sets[1..]).map(of_set).collect::<Result<_, EvaluateError>>()?;
        Ok((*score, ScoreReport::new(detections)))
    };
    sets[0].scores.iter().map(of_score).collect()
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

/// The scores of the config, or every one with every composition; without pictures to fit on, those that need no fit.
fn scorers(config: &EvaluateConfig, network: &NetworkConfig, trained: &Trained) -> Result<Scorers, EvaluateError> {
    let head = trained.head()?;
    let names: Vec<ScoreName> = match config.scores.as_slice() {
        [] => ScoreName::all().filter(|name| config.fit.is_some() || !name.needs().fit).collect(),
        chosen => chosen.to_vec(),
    };
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
