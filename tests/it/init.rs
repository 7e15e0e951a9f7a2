//! `oodwatch init`, from footage to a config that runs.

use std::fs;
use std::process::Stdio;

use image::{Rgb, RgbImage};
use oodwatch::config::Config;
use oodwatch::package::Package;
use oodwatch::score::ScoreName;

use crate::support::lab::Lab;
use crate::support::{Bench, Ran, Tool, cifar10, have};

const MODEL: [&str; 4] = ["--model", "package", "--out", "robot"];

fn init(bench: &Bench, more: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["init"].iter().chain(&MODEL).chain(more).copied().collect();
    bench.run(&arguments)
}

/// A lively scene of its own for each number, in the colours that the tiny network knows.
fn scene(number: u32) -> RgbImage {
    let mut random = fastrand::Rng::with_seed(u64::from(number));
    let values: Vec<u8> = (0..64).map(|_| random.u8(0..40)).collect();
    RgbImage::from_fn(40, 40, |x, y| {
        let value = values[(x / 5 * 8 + y / 5) as usize] + random.u8(0..6);
        Rgb([190 + value, 80 + value, 40 + value])
    })
}

#[test]
fn a_folder_of_pictures_becomes_footage_a_package_and_a_config_that_runs() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 400, scene);
    let ran = init(&bench, &["--source", "pictures", "--frames", "400", "--camera", "front"]);
    let ran = ran.expect(0, &["400 frames of 40x40 pixels", "to show at most 1 false alarms per hour", "done:"]);
    for part in ["ok  config", "ok  package", "ok  score    energy", "ok  decide", "ok  source   front", "ok  sink"] {
        assert!(ran.stdout.contains(part), "{part:?} is missing from:\n{}", ran.stdout);
    }
    assert!(!ran.stderr.contains("init: "), "nothing to warn of:\n{}", ran.stderr);
    // What was recorded is what was there, bit by bit.
    let mut footage: Vec<_> = fs::read_dir(bench.path("robot/footage")).unwrap().map(|e| e.unwrap().path()).collect();
    footage.sort();
    assert_eq!(footage.len(), 400);
    assert_eq!(image::open(&footage[123]).unwrap().into_rgb8(), scene(123));
    let package = Package::open(&bench.path("robot/package")).unwrap();
    assert!(package.calibration.scores[&ScoreName::Energy].policy.is_some());
    // A third sets the threshold, less a gap.
    assert_eq!(package.calibration.images, 133);
    let config = Config::load(&bench.path("robot/oodwatch.toml")).unwrap();
    assert_eq!((config.camera[0].name.as_str(), config.decide.max_false_alarms_per_hour), ("front", Some(1.0)));
    // From anywhere, for its paths are absolute.
    let run = ["run", "--config", "../robot/oodwatch.toml", "--max-frames", "5"];
    let elsewhere = bench.program(&run).current_dir(bench.path("pictures")).output().unwrap();
    assert_eq!(Ran::from(elsewhere).expect(0, &[]).verdicts().len(), 5);
}

#[test]
fn little_footage_gives_a_threshold_and_says_what_it_takes_for_a_policy() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 120, scene);
    let said = ["gives no policy over time", "9.0 h of footage, and this is 4.0 s"];
    init(&bench, &["--source", "pictures", "--frames", "120"]).expect(0, &said);
    let package = Package::open(&bench.path("robot/package")).unwrap();
    assert!(package.calibration.scores[&ScoreName::Energy].policy.is_none());
    assert_eq!(package.calibration.images, 120);
    let config = fs::read_to_string(bench.path("robot/oodwatch.toml")).unwrap();
    assert!(config.contains("policy = \"frame\""), "{config}");
}

#[test]
fn a_frozen_camera_is_warned_of_and_strictly_refused_and_its_footage_stays() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 200, scene);
    let faults = "[camera.source.faults.source.images]\npath = \"pictures\"\n[[camera.source.faults.script]]\n\
                  kind = \"freeze\"\nfrom_frame = 20\nfor_frames = 90";
    bench.config(faults);
    let frozen = ["--source", "config.toml", "--frames", "200"];
    let duplicates = "89 of 200 frames are exact duplicates";
    init(&bench, &[&frozen[..], &["--strict"]].concat()).expect(2, &[duplicates, "without --strict"]);
    assert!(!bench.path("robot/package").exists() && !bench.path("robot/oodwatch.toml").exists());
    let said = [duplicates, "stood still for 89 of 200 frames", "frozen in ", "200 frames are there already"];
    init(&bench, &[&frozen[..], &["--resume"]].concat()).expect(0, &said);
}

#[test]
fn nothing_is_overwritten_without_force_and_nothing_that_is_not_ours_with_it() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 150, scene);
    let source = ["--source", "pictures", "--frames", "150"];
    init(&bench, &source).expect(0, &[]);
    let config = fs::read_to_string(bench.path("robot/oodwatch.toml")).unwrap();
    init(&bench, &source).expect(2, &["robot/package: exists already", "--force"]);
    init(&bench, &[&source[..], &["--resume"]].concat()).expect(2, &["exists already", "--force"]);
    fs::remove_dir_all(bench.path("robot/package")).unwrap();
    init(&bench, &source).expect(2, &["robot/oodwatch.toml: exists already; --force"]);
    fs::remove_file(bench.path("robot/oodwatch.toml")).unwrap();
    init(&bench, &source).expect(2, &["holds 150 recorded frames; --resume goes on with them, --force begins anew"]);
    init(&bench, &[&source[..], &["--force"]].concat()).expect(0, &[]);
    assert_eq!(fs::read_to_string(bench.path("robot/oodwatch.toml")).unwrap(), config);
    bench.write("robot/footage/holiday.txt", "precious");
    init(&bench, &[&source[..], &["--force"]].concat()).expect(2, &["holiday.txt, which is no recorded picture"]);
    assert!(bench.path("robot/footage/holiday.txt").exists());
}

#[test]
fn what_cannot_work_is_said_before_anything_is_recorded() {
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, scene);
    init(&bench, &["--source", "pictures", "--false-alarm-rate", "2"]).expect(2, &["false-alarm rate is 2"]);
    let said = ["missing/manifest.toml"];
    bench.run(&["init", "--source", "pictures", "--model", "missing", "--out", "robot"]).expect(3, &said);
    if have(&[Tool::OnnxRuntime]) {
        init(&bench, &["--source", "nowhere.toml"]).expect(2, &["nowhere.toml"]);
        init(&bench, &["--source", "nowhere"]).expect(4, &["nowhere"]);
        init(&bench, &["--source", "pictures", "--max-disk-mb", "99999999999"]).expect(1, &["the disk has room for"]);
        // Nobody is asked who cannot answer.
        let ran = init(&bench, &["--device", "thermal"]);
        assert!(matches!(ran.code, Some(2 | 4)), "{:?} {}", ran.code, ran.stderr);
    }
    assert!(!bench.path("robot/package").exists());
}

#[test]
fn an_interrupted_recording_keeps_its_frames_and_is_gone_on_with() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 300, scene);
    let source = "[camera.source.images]\npath = \"pictures\"\nframes_per_second = 20.0\nrealtime = true";
    bench.config(source);
    let arguments: Vec<&str> = ["init"].iter().chain(&MODEL).chain(&["--source", "config.toml"]).copied().collect();
    let mut program = bench.program(&arguments);
    let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let kept = || fs::read_dir(bench.path("robot/footage")).map_or(0, Iterator::count);
    let since = std::time::Instant::now();
    while kept() < 10 && since.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let said = ["interrupted: ", "frames are kept in robot/footage, and --resume goes on with them"];
    Ran::from(child.wait_with_output().unwrap()).expect(1, &said);
    let before = kept();
    assert!((10..300).contains(&before));
    let more = ["--source", "pictures", "--frames", "300", "--resume"];
    init(&bench, &more).expect(0, &["frames are there already", "300 frames"]);
    assert_eq!(kept(), 300);
}

/// The shipped network on pictures that it knows: the way of the README.
#[test]
fn the_shipped_package_is_calibrated_on_real_pictures() {
    if !have(&[Tool::OnnxRuntime, Tool::Cifar10]) {
        return;
    }
    let bench = Bench::new();
    let bytes = fs::read(cifar10()).unwrap();
    fs::create_dir_all(bench.path("pictures")).unwrap();
    for (number, record) in bytes.chunks(1 + 3 * 1024).take(200).enumerate() {
        let channel = |plane: usize, x: u32, y: u32| record[1 + plane * 1024 + (y * 32 + x) as usize];
        let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([0, 1, 2].map(|plane| channel(plane, x, y))));
        picture.save(bench.path(&format!("pictures/{number:04}.png"))).unwrap();
    }
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/models/cifar10-resnet20");
    let arguments = ["init", "--model", shipped, "--source", "pictures", "--frames", "200", "--out", "robot"];
    let ran = bench.run(&arguments).expect(0, &["200 frames"]);
    assert!(ran.stdout.contains("ok  score    energy"), "{}", ran.stdout);
}

#[test]
fn a_camera_that_is_called_by_its_name_is_recorded_calibrated_and_checked() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let (lab, bench) = (lab.vivid(2), Bench::new());
    let several = lab.run(&bench.path(""), "\"$OODWATCH\" init --model package --out robot </dev/null");
    several.expect(2, &["several cameras, and nobody to ask", "1  vivid (/dev/video0", "2  vivid (/dev/video1"]);
    // Everything but $SHARE is read-only in the lab.
    let command = "\"$OODWATCH\" init --model package --out $SHARE/robot --device video1 --frames 110 && \
                   cat $SHARE/robot/oodwatch.toml";
    let ran = lab.run(&bench.path(""), command).expect(0, &["drive where the robot will work", "110 frames"]);
    for part in ["ok  source   camera: /dev/video1 (vivid) offers", "device = \"/dev/video1\""] {
        assert!(ran.stdout.contains(part), "{part:?} is missing from:\n{}", ran.stdout);
    }
}
