//! The machine that the monitor runs on, made of files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use oodwatch::health::{Kind, Level};
use oodwatch::verdict::{Reason, State};

use crate::support::{Bench, Tool, have, known};

/// Unpacks a board of tests/golden/boards into the bench's folder `board`, and gives a config that is watched on it.
fn config(bench: &Bench, board: &str, more: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/boards/{board}.toml"));
    let files: BTreeMap<String, String> = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for (path, text) in files {
        bench.write(&format!("board{path}"), &text);
    }
    bench.pictures("pictures", 0, 60, known);
    let source = "[camera.source.images]\npath = \"pictures\"\nframes_per_second = 30.0\nrealtime = true";
    let board = format!("[board]\nroot = \"board\"\ninterval_s = 0.1\n{more}");
    bench.config(&format!("{source}\n{board}")).display().to_string()
}

#[test]
fn check_says_what_the_board_is_and_warns_of_its_heat() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let config = config(&bench, "xavier-nx-jetpack5", "");
    let said = ["board: CPU-therm is 4.5 C from where the board switches itself off"];
    let ran = bench.run(&["check", "--config", &config]).expect(0, &said);
    for part in [
        "ok  board    NVIDIA Jetson Xavier NX Developer Kit, JetPack 5 (L4T R35.4.1), power mode 2 MODE_15W_6CORE",
        "ok  board    GPU 100 % at 1109 MHz",
        "throttled by thermal-cpufreq-0, cpu-throttle-alert",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} is missing from:\n{}", ran.stdout);
    }
}

#[test]
fn a_throttled_board_is_told_once_in_the_log_and_in_every_verdict_and_changes_no_state() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let config = config(&bench, "xavier-nx-jetpack5", "");
    let ran = bench.run(&["run", "--config", &config]).expect(0, &[]);
    let told = ran.stderr.matches("board: throttled by thermal-cpufreq-0, cpu-throttle-alert").count();
    assert_eq!(told, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("\nboard: throttled for "), "{}", ran.stderr);
    let verdict = ran.verdicts().into_iter().rfind(|verdict| verdict.frame.is_some()).unwrap();
    let found: Vec<_> = verdict.health.iter().map(|finding| (finding.kind, finding.level)).collect();
    assert!(found.ends_with(&[(Kind::BoardThrottled, Level::Warn), (Kind::BoardHot, Level::Warn)]), "{found:?}");
    assert!(verdict.safe, "{verdict:?}");
}

#[test]
fn a_throttled_board_is_degraded_where_the_config_says_so() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let config = config(&bench, "xavier-nx-jetpack5", "on_throttling = \"error\"");
    let ran = bench.run(&["run", "--config", &config]).expect(0, &[]);
    let verdict = ran.verdicts().into_iter().rfind(|verdict| verdict.frame.is_some()).unwrap();
    assert_eq!((verdict.state, verdict.safe), (State::Degraded, false), "{verdict:?}");
    assert!(verdict.reasons.contains(&Reason::Unhealthy), "{verdict:?}");
}

#[test]
fn a_cool_board_is_told_nowhere_and_a_wrong_value_by_name() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let ran = bench.run(&["run", "--config", &config(&bench, "orin-nano-jetpack6", "")]).expect(0, &[]);
    assert!(!ran.stderr.contains("throttled by") && ran.stderr.contains("board: throttled for 0 s"), "{}", ran.stderr);
    let wrong = config(&bench, "orin-nano-jetpack6", "hot_margin_c = -1.0");
    bench.run(&["check", "--config", &wrong]).expect(2, &["board.hot_margin_c is -1, wanted 0 to 50"]);
}
