//! Counts the alarms that a policy raises on in-distribution footage: all of them are false.
//!
//! Alarms of one cause come in bursts. An alarm that begins less than a block after the last counted one is not counted
//! again; a block is at least twice the autocorrelation time of the p-values, so that counted alarms have little to do
//! with each other and a Poisson law describes their number. The time that counts is the time in which an alarm could
//! begin, that is without the time in alarm: a policy that never clears its alarm gains nothing by it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::poisson::{LIMIT_CONFIDENCE, upper_limit_per_hour};
use crate::decide::Policy;
use crate::decide::policy::Watch;

/// What a frame of footage has to say to a policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// When it was taken, in seconds.
    pub time_s: f64,
    /// Its p-value; 0 where its score is no number.
    pub p: f64,
}

/// The false alarms of a policy on some footage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FalseAlarms {
    /// How many were counted.
    pub alarms: u64,
    /// Hours in which one could begin.
    pub hours: f64,
    /// Hours in alarm besides.
    pub hours_in_alarm: f64,
}

impl FalseAlarms {
    /// Alarms over hours; infinite where the footage is nothing but alarm.
    pub fn per_hour(&self) -> f64 {
        if self.hours > 0.0 { self.alarms as f64 / self.hours } else { f64::INFINITY }
    }

    /// The exact Poisson limit with a confidence of 95 %.
    pub fn at_most_per_hour(&self) -> f64 {
        upper_limit_per_hour(self.alarms, self.hours)
    }
}

impl fmt::Display for FalseAlarms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.alarms == 1 { "" } else { "s" };
        write!(
            formatter,
            "{} false alarm{plural} in {}: {} per hour, at most {} ({:.0} %)",
            self.alarms,
            time_of(self.hours),
            short(self.per_hour()),
            short(self.at_most_per_hour()),
            100.0 * LIMIT_CONFIDENCE
        )?;
        if self.hours_in_alarm > 0.0 {
            write!(formatter, "; {} in alarm", time_of(self.hours_in_alarm))?;
        }
        Ok(())
    }
}

/// A number in three digits, or whole where it is large.
pub fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".into(),
        large if large >= 100.0 => format!("{number:.0}"),
        middle if middle >= 1.0 => format!("{number:.1}"),
        small if small >= 0.1 => format!("{number:.2}"),
        small if small >= 0.01 => format!("{number:.3}"),
        _ => format!("{number:.1e}"),
    }
}

/// Hours as `3.0 h`, `45.0 min` or `9.7 s`.
pub fn time_of(hours: f64) -> String {
    match hours * 60.0 {
        minutes if minutes >= 60.0 => format!("{} h", short(hours)),
        minutes if minutes >= 1.0 => format!("{} min", short(minutes)),
        minutes => format!("{} s", short(minutes * 60.0)),
    }
}

/// Runs a policy over footage and counts. `block_s` is the length of a block in seconds.
pub fn false_alarms(policy: Policy, footage: &[Moment], block_s: f64) -> FalseAlarms {
    let mut watch = Watch::new(policy);
    let mut counted_s = f64::NEG_INFINITY;
    let mut last_s = None;
    let (mut alarms, mut calm_s, mut alarmed_s) = (0, 0.0, 0.0);
    for moment in footage {
        let passed_s = last_s.map_or(0.0, |last_s| moment.time_s - last_s);
        last_s = Some(moment.time_s);
        let before = watch.alarm();
        // What happened in a gap nobody saw.
        if (0.0..=policy.max_gap_s).contains(&passed_s) {
            *(if before { &mut alarmed_s } else { &mut calm_s }) += passed_s;
        }
        let raised = watch.see(moment.time_s, moment.p) && !before;
        if raised && moment.time_s - counted_s >= block_s {
            alarms += 1;
            counted_s = moment.time_s;
        }
    }
    FalseAlarms { alarms, hours: calm_s / 3600.0, hours_in_alarm: alarmed_s / 3600.0 }
}

/// How long footage is, in hours, without its gaps.
pub(super) fn hours(footage: &[Moment], max_gap_s: f64) -> f64 {
    let steps_s = footage.windows(2).map(|pair| pair[1].time_s - pair[0].time_s);
    steps_s.filter(|step_s| (0.0..=max_gap_s).contains(step_s)).sum::<f64>() / 3600.0
}

/// The largest value that a policy's statistic takes on footage.
pub(super) fn highest(policy: Policy, footage: &[Moment]) -> f64 {
    let mut watch = Watch::new(policy);
    let statistics = footage.iter().map(|moment| {
        watch.see(moment.time_s, moment.p);
        watch.statistic()
    });
    statistics.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame per second; true is strange.
    fn footage(strange: &[bool]) -> Vec<Moment> {
        let moment =
            |(second, strange): (usize, &bool)| Moment { time_s: second as f64, p: if *strange { 0.001 } else { 0.5 } };
        strange.iter().enumerate().map(moment).collect()
    }

    fn at(seconds: &[usize], length: usize) -> Vec<Moment> {
        footage(&(0..length).map(|second| seconds.contains(&second)).collect::<Vec<_>>())
    }

    #[test]
    fn alarms_closer_than_a_block_count_once_and_time_in_alarm_is_no_time_at_risk() {
        let policy = Policy::frame(0.01, 1.0);
        let footage = at(&[10, 15, 19, 20, 40], 51);
        let found = false_alarms(policy, &footage, 10.0);
        // 10 counts, 15 and 19 are within its block, 20 continues 19, 40 counts. Alarms last a second each, 19 to 21 two.
        assert_eq!(found.alarms, 2);
        assert!((found.hours_in_alarm * 3600.0 - 5.0).abs() < 1e-9);
        assert!((found.hours * 3600.0 - 45.0).abs() < 1e-9);
        assert_eq!(false_alarms(policy, &footage, 1.0).alarms, 4);
    }

    #[test]
    fn a_long_series_of_close_alarms_counts_once_per_block_not_once() {
        let every_third: Vec<usize> = (0..300).step_by(3).collect();
        assert_eq!(false_alarms(Policy::frame(0.01, 1.0), &at(&every_third, 300), 30.0).alarms, 10);
    }

    #[test]
    fn an_alarm_that_never_ends_leaves_little_time_and_therefore_a_high_rate() {
        let found =
            false_alarms(Policy::frame(0.01, 1.0), &footage(&[vec![false; 2], vec![true; 3600]].concat()), 10.0);
        assert_eq!(found.alarms, 1);
        assert!(found.per_hour() > 1000.0, "{found}");
    }

    #[test]
    fn what_lies_between_two_recordings_is_not_counted_as_time() {
        let mut footage = at(&[], 11);
        footage.extend(at(&[], 11).into_iter().map(|moment| Moment { time_s: moment.time_s + 1000.0, ..moment }));
        assert!((false_alarms(Policy::frame(0.01, 1.0), &footage, 1.0).hours * 3600.0 - 20.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_told_briefly() {
        let found = FalseAlarms { alarms: 1, hours: 0.25, hours_in_alarm: 0.0 };
        assert_eq!(found.to_string(), "1 false alarm in 15.0 min: 4.0 per hour, at most 19.0 (95 %)");
        assert_eq!([3.0, 1.0, 0.75, 0.0027, 0.0].map(time_of), ["3.0 h", "1.0 h", "45.0 min", "9.7 s", "0 s"]);
    }
}
