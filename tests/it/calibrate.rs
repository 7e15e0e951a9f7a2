//! `oodwatch calibrate`.

use std::fs;

use oodwatch::calibrate::Target;
use oodwatch::package::Package;
use oodwatch::score::ScoreName;

use crate::support::{Bench, Ran, Tool, have, known, strange};

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
    calibrate(&bench, "0.1", "mine", &["--score", "energy"]).expect(0, &[]);
    let package = Package::open(&bench.path("mine")).unwrap();
    let energy = &package.calibration.scores[&ScoreName::Energy];
    // n = 39, a = 0.1: rank 40 - 4 = 36.
    assert_eq!((energy.all.scores().len(), energy.target), (39, Target::rate(0.1)));
    assert_eq!(energy.all.threshold(), energy.all.scores()[35]);
    assert_eq!(package.calibration.origin, "footage");
}

#[test]
fn what_was_calibrated_on_is_flagged_at_the_rate() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 300, 39, known);
    calibrate(&bench, "0.1", "mine", &["--score", "energy"]).expect(0, &[]);
    let lines = bench.run(&["score", "--model", "mine", "footage"]).expect(0, &[]).json();
    // Ranks above 36 of 39 distinct scores; ties may only lower it.
    assert!((1..=3).contains(&lines.iter().filter(|line| line["flag"] == true).count()));
    assert!(lines.iter().all(|line| (line["flag"] == true) == (line["score"].as_f64() > line["threshold"].as_f64())));
}

#[test]
fn the_same_footage_gives_the_same_package() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 60, known);
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
    let too_few = "12 calibration frames cannot set a false-alarm rate of 0.05; it takes at least 19";
    calibrate(&bench, "0.05", "mine", &["--score", "energy"]).expect(2, &[too_few]);
    // Half of them would fit the score.
    calibrate(&bench, "0.1", "mine", &["--score", "nci"])
        .expect(2, &["nci: 6 calibration frames", "6 frames fit scores, 6 set thresholds"]);
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
    calibrate(&bench, "0.1", "mine", &["--keep-fit"]).expect(0, &[]);
    let old = Package::open(&bench.path("mine")).unwrap().id;
    calibrate(&bench, "0.2", "mine", &[]).expect(2, &["mine: exists already", "--force"]);
    assert_eq!(Package::open(&bench.path("mine")).unwrap().id, old);
    calibrate(&bench, "0.2", "mine", &["--keep-fit", "--force"]).expect(0, &[]);
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
    calibrate(&bench, "0.1", "mine", &["--keep-fit"]).expect(0, &["1 of 21 frames could not be read"]);
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
    calibrate(&bench, "0.1", "/proc/oodwatch/mine", &[])
        .expect(1, &["the temporary file for 0 frames in /proc/oodwatch"]);
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

#[test]
fn fitted_scores_and_fusions_are_calibrated_on_frames_of_their_own() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 300, 200, known);
    let fusion = "fisher(energy,knn)";
    let fused = ["--score", "energy", "--score", "mahalanobis", "--fuse", fusion, "--order", "footage"];
    let ran = calibrate(&bench, "0.1", "mine", &fused).expect(0, &[]);
    assert!(ran.stdout.contains("frames: 100 fit scores"), "{}", ran.stdout);
    let calibration = Package::open(&bench.path("mine")).unwrap().calibration;
    assert_eq!(calibration.fitted.images, 100);
    let names: Vec<String> = calibration.scores.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["energy", "knn", "mahalanobis"]);
    let fused = calibration.fusions.values().next().unwrap().all.scores().len();
    assert!(calibration.images + fused <= 100 && fused >= 40, "{} and {fused}", calibration.images);

    bench.pictures("strange", 0, 5, strange);
    let lines = bench.run(&["score", "--model", "mine", "--score", fusion, "strange"]).expect(0, &[]).json();
    assert!(lines.iter().all(|line| line["flag"] == true && line["score_name"] == fusion), "{lines:?}");
    bench
        .run(&["score", "--model", "mine", "--score", "simes(energy,knn)", "strange"])
        .expect(3, &["score simes(energy,knn): the package is not calibrated for it; it has energy, knn, mahalanobis, fisher(energy,knn)"]);
}

#[test]
fn settings_and_confidence_are_kept_in_the_package() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 300, 120, known);
    bench.write("scores.toml", "[knn]\nk = 3\n");
    let settings = ["--score", "knn", "--parameters", "scores.toml", "--confidence", "0.9"];
    calibrate(&bench, "0.1", "mine", &settings).expect(0, &[]);
    let calibration = Package::open(&bench.path("mine")).unwrap().calibration;
    assert_eq!(calibration.fitted.parameters.knn.k, 3);
    let knn = &calibration.scores[&ScoreName::Knn];
    assert_eq!(knn.target, Target { rate: 0.1, confidence: Some(0.9) });
    assert!(knn.all.level() < 0.1);

    bench.write("scores.toml", "[knn]\nq = 3\n");
    calibrate(&bench, "0.1", "other", &settings).expect(2, &["scores.toml", "unknown field `q`", "`k`"]);
}

#[test]
fn a_score_that_cannot_be_fitted_is_left_out_by_name_and_refused_if_it_was_named() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 300, 80, known);
    let why = "temperature needs frames with known classes";
    let ran = calibrate(&bench, "0.1", "mine", &[]).expect(0, &[]);
    assert!(ran.stdout.contains(why), "{}", ran.stdout);
    calibrate(&bench, "0.1", "other", &["--score", "temperature"]).expect(2, &[why]);
}
