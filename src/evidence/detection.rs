//! What the monitor makes of known and unknown footage: flags, alarms, how well the sets are told apart, and how soon.

use serde::Serialize;

use super::footage::{Footage, Watched};
use super::histogram::Histogram;
use super::interval::{Interval, Series, bootstrap, share};
use super::overlap::Overlap;
use super::{Bench, EvidenceError, SEED};
use crate::calibrate::{
    Delay, FalseAlarms, Moment, beta_binomial_interval, delay, delays_s, false_alarms, measured_cuts,
};
use crate::decide::Policy;
use crate::evaluation::detection;

/// Bins of a histogram.
const BINS: usize = 40;
/// Points of a ROC curve.
const ROC_POINTS: usize = 101;

/// Flags on one piece of footage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flags {
    /// Flagged frames.
    pub flagged: usize,
    /// Their share, if all frames were independent.
    pub rate: Interval,
    /// The same for as many frames as they are worth.
    pub rate_of_effective: Interval,
}

/// What came of the known footage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Known {
    /// The footage.
    pub footage: Footage,
    /// Whether it is the calibration's.
    pub overlap: Overlap,
    /// Its flags, all of them false.
    pub flags: Flags,
    /// Flags that 95 % of such sets have, of this many independent frames, given the calibration; none with a confidence or
    /// thresholds per class.
    pub expected_flags: Option<(usize, usize)>,
    /// What raised alarms.
    pub policy: String,
    /// Its alarms, all of them false.
    pub alarms: FalseAlarms,
    /// Upper limit of their rate per hour.
    pub alarms_at_most_per_hour: f64,
    /// Alarms closer than this count once, in seconds.
    pub block_s: f64,
    /// Conformal p-values; flat where the footage is like the calibration's.
    pub p_values: Histogram,
    /// Scores.
    pub scores: Histogram,
}

/// What came of one piece of unknown footage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unknown {
    /// The footage.
    pub footage: Footage,
    /// Its flags, all of them right.
    pub flags: Flags,
    /// Probability that its frames score higher than known ones.
    pub auroc: Interval,
    /// Share of it that is accepted where 95 % of the known is.
    pub fpr95_id: Interval,
    /// From cuts into it to the alarm.
    pub delay: Delay,
    /// Seconds within which half of the cuts were noticed; none if more were missed.
    pub median_delay_s: Option<f64>,
    /// Shares of known and unknown frames above a threshold, for thresholds from high to low.
    pub roc: Vec<(f64, f64)>,
    /// Scores, in the bins of the known.
    pub scores: Histogram,
}

/// How alarms are raised in the run that is examined.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raised {
    /// By every flagged frame.
    ByFrame,
    /// By a policy over time; alarms closer than so many seconds count once.
    By(Policy, f64),
}

impl Raised {
    fn moments(self, watched: &Watched) -> Vec<Moment> {
        match self {
            Self::ByFrame => watched.flags(),
            Self::By(..) => watched.moments(),
        }
    }

    fn policy(self, period_s: f64) -> Policy {
        match self {
            // Footage with fewer frames than one in the gap is still footage.
            Self::ByFrame => Policy::frame(0.5, (30.0 * period_s).max(5.0)),
            Self::By(policy, _) => policy,
        }
    }

    fn name(self) -> String {
        match self {
            Self::ByFrame => "frame: every flagged frame is an alarm".into(),
            Self::By(policy, _) => policy.to_string(),
        }
    }
}

fn flags(watched: &Watched) -> Flags {
    let (flagged, frames) = (watched.flagged() as f64, watched.seen.len() as f64);
    let worth = watched.footage.effective_frames.min(frames);
    Flags {
        flagged: watched.flagged(),
        rate: share(flagged, frames),
        rate_of_effective: share(flagged / frames * worth, worth),
    }
}

/// The known footage; refused where it is the calibration's.
pub(super) fn known(
    watched: &Watched,
    edges: &[f64],
    raised: Raised,
    bench: &Bench<'_>,
) -> Result<Known, EvidenceError> {
    let calibration = bench.by.package.judge.calibration();
    let scores = watched.scores();
    let overlap = Overlap::of(&scores, bench.by.package.judge.criterion(), calibration);
    if overlap.is_refused() {
        return Err(EvidenceError::SamePictures { path: watched.footage.path.clone() });
    }
    let period_s = 1.0 / watched.footage.frames_per_second;
    let block_s = match raised {
        Raised::By(_, block_s) => block_s.max(watched.block() as f64 * period_s),
        Raised::ByFrame => watched.block() as f64 * period_s,
    };
    let alarms = false_alarms(raised.policy(period_s), &raised.moments(watched), block_s);
    let plain = calibration.per_class.is_none() && calibration.target.confidence.is_none();
    let worth = watched.footage.effective_frames.floor().max(1.0) as usize;
    let of = calibration.all.scores().len();
    let expected_flags = plain.then(|| beta_binomial_interval(of, calibration.target, worth, 0.95).ok()).flatten();
    Ok(Known {
        overlap,
        flags: flags(watched),
        expected_flags,
        policy: raised.name(),
        alarms,
        alarms_at_most_per_hour: alarms.at_most_per_hour(),
        block_s,
        p_values: Histogram::of(watched.p_values(), &Histogram::edges(0.0, 1.0, 20)),
        scores: Histogram::of(scores.into_iter().map(f64::from), edges),
        footage: watched.footage.clone(),
    })
}

/// Unknown footage, against the known.
pub(super) fn unknown(
    known: &Watched,
    watched: &Watched,
    edges: &[f64],
    raised: Raised,
) -> Result<Unknown, EvidenceError> {
    let (id, ood) = (known.scores(), watched.scores());
    detection(&id, &ood)?;
    let series = [Series { scores: &id, block: known.block() }, Series { scores: &ood, block: watched.block() }];
    let measures =
        |id: &[f32], ood: &[f32]| detection(id, ood).map_or([f64::NAN; 2], |found| [found.auroc, found.fpr95_id]);
    let [auroc, fpr95_id] = bootstrap(series, SEED, measures);
    let policy = raised.policy(1.0 / known.footage.frames_per_second);
    let cuts = measured_cuts(&raised.moments(known), &raised.moments(watched));
    Ok(Unknown {
        flags: flags(watched),
        auroc,
        fpr95_id,
        delay: delay(policy, &cuts),
        median_delay_s: median(delays_s(policy, &cuts)),
        roc: roc(id, ood),
        scores: Histogram::of(watched.scores().into_iter().map(f64::from), edges),
        footage: watched.footage.clone(),
    })
}

/// The middle one, where those that were missed are longer than any.
fn median(delays_s: Vec<Result<f64, f64>>) -> Option<f64> {
    let middle = delays_s.len().div_ceil(2).checked_sub(1)?;
    let mut noticed_s: Vec<f64> = delays_s.into_iter().flatten().collect();
    noticed_s.sort_by(f64::total_cmp);
    noticed_s.get(middle).copied()
}

/// Bins over all finite scores.
pub(super) fn score_edges(all: &[&Watched]) -> Vec<f64> {
    let finite = all.iter().flat_map(|watched| watched.seen.iter().filter_map(|seen| seen.judgement.score));
    let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), s| (low.min(s), high.max(s)));
    if low <= high { Histogram::edges(low.into(), high.into(), BINS) } else { Histogram::edges(0.0, 1.0, BINS) }
}

fn roc(mut id: Vec<f32>, mut ood: Vec<f32>) -> Vec<(f64, f64)> {
    id.sort_by(f32::total_cmp);
    ood.sort_by(f32::total_cmp);
    let above = |sorted: &[f32], threshold: f32| {
        (sorted.len() - sorted.partition_point(|score| *score <= threshold)) as f64 / sorted.len() as f64
    };
    let mut thresholds: Vec<f32> = [id.as_slice(), ood.as_slice()].concat();
    thresholds.sort_by(|a, b| b.total_cmp(a));
    let last = thresholds.len() - 1;
    let at = |point: usize| thresholds[last * point / (ROC_POINTS - 1)];
    let points = (0..ROC_POINTS).map(|point| (above(&id, at(point)), above(&ood, at(point))));
    points.chain([(1.0, 1.0)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_cuts_are_longer_than_any_in_the_median() {
        assert_eq!(median(vec![Ok(3.0), Err(60.0), Ok(1.0)]), Some(3.0));
        assert_eq!(median(vec![Ok(3.0), Err(60.0), Err(60.0)]), None);
        assert_eq!(median(vec![Ok(2.0), Ok(1.0)]), Some(1.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_roc_curve_begins_with_nothing_flagged_and_ends_with_everything() {
        let points = roc(vec![0.0, 1.0, 2.0, 3.0], vec![2.5, 4.0, 5.0]);
        assert_eq!((points[0], *points.last().unwrap()), ((0.0, 0.0), (1.0, 1.0)));
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
    }
}
