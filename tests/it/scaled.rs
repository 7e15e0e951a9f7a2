//! JPEG pictures that are decoded to a smaller size: `calibrate`, `run`, `score`, `check` and `evidence` know of it.

use std::fs;

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageFormat, Luma};
use oodwatch::package::Package;
use oodwatch::score::ScoreName;

use crate::support::{Bench, Tool, have, known};

/// Writes grey pictures of 32x16 pixels, which become 8x8 ones of the network from 16x8.
fn write(bench: &Bench, folder: &str, ending: &str) {
    fs::create_dir_all(bench.path(folder)).unwrap();
    for number in 0..40 {
        let grey = |x: u32, y: u32| Luma([(5 * x + 7 * y + 3 * number) as u8 % 160 + 40]);
        let picture = GrayImage::from_fn(32, 16, grey);
        let mut bytes = Vec::new();
        match ending {
            "jpg" => JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&picture).unwrap(),
            _ => picture.write_to(&mut std::io::Cursor::new(&mut bytes), ImageFormat::Png).unwrap(),
        }
        fs::write(bench.path(folder).join(format!("{number:02}.{ending}")), bytes).unwrap();
    }
}

/// A config of one camera that shows a folder, decoded like this.
fn config(bench: &Bench, folder: &str, package: &str, scaled: bool) -> String {
    let camera = format!("[camera.decode]\nscaled = {scaled}\n[camera.source.images]\npath = \"{folder}\"");
    let path = bench.config(&camera);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("package = \"package\"", &format!("package = \"{package}\""))).unwrap();
    path.display().to_string()
}

fn calibrate(bench: &Bench, folder: &str, out: &str) -> Package {
    let config = config(bench, folder, "package", true);
    let arguments =
        ["calibrate", "--model", "package", "--from", folder, "--false-alarm-rate", "0.1", "--score", "energy"];
    bench.run(&[&arguments[..], &["--config", &config, "--out", out]].concat()).expect(0, &[]);
    Package::open(&bench.path(out)).unwrap()
}

#[test]
fn what_was_calibrated_on_smaller_pictures_is_run_and_scored_on_them_with_the_same_scores() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    write(&bench, "footage", "jpg");
    let package = calibrate(&bench, "footage", "mine");
    assert!(package.manifest.decode.scaled);
    let calibrated = package.calibration.scores[&ScoreName::Energy].all.scores().to_vec();
    let sorted = |mut scores: Vec<f32>| {
        scores.sort_by(f32::total_cmp);
        scores
    };
    let run = |scaled| {
        let ran = bench.run(&["run", "--config", &config(&bench, "footage", "mine", scaled)]).expect(0, &["40 judged"]);
        let scores = ran.verdicts().iter().map(|verdict| verdict.score.unwrap()).collect();
        (sorted(scores), ran.stderr.contains("WARN"))
    };
    assert_eq!(run(true), (calibrated.clone(), false));
    let scored = bench.run(&["score", "--model", "mine", "footage"]).expect(0, &[]).json();
    assert_eq!(sorted(scored.iter().map(|line| line["score"].as_f64().unwrap() as f32).collect()), calibrated);
    // Whole pictures are others, if not by much, and the monitor says so.
    let (whole, warned) = run(false);
    assert!(warned);
    assert_ne!(whole, calibrated);
    for (whole, smaller) in whole.iter().zip(&calibrated) {
        assert!((whole - smaller).abs() < 0.1, "{whole}, and {smaller} of the smaller picture");
    }
}

#[test]
fn pictures_of_another_format_are_whole_and_the_package_says_so() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    write(&bench, "footage", "png");
    assert!(!calibrate(&bench, "footage", "mine").manifest.decode.scaled);
    let said = "camera camera: mine was calibrated on whole pictures; [camera.decode] has JPEG pictures smaller, as far as \
                the network allows";
    bench.run(&["check", "--config", &config(&bench, "footage", "mine", true)]).expect(0, &[said]);
}

#[test]
fn check_shows_how_a_camera_is_decoded_where_that_is_not_whole() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 3, known);
    for (scaled, shown) in [(true, true), (false, false)] {
        let ran = bench.run(&["check", "--config", &config(&bench, "footage", "package", scaled)]).expect(0, &[]);
        let said = "ok  decode   camera: JPEG pictures smaller, as far as the network allows";
        assert_eq!(ran.stdout.contains(said), shown, "{}", ran.stdout);
    }
}
