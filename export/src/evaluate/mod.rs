//! Measures finished networks: ID accuracy, and how well each score tells every OOD set from the ID set.
//!
//! Pictures go through the runtime's own preprocessing and scores, so that what is measured here is
//! what a robot gets; the network itself runs in libtorch, which export holds equal to ONNX Runtime.

mod bench;
mod config;
mod error;
mod judge;
mod report;

use std::path::PathBuf;

pub(crate) use bench::{Bench, Evaluated, Set};
pub use config::{EvaluateConfig, Group, NetworkConfig, OodConfig};
pub use error::EvaluateError;
pub use judge::Norms;
pub use report::{NetworkReport, Report, ScoreReport, SetReport};

use crate::files::write_whole;
use crate::pictures::Pictures;

/// Name of the file for programs.
const METRICS_FILE: &str = "metrics.json";
/// Name of the file for people.
const TABLE_FILE: &str = "table.md";

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

/// Measures one network on all sets.
///
/// # Errors
/// [`EvaluateError`].
pub(crate) fn evaluate(config: &EvaluateConfig, network: &NetworkConfig) -> Result<Evaluated, EvaluateError> {
    let mut bench = Bench::open(config, network)?;
    for ood in &config.ood {
        let set = Set::half(config, &ood.name, Pictures::unlabelled(&ood.source)?)?;
        bench.judge(&ood.name, ood.group, &set)?;
    }
    bench.finish()
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

#[cfg(test)]
mod tests;
