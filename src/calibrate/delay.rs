//! How long a policy takes to notice: known frames, then a cut, then frames that it should not know.
//!
//! What comes after the cut is either footage of the unknown, or a stated model of it: independent frames with
//! P(p <= x) = x^0.2 (a Lehmann alternative; half of the frames have p <= 0.031), p at least 1 / (n + 1) as from n
//! calibration scores. A model says nothing about the unknown that a robot will meet; it ranks policies alike for everybody.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::alarms::{Moment, short};
use crate::decide::Policy;
use crate::decide::policy::Watch;

/// Exponent of the model: P(p <= x) = x to this.
const SHIFT: f64 = 0.2;
/// Cuts that are tried.
const CUTS: usize = 64;
/// Known frames before each cut: as many as the longest window holds, twice over.
const FRAMES_BEFORE: usize = 256;
/// Longest wait for an alarm after a cut, in seconds.
const HORIZON_S: f64 = 60.0;
/// Most frames of it.
const FRAMES_AFTER: usize = 4096;

/// Known frames, and those that follow.
#[derive(Debug, Clone)]
pub struct Cut {
    before: Vec<Moment>,
    after: Vec<Moment>,
}

/// How long a policy took after cuts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// Cuts that were tried, without those before which the alarm was up already.
    pub cuts: usize,
    /// Cuts after which no alarm came.
    pub missed: usize,
    /// Mean delay in seconds; a missed cut counts as long as it was watched.
    pub mean_s: f64,
    /// Seconds within which 95 % of the cuts were noticed; none if more were missed.
    pub most_s: Option<f64>,
    /// The longest delay in seconds; none if a cut was missed.
    pub worst_s: Option<f64>,
}

impl Delay {
    /// Whether 95 % of the cuts were noticed within `limit_s` seconds.
    pub fn within(&self, limit_s: f64) -> bool {
        self.most_s.is_some_and(|most_s| most_s <= limit_s)
    }

    /// Of `delays_s`: seconds until the alarm, or how long was watched in vain.
    fn of(mut delays_s: Vec<Result<f64, f64>>) -> Self {
        let cuts = delays_s.len();
        let missed = delays_s.iter().filter(|delay| delay.is_err()).count();
        let mean_s =
            delays_s.iter().map(|delay| delay.unwrap_or_else(|watched| watched)).sum::<f64>() / cuts.max(1) as f64;
        delays_s.retain(Result::is_ok);
        let mut noticed_s: Vec<f64> = delays_s.into_iter().flatten().collect();
        noticed_s.sort_by(f64::total_cmp);
        let rank = (cuts * 95).div_ceil(100);
        Self {
            cuts,
            missed,
            mean_s,
            most_s: rank.checked_sub(1).and_then(|index| noticed_s.get(index)).copied(),
            worst_s: noticed_s.last().copied().filter(|_| missed == 0),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cuts, missed, mean_s, most_s, worst_s } = self;
        match (most_s, worst_s) {
            (Some(most_s), Some(worst_s)) => write!(
                formatter,
                "noticed {cuts} of {cuts} cuts: mean {} s, 95 % within {} s, worst {} s",
                short(*mean_s),
                short(*most_s),
                short(*worst_s)
            ),
            (Some(most_s), None) => {
                write!(formatter, "noticed {} of {cuts} cuts: 95 % within {} s", cuts - missed, short(*most_s))
            }
            (None, _) => write!(formatter, "noticed {} of {cuts} cuts", cuts - missed),
        }
    }
}

/// Runs a policy over every cut.
pub fn delay(policy: Policy, cuts: &[Cut]) -> Delay {
    Delay::of(delays_s(policy, cuts))
}

/// Per cut, but for those before which the alarm was up already: seconds until the alarm, or how long was watched in vain.
pub fn delays_s(policy: Policy, cuts: &[Cut]) -> Vec<Result<f64, f64>> {
    cuts.iter().filter_map(|cut| after(policy, cut)).collect()
}

/// Seconds from the first frame after the cut to the alarm, or how long was watched in vain; nothing if the alarm was up
/// before the cut.
fn after(policy: Policy, cut: &Cut) -> Option<Result<f64, f64>> {
    let mut watch = Watch::new(policy);
    for moment in &cut.before {
        watch.see(moment.time_s, moment.p);
    }
    if watch.alarm() {
        return None;
    }
    let first_s = cut.after.first()?.time_s;
    let noticed = cut.after.iter().find(|moment| watch.see(moment.time_s, moment.p));
    Some(match noticed {
        Some(moment) => Ok(moment.time_s - first_s),
        None => Err(cut.after.last()?.time_s - first_s),
    })
}

/// Cuts from known footage to frames of the model, which come as often as the known ones. `scores` set the p-values.
pub fn modelled_cuts(known: &[Moment], scores: usize) -> Vec<Cut> {
    let period_s = period_s(known);
    let mut random = fastrand::Rng::with_seed(SHIFT.to_bits());
    let smallest = 1.0 / (scores + 1) as f64;
    let frames = ((HORIZON_S / period_s) as usize).clamp(1, FRAMES_AFTER);
    let mut unknown = |_| {
        let frame =
            |index: usize| Moment { time_s: index as f64 * period_s, p: random.f64().powf(1.0 / SHIFT).max(smallest) };
        (0..frames).map(frame).collect()
    };
    join(known, (0..CUTS).map(&mut unknown).collect(), period_s)
}

/// Cuts from known footage into footage of the unknown, which is entered at places spread over its first half.
pub fn measured_cuts(known: &[Moment], unknown: &[Moment]) -> Vec<Cut> {
    let entries = unknown.len().div_ceil(2);
    let cuts = CUTS.min(entries);
    let from = |cut: usize| {
        let rest = &unknown[cut * entries / cuts..];
        let first_s = rest.first().map_or(0.0, |moment| moment.time_s);
        rest.iter().take_while(|moment| moment.time_s - first_s <= HORIZON_S).take(FRAMES_AFTER).copied().collect()
    };
    join(known, (0..cuts).map(from).collect(), period_s(known))
}

/// Puts stretches of the unknown behind stretches of the known that end at places spread over it.
fn join(known: &[Moment], unknown: Vec<Vec<Moment>>, period_s: f64) -> Vec<Cut> {
    let cuts = unknown.len();
    let joined = unknown.into_iter().enumerate().map(|(cut, mut after)| {
        let end = (cut + 1) * known.len() / cuts;
        let before = known[end.saturating_sub(FRAMES_BEFORE)..end].to_vec();
        let last_s = before.last().map_or(0.0, |moment| moment.time_s);
        let shift_s = last_s + period_s - after.first().map_or(0.0, |moment| moment.time_s);
        after.iter_mut().for_each(|moment| moment.time_s += shift_s);
        Cut { before, after }
    });
    joined.collect()
}

/// The median time between two frames, in seconds; at least a millisecond.
pub(super) fn period_s(footage: &[Moment]) -> f64 {
    let mut periods_s: Vec<f64> = footage.windows(2).map(|pair| pair[1].time_s - pair[0].time_s).collect();
    periods_s.sort_by(f64::total_cmp);
    periods_s.get(periods_s.len() / 2).copied().unwrap_or(0.0).max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::policy::Rule;

    fn steady(frames: usize, p: f64) -> Vec<Moment> {
        (0..frames).map(|index| Moment { time_s: index as f64 * 0.1, p }).collect()
    }

    fn three_of_five() -> Policy {
        Policy { rule: Rule::KOfN { level: 0.01, window: 5, enter: 3, leave: 1 }, max_gap_s: 1.0 }
    }

    #[test]
    fn the_delay_counts_from_the_first_unknown_frame() {
        let found = delay(three_of_five(), &measured_cuts(&steady(300, 0.5), &steady(100, 0.001)));
        assert_eq!((found.cuts, found.missed), (50, 0));
        // The third strange frame is 0.2 s after the first.
        for value in [Some(found.mean_s), found.most_s, found.worst_s] {
            assert!((value.unwrap() - 0.2).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn what_is_never_noticed_is_missed_and_counts_as_long_as_it_was_watched() {
        let found = delay(three_of_five(), &measured_cuts(&steady(300, 0.5), &steady(11, 0.5)));
        assert_eq!((found.cuts, found.missed, found.most_s, found.worst_s), (6, 6, None, None));
        // Entered at frames 0 to 5 of 0 to 10: watched for 1.0 to 0.5 s.
        assert!((found.mean_s - 0.75).abs() < 1e-9, "{found:?}");
        assert_eq!(found.to_string(), "noticed 0 of 6 cuts");
        assert!(!found.within(60.0));
    }

    #[test]
    fn a_cut_in_the_middle_of_an_alarm_shows_nothing_and_is_left_out() {
        let found = delay(three_of_five(), &measured_cuts(&steady(300, 0.001), &steady(100, 0.001)));
        assert_eq!(found, Delay::default());
    }

    #[test]
    fn ninety_five_percent_are_counted_over_all_cuts_missed_ones_included() {
        let delays = |noticed: usize, missed: usize| {
            let all = (1..=noticed).map(|delay| Ok(delay as f64)).chain((0..missed).map(|_| Err(60.0)));
            Delay::of(all.collect())
        };
        assert_eq!((delays(20, 0).most_s, delays(20, 0).worst_s), (Some(19.0), Some(20.0)));
        assert_eq!((delays(19, 1).most_s, delays(19, 1).worst_s), (Some(19.0), None));
        assert_eq!(delays(18, 2).most_s, None);
    }

    #[test]
    fn half_of_the_modelled_frames_have_a_p_value_below_its_median_and_none_is_finer_than_the_scores() {
        let cuts = modelled_cuts(&steady(1000, 0.5), 999);
        let all: Vec<f64> = cuts.iter().flat_map(|cut| cut.after.iter().map(|moment| moment.p)).collect();
        let below = all.iter().filter(|p| **p <= 0.5_f64.powf(5.0)).count() as f64 / all.len() as f64;
        assert!((below - 0.5).abs() < 0.01, "{below}");
        assert!(all.iter().all(|p| *p >= 0.001));
    }
}
