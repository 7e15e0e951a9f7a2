//! How far the choice is from the best one, where out-of-distribution sets are there to tell: regret and rank correlation.

use std::collections::BTreeMap;

use oodwatch::score::ScoreName;
use serde::Serialize;

use super::choose::{Candidate, Choice};
use crate::ablate::{Results, RowResult, ScoreCells};

/// The choice beside what the validation halves of real out-of-distribution sets say; "real" is a row's mean over these
/// sets of the share accepted at 95% ID acceptance, mean over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The choice over all rows and scores, against the best of all allowed rows and scores.
    pub overall: Regret,
    /// For each score the chosen row against the best allowed row of that score.
    pub by_score: BTreeMap<ScoreName, Regret>,
    /// For each score: Spearman's rank correlation over rows between the criterion and real.
    pub ranks: BTreeMap<ScoreName, Option<f64>>,
    /// The same over all rows with all scores.
    pub ranks_overall: Option<f64>,
    /// For each pseudo-OOD set and each real set (and "mean"): rank correlation over rows, main score.
    pub sets: BTreeMap<String, BTreeMap<String, Option<f64>>>,
    /// For each pseudo-OOD set: its rank correlation with real over rows, mean over the scores that have one.
    pub sets_over_scores: BTreeMap<String, Option<f64>>,
}

/// What a choice costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regret {
    /// The chosen row and score.
    pub chosen: (String, ScoreName),
    /// Real of the chosen one.
    pub real: f64,
    /// Row and score that would have been best.
    pub best: (String, ScoreName),
    /// Real of the best one.
    pub best_real: f64,
    /// `real - best_real`: 0 or more.
    pub regret: f64,
    /// Real of the control with the chosen score: below `real`, the choice did harm.
    pub control_real: Option<f64>,
}

/// Name of the mean of the real sets beside their own names.
pub(super) const MEAN: &str = "mean";

/// Compares; `rows` were judged on pseudo-OOD sets, `real` has the same rows in the same order. None when a chosen row was
/// not judged on real sets.
pub(super) fn compare(choice: &Choice, rows: &[RowResult], real: &Results) -> Option<Comparison> {
    let pairs = |score| shares(rows, &real.rows, score, mean_share, mean_share);
    let scores = || choice.by_score.keys().copied();
    let by_score =
        choice.by_score.iter().map(|(score, chosen)| Some((*score, regret(choice, chosen, real, &[*score])?)));
    let all: Vec<ScoreName> = scores().collect();
    Some(Comparison {
        overall: regret(choice, &choice.overall, real, &all)?,
        by_score: by_score.collect::<Option<_>>()?,
        ranks: scores().map(|score| (score, spearman(&pairs(score)))).collect(),
        ranks_overall: spearman(&scores().flat_map(pairs).collect::<Vec<_>>()),
        sets: set_names(rows).into_iter().map(|set| (set.clone(), set_ranks(rows, real, &set))).collect(),
        sets_over_scores: set_names(rows)
            .into_iter()
            .map(|set| (set.clone(), over_scores(rows, real, &set, &all)))
            .collect(),
    })
}

/// The chosen one against the best allowed row with any of `scores`.
fn regret(choice: &Choice, chosen: &Candidate, real: &Results, scores: &[ScoreName]) -> Option<Regret> {
    let share = |row: &RowResult, score: ScoreName| row.scores.get(&score).and_then(mean_share);
    let of = |name: &str, score| real.rows.iter().find(|row| row.name == name).and_then(|row| share(row, score));
    let allowed = real.rows.iter().filter(|row| choice.allows(&row.name));
    let all = allowed.flat_map(|row| scores.iter().filter_map(move |&score| Some((row, score, share(row, score)?))));
    let (row, score, best_real) = all.min_by(|a, b| a.2.total_cmp(&b.2))?;
    let found = of(&chosen.row, chosen.score)?;
    Some(Regret {
        chosen: (chosen.row.clone(), chosen.score),
        real: found,
        best: (row.name.clone(), score),
        best_real,
        regret: found - best_real,
        control_real: of(&choice.control, chosen.score),
    })
}

/// Of one pseudo-OOD set with every real set, over rows with the main score.
fn set_ranks(rows: &[RowResult], real: &Results, set: &str) -> BTreeMap<String, Option<f64>> {
    let rank = |of_real: &dyn Fn(&ScoreCells) -> Option<f64>| {
        spearman(&shares(rows, &real.rows, real.main_score, |cells| set_share(cells, set), of_real))
    };
    let of_sets = real.ood.iter().map(|ood| (ood.name.clone(), rank(&|cells| set_share(cells, &ood.name))));
    of_sets.chain([(MEAN.to_owned(), rank(&mean_share))]).collect()
}

fn over_scores(rows: &[RowResult], real: &Results, set: &str, scores: &[ScoreName]) -> Option<f64> {
    let rank =
        |score: &ScoreName| spearman(&shares(rows, &real.rows, *score, |cells| set_share(cells, set), mean_share));
    let ranks: Vec<f64> = scores.iter().filter_map(rank).collect();
    (!ranks.is_empty()).then(|| ranks.iter().sum::<f64>() / ranks.len() as f64)
}

fn set_names(rows: &[RowResult]) -> Vec<String> {
    let of_row = rows.iter().find_map(|row| row.scores.values().next());
    of_row.map(|cells| cells.sets.keys().cloned().collect()).unwrap_or_default()
}

/// A share of each row on pseudo sets beside one on real sets, for the rows that have both.
pub(super) fn shares(
    rows: &[RowResult],
    real: &[RowResult],
    score: ScoreName,
    pseudo_of: impl Fn(&ScoreCells) -> Option<f64>,
    real_of: impl Fn(&ScoreCells) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let pair = |(row, real): (&RowResult, &RowResult)| {
        Some((row.scores.get(&score).and_then(&pseudo_of)?, real.scores.get(&score).and_then(&real_of)?))
    };
    rows.iter().zip(real).filter_map(pair).collect()
}

/// Mean over sets and seeds of the share accepted at 95% ID acceptance.
pub(super) fn mean_share(cells: &ScoreCells) -> Option<f64> {
    cells.mean.map(|metrics| metrics.fpr95_id.own.mean)
}

fn set_share(cells: &ScoreCells, set: &str) -> Option<f64> {
    cells.sets.get(set).map(|metrics| metrics.fpr95_id.own.mean)
}

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs. None for fewer than three
/// pairs, and where all values of a side are equal.
fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let ranks = |of: fn(&(f64, f64)) -> f64| {
        let values: Vec<f64> = pairs.iter().map(of).collect();
        let rank = |value: &f64| {
            let below = values.iter().filter(|other| *other < value).count();
            let equal = values.iter().filter(|other| *other == value).count();
            below as f64 + (equal as f64 + 1.0) / 2.0
        };
        // Around their mean, which ties do not move.
        values.iter().map(|value| rank(value) - (pairs.len() as f64 + 1.0) / 2.0).collect::<Vec<f64>>()
    };
    let (a, b) = (ranks(|pair| pair.0), ranks(|pair| pair.1));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let length = (product(&a, &a) * product(&b, &b)).sqrt();
    (pairs.len() >= 3 && length > 0.0).then(|| product(&a, &b) / length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::Half;
    use crate::tune::choose::choose;
    use crate::tune::testing::{real, row};

    #[test]
    fn rank_correlations_are_those_worked_out_by_hand() {
        assert_eq!(spearman(&[(1.0, 10.0), (2.0, 20.0), (9.0, 30.0)]), Some(1.0));
        assert_eq!(spearman(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]), Some(-1.0));
        // Ranks 1 2.5 2.5 4 against 1 2 3 4: 4.5 / sqrt(4.5 * 5).
        let found = spearman(&[(0.0, 1.0), (5.0, 2.0), (5.0, 3.0), (7.0, 4.0)]).unwrap();
        assert!((found - 4.5 / 22.5f64.sqrt()).abs() < 1e-12, "{found}");
        assert_eq!(spearman(&[(1.0, 1.0), (2.0, 2.0)]), None);
        assert_eq!(spearman(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }

    #[test]
    fn regret_is_against_the_best_row_that_was_allowed() {
        let pseudo = [
            row("control", true, &[0.91], &[("energy", &[0.5]), ("msp", &[0.6])]),
            row("chosen", false, &[0.91], &[("energy", &[0.2]), ("msp", &[0.5])]),
            row("better", false, &[0.91], &[("energy", &[0.3]), ("msp", &[0.4])]),
            row("refused", false, &[0.50], &[("energy", &[0.1]), ("msp", &[0.1])]),
        ];
        let choice = choose(&pseudo, 0.5).unwrap();
        let rows = [
            row("control", true, &[0.91], &[("energy", &[0.48]), ("msp", &[0.55])]),
            row("chosen", false, &[0.91], &[("energy", &[0.40]), ("msp", &[0.50])]),
            row("better", false, &[0.91], &[("energy", &[0.39]), ("msp", &[0.36])]),
            row("refused", false, &[0.50], &[("energy", &[0.10]), ("msp", &[0.10])]),
        ];
        let found = compare(&choice, &pseudo, &real(&rows, Half::Validation)).unwrap();
        assert_eq!(found.overall.chosen, ("chosen".into(), ScoreName::Energy));
        assert_eq!(found.overall.best, ("better".into(), ScoreName::Msp));
        assert!((found.overall.regret - 0.04).abs() < 1e-12);
        assert_eq!(found.overall.control_real, Some(0.48));
        let energy = &found.by_score[&ScoreName::Energy];
        assert!((energy.regret - 0.01).abs() < 1e-12 && energy.best.0 == "better");
        assert_eq!(found.by_score[&ScoreName::Msp].regret, 0.0);
        // Pseudo 4 2 3 1, real 4 3 2 1: 1 - 6 * 2 / (4 * 15).
        assert!((found.ranks[&ScoreName::Energy].unwrap() - 0.8).abs() < 1e-12);
        assert!((found.sets["set"][MEAN].unwrap() - 0.8).abs() < 1e-12);
        assert_eq!(found.sets["set"]["set"], found.sets["set"][MEAN]);
        assert!((found.sets_over_scores["set"].unwrap() - 0.9).abs() < 1e-12);
    }
}
