//! `oodwatch scores`: the scores there are, what each reads, and where it was published.

use std::path::PathBuf;

use oodwatch::package::Package;
use oodwatch::score::{OnLogits, ScoreName};
use serde::Serialize;

use super::lines;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  oodwatch scores --model models/cifar10-resnet20\n\nEvery score is larger for a stranger \
                  frame. Rectifiers (react, ash_p, ash_b, ash_s, scale, vra) take energy on their logits;\nreact+msp, \
                  react+max_logit and react+gen name the other compositions. Several scores can be combined: \
                  fisher(energy,knn)."
)]
pub(crate) struct Arguments {
    /// Say what this package can compute and is calibrated for
    #[arg(long, value_name = "PKG")]
    model: Option<PathBuf>,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

/// One line of output.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    /// Outputs and weights that are read at every frame.
    inputs: Vec<&'static str>,
    /// Whether it is fitted on in-distribution frames.
    fitted: bool,
    /// What a rectifier's logits can be given to instead of energy; of a fusion, its scores.
    composes_with: Vec<String>,
    source: &'static str,
    /// `calibrated`, or why not; null without a package.
    package: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let package = arguments.model.as_deref().map(Package::open).transpose()?;
    for name in ScoreName::PLAIN {
        let line = line(*name, package.as_ref());
        if arguments.json { lines::json(&line)? } else { lines::text(&human(*name, &line))? }
    }
    for fusion in package.iter().flat_map(|package| package.calibration.fusions.keys()) {
        let line = Line {
            name: fusion.to_string(),
            inputs: Vec::new(),
            fitted: false,
            composes_with: fusion.scores.iter().map(ToString::to_string).collect(),
            source: "its scores' p-values",
            package: Some("calibrated".into()),
        };
        if arguments.json { lines::json(&line)? } else { lines::text(&format!("{fusion}  [calibrated]"))? }
    }
    Ok(())
}

fn line(name: ScoreName, package: Option<&Package>) -> Line {
    let others: Vec<String> = OnLogits::ALL[1..].iter().map(|on| on.as_str().to_string()).collect();
    Line {
        name: name.to_string(),
        inputs: name.needs().inputs(),
        fitted: name.needs().fit,
        composes_with: name.on_logits().map_or_else(Vec::new, |_| others),
        source: name.source(),
        package: package.map(|package| state(name, package)),
    }
}

fn state(name: ScoreName, package: &Package) -> String {
    if package.calibration.scores.contains_key(&name) {
        return "calibrated".into();
    }
    package.model().lacks(name).map_or_else(|| "not calibrated".into(), |lacking| lacking.to_string())
}

fn human(name: ScoreName, line: &Line) -> String {
    let fitted = if line.fitted { "fitted" } else { "-" };
    let package = line.package.as_ref().map_or_else(String::new, |state| format!("  [{state}]"));
    let inputs = line.inputs.join(", ");
    format!("{name:<21}{inputs:<23}{fitted:<8}{}{package}", line.source)
}
