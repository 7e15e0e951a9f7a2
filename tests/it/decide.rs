//! Decision over time: `oodwatch calibrate --max-false-alarms-per-hour`, and what `run` makes of it.

use std::path::PathBuf;

use oodwatch::calibrate::CalibratedPolicy;
use oodwatch::package::Package;
use oodwatch::score::ScoreName;
use oodwatch::verdict::{Reason, State, Verdict};

use crate::support::{Bench, Ran, Tool, have, known, strange};

/// 30 frames/s for 30 s: 10 s each for thresholds, the choice of a policy and its test.
const FOOTAGE: u32 = 900;

fn calibrate(bench: &Bench, out: &str, more: &[&str]) -> Ran {
    let mut arguments = vec!["calibrate", "--model", "package", "--from", "footage", "--false-alarm-rate", "0.05"];
    arguments.extend(["--score", "energy", "--out", out]);
    arguments.extend(more);
    bench.run(&arguments)
}

fn policy(bench: &Bench, package: &str) -> Option<CalibratedPolicy> {
    let calibration = Package::open(&bench.path(package)).unwrap().calibration;
    calibration.scores[&ScoreName::Energy].policy.clone()
}

fn config(bench: &Bench, package: &str, decide: &str) -> PathBuf {
    bench.write(
        "config.toml",
        &format!(
            "[[camera]]\n[camera.source.images]\npath = \"pictures\"\n[model]\npackage = \"{package}\"\n\
             [decide]\ndeadline_ms = 60000\n{decide}\n"
        ),
    )
}

fn run(bench: &Bench, package: &str, decide: &str) -> Ran {
    let config = config(bench, package, decide).display().to_string();
    bench.run(&["run", "--config", &config])
}

/// 100 known pictures with a strange one among them, 60 strange ones, 300 known ones.
fn stream(bench: &Bench) {
    bench.pictures("pictures", 0, 460, known);
    bench.pictures("pictures", 50, 1, strange);
    bench.pictures("pictures", 100, 60, strange);
}

#[test]
fn a_calibrated_policy_passes_over_a_single_strange_frame_raises_an_alarm_and_clears_it() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 1000, FOOTAGE, known);
    let said = calibrate(&bench, "mine", &["--max-false-alarms-per-hour", "60"])
        .expect(0, &["takes 3.0 min without an alarm", "has 9.9 s"])
        .stdout;
    for part in
        ["policies for at most 60 false alarms per hour", "chosen on 0 false alarms in", "tested on", "noticed 64"]
    {
        assert!(said.contains(part), "{part:?} is missing from:\n{said}");
    }
    stream(&bench);
    let verdicts = run(&bench, "mine", "max_false_alarms_per_hour = 60.0").expect(0, &[]).verdicts();
    let calibrated = policy(&bench, "mine").unwrap();
    assert!(verdicts.iter().all(|verdict| verdict.policy == calibrated.policy.name() && verdict.schema == 3));
    assert!(verdicts.iter().all(|verdict| verdict.alarm_threshold == Some(calibrated.policy.threshold())));
    // Flagged, and nominal: a single frame is no alarm.
    assert_eq!((verdicts[50].flag, verdicts[50].state, verdicts[50].safe), (Some(true), State::Nominal, true));
    assert!(verdicts[..100].iter().all(|verdict| verdict.state == State::Nominal));
    assert_eq!((verdicts[159].state, verdicts[159].reasons.as_slice()), (State::Ood, [Reason::Alarm].as_slice()));
    // Held while known frames come back, then cleared.
    assert_eq!((verdicts[160].state, verdicts[160].flag), (State::Ood, Some(false)));
    assert_eq!(verdicts[459].state, State::Nominal);

    let again = run(&bench, "mine", "").expect(0, &[]).verdicts();
    let decided = |verdict: &Verdict| (verdict.state, verdict.alarm_statistic, verdict.reasons.clone());
    assert!(verdicts.iter().map(decided).eq(again.iter().map(decided)), "a replay decides otherwise");

    let alone = run(&bench, "mine", "policy = \"frame\"").expect(0, &[]).verdicts();
    assert!(alone.iter().all(|verdict| (verdict.state == State::Ood) == (verdict.flag == Some(true))));
    assert!(alone.iter().all(|verdict| verdict.policy == "frame" && verdict.alarm_statistic.is_none()));
}

#[test]
fn the_same_footage_gives_the_same_policy_and_the_unknown_can_be_footage_too() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 1000, FOOTAGE, known);
    bench.pictures("foreign", 0, 120, strange);
    let with = ["--max-false-alarms-per-hour", "60", "--max-delay-s", "2", "--ood", "foreign"];
    let said = calibrate(&bench, "a", &with).expect(0, &[]).stdout;
    assert!(said.contains("foreign: noticed 30 of 30 cuts"), "{said}");
    calibrate(&bench, "b", &with).expect(0, &[]);
    assert_eq!(policy(&bench, "a"), policy(&bench, "b"));
    let id = |package: &str| Package::open(&bench.path(package)).unwrap().id;
    assert_eq!(id("a"), id("b"));
    bench.pictures("pictures", 0, 2, known);
    let text = config(&bench, "a", "max_delay_s = 2.0").display().to_string();
    let checked = bench.run(&["check", "--config", &text]).expect(0, &[]).stdout;
    assert!(checked.contains("ok  decide   ") && checked.contains("per hour, at most"), "{checked}");
}

#[test]
fn strict_refuses_what_the_footage_does_not_show_with_the_hours_it_takes() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 1000, FOOTAGE, known);
    calibrate(&bench, "mine", &["--max-false-alarms-per-hour", "1", "--strict"])
        .expect(2, &["energy: the rate takes 3.0 h without an alarm", "this one has 9.9 s"]);
    assert!(!bench.path("mine").exists());
    // 9.9 s are enough for 3.0 / 9.9 s, some 1100 an hour.
    calibrate(&bench, "mine", &["--max-false-alarms-per-hour", "1500", "--strict"]).expect(0, &[]);
}

#[test]
fn a_package_that_was_calibrated_for_more_false_alarms_or_for_none_is_refused_with_both_numbers() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 1000, FOOTAGE, known);
    bench.pictures("pictures", 0, 2, known);
    calibrate(&bench, "mine", &["--max-false-alarms-per-hour", "60"]).expect(0, &[]);
    run(&bench, "mine", "max_false_alarms_per_hour = 1.0").expect(
        3,
        &[
            "decide.max_false_alarms_per_hour is 1, but the package's policy was calibrated for 60",
            "oodwatch calibrate",
        ],
    );
    run(&bench, "package", "max_false_alarms_per_hour = 1.0").expect(3, &["the package has no policy over time"]);
    let frames = run(&bench, "package", "").expect(0, &[]).verdicts();
    assert!(frames.iter().all(|verdict| verdict.policy == "frame"));
    run(&bench, "mine", "policy = \"frame\"\nmax_delay_s = 1.0").expect(2, &["decide.policy is \"frame\", wanted"]);
}

#[test]
fn pictures_in_no_order_and_demands_without_a_rate_are_usage_errors() {
    let bench = Bench::new();
    let shuffled = ["--max-false-alarms-per-hour", "1", "--order", "shuffled"];
    calibrate(&bench, "mine", &shuffled).expect(2, &["--order shuffled has none"]);
    calibrate(&bench, "mine", &["--strict"]).expect(2, &["--max-false-alarms-per-hour <R>"]);
    calibrate(&bench, "mine", &["--max-false-alarms-per-hour", "0"]).expect(2, &["wanted a positive number"]);
}
