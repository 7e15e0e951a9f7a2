//! How well a score tells the known from the unknown.
//!
//! Scores follow the one convention: higher means more out-of-distribution (OOD). There is no bare
//! "FPR95" here, because papers and benchmarks mean two different things by it; both are computed,
//! under their own names. Everything depends only on the order of the scores.

use serde::{Deserialize, Serialize};

/// Detection metrics of one score on one pair of in-distribution (ID) and OOD sets, each in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Probability that a random OOD score is above a random ID score, ties at half.
    pub auroc: f64,
    /// Share of OOD with score <= t, where t is the smallest ID score that at least 95% of ID do not
    /// exceed: OOD accepted at 95% ID acceptance. What most papers report; lower is better.
    pub fpr95_id: f64,
    /// Share of ID with score >= t, where t is the largest score that at least 95% of OOD reach: ID
    /// flagged at 95% OOD detection. What OpenOOD and pytorch-ood report; lower is better.
    pub fpr95_ood: f64,
    /// Average precision with OOD as the positive class.
    pub aupr_ood_positive: f64,
    /// Average precision with ID as the positive class, from the negated scores.
    pub aupr_id_positive: f64,
}

/// Why metrics could not be worked out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// A set has no scores.
    #[error("evaluation: no {set} scores, at least one is needed")]
    Empty {
        /// `ID` or `OOD`.
        set: &'static str,
    },
    /// NaN has no place in any order.
    #[error("evaluation: {set} score {index} of {count} is NaN")]
    NotANumber {
        /// `ID` or `OOD`.
        set: &'static str,
        /// Index of the first one.
        index: usize,
        /// Number of scores in the set.
        count: usize,
    },
}

/// Works out the metrics of `ood` scores against `id` scores, in O(n log n).
///
/// # Errors
/// An empty set, or a NaN in one. Infinite scores are ordered like any other.
pub fn detection(id: &[f32], ood: &[f32]) -> Result<Detection, EvaluationError> {
    check("ID", id)?;
    check("OOD", ood)?;
    let levels = levels(id, ood);
    let descending = || levels.iter().rev().map(|level| (level.ood, level.id));
    let ascending = || levels.iter().map(|level| (level.id, level.ood));
    Ok(Detection {
        auroc: auroc(&levels, id.len(), ood.len()),
        fpr95_id: false_positive_rate_at_95(ascending(), id.len(), ood.len()),
        fpr95_ood: false_positive_rate_at_95(descending(), ood.len(), id.len()),
        aupr_ood_positive: average_precision(descending(), ood.len()),
        aupr_id_positive: average_precision(ascending(), id.len()),
    })
}

impl Detection {
    /// Mean over several OOD sets, each counting alike whatever its size; nothing for no set.
    pub fn mean(of: &[Self]) -> Option<Self> {
        let mean = |field: fn(&Self) -> f64| of.iter().map(field).sum::<f64>() / of.len() as f64;
        (!of.is_empty()).then(|| Self {
            auroc: mean(|d| d.auroc),
            fpr95_id: mean(|d| d.fpr95_id),
            fpr95_ood: mean(|d| d.fpr95_ood),
            aupr_ood_positive: mean(|d| d.aupr_ood_positive),
            aupr_id_positive: mean(|d| d.aupr_id_positive),
        })
    }
}

/// How many scores of each set have one same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    id: usize,
    ood: usize,
}

fn check(set: &'static str, scores: &[f32]) -> Result<(), EvaluationError> {
    if scores.is_empty() {
        return Err(EvaluationError::Empty { set });
    }
    match scores.iter().position(|score| score.is_nan()) {
        Some(index) => Err(EvaluationError::NotANumber { set, index, count: scores.len() }),
        None => Ok(()),
    }
}

/// The distinct values in ascending order.
fn levels(id: &[f32], ood: &[f32]) -> Vec<Level> {
    let tagged = |scores: &[f32], is_ood| scores.iter().map(move |&score| (score, is_ood)).collect::<Vec<_>>();
    let mut all = [tagged(id, false), tagged(ood, true)].concat();
    all.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    // `==` rather than total order within a level: -0.0 and 0.0 are one value.
    let levels = all.chunk_by(|(a, _), (b, _)| a == b).map(|level| {
        let ood = level.iter().filter(|(_, is_ood)| *is_ood).count();
        Level { id: level.len() - ood, ood }
    });
    levels.collect()
}

/// The Mann-Whitney statistic: pairs in the right order, ties at half, over all pairs.
fn auroc(levels: &[Level], ids: usize, oods: usize) -> f64 {
    let mut ids_below = 0;
    let mut twice_ordered = 0_u128;
    for level in levels {
        twice_ordered += level.ood as u128 * (2 * ids_below + level.id) as u128;
        ids_below += level.id;
    }
    twice_ordered as f64 / (2.0 * ids as f64 * oods as f64)
}

/// Share of negatives at or before the first level by which at least 95% of the positives have come.
///
/// `levels` gives (positives, negatives) of each level, the most positive-looking first.
fn false_positive_rate_at_95(levels: impl Iterator<Item = (usize, usize)>, positives: usize, negatives: usize) -> f64 {
    let needed = (positives * 95).div_ceil(100);
    let (mut found, mut wrong) = (0, 0);
    for (positive, negative) in levels {
        found += positive;
        wrong += negative;
        if found >= needed {
            break;
        }
    }
    wrong as f64 / negatives as f64
}

/// Sum over thresholds of (recall gained) * precision, without interpolation.
///
/// `levels` as above; a level's scores are tied, so they come in together.
fn average_precision(levels: impl Iterator<Item = (usize, usize)>, positives: usize) -> f64 {
    let (mut found, mut seen) = (0, 0);
    let mut sum = 0.0;
    for (positive, negative) in levels {
        found += positive;
        seen += positive + negative;
        sum += positive as f64 * (found as f64 / seen as f64);
    }
    sum / positives as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One case of `tests/golden/evaluation.json`, made with scikit-learn by the script beside it.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        id: Vec<f32>,
        ood: Vec<f32>,
        #[serde(flatten)]
        expected: Detection,
    }

    fn fields(d: &Detection) -> [(&'static str, f64); 5] {
        [
            ("auroc", d.auroc),
            ("fpr95_id", d.fpr95_id),
            ("fpr95_ood", d.fpr95_ood),
            ("aupr_ood_positive", d.aupr_ood_positive),
            ("aupr_id_positive", d.aupr_id_positive),
        ]
    }

    #[test]
    fn metrics_are_scikit_learns() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../tests/golden/evaluation.json")).unwrap();
        assert!(cases.len() >= 10);
        for case in cases {
            let found = detection(&case.id, &case.ood).unwrap();
            for ((metric, found), (_, wanted)) in fields(&found).into_iter().zip(fields(&case.expected)) {
                assert!((found - wanted).abs() < 1e-12, "{}: {metric} {found}, wanted {wanted}", case.name);
            }
        }
    }

    #[test]
    fn the_two_fpr95_are_what_their_definitions_say() {
        // 20 ID scores 1..=20: 19 of them are <= 19, so t = 19. 20 OOD scores 11..=30: 19 are >= 12.
        let id: Vec<f32> = (1..=20).map(|v| v as f32).collect();
        let ood: Vec<f32> = (11..=30).map(|v| v as f32).collect();
        let found = detection(&id, &ood).unwrap();
        assert_eq!(found.fpr95_id, 9.0 / 20.0);
        assert_eq!(found.fpr95_ood, 9.0 / 20.0);

        let one = detection(&id, &[19.0]).unwrap();
        assert_eq!((one.fpr95_id, one.fpr95_ood), (1.0, 2.0 / 20.0));
    }

    #[test]
    fn nan_and_empty_sets_are_refused_with_their_place() {
        let text = |result: Result<Detection, EvaluationError>| result.unwrap_err().to_string();
        assert_eq!(text(detection(&[], &[1.0])), "evaluation: no ID scores, at least one is needed");
        assert_eq!(text(detection(&[1.0], &[])), "evaluation: no OOD scores, at least one is needed");
        assert_eq!(text(detection(&[1.0], &[0.0, f32::NAN])), "evaluation: OOD score 1 of 2 is NaN");
    }

    #[test]
    fn infinities_are_ordered_and_zeros_are_one_value() {
        let far = detection(&[f32::NEG_INFINITY, 0.0], &[f32::INFINITY]).unwrap();
        assert_eq!((far.auroc, far.fpr95_id), (1.0, 0.0));
        assert_eq!(detection(&[-0.0], &[0.0]).unwrap().auroc, 0.5);
    }

    #[test]
    fn the_mean_counts_every_set_alike() {
        let [a, b] = [0.25, 0.75].map(|auroc| Detection { auroc, ..Detection::default() });
        assert_eq!(Detection::mean(&[a, b]).unwrap().auroc, 0.5);
        assert_eq!(Detection::mean(&[]), None);
    }

    /// Whole numbers, so that ties are common.
    fn scores() -> impl Strategy<Value = Vec<f32>> {
        proptest::collection::vec((-8_i8..8).prop_map(f32::from), 1..60)
    }

    fn negated(scores: &[f32]) -> Vec<f32> {
        scores.iter().map(|score| -score).collect()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    proptest! {
        #[test]
        fn swapping_the_sets_and_the_sign_swaps_the_roles(id in scores(), ood in scores()) {
            let there = detection(&id, &ood).unwrap();
            let back = detection(&negated(&ood), &negated(&id)).unwrap();
            prop_assert!(close(there.auroc, back.auroc));
            prop_assert_eq!(there.fpr95_id, back.fpr95_ood);
            prop_assert_eq!(there.fpr95_ood, back.fpr95_id);
            prop_assert_eq!(there.aupr_ood_positive, back.aupr_id_positive);
        }

        #[test]
        fn swapping_the_sets_mirrors_the_auroc(id in scores(), ood in scores()) {
            let there = detection(&id, &ood).unwrap().auroc;
            let back = detection(&ood, &id).unwrap().auroc;
            prop_assert!(close(there + back, 1.0));
        }

        #[test]
        fn only_the_order_of_the_scores_counts(id in scores(), ood in scores()) {
            let bent = |scores: &[f32]| scores.iter().map(|s| s.powi(3) + 5.0).collect::<Vec<_>>();
            prop_assert_eq!(detection(&id, &ood), detection(&bent(&id), &bent(&ood)));
        }

        #[test]
        fn the_auroc_is_the_share_of_pairs_in_order(id in scores(), ood in scores()) {
            let pair = |i: f32, o: f32| if o > i { 1.0 } else if o == i { 0.5 } else { 0.0 };
            let sum: f64 = id.iter().flat_map(|&i| ood.iter().map(move |&o| pair(i, o))).sum();
            let plain = sum / (id.len() * ood.len()) as f64;
            prop_assert!(close(detection(&id, &ood).unwrap().auroc, plain));
        }

        #[test]
        fn every_metric_is_a_share(id in scores(), ood in scores()) {
            for (metric, value) in fields(&detection(&id, &ood).unwrap()) {
                prop_assert!((0.0..=1.0).contains(&value), "{} = {}", metric, value);
            }
        }
    }
}
