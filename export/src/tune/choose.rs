//! The choice: of the rows that keep their accuracy, the one that accepts the fewest pseudo-OOD pictures.

use std::collections::BTreeMap;

use oodwatch::score::ScoreName;
use serde::Serialize;

use super::error::TuneError;
use crate::ablate::{Cell, RowResult, Spread};

/// What was chosen, and what it was chosen from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// Of all rows and scores.
    pub overall: Candidate,
    /// For each score the row.
    pub by_score: BTreeMap<ScoreName, Candidate>,
    /// The most accurate row without a loss table.
    pub control: String,
    /// Its share of ID pictures whose class is right, validation half.
    pub control_accuracy: f64,
    /// What a row needs to be chosen.
    pub lowest_accuracy: f64,
    /// Rows that have less, in the order of the config.
    pub refused: Vec<String>,
}

/// A row with a score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Name of the row.
    pub row: String,
    /// The score.
    pub score: ScoreName,
    /// The criterion: mean over the pseudo-OOD sets of the share that is accepted at 95% ID acceptance, over seeds.
    pub pseudo_fpr95_id: Spread,
    /// Share of ID pictures whose class is right, over seeds.
    pub accuracy: Spread,
}

/// Chooses among rows that were judged on pseudo-OOD sets; `accuracy_drop` is in points of percent. Every number of a row
/// is its mean over seeds. Among equals the more accurate row wins, then the earlier one.
///
/// # Errors
/// [`TuneError::NoControl`].
pub(super) fn choose(rows: &[RowResult], accuracy_drop: f64) -> Result<Choice, TuneError> {
    let controls = rows.iter().filter(|row| row.loss.is_plain());
    let accurate = controls.filter_map(|row| row.accuracy.map(|cell| (row, cell.own.mean)));
    // max_by would take the last of equals.
    let best = accurate.reduce(|best, next| if next.1 > best.1 { next } else { best });
    let (control, control_accuracy) = best.ok_or(TuneError::NoControl)?;
    let lowest_accuracy = control_accuracy - accuracy_drop / 100.0;
    let (allowed, refused): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_allowed(row.accuracy, lowest_accuracy));
    let candidates: Vec<Candidate> = allowed.into_iter().flat_map(candidates).collect();
    let mut by_score: BTreeMap<ScoreName, Candidate> = BTreeMap::new();
    for candidate in &candidates {
        let best = by_score.entry(candidate.score).or_insert_with(|| candidate.clone());
        if is_better(candidate, best) {
            *best = candidate.clone();
        }
    }
    let overall = candidates.into_iter().reduce(|best, next| if is_better(&next, &best) { next } else { best });
    Ok(Choice {
        overall: overall.ok_or(TuneError::NoControl)?,
        by_score,
        control: control.name.clone(),
        control_accuracy,
        lowest_accuracy,
        refused: refused.into_iter().map(|row| row.name.clone()).collect(),
    })
}

impl Choice {
    /// Whether a row kept its accuracy.
    pub fn allows(&self, row: &str) -> bool {
        !self.refused.iter().any(|refused| refused == row)
    }
}

fn is_allowed(accuracy: Option<Cell>, lowest: f64) -> bool {
    // Accuracies are counts over counts: a difference this small is the rounding of `lowest`.
    accuracy.is_some_and(|cell| cell.own.mean >= lowest - 1e-9)
}

fn candidates(row: &RowResult) -> Vec<Candidate> {
    let of_score = |(score, cells): (&ScoreName, &crate::ablate::ScoreCells)| {
        Some(Candidate {
            row: row.name.clone(),
            score: *score,
            pseudo_fpr95_id: cells.mean?.fpr95_id.own,
            accuracy: row.accuracy?.own,
        })
    };
    row.scores.iter().filter_map(of_score).collect()
}

fn is_better(new: &Candidate, old: &Candidate) -> bool {
    let (new_share, old_share) = (new.pseudo_fpr95_id.mean, old.pseudo_fpr95_id.mean);
    new_share < old_share || (new_share == old_share && new.accuracy.mean > old.accuracy.mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::testing::row;

    const ENERGY: ScoreName = ScoreName::Energy;

    fn chosen(rows: &[RowResult], drop: f64) -> (String, ScoreName) {
        let choice = choose(rows, drop).unwrap();
        (choice.overall.row, choice.overall.score)
    }

    #[test]
    fn the_lowest_share_wins_among_rows_that_keep_their_accuracy() {
        let rows = [
            row("control", true, &[0.91], &[("energy", &[0.50]), ("msp", &[0.60])]),
            row("good", false, &[0.905], &[("energy", &[0.40]), ("msp", &[0.30])]),
            row("weak", false, &[0.90], &[("energy", &[0.10]), ("msp", &[0.70])]),
        ];
        assert_eq!(chosen(&rows, 0.5), ("good".into(), ScoreName::Msp));
        assert_eq!(chosen(&rows, 1.0), ("weak".into(), ENERGY));
        assert_eq!(chosen(&rows, 0.0), ("control".into(), ENERGY));
        let choice = choose(&rows, 0.5).unwrap();
        assert_eq!(choice.refused, ["weak"]);
        assert!(choice.allows("good") && !choice.allows("weak"));
        let by_score: Vec<&str> = choice.by_score.values().map(|candidate| candidate.row.as_str()).collect();
        assert_eq!(by_score, ["good", "good"]);
    }

    #[test]
    fn the_mean_over_seeds_counts_and_its_spread_is_shown() {
        let rows = [
            row("control", true, &[0.90, 0.92], &[("energy", &[0.40, 0.44])]),
            row("lucky once", false, &[0.91, 0.91], &[("energy", &[0.10, 0.80])]),
        ];
        let choice = choose(&rows, 0.5).unwrap();
        assert_eq!(choice.overall.row, "control");
        assert!((choice.control_accuracy - 0.91).abs() < 1e-12);
        let found = choice.overall.pseudo_fpr95_id;
        assert!((found.mean - 0.42).abs() < 1e-12 && found.seeds == 2);
        assert!((found.spread.unwrap() - 0.02 * 2f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn among_equals_the_more_accurate_row_wins_and_then_the_earlier() {
        let energy: &[(&str, &[f64])] = &[("energy", &[0.4])];
        let rows = [
            row("control", true, &[0.91], energy),
            row("second control", true, &[0.91], energy),
            row("more accurate", false, &[0.92], energy),
            row("as accurate", false, &[0.92], energy),
        ];
        assert_eq!(chosen(&rows, 0.5).0, "more accurate");
        assert_eq!(chosen(&rows[..2], 0.5).0, "control");
        assert_eq!(choose(&rows, 0.5).unwrap().control, "control");
    }

    #[test]
    fn without_a_control_nothing_is_chosen() {
        assert!(matches!(choose(&[row("term", false, &[0.9], &[])], 0.5), Err(TuneError::NoControl)));
    }
}
