//! The kernel's own camera shows one scene in every format, matrix and range; the driver says which, and the verdicts have
//! to be the same.

use super::{VIVID, config};
use crate::support::lab::{Lab, Watched};
use crate::support::{Bench, Tool, have};

/// Bars of pure colours, without the running clock.
const SCENE: [&str; 2] = ["Test Pattern = 1", "OSD Text Mode = 2"];
/// How far a score may be off: what rounding to 8 bits, in YCbCr and back, makes of it. The wrong matrix makes 0.08, the
/// wrong range 0.14.
const TOLERANCE: f32 = 0.03;

/// Scores of the scene in some formats, each after some controls were set.
fn scores(runs: &[(&str, &str, &[&str])]) -> Option<Vec<f32>> {
    let lab = Lab::new()?.vivid(1);
    let bench = Bench::new();
    let mut orders: Vec<String> = SCENE.map(|control| format!("set {VIVID} {control}")).to_vec();
    for (name, format, controls) in runs {
        config(&bench, name, VIVID, format, "320x180");
        orders.extend(controls.iter().map(|control| format!("set {VIVID} {control}")));
        orders.extend([format!("run {name} {name}.toml --max-frames 4"), format!("finish {name}")]);
    }
    lab.carry_out(&bench, &orders.iter().map(String::as_str).collect::<Vec<_>>());
    Some(runs.iter().map(|(name, ..)| steady_score(&lab.watched(name))).collect())
}

/// The one score of a scene that does not move.
fn steady_score(watched: &Watched) -> f32 {
    let scores: Vec<f32> = watched.verdicts.iter().filter_map(|verdict| verdict.score).collect();
    assert!(!scores.is_empty(), "{}", watched.ran.stderr);
    assert!(scores.iter().all(|score| *score == scores[0]), "{scores:?}");
    scores[0]
}

fn check(runs: &[(&str, &str, &[&str])]) {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let Some(scores) = scores(runs) else { return };
    for ((name, ..), score) in runs.iter().zip(&scores) {
        assert!((score - scores[0]).abs() <= TOLERANCE, "{name}: {score}, {}: {}", runs[0].0, scores[0]);
    }
}

#[test]
fn every_format_of_the_kernels_own_camera_shows_the_same_scene() {
    check(&["RGB3", "BGR3", "YUYV", "UYVY", "NV12", "NV21", "YU12"].map(|format| (format, format, [].as_slice())));
}

#[test]
fn a_scene_looks_the_same_in_every_matrix_and_range_that_a_driver_says() {
    check(&[
        ("rgb", "RGB3", &[]),
        ("bt601", "YUYV", &["Y'CbCr Encoding = 1"]),
        ("bt601-full", "YUYV", &["Quantization = 1"]),
        ("bt709-full", "YUYV", &["Y'CbCr Encoding = 2"]),
        ("bt709", "NV12", &["Quantization = 2"]),
        ("bt2020", "YU12", &["Y'CbCr Encoding = 6"]),
        ("smpte240m", "UYVY", &["Y'CbCr Encoding = 8"]),
        ("rgb-limited", "BGR3", &["Limited RGB Range (16-235) = 1"]),
    ]);
}
