//! The result of a comparison: `results.json` for programs, Markdown tables for people.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oodwatch::evaluation::Detection;
use oodwatch::evidence::Interval;
use oodwatch::infer::Precision;
use oodwatch::package::Package;
use oodwatch::score::ScoreName;
use serde::Serialize;

use super::config::PackageConfig;
use crate::evaluate::{ScoreReport, SetReport};
use crate::markdown::{line, percent, row, rule};
use crate::pictures::Half;

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Half of every set that was judged.
    pub half: Half,
    /// In-distribution pictures.
    pub id: SetReport,
    /// Out-of-distribution sets in the order of the config.
    pub ood: Vec<SetReport>,
    /// Packages in the order of the config.
    pub packages: Vec<PackageReport>,
}

/// One package.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PackageReport {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its id.
    pub id: String,
    /// Number format that its network ran in.
    pub precision: Precision,
    /// Bytes of `model.onnx`.
    pub model_bytes: usize,
    /// Share of ID pictures whose class is right.
    pub accuracy: Option<f64>,
    /// By score.
    pub scores: BTreeMap<ScoreName, ScoreOutcome>,
}

/// One score of one package.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreOutcome {
    /// What it told apart.
    pub detection: ScoreReport,
    /// Share of ID pictures that its threshold is to flag.
    pub target: f64,
    /// ID pictures flagged by the package's own threshold.
    pub own_threshold: Alarms,
    /// ID pictures flagged by the first package's threshold.
    pub first_threshold: Alarms,
    /// Fewest and most ID pictures that a right threshold flags, with 95 % probability over calibration sets and pictures.
    pub expected: (usize, usize),
}

/// ID pictures above a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Alarms {
    /// The threshold.
    pub threshold: f32,
    /// Pictures above it.
    pub flagged: usize,
    /// Their share with its interval of 95 % (Clopper & Pearson).
    pub rate: Interval,
}

/// The row of a package, whose network has this number format and file size.
pub(super) fn package(
    named: &PackageConfig,
    package: &Package,
    (precision, model_bytes): (Precision, usize),
    accuracy: Option<f64>,
    scores: BTreeMap<ScoreName, ScoreOutcome>,
) -> PackageReport {
    PackageReport {
        name: named.name.clone(),
        folder: named.folder.clone(),
        id: package.id.clone(),
        precision,
        model_bytes,
        accuracy,
        scores,
    }
}

/// A metric of the tables: its heading, and where it stands.
type Metric = (&'static str, fn(&Detection) -> f64);

const METRICS: [Metric; 2] = [
    ("AUROC, % (higher is better)", |d| d.auroc),
    ("fpr95_id, %: OOD accepted at 95% ID acceptance (lower is better)", |d| d.fpr95_id),
];

impl Comparison {
    /// All tables as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_overview(&mut text);
        self.write_alarms(&mut text);
        for metric in METRICS.into_iter().filter(|_| !self.ood.is_empty()) {
            self.write_means(&mut text, metric);
            self.write_sets(&mut text, metric);
        }
        text
    }

    fn write_overview(&self, text: &mut String) {
        let half = match self.half {
            Half::Validation => "validation half (even index)",
            Half::Test => "test half (odd index)",
            Half::All => "all pictures",
        };
        line(text, format!("Pictures: {half} of each set; ID {}\n", self.id.pictures));
        if self.half != Half::Test {
            line(
                text,
                "The packages' thresholds may have been set on some of these pictures (`export` and `quantize` take the validation \
                half): on those, a rate of false alarms shows nothing.\n",
            );
        }
        row(text, ["package", "number format", "model.onnx, bytes", "ID accuracy, %"]);
        rule(text, 2, 2);
        for package in &self.packages {
            let accuracy = package.accuracy.map_or_else(|| "-".into(), percent);
            let cells = [&package.name, package.precision.as_str(), &package.model_bytes.to_string(), &accuracy];
            row(text, cells.map(String::from));
        }
    }

    /// False alarms: by the first package's thresholds, then by each package's own.
    fn write_alarms(&self, text: &mut String) {
        let Some(first) = self.packages.first() else { return };
        line(text, format!("\nID pictures flagged, % with its interval of 95 %; {}\n", self.expectation(first)));
        let own = self.packages.iter().map(|package| format!("{}, own threshold", package.name));
        let others = &self.packages[1..];
        let moved = others.iter().map(|package| format!("{}, threshold of {}", package.name, first.name));
        row(text, ["score".to_owned()].into_iter().chain(moved).chain(own));
        rule(text, 1, others.len() + self.packages.len());
        for score in first.scores.keys() {
            let outcome = |package: &PackageReport| package.scores[score].clone();
            let moved = others.iter().map(|package| alarms(&outcome(package), |outcome| outcome.first_threshold));
            let own = self.packages.iter().map(|package| alarms(&outcome(package), |outcome| outcome.own_threshold));
            row(text, [score.to_string()].into_iter().chain(moved).chain(own));
        }
    }

    fn expectation(&self, first: &PackageReport) -> String {
        let pictures = self.id.pictures as f64;
        let told = first.scores.values().next().map(|outcome| {
            let (low, high) = outcome.expected;
            let [low, high] = [low, high].map(|count| percent(count as f64 / pictures));
            format!(
                "{} % are wanted, of which a right threshold makes {low} to {high} % in 95 of 100 cases; what is \
                     outside has a *",
                percent(outcome.target)
            )
        });
        told.unwrap_or_default()
    }

    /// Means over the sets, packages side by side.
    fn write_means(&self, text: &mut String, (heading, value): Metric) {
        line(text, format!("\n{heading}, mean over the sets\n"));
        row(text, ["score".to_owned()].into_iter().chain(self.packages.iter().map(|package| package.name.clone())));
        rule(text, 1, self.packages.len());
        for score in self.packages.iter().take(1).flat_map(|first| first.scores.keys()) {
            let means = self.packages.iter().map(|package| cell(package.scores[score].detection.all, value));
            row(text, [score.to_string()].into_iter().chain(means));
        }
    }

    /// Every set, packages below each other.
    fn write_sets(&self, text: &mut String, (heading, value): Metric) {
        line(text, format!("\n{heading}\n"));
        let sets = self.ood.iter().map(|set| format!("{} ({})", set.name, set.pictures));
        let means = ["near", "far", "mean"].map(String::from);
        row(text, ["score".to_owned(), "package".to_owned()].into_iter().chain(sets).chain(means));
        rule(text, 2, self.ood.len() + 3);
        for score in self.packages.iter().take(1).flat_map(|first| first.scores.keys()) {
            for package in &self.packages {
                let found = &package.scores[score].detection;
                let sets = self.ood.iter().map(|set| found.sets.get(&set.name).copied());
                let cells = sets.chain([found.near, found.far, found.all]).map(|d| cell(d, value));
                row(text, [score.to_string(), package.name.clone()].into_iter().chain(cells));
            }
        }
    }
}

fn cell(detection: Option<Detection>, value: fn(&Detection) -> f64) -> String {
    detection.map_or_else(|| "-".into(), |detection| percent(value(&detection)))
}

/// A rate with its interval; a star where the count is outside of what is expected.
fn alarms(outcome: &ScoreOutcome, of: fn(&ScoreOutcome) -> Alarms) -> String {
    let Alarms { flagged, rate, .. } = of(outcome);
    let (low, high) = outcome.expected;
    let star = if (low..=high).contains(&flagged) { "" } else { " *" };
    format!("{} [{}, {}]{star}", percent(rate.value), percent(rate.low), percent(rate.high))
}
