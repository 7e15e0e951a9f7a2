//! Cameras that hang turned, and masks: `calibrate`, `run`, `score` and `check` see the same.

use std::fs;

use image::{RgbImage, imageops};
use oodwatch::package::Package;
use oodwatch::score::ScoreName;
use oodwatch::view::ViewConfig;

use crate::support::{Bench, Ran, Tool, have, known, strange};

/// The right half of the upright picture does not count.
const MASK: &str = "ignore = [[[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]]\n";
/// What makes the pictures of [`lying_half_known`] upright.
const TURN: &str = "rotate = 270\nmirror = \"horizontal\"\n";

/// A picture whose left half is known; it changes from number to number.
fn half_known(number: u32) -> RgbImage {
    let (left, right) = (known(number), strange(number));
    RgbImage::from_fn(8, 8, |x, y| *if x < 4 { &left } else { &right }.get_pixel(x, y))
}

/// [`half_known`] as a camera delivers it that [`TURN`] makes upright.
fn lying_half_known(number: u32) -> RgbImage {
    imageops::rotate90(&imageops::flip_horizontal(&half_known(number)))
}

/// A config of one camera that shows a folder through this view.
fn config(bench: &Bench, folder: &str, package: &str, view: &str) -> String {
    let camera = format!("name = \"rear\"\n[camera.view]\n{view}\n[camera.source.images]\npath = \"{folder}\"");
    let path = bench.config(&camera);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("package = \"package\"", &format!("package = \"{package}\""))).unwrap();
    path.display().to_string()
}

fn calibrate(bench: &Bench, config: &str, out: &str, more: &[&str]) -> Ran {
    let mut arguments = vec!["calibrate", "--model", "package", "--from", "footage", "--false-alarm-rate", "0.1"];
    arguments.extend(["--score", "energy", "--config", config, "--out", out]);
    arguments.extend(more);
    bench.run(&arguments)
}

fn sorted(mut scores: Vec<f32>) -> Vec<f32> {
    scores.sort_by(f32::total_cmp);
    scores
}

#[test]
fn what_was_calibrated_through_a_view_is_run_and_scored_through_it_with_the_same_scores() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 39, lying_half_known);
    let view = format!("{TURN}{MASK}");
    calibrate(&bench, &config(&bench, "footage", "package", &view), "mine", &[]).expect(0, &[]);
    let package = Package::open(&bench.path("mine")).unwrap();
    assert_eq!(package.manifest.view, toml::from_str::<ViewConfig>(&view).unwrap());
    let calibrated = package.calibration.scores[&ScoreName::Energy].all.scores().to_vec();

    let config = config(&bench, "footage", "mine", &view);
    let ran = bench.run(&["run", "--config", &config]).expect(0, &["39 judged"]);
    let verdicts = ran.verdicts();
    assert_eq!(sorted(verdicts.iter().map(|verdict| verdict.score.unwrap()).collect()), calibrated);
    let scored = bench.run(&["score", "--model", "mine", "footage"]).expect(0, &[]).json();
    assert_eq!(sorted(scored.iter().map(|line| line["score"].as_f64().unwrap() as f32).collect()), calibrated);
    // It was the known half that was seen.
    assert!(verdicts.iter().all(|verdict| verdict.class.as_deref() == Some("red")), "{verdicts:?}");
}

#[test]
fn nothing_that_is_ignored_changes_a_verdict() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 39, known);
    bench.pictures("half", 0, 39, half_known);
    calibrate(&bench, &config(&bench, "footage", "package", MASK), "mine", &[]).expect(0, &[]);
    let scores = |folder| {
        let ran = bench.run(&["run", "--config", &config(&bench, folder, "mine", MASK)]).expect(0, &[]);
        ran.verdicts().iter().map(|verdict| verdict.score).collect::<Vec<_>>()
    };
    assert_eq!(scores("footage"), scores("half"));
}

#[test]
fn a_camera_with_another_mask_than_its_calibration_is_refused_with_both() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 39, known);
    calibrate(&bench, &config(&bench, "footage", "package", MASK), "mine", &[]).expect(0, &[]);
    let ignored = "ignore = [[[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]]";
    let how = "`oodwatch calibrate --config FILE --camera rear ...` calibrates for the camera's view";
    for command in ["run", "check"] {
        let masked = config(&bench, "footage", "package", MASK);
        let said = format!("camera rear: package was calibrated with no mask, [camera.view] has {ignored}; {how}");
        bench.run(&[command, "--config", &masked]).expect(3, &[&said]);
        let other = config(&bench, "footage", "mine", "keep = [[[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]]");
        let said = format!(
            "camera rear: mine was calibrated with {ignored}, [camera.view] has keep = [[[0.0, 0.0], [0.5, 0.0], [0.5, \
             1.0]]]; {how}"
        );
        bench.run(&[command, "--config", &other]).expect(3, &[&said]);
    }
}

#[test]
fn a_camera_that_hangs_upside_down_is_judged_by_what_was_calibrated_on_upright_pictures() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("upright", 0, 9, known);
    bench.pictures("lying", 0, 9, |number| imageops::rotate180(&known(number)));
    let scores = |folder, view| {
        let ran = bench.run(&["run", "--config", &config(&bench, folder, "package", view)]).expect(0, &[]);
        assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
        ran.verdicts().iter().map(|verdict| verdict.score).collect::<Vec<_>>()
    };
    assert_eq!(scores("upright", ""), scores("lying", "rotate = 180"));
}

#[test]
fn a_camera_that_is_not_turned_as_its_calibration_was_is_a_warning() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 39, known);
    calibrate(&bench, &config(&bench, "footage", "package", "rotate = 180"), "mine", &[]).expect(0, &[]);
    let said = "camera rear: mine was calibrated with rotate 180, mirror none, no mask; the camera has rotate 0";
    bench.run(&["check", "--config", &config(&bench, "footage", "mine", "")]).expect(0, &[said]);
}

#[test]
fn check_shows_the_view_of_a_camera() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 3, known);
    let ran = bench.run(&["check", "--config", &config(&bench, "footage", "package", TURN)]);
    let said = "ok  view     rear: rotate 270, mirror horizontal, no mask";
    assert!(ran.expect(0, &[]).stdout.contains(said));
}

#[test]
fn a_mask_that_leaves_nothing_is_a_wrong_config() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 39, known);
    let config = config(&bench, "footage", "package", "keep = [[[0.0, 0.0], [0.05, 0.0], [0.05, 0.1], [0.0, 0.1]]]");
    let said = "camera.view.keep and ignore is a mask that leaves 0.5 % of the picture, wanted 1 % or more";
    for arguments in [vec!["run", "--config", &config], vec!["check", "--config", &config]] {
        bench.run(&arguments).expect(2, &[said]);
    }
    calibrate(&bench, &config, "mine", &[]).expect(2, &[said]);
}

#[test]
fn the_camera_whose_view_is_calibrated_has_to_be_named_where_there_are_several() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 0, 39, known);
    let camera =
        |name| format!("name = \"{name}\"\n[camera.view]\nrotate = 90\n[camera.source.images]\npath = \"footage\"");
    let config = bench.config(&[camera("front"), camera("rear")].join("\n[[camera]]\n")).display().to_string();
    calibrate(&bench, &config, "mine", &[]).expect(2, &["--camera is none, wanted one of front, rear"]);
    let ran = calibrate(&bench, &config, "mine", &["--camera", "left"]);
    ran.expect(2, &["--camera is \"left\", wanted one of front, rear"]);
    calibrate(&bench, &config, "mine", &["--camera", "rear"]).expect(0, &[]);
}
