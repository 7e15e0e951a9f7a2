//! `oodwatch calibrate`.

use std::fs;

use oodwatch::package::Package;
use oodwatch::score::ScoreName;

use crate::support::{Bench, Ran, Tool, have, known};

fn calibrate(bench: &Bench, rate: &str, out: &str, more: &[&str]) -> Ran {
    let mut arguments =
        vec!["calibrate", "--model", "package", "--from", "footage", "--false-alarm-rate", rate, "--out", out];
    arguments.extend(more);
    bench.run(&arguments)
}

#[test]
fn a_new_package_holds_the_scores_of_the_footage_and_their_thresholds() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 300, 39, known);
    calibrate(&bench, "0.1", "mine", &[]).expect(0, &[]);
    let package = Package::open(&bench.path("mine")).unwrap();
    let energy = &package.calibration.scores[&ScoreName::Energy];
    // n = 39, a = 0.1: rank 40 - 4 = 36.
    assert_eq!((energy.sorted_id_scores.len(), energy.rate), (39, 0.1));
    assert_eq!(energy.threshold, energy.sorted_id_scores[35]);
    assert_eq!(package.calibration.scores.len(), ScoreName::ALL.len());
    assert_eq!(package.calibration.origin, "footage");
}

#[test]
fn what_was_calibrated_on_is_flagged_at_the_rate() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 300, 39, known);
    calibrate(&bench, "0.1", "mine", &[]).expect(0, &[]);
    let lines = bench.run(&["score", "--model", "mine", "footage"]).expect(0, &[]).json();
    // Ranks above 36 of 39 distinct scores; ties may only lower it.
    assert!(lines.iter().filter(|line| line["flag"] == true).count() <= 3);
    assert!(lines.iter().all(|line| (line["flag"] == true) == (line["score"].as_f64() > line["threshold"].as_f64())));
}

#[test]
fn the_same_footage_gives_the_same_package() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 20, known);
    for out in ["a", "b"] {
        calibrate(&bench, "0.1", out, &[]).expect(0, &[]);
    }
    let id = |out: &str| Package::open(&bench.path(out)).unwrap().id;
    assert_eq!(id("a"), id("b"));
}

#[test]
fn too_little_footage_is_refused_with_the_number_it_takes() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 12, known);
    calibrate(&bench, "0.05", "mine", &[])
        .expect(2, &["12 calibration frames cannot set a false-alarm rate of 0.05; it takes at least 19"]);
    assert!(!bench.path("mine").exists());
}

#[test]
fn a_rate_that_is_none_is_code_2() {
    let bench = Bench::new();
    calibrate(&bench, "1.5", "mine", &[]).expect(2, &["false-alarm rate is 1.5, wanted a number between 0 and 1"]);
}

#[test]
fn an_existing_package_is_only_replaced_by_force() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 20, known);
    calibrate(&bench, "0.1", "mine", &[]).expect(0, &[]);
    let old = Package::open(&bench.path("mine")).unwrap().id;
    calibrate(&bench, "0.2", "mine", &[]).expect(2, &["mine: exists already", "--force"]);
    assert_eq!(Package::open(&bench.path("mine")).unwrap().id, old);
    calibrate(&bench, "0.2", "mine", &["--force"]).expect(0, &[]);
    assert_ne!(Package::open(&bench.path("mine")).unwrap().id, old);
}

#[test]
fn not_even_force_replaces_what_is_no_package() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 20, known);
    bench.write("mine/precious", "keep me");
    calibrate(&bench, "0.1", "mine", &["--force"]).expect(2, &["mine: is no model package"]);
    assert_eq!(fs::read_to_string(bench.path("mine/precious")).unwrap(), "keep me");
}

#[test]
fn a_corrupt_picture_in_the_footage_is_counted_and_left_out() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 20, known);
    bench.write("footage/bad.png", "a text");
    calibrate(&bench, "0.1", "mine", &[]).expect(0, &["1 of 21 frames could not be read"]);
    assert_eq!(Package::open(&bench.path("mine")).unwrap().calibration.images, 20);
}

#[test]
fn a_place_that_cannot_be_written_is_code_1_and_leaves_nothing() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 20, known);
    // Nothing can be created under /proc, whoever asks.
    calibrate(&bench, "0.1", "/proc/oodwatch/mine", &[]).expect(1, &["/proc/oodwatch: cannot be written"]);
    let left: Vec<_> = fs::read_dir(bench.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn footage_that_is_not_there_is_code_4() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    calibrate(&Bench::new(), "0.1", "mine", &[]).expect(4, &["source: footage: No such file"]);
}
