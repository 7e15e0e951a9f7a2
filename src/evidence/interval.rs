//! Intervals around what was counted or measured, all of 95 %.
//!
//! Shares: Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
//! Biometrika 1934. Frames of footage resemble each other, so n of them are worth fewer independent ones; with the
//! effective number in place of n (Korn & Graubard, "Confidence intervals for proportions with small expected number of
//! positive counts estimated from survey data", 1998) the interval is as wide as it should be.
//!
//! Metrics of two sets: percentiles of a circular block bootstrap (Politis & Romano, "A circular block-resampling procedure
//! for stationary data", 1992), whose blocks keep neighbouring frames together; seeded, so that it can be repeated.

use serde::Serialize;
use statrs::function::beta::beta_reg;

/// Probability beyond each end.
const TAIL: f64 = 0.025;
/// Times that both sets are drawn anew.
const RESAMPLES: usize = 400;

/// A number with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// What was found.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The share of `hits` among `of` independent frames, neither of which has to be a whole number.
pub fn share(hits: f64, of: f64) -> Interval {
    if of <= 0.0 {
        return Interval { value: f64::NAN, low: 0.0, high: 1.0 };
    }
    let (hits, misses) = (hits.clamp(0.0, of), (of - hits).max(0.0));
    let low = if hits > 0.0 { where_reaches(TAIL, |p| beta_reg(hits, misses + 1.0, p)) } else { 0.0 };
    let high = if misses > 0.0 { where_reaches(1.0 - TAIL, |p| beta_reg(hits + 1.0, misses, p)) } else { 1.0 };
    Interval { value: hits / of, low, high }
}

/// Where a law that grows from 0 at 0 to 1 at 1 reaches `level`, by bisection.
fn where_reaches(level: f64, law: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if law(middle) < level { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Scores in the order in which their frames were taken.
#[derive(Debug, Clone, Copy)]
pub struct Series<'s> {
    /// The scores.
    pub scores: &'s [f32],
    /// Frames that belong together; 1 where all are independent.
    pub block: usize,
}

/// What `measures` says of two sets, none of them empty, with intervals.
pub fn bootstrap<const N: usize>(
    [id, ood]: [Series<'_>; 2],
    seed: u64,
    measures: impl Fn(&[f32], &[f32]) -> [f64; N],
) -> [Interval; N] {
    let mut random = fastrand::Rng::with_seed(seed);
    let drawn: Vec<[f64; N]> = (0..RESAMPLES)
        .map(|_| {
            let id = resample(id, &mut random);
            measures(&id, &resample(ood, &mut random))
        })
        .collect();
    let found = measures(id.scores, ood.scores);
    std::array::from_fn(|place| {
        let mut values: Vec<f64> = drawn.iter().map(|drawn| drawn[place]).collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((RESAMPLES - 1) as f64 * share).round() as usize];
        Interval { value: found[place], low: at(TAIL), high: at(1.0 - TAIL) }
    })
}

/// As many scores, in blocks that begin anywhere and go on at the start behind the end.
fn resample(Series { scores, block }: Series<'_>, random: &mut fastrand::Rng) -> Vec<f32> {
    let mut drawn = Vec::with_capacity(scores.len() + block);
    while drawn.len() < scores.len() {
        let start = random.usize(..scores.len());
        drawn.extend((0..block.max(1)).map(|step| scores[(start + step) % scores.len()]));
    }
    drawn.truncate(scores.len());
    drawn
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluation::detection;

    fn close(found: Interval, low: f64, high: f64) {
        assert!(
            (found.low - low).abs() < 5e-5 && (found.high - high).abs() < 5e-5,
            "{found:?}, wanted {low} to {high}"
        );
    }

    #[test]
    fn shares_have_the_limits_of_the_tables() {
        // scipy.stats.binomtest(k, n).proportion_ci(method="exact")
        close(share(0.0, 100.0), 0.0, 0.03622);
        close(share(100.0, 100.0), 0.96378, 1.0);
        close(share(5.0, 100.0), 0.01643, 0.11283);
        close(share(1.0, 10.0), 0.00253, 0.44502);
    }

    #[test]
    fn fewer_independent_frames_make_a_wider_interval() {
        let (all, fewer) = (share(50.0, 1000.0), share(5.0, 100.0));
        assert!(fewer.low < all.low && all.high < fewer.high && all.value == fewer.value);
        assert_eq!((share(0.0, 0.0).low, share(0.0, 0.0).high), (0.0, 1.0));
    }

    /// 200 pairs of sets of known AUROC: the interval covers it in about 95 % of them. At least 180 of 200 would come with
    /// 95 % by chance of 0.999; seeds are fixed, so the count is.
    #[test]
    fn the_bootstrap_covers_the_truth_and_blocks_widen_it_for_frames_that_resemble_each_other() {
        let mut random = fastrand::Rng::with_seed(3);
        let auroc = |id: &[f32], ood: &[f32]| [detection(id, ood).unwrap().auroc];
        let covered = (0..200).filter(|seed| {
            let id: Vec<f32> = (0..60).map(|_| random.f32()).collect();
            let ood: Vec<f32> = (0..60).map(|_| random.f32() + 0.5).collect();
            let [found] = bootstrap([&id, &ood].map(|scores| Series { scores, block: 1 }), *seed, auroc);
            // 1 - P(a uniform number is more than half above another) = 1 - 1/8.
            (found.low..=found.high).contains(&0.875)
        });
        assert!(covered.count() >= 180);
        let runs: Vec<f32> = (0..300).map(|place| ((place / 30) % 7) as f32).collect();
        let ood: Vec<f32> = (0..300).map(|place| ((place / 30) % 5) as f32 + 2.0).collect();
        let width = |block| {
            let [found] = bootstrap([&runs, &ood].map(|scores| Series { scores, block }), 1, auroc);
            found.high - found.low
        };
        assert!(width(60) > 2.0 * width(1));
    }

    proptest! {
        #[test]
        fn a_share_lies_in_its_interval(hits in 0_u32..500, misses in 0_u32..500) {
            prop_assume!(hits + misses > 0);
            let found = share(f64::from(hits), f64::from(hits + misses));
            prop_assert!(0.0 <= found.low && found.low <= found.value && found.value <= found.high && found.high <= 1.0);
        }
    }
}
