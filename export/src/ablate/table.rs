//! The results as Markdown: an overview, then two tables for every score.

use oodwatch::score::ScoreName;

use super::results::{Metrics, Results, RowResult};
use super::summary::{Cell, Spread};
use crate::evaluate::NetworkReport;
use crate::markdown::{line, percent, row, rule};
use crate::pictures::Half;

/// A metric of the tables: its heading and where it stands.
type Metric = (&'static str, fn(&Metrics) -> Cell);

const METRICS: [Metric; 2] = [
    ("fpr95_id, %: OOD accepted at 95% ID acceptance (lower is better)", |m| m.fpr95_id),
    ("AUROC, % (higher is better)", |m| m.auroc),
];

impl Results {
    /// All tables as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_overview(&mut text);
        let judged = |name: &ScoreName| self.rows.iter().any(|row| row.scores.contains_key(name));
        for score in ScoreName::all().filter(judged) {
            line(&mut text, format!("\n## {score}"));
            for metric in METRICS {
                self.write_metric(&mut text, score, metric);
            }
        }
        text
    }

    fn write_overview(&self, text: &mut String) {
        let half = match self.half {
            Half::Validation => "validation half (even index): for choices",
            Half::Test => "test half (odd index): the one look",
            Half::All => "all pictures",
        };
        line(
            text,
            format!("Pictures: {half}; ID {}. Mean ± standard deviation over seeds; Δ: against", self.id.pictures),
        );
        line(
            text,
            "the control of the same schedule, seed by seed; norms: mean over locations of ID pictures, start → row.\n",
        );
        let heading = ["row", "control", "seeds", "epochs", "learning rate", "ID accuracy, %", "Δ", "background norm"];
        let score = format!("{}: mean fpr95_id, %", self.main_score);
        let rest = ["foreground norm", &score, "Δ", "best score", "its mean fpr95_id, %"];
        row(text, heading.iter().chain(&rest));
        rule(text, 2, heading.len() + rest.len() - 2);
        self.start.iter().for_each(|start| row(text, self.overview_of_start(start)));
        self.rows.iter().for_each(|of| row(text, self.overview_of(of)));
    }

    fn overview_of_start(&self, start: &NetworkReport) -> [String; 13] {
        let none = || "-".to_owned();
        let norm = |value: Option<f64>| value.map_or_else(none, |value| format!("{value:.3}"));
        let mean = start.scores.get(&self.main_score).and_then(|score| score.all);
        [
            "start".into(),
            none(),
            none(),
            none(),
            none(),
            percent(start.accuracy),
            none(),
            norm(start.norms.and_then(|n| n.background)),
            norm(start.norms.and_then(|n| n.foreground)),
            mean.map_or_else(none, |detection| percent(detection.fpr95_id)),
            none(),
            none(),
            none(),
        ]
    }

    fn overview_of(&self, of: &RowResult) -> [String; 13] {
        let start = self.start.as_ref().filter(|_| !of.scratch).and_then(|start| start.norms);
        let before = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.3}"));
        let main = of.scores.get(&self.main_score).and_then(|score| score.mean).map(|metrics| metrics.fpr95_id);
        let best = best_score(of);
        let name = |score: Option<(ScoreName, Cell)>| score.map_or_else(|| "-".into(), |(name, _)| name.to_string());
        [
            of.name.clone(),
            of.control.clone().unwrap_or_else(|| "-".into()),
            of.seeds.len().to_string(),
            of.schedule.epochs.to_string(),
            of.schedule.learning_rate.to_string(),
            own(of.accuracy),
            delta(of.accuracy),
            format!("{} → {}", before(start.and_then(|n| n.background)), norm(of.background_norm)),
            format!("{} → {}", before(start.and_then(|n| n.foreground)), norm(of.foreground_norm)),
            own(main),
            delta(main),
            name(best),
            own(best.map(|(_, cell)| cell)),
        ]
    }

    fn write_metric(&self, text: &mut String, score: ScoreName, (heading, value): Metric) {
        line(text, format!("\n{heading}\n"));
        let sets = self.ood.iter().map(|set| format!("{} ({})", set.name, set.pictures));
        row(
            text,
            ["row".to_owned()].into_iter().chain(sets).chain(["near", "far", "mean", "Δ mean"].map(String::from)),
        );
        rule(text, 1, self.ood.len() + 4);
        for of in &self.rows {
            let Some(found) = of.scores.get(&score) else { continue };
            let sets = self.ood.iter().map(|set| found.sets.get(&set.name).copied());
            let cells = sets.chain([found.near, found.far, found.mean]).map(|metrics| own(metrics.as_ref().map(value)));
            let difference = delta(found.mean.as_ref().map(value));
            row(text, [of.name.clone()].into_iter().chain(cells).chain([difference]));
        }
    }
}

/// The score with the lowest mean fpr95_id; the first in the order of names among equals.
fn best_score(of: &RowResult) -> Option<(ScoreName, Cell)> {
    let means = of.scores.iter().filter_map(|(name, score)| score.mean.map(|metrics| (*name, metrics.fpr95_id)));
    means.min_by(|a, b| a.1.own.mean.total_cmp(&b.1.own.mean))
}

fn own(cell: Option<Cell>) -> String {
    cell.map_or_else(|| "-".into(), |cell| share(cell.own, ""))
}

fn delta(cell: Option<Cell>) -> String {
    let difference = cell.and_then(|cell| cell.delta);
    difference.map_or_else(|| "-".into(), |found| share(found, if found.mean > 0.0 { "+" } else { "" }))
}

/// A share in percent with its spread.
fn share(found: Spread, sign: &str) -> String {
    let spread = found.spread.map_or_else(String::new, |spread| format!(" ± {}", percent(spread)));
    format!("{sign}{}{spread}", percent(found.mean))
}

fn norm(cell: Option<Cell>) -> String {
    let text = |found: Spread| {
        let spread = found.spread.map_or_else(String::new, |spread| format!(" ± {spread:.3}"));
        format!("{:.3}{spread}", found.mean)
    };
    cell.map_or_else(|| "-".into(), |cell| text(cell.own))
}
