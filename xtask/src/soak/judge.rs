//! Holds what a run said against what was promised.

use std::time::Duration;

use anyhow::{Context, Result};
use oodwatch::config::{CameraConfig, Config};
use oodwatch::source::SourceConfig;
use oodwatch::source::faults::{Circumstances, Expectation, FaultConfig, taken_ns};
use oodwatch::verdict::Verdict;

use super::plan::{BETWEEN, INTERVAL, Interrupts, Plan};
use super::report::{Counts, Drift, Outcome, Report, Told};
use super::watch::{Interrupted, Watched};

/// What the operating system may take to wake a thread, in addition to a deadline.
const MARGIN: Duration = Duration::from_millis(250);

/// Judges a whole run.
///
/// # Errors
/// When the config or the log is not what it should be.
pub(super) fn judge(plan: &Plan, config: &Config, watched: &Watched) -> Result<Report> {
    let mut report = Report::new(plan, watched);
    let deadline = Duration::from_millis(config.decide.deadline_ms);
    for (camera, faults) in config.camera.iter().zip(&plan.faults) {
        let of_camera = watched.verdicts.iter().filter(|verdict| verdict.camera == camera.name);
        let verdicts: Vec<&Verdict> = of_camera.collect();
        let ends = faults.iter().skip(1).map(|next| next.from_frame.unwrap_or(0)).chain([plan.frames()]);
        for (fault, until) in faults.iter().zip(ends) {
            report.outcomes.push(outcome(fault, until, camera, config, &verdicts)?);
        }
        report.misses.extend(counted_on(&camera.name, &verdicts));
        report.misses.extend(silences(&camera.name, &verdicts, &watched.interrupted, deadline));
        let counts = counts(&camera.name, &watched.stderr)?;
        report.misses.extend(uncounted(&camera.name, counts, &verdicts));
        report.counts.push((camera.name.clone(), counts));
    }
    report.misses.extend(unanswered(watched, config, deadline));
    if watched.code != Some(0) {
        report.misses.push(format!("the program ended with {:?}, wanted code 0", watched.code));
    }
    report.drift = Drift::of(&watched.samples, plan.lasts);
    Ok(report)
}

/// What became of one fault; the next one begins at frame `until`.
fn outcome(
    fault: &FaultConfig,
    until: u64,
    camera: &CameraConfig,
    config: &Config,
    verdicts: &[&Verdict],
) -> Result<Outcome> {
    let SourceConfig::Faults(faults) = &camera.source else { anyhow::bail!("camera {} has no faults", camera.name) };
    let given = Circumstances {
        health: &config.health,
        decide: &config.decide,
        source: &faults.source,
        interval: INTERVAL,
        is_measured: true,
        is_masked: false,
    };
    let expectation = fault.expectation(&given)?;
    let (from, lasts) = (fault.from_frame.unwrap_or(0), fault.for_frames.unwrap_or(0));
    let began_ns =
        began_ns(from, verdicts).with_context(|| format!("{}: no verdict before frame {from}", camera.name))?;
    let told = match &expectation {
        Expectation::NotPromised { .. } => Told::NotPromised,
        Expectation::Told { within, .. } => match expectation.told(began_ns, verdicts.iter().copied()) {
            Some((sign, after)) if after <= *within => Told::InTime { sign, after, within: *within },
            _ => Told::Missed { within: *within },
        },
    };
    let good = from + lasts..until;
    let recovered = verdicts.iter().any(|verdict| verdict.safe && verdict.frame.is_some_and(|it| good.contains(&it)));
    Ok(Outcome { camera: camera.name.clone(), kind: fault.kind, from_frame: from, told, recovered })
}

/// When a frame was due, by the good ones before it. A busy machine takes a frame too late, never too early: the earliest one tells.
/// By one that was late, a fault would begin after it was told of. Where all of them were dropped, the last frame before them tells.
fn began_ns(from: u64, verdicts: &[&Verdict]) -> Option<u64> {
    let good = from.saturating_sub(BETWEEN.start)..from;
    let before = verdicts.iter().filter(|verdict| verdict.frame.is_some_and(|frame| good.contains(&frame)));
    let earliest = before.filter_map(|verdict| taken_ns(from, verdict, INTERVAL)).min();
    let last = || verdicts.iter().rfind(|verdict| verdict.frame.is_some_and(|frame| frame < from));
    earliest.or_else(|| taken_ns(from, last()?, INTERVAL))
}

/// Every verdict counts on by one.
fn counted_on(camera: &str, verdicts: &[&Verdict]) -> Option<String> {
    let wrong = verdicts.iter().zip(1..).find(|(verdict, wanted)| verdict.alive != *wanted);
    wrong.map(|(verdict, wanted)| format!("{camera}: alive is {}, wanted {wanted}", verdict.alive))
}

/// No deadline passes without a verdict, but for those in which the process could not say anything.
fn silences(camera: &str, verdicts: &[&Verdict], interrupted: &[Interrupted], deadline: Duration) -> Vec<String> {
    let pairs = verdicts.windows(2).filter_map(|pair| {
        let (before, after) = (pair[0].monotonic_ns, pair[1].monotonic_ns);
        let silent = Duration::from_nanos(after.saturating_sub(before));
        let excused = interrupted.iter().any(|it| it.from_ns < after && before < it.to_ns);
        (silent > deadline + MARGIN && !excused)
            .then(|| format!("{camera}: {} ms without a verdict, before number {}", silent.as_millis(), pair[1].alive))
    });
    pairs.collect()
}

/// After an interruption the next verdict comes within a deadline, and nothing safe was said meanwhile.
fn unanswered(watched: &Watched, config: &Config, deadline: Duration) -> Vec<String> {
    let mut misses = Vec::new();
    for camera in &config.camera {
        let mut verdicts = watched.verdicts.iter().filter(|verdict| verdict.camera == camera.name);
        for Interrupted { kind, to_ns, .. } in watched.interrupted.iter().filter(|it| it.kind == Interrupts::Stopped) {
            let answer = verdicts.find(|verdict| verdict.monotonic_ns >= *to_ns);
            let after = answer.map(|verdict| Duration::from_nanos(verdict.monotonic_ns - to_ns));
            if after.is_none_or(|after| after > deadline + MARGIN) {
                misses.push(format!("{}: {kind:?} for a while, and then a verdict after {after:?}", camera.name));
            }
        }
    }
    let stale = watched.verdicts.iter().filter(|it| it.safe && it.age_ms.is_none_or(|age| age > it.deadline_ms as f64));
    misses.extend(stale.map(|it| format!("{}: number {} is safe on {:?} ms old news", it.camera, it.alive, it.age_ms)));
    misses
}

/// The counts in the program's last words about a camera.
fn counts(camera: &str, stderr: &str) -> Result<Counts> {
    let start = format!("camera {camera}: ");
    let line = stderr.lines().rev().find_map(|line| line.strip_prefix(&start));
    let line = line.with_context(|| format!("no counts of camera {camera} in the log:\n{stderr}"))?;
    let numbers = line.split(';').next().unwrap_or_default().split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let [captured, judged, dropped, bad] = numbers[..] else { anyhow::bail!("camera {camera}: {line:?}") };
    Ok(Counts { captured, judged, dropped, bad })
}

/// What the counts and the verdicts do not agree in.
fn uncounted(camera: &str, counts: Counts, verdicts: &[&Verdict]) -> Vec<String> {
    let Counts { captured, judged, dropped, bad } = counts;
    let on_frames = verdicts.iter().filter(|verdict| verdict.frame.is_some()).count() as u64;
    let last = verdicts.last().map_or((0, 0), |verdict| (verdict.dropped, verdict.bad));
    let checks = [
        (captured == judged + dropped + bad, format!("captured {captured} = {judged} + {dropped} + {bad}")),
        (judged == on_frames, format!("judged {judged} = {on_frames} verdicts on frames")),
        (last.0 <= dropped && last.1 == bad, format!("last told {last:?} of dropped {dropped} and bad {bad}")),
    ];
    let wrong = checks.into_iter().filter(|(holds, _)| !holds);
    wrong.map(|(_, what)| format!("{camera}: does not add up: {what}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_was_taken_late_does_not_put_off_the_beginning_of_a_fault() {
        let verdict = |frame: u64, taken_ms: u64| -> Verdict {
            let like: Verdict = serde_json::from_str(include_str!("../../../fuzz/corpus/verdict/1.json")).unwrap();
            Verdict { frame: Some(frame), age_ms: Some(5.0), monotonic_ns: (taken_ms + 5) * 1_000_000, ..like }
        };
        let all = [verdict(40, 4_000), verdict(97, 12_000), verdict(98, 9_801), verdict(99, 9_960)];
        let began = |frames: &[Verdict]| began_ns(100, &frames.iter().collect::<Vec<_>>());
        assert_eq!(began(&all), Some(10_001_000_000));
        assert_eq!(began(&all[..1]), Some(10_000_000_000));
        assert_eq!(began(&[]), None);
    }

    #[test]
    fn counts_are_read_from_the_last_words_about_a_camera() {
        let log = "warning: camera front: 9 frames\ncamera front: 61 frames captured = 50 judged + 4 dropped + 7 bad; 3 \
                   flagged; 1 verdicts later than the deadline; 2 deadlines passed without a judged frame; 9.9 frames/s\ndone: 99 frames captured";
        let wanted = Counts { captured: 61, judged: 50, dropped: 4, bad: 7 };
        assert_eq!(counts("front", log).unwrap(), wanted);
        assert!(counts("rear", log).is_err());
        assert_eq!(uncounted("front", Counts { bad: 6, ..wanted }, &[]).len(), 3);
    }
}
