//! What the verdicts on a stream amount to: flagged shares, detection delays, speed; and whether the demo holds.

use std::ops::Range;

use anyhow::{Context, Result};
use jiff::Timestamp;
use oodwatch::calibrate::{Target, beta_binomial_interval};
use oodwatch::verdict::Verdict;

use super::monitor::Watched;
use super::stream::{Kind, Stream};

/// The probability with which the known part's flags have to lie inside the interval.
pub(super) const COVERAGE: f64 = 0.99;

/// What one package made of one stream.
#[derive(Debug)]
pub(super) struct Report {
    /// Per segment, in order.
    pub(super) segments: Vec<SegmentReport>,
    /// Frames per second over the whole run, start included.
    pub(super) frames_per_second: f64,
    /// Per stage in the way of a frame: name, p50, p99, in microseconds.
    pub(super) stages_us: Vec<(&'static str, u64, u64)>,
}

/// What one package made of one segment.
#[derive(Debug)]
pub(super) struct SegmentReport {
    /// The segment's name.
    pub(super) name: String,
    /// What it shows.
    pub(super) kind: Kind,
    /// Its frames.
    pub(super) frames: Range<usize>,
    /// How many of them were flagged.
    pub(super) flagged: usize,
    /// From its first frame to the first that was flagged; none when none was.
    pub(super) delay: Option<Delay>,
}

/// A detection delay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Delay {
    /// 0 when the first frame was flagged.
    pub(super) frames: usize,
    /// In the camera's time.
    pub(super) seconds: f64,
}

/// A count with what it is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// How many.
    pub(super) flagged: usize,
    /// Of how many.
    pub(super) frames: usize,
}

impl Share {
    /// In per cent; 0 of nothing.
    pub(super) fn percent(self) -> f64 {
        100.0 * self.flagged as f64 / self.frames.max(1) as f64
    }
}

impl Report {
    /// Sums up a run over a stream.
    ///
    /// # Errors
    /// When a verdict has no capture time.
    pub(super) fn new(stream: &Stream, watched: &Watched) -> Result<Report> {
        let mut segments = Vec::new();
        for (start, segment) in stream.with_starts() {
            let frames = start..start + segment.pictures.len();
            let verdicts = &watched.verdicts[frames.clone()];
            segments.push(SegmentReport {
                name: segment.name.clone(),
                kind: segment.kind,
                frames,
                flagged: verdicts.iter().filter(|verdict| flagged(verdict)).count(),
                delay: delay(verdicts)?,
            });
        }
        Ok(Report {
            segments,
            frames_per_second: watched.verdicts.len() as f64 / watched.wall_seconds,
            stages_us: stages(&watched.verdicts),
        })
    }

    /// The share flagged of everything that shows `kind`.
    pub(super) fn share(&self, kind: Kind) -> Share {
        let segments = || self.segments.iter().filter(|segment| segment.kind == kind);
        Share {
            flagged: segments().map(|segment| segment.flagged).sum(),
            frames: segments().map(|segment| segment.frames.len()).sum(),
        }
    }
}

/// Whether a frame was flagged.
pub(super) fn flagged(verdict: &Verdict) -> bool {
    verdict.flag == Some(true)
}

fn delay(verdicts: &[Verdict]) -> Result<Option<Delay>> {
    let Some(frames) = verdicts.iter().position(flagged) else { return Ok(None) };
    let seconds = captured_at(&verdicts[frames])?.duration_since(captured_at(&verdicts[0])?).as_secs_f64();
    Ok(Some(Delay { frames, seconds }))
}

fn captured_at(verdict: &Verdict) -> Result<Timestamp> {
    let text = verdict.captured_at.as_deref().context("a verdict on a frame has no captured_at")?;
    text.parse().with_context(|| format!("captured_at {text:?}"))
}

fn stages(verdicts: &[Verdict]) -> Vec<(&'static str, u64, u64)> {
    let stage = |name, time: fn(&Verdict) -> Option<u64>| {
        let mut times: Vec<u64> = verdicts.iter().filter_map(time).collect();
        times.sort_unstable();
        (name, quantile(&times, 0.50), quantile(&times, 0.99))
    };
    vec![
        stage("decode", |verdict| verdict.stages_us.decode),
        stage("health", |verdict| verdict.stages_us.health),
        stage("preprocess", |verdict| verdict.stages_us.preprocess),
        stage("infer", |verdict| verdict.stages_us.infer),
        stage("score", |verdict| verdict.stages_us.score),
        stage("decide", |verdict| verdict.stages_us.decide),
    ]
}

/// The smallest value that at least the share `q` does not exceed; 0 of nothing.
fn quantile(sorted: &[u64], q: f64) -> u64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// How many flags on the known part the calibration allows.
///
/// # Errors
/// When the calibration was too small for its rate.
pub(super) fn allowed_flags(calibrated_on: usize, rate: f64, known: usize) -> Result<(usize, usize)> {
    Ok(beta_binomial_interval(calibrated_on, Target::rate(rate), known, COVERAGE)?)
}

/// What of the demo does not hold, in plain sentences; empty when all does.
pub(super) fn failures(allowed: (usize, usize), background: &Report, control: &Report) -> Vec<String> {
    let mut failures = Vec::new();
    for (name, report) in [("background", background), ("control", control)] {
        let known = report.share(Kind::Known);
        if known.flagged < allowed.0 || known.flagged > allowed.1 {
            failures.push(format!(
                "The {name} package flagged {} of {} known frames; its calibration allows {} to {}.",
                known.flagged, known.frames, allowed.0, allowed.1
            ));
        }
    }
    let (ours, theirs) = (background.share(Kind::Unknown), control.share(Kind::Unknown));
    if ours.flagged <= theirs.flagged {
        failures.push(format!(
            "The background package flagged {} of {} unknown frames, not more than the control's {}.",
            ours.flagged, ours.frames, theirs.flagged
        ));
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(known_flagged: usize, unknown_flagged: usize) -> Report {
        let segment = |kind, frames, flagged| SegmentReport { name: String::new(), kind, frames, flagged, delay: None };
        Report {
            segments: vec![
                segment(Kind::Known, 0..60, known_flagged),
                segment(Kind::Unknown, 60..100, unknown_flagged),
                segment(Kind::Known, 100..140, 0),
            ],
            frames_per_second: 1.0,
            stages_us: Vec::new(),
        }
    }

    #[test]
    fn shares_are_summed_over_all_segments_of_a_kind() {
        let report = report(5, 30);
        assert_eq!(report.share(Kind::Known), Share { flagged: 5, frames: 100 });
        assert_eq!(report.share(Kind::Unknown).percent(), 75.0);
    }

    fn check(background: (usize, usize), control: (usize, usize), expected: &[&str]) {
        let found = failures((2, 9), &report(background.0, background.1), &report(control.0, control.1));
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (sentence, part) in found.iter().zip(expected) {
            assert!(sentence.contains(part), "{sentence}");
        }
    }

    #[test]
    fn the_demo_holds_only_inside_the_interval_and_above_the_control() {
        check((5, 30), (2, 29), &[]);
        check((1, 30), (5, 29), &["background package flagged 1 of 100 known"]);
        check((5, 30), (10, 29), &["control package flagged 10 of 100 known"]);
        check((5, 30), (5, 30), &["30 of 40 unknown frames, not more than the control's 30"]);
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        assert_eq!(quantile(&[1, 2, 3, 4], 0.5), 2);
        assert_eq!(quantile(&[1, 2, 3, 4], 0.99), 4);
        assert_eq!(quantile(&[], 0.5), 0);
    }
}
