//! The result of an evaluation: `metrics.json` for programs, Markdown tables for people.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oodwatch::evaluation::Detection;
use oodwatch::score::ScoreName;
use serde::{Deserialize, Serialize};

use super::config::Group;
use super::judge::Norms;
use crate::data::DataSource;
use crate::markdown::{line, percent, row, rule};
use crate::pictures::Half;

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Half of every set that was judged.
    pub half: Half,
    /// In-distribution pictures.
    pub id: SetReport,
    /// Out-of-distribution sets in the order of the config.
    pub ood: Vec<SetReport>,
    /// One entry per network in the order of the config.
    pub networks: Vec<NetworkReport>,
}

/// A set of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetReport {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub source: DataSource,
    /// Pictures that were judged.
    pub pictures: usize,
    /// For an out-of-distribution set, which mean it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
}

/// One network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkReport {
    /// Its name.
    pub name: String,
    /// Its checkpoint.
    pub checkpoint: PathBuf,
    /// sha256 of the checkpoint, hex.
    pub sha256: String,
    /// Share of ID pictures whose class is right.
    pub accuracy: f64,
    /// Mean local norms on ID pictures, where a rule was given.
    pub norms: Option<Norms>,
    /// Detection by score.
    pub scores: BTreeMap<ScoreName, ScoreReport>,
}

/// One score of one network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreReport {
    /// By name of the out-of-distribution set.
    pub sets: BTreeMap<String, Detection>,
    /// Mean over the near sets; null without any.
    pub near: Option<Detection>,
    /// Mean over the far sets; null without any.
    pub far: Option<Detection>,
    /// Mean over all sets.
    pub all: Option<Detection>,
}

/// A metric of the tables: its heading, what is better, and where it stands.
type Metric = (&'static str, fn(&Detection) -> f64);

const METRICS: [Metric; 5] = [
    ("AUROC, % (higher is better)", |d| d.auroc),
    ("fpr95_id, %: OOD accepted at 95% ID acceptance (lower is better)", |d| d.fpr95_id),
    ("fpr95_ood, %: ID flagged at 95% OOD detection (lower is better)", |d| d.fpr95_ood),
    ("AUPR with OOD positive, %", |d| d.aupr_ood_positive),
    ("AUPR with ID positive, %", |d| d.aupr_id_positive),
];

impl ScoreReport {
    /// Adds the means to the detections of all sets, given in the order of the config.
    pub(crate) fn new(sets: Vec<(String, Group, Detection)>) -> Self {
        let of = |keep: fn(Group) -> bool| {
            let kept: Vec<Detection> = sets.iter().filter(|(_, group, _)| keep(*group)).map(|(_, _, d)| *d).collect();
            Detection::mean(&kept)
        };
        Self {
            near: of(|group| group == Group::Near),
            far: of(|group| group == Group::Far),
            all: of(|_| true),
            sets: sets.into_iter().map(|(name, _, detection)| (name, detection)).collect(),
        }
    }
}

impl Report {
    /// All tables as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_overview(&mut text);
        for metric in METRICS {
            self.write_metric(&mut text, metric);
        }
        text
    }

    fn write_overview(&self, text: &mut String) {
        let half = match self.half {
            Half::Validation => "validation half (even index)",
            Half::Test => "test half (odd index)",
            Half::All => "all pictures",
        };
        line(text, format!("Pictures: {half} of each set; ID {} {}", self.id.name, self.id.pictures));
        line(text, "");
        row(text, ["network", "ID accuracy, %", "background norm", "foreground norm", "background locations, %"]);
        rule(text, 1, 4);
        for network in &self.networks {
            let norms = network.norms;
            row(
                text,
                [
                    network.name.clone(),
                    percent(network.accuracy),
                    number(norms.and_then(|n| n.background)),
                    number(norms.and_then(|n| n.foreground)),
                    norms.map_or_else(|| "-".into(), |n| percent(n.background_share)),
                ],
            );
        }
    }

    fn write_metric(&self, text: &mut String, (heading, value): Metric) {
        line(text, format!("\n{heading}\n"));
        let sets = self.ood.iter().map(|set| format!("{} ({})", set.name, set.pictures));
        let means = ["near", "far", "mean"].map(String::from);
        row(text, ["network".to_owned(), "score".to_owned()].into_iter().chain(sets).chain(means));
        rule(text, 2, self.ood.len() + 3);
        for network in &self.networks {
            for (name, score) in &network.scores {
                let sets = self.ood.iter().map(|set| score.sets.get(&set.name).copied());
                let cells = sets.chain([score.near, score.far, score.all]);
                let cells = cells.map(|d| d.map_or_else(|| "-".into(), |d| percent(value(&d))));
                row(text, [network.name.clone(), name.to_string()].into_iter().chain(cells));
            }
        }
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.3}"))
}
