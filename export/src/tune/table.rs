//! What was found as Markdown: the choice, what it was chosen from, and how it fares on real sets where there are any.

use oodwatch::score::ScoreName;

use super::compare::{Comparison, MEAN, Regret};
use super::{Candidate, Tuned};
use crate::ablate::{Cell, Metrics, RowResult, Spread};
use crate::markdown::{line, percent, row, rule};

impl Tuned {
    /// All tables as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_choice(&mut text);
        if let Some(found) = &self.comparison {
            self.write_regret(&mut text, found);
            self.write_ranks(&mut text, found);
        }
        for score in self.choice.by_score.keys() {
            self.write_rows(&mut text, *score);
        }
        text
    }

    fn write_choice(&self, text: &mut String) {
        let choice = &self.choice;
        let Candidate { row: chosen, score, pseudo_fpr95_id, accuracy } = &choice.overall;
        line(text, format!("**Choice: {chosen:?} with {score}.** No out-of-distribution picture was read for it.\n"));
        line(
            text,
            format!(
                "Criterion: mean fpr95_id over {} sets made of ID pictures of the validation half, {} %; ID accuracy {} % ({} pictures). \
                 Rows need {} %: {} points below {:?}, the most accurate row without a loss table. Refused: {}. \
                 Mean ± standard deviation over seeds.\n",
                self.sets.len(),
                share(*pseudo_fpr95_id),
                share(*accuracy),
                self.id_pictures,
                percent(choice.lowest_accuracy),
                self.accuracy_drop,
                choice.control,
                if choice.refused.is_empty() { "none".into() } else { choice.refused.join(", ") },
            ),
        );
        row(text, ["score", "chosen row", "pseudo fpr95_id, %", "ID accuracy, %"]);
        rule(text, 2, 2);
        for (score, Candidate { row: name, pseudo_fpr95_id, accuracy, .. }) in &choice.by_score {
            row(text, [score.to_string(), name.clone(), share(*pseudo_fpr95_id), share(*accuracy)]);
        }
    }

    fn write_regret(&self, text: &mut String, found: &Comparison) {
        line(text, "\n## What the choice costs\n");
        line(
            text,
            "Mean fpr95_id of the real sets, validation halves, %. Regret: chosen minus best allowed row. Rank correlation \
             (Spearman, over all rows): of the pseudo sets' mean with the real sets' mean.\n",
        );
        let heading =
            ["score", "chosen row", "real", "control's", "best row", "its real", "regret", "rank correlation"];
        row(text, heading);
        rule(text, 2, 6);
        row(text, regret_cells("all scores", &found.overall, found.ranks_overall, true));
        for (score, regret) in &found.by_score {
            let rank = found.ranks.get(score).copied().flatten();
            row(text, regret_cells(&score.to_string(), regret, rank, false));
        }
    }

    fn write_ranks(&self, text: &mut String, found: &Comparison) {
        line(text, "\n## Which pseudo sets order the rows as real ones do\n");
        line(
            text,
            format!(
                "Spearman's rank correlation over the {} rows, {}; last column: with the mean of the real sets, mean over scores.\n",
                self.rows.len(),
                self.main_score
            ),
        );
        let real = found.sets.values().next().map(|sets| sets.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        // The mean stands behind the sets.
        let real: Vec<String> = real.into_iter().filter(|name| name != MEAN).chain([MEAN.to_owned()]).collect();
        row(text, ["pseudo set".to_owned()].into_iter().chain(real.clone()).chain(["over scores".to_owned()]));
        rule(text, 1, real.len() + 1);
        for set in &self.sets {
            let ranks = found.sets.get(&set.name);
            let cells = real.iter().map(|name| rank_cell(ranks.and_then(|ranks| ranks.get(name).copied().flatten())));
            let over_scores = rank_cell(found.sets_over_scores.get(&set.name).copied().flatten());
            row(text, [set.name.clone()].into_iter().chain(cells).chain([over_scores]));
        }
    }

    fn write_rows(&self, text: &mut String, score: ScoreName) {
        line(text, format!("\n## {score}\n\nfpr95_id, %, of the pseudo sets\n"));
        let sets = self.sets.iter().map(|set| format!("{} ({})", set.name, set.pictures));
        let means = ["near", "far", "mean", "Δ mean", "ID accuracy"].map(String::from);
        row(text, ["row".to_owned()].into_iter().chain(sets).chain(means));
        rule(text, 1, self.sets.len() + 5);
        self.rows.iter().for_each(|of| self.write_row(text, score, of));
    }

    fn write_row(&self, text: &mut String, score: ScoreName, of: &RowResult) {
        let Some(found) = of.scores.get(&score) else { return };
        let sets = self.sets.iter().map(|set| found.sets.get(&set.name).copied());
        let cells = sets.chain([found.near, found.far, found.mean]).map(own);
        let delta = found.mean.and_then(|metrics| metrics.fpr95_id.delta);
        let delta = delta.map_or_else(|| "-".into(), |delta| format!("{:+.2}", 100.0 * delta.mean));
        let accuracy = of.accuracy.map_or_else(|| "-".into(), |Cell { own, .. }| share(own));
        row(text, [of.name.clone()].into_iter().chain(cells).chain([delta, accuracy]));
    }
}

fn regret_cells(name: &str, of: &Regret, rank: Option<f64>, with_score: bool) -> [String; 8] {
    let full = |(row, score): &(String, ScoreName)| if with_score { format!("{row} ({score})") } else { row.clone() };
    [
        name.to_owned(),
        full(&of.chosen),
        percent(of.real),
        of.control_real.map_or_else(|| "-".into(), percent),
        full(&of.best),
        percent(of.best_real),
        percent(of.regret),
        rank_cell(rank),
    ]
}

fn rank_cell(rank: Option<f64>) -> String {
    rank.map_or_else(|| "-".into(), |rank| format!("{rank:.2}"))
}

fn own(metrics: Option<Metrics>) -> String {
    metrics.map_or_else(|| "-".into(), |metrics| share(metrics.fpr95_id.own))
}

/// A share in percent with its spread.
fn share(found: Spread) -> String {
    let spread = found.spread.map_or_else(String::new, |spread| format!(" ± {}", percent(spread)));
    format!("{}{spread}", percent(found.mean))
}
