//! `oodwatch run` and `check` with several cameras.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use oodwatch::package;
use oodwatch::verdict::{Reason, State, Verdict};

use crate::support::{Bench, Ran, Tool, have, known, network, onnx, strange};

/// A camera that shows a folder, with more lines in its table.
fn folder(name: &str, path: &str, more: &str) -> String {
    format!("name = \"{name}\"\n{more}\n[camera.source.images]\npath = \"{path}\"")
}

fn config(bench: &Bench, cameras: &[String]) -> String {
    bench.config(&cameras.join("\n[[camera]]\n")).display().to_string()
}

fn run(bench: &Bench, cameras: &[String], more: &[&str]) -> Ran {
    let config = config(bench, cameras);
    let mut arguments = vec!["run", "--config", config.as_str()];
    arguments.extend(more);
    bench.run(&arguments)
}

fn of<'v>(verdicts: &'v [Verdict], camera: &str) -> Vec<&'v Verdict> {
    verdicts.iter().filter(|verdict| verdict.camera == camera).collect()
}

/// What does not depend on when it was said.
fn lasting(verdict: &Verdict) -> String {
    let Verdict { frame, alive, state, flag, reasons, score, threshold, p_value, class, .. } = verdict;
    let Verdict { confidence, dropped, bad, model, .. } = verdict;
    format!(
        "{frame:?} {alive} {state:?} {flag:?} {reasons:?} {score:?} {threshold} {p_value:?} {class:?} {confidence:?} \
         {dropped} {bad} {model}"
    )
}

/// The shipped network rounds; the tiny one might not show it.
fn with_shipped_package(bench: &Bench) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cifar10-resnet20");
    let config = fs::read_to_string(bench.path("config.toml")).unwrap();
    let package = format!("package = \"{}\"", shipped.display());
    bench.write("config.toml", &config.replace("package = \"package\"", &package));
}

#[test]
fn verdicts_on_a_folder_are_the_same_alone_and_beside_another_camera() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("front", 0, 30, known);
    bench.pictures("rear", 0, 12, strange);
    bench.write("rear/0003.png", "not a picture");
    let cameras = [folder("front", "front", ""), folder("rear", "rear", "")];
    let watch = |cameras: &[String]| {
        let config = config(&bench, cameras);
        with_shipped_package(&bench);
        bench.run(&["run", "--config", &config])
    };
    let together = watch(&cameras).expect(
        0,
        &[
            "camera front: 30 frames captured = 30 judged + 0 dropped + 0 bad",
            "camera rear: 12 frames captured = 11 judged + 0 dropped + 1 bad",
            "done: 42 frames captured = 41 judged + 0 dropped + 1 bad",
        ],
    );
    let together = together.verdicts();
    for (name, camera) in ["front", "rear"].iter().zip(&cameras) {
        let alone = watch(std::slice::from_ref(camera)).expect(0, &[]).verdicts();
        let alone: Vec<_> = alone.iter().map(lasting).collect();
        let beside: Vec<_> = of(&together, name).into_iter().map(lasting).collect();
        assert_eq!(alone, beside);
    }
    assert!(together.iter().all(|verdict| verdict.run_id == together[0].run_id));
}

#[test]
fn max_frames_holds_for_each_camera() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("front", 0, 9, known);
    bench.pictures("rear", 0, 3, known);
    let ran = run(&bench, &[folder("front", "front", ""), folder("rear", "rear", "")], &["--max-frames", "5"]);
    let verdicts = ran.expect(0, &["done: 8 frames captured"]).verdicts();
    assert_eq!((of(&verdicts, "front").len(), of(&verdicts, "rear").len()), (5, 3));
}

#[test]
fn a_camera_of_which_nothing_can_be_read_fails_the_run_when_the_others_are_done() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("front", 0, 9, known);
    bench.write("rear/a.png", "a text");
    let ran = run(&bench, &[folder("rear", "rear", ""), folder("front", "front", "")], &[]);
    let said = [
        "camera rear: source: none of 1 frames could be read",
        "camera rear: failed: 1 frames captured = 0 judged + 0 dropped + 1 bad",
        "camera front: 9 frames captured = 9 judged",
        "error: 1 of 2 cameras failed: rear",
    ];
    assert_eq!(ran.expect(4, &said).verdicts().len(), 9);
}

#[test]
fn a_camera_that_cannot_be_opened_is_code_4_by_name_and_check_finds_it_first() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("front", 0, 1, known);
    let config = config(&bench, &[folder("front", "front", ""), folder("rear", "nowhere", "")]);
    for command in ["run", "check"] {
        let ran = bench.run(&[command, "--config", &config]);
        ran.expect(4, &["error: camera rear: source: nowhere: No such file"]);
    }
}

#[test]
fn check_finds_two_names_that_lead_to_one_device() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let camera = |name| {
        std::os::unix::fs::symlink("/dev/null", bench.path(name)).unwrap();
        format!("name = \"{name}\"\n[camera.source.v4l2]\ndevice = \"{name}\"")
    };
    let config = config(&bench, &[camera("front"), camera("rear")]);
    let said = "camera rear: source: rear: is /dev/null, which is camera front already";
    bench.run(&["check", "--config", &config]).expect(4, &[said]);
}

#[test]
fn cameras_judge_the_same_frames_by_calibrations_of_their_own() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("dark", 0, 39, strange);
    let calibrate =
        ["calibrate", "--model", "package", "--from", "dark", "--false-alarm-rate", "0.05", "--out", "night"];
    bench.run(&calibrate).expect(0, &[]);
    let mut cameras = [folder("day", "dark", ""), folder("night", "dark", "calibration = \"night\"")];
    for _ in 0..2 {
        let verdicts = run(&bench, &cameras, &[]).expect(0, &["done: 78 frames captured = 78 judged"]).verdicts();
        let (day, night) = (of(&verdicts, "day"), of(&verdicts, "night"));
        assert!(day.iter().all(|verdict| verdict.flag == Some(true)));
        // The very frames that set the threshold, at a rate of 0.05.
        assert!(night.iter().filter(|verdict| verdict.flag == Some(true)).count() <= 2);
        assert!(day.iter().zip(&night).all(|(day, night)| day.score == night.score && day.threshold < night.threshold));
        let id = |dir: &str| package::Package::open(&bench.path(dir)).unwrap().id;
        assert!(day.iter().all(|verdict| verdict.model == id("package")));
        assert!(night.iter().all(|verdict| verdict.model == id("night")));
        // The order of the cameras is nothing to a verdict.
        cameras.reverse();
    }
}

#[test]
fn check_proves_every_calibration_once() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("dark", 0, 39, strange);
    let calibrate =
        ["calibrate", "--model", "package", "--from", "dark", "--false-alarm-rate", "0.05", "--out", "night"];
    bench.run(&calibrate).expect(0, &[]);
    let night = |name| folder(name, "dark", "calibration = \"night\"");
    let config = config(&bench, &[night("rear"), folder("front", "dark", ""), night("left")]);
    let said = bench.run(&["check", "--config", &config]).expect(0, &[]).stdout;
    let stages: Vec<&str> = said.lines().map(|line| line[4..].split_whitespace().next().unwrap()).collect();
    let wanted =
        "config schedule package infer infer package infer score decide infer score decide source source source sink";
    assert_eq!(stages.join(" "), wanted, "{said}");
}

#[test]
fn a_network_without_a_calibration_serves_cameras_that_have_one() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("front", 0, 3, known);
    let calibration = package::Calibration { scores: Default::default(), images: 0, ..network::calibration() };
    let golden = network::golden();
    package::write(&bench.path("adopted"), &onnx::tiny(), network::manifest(), &calibration, &golden).unwrap();
    let cameras = [folder("front", "front", "calibration = \"package\"")];
    let config = config(&bench, &cameras);
    let text = fs::read_to_string(&config)
        .unwrap()
        .replace("[model]\npackage = \"package\"", "[model]\npackage = \"adopted\"");
    bench.write("config.toml", &text);
    assert_eq!(bench.run(&["run", "--config", &config]).expect(0, &[]).verdicts().len(), 3);
    bench.write("config.toml", &text.replace("calibration = \"package\"", ""));
    bench.run(&["run", "--config", &config]).expect(3, &["adopted: the package is not calibrated yet"]);
}

#[test]
fn a_calibration_of_another_network_is_code_3_and_says_what_differs() {
    let bench = Bench::new();
    bench.pictures("front", 0, 1, known);
    let write = |name: &str, onnx: &[u8], manifest| {
        package::write(&bench.path(name), onnx, manifest, &network::calibration(), &network::golden()).unwrap();
    };
    write("other-network", &onnx::with_classes(2), network::manifest());
    let mut manifest = network::manifest();
    manifest.classes[2] = "azure".into();
    write("other-class", &onnx::tiny(), manifest);
    let mut manifest = network::manifest();
    manifest.input.scale = 1.0;
    write("other-input", &onnx::tiny(), manifest);
    for (name, what) in [
        ("other-network", "its sha256 of model.onnx is "),
        ("other-class", "its class is \"azure\", wanted \"blue\""),
        ("other-input", "its [input] is InputSpec"),
        ("nowhere", "nowhere/manifest.toml: No such file"),
    ] {
        let config = config(&bench, &[folder("front", "front", &format!("calibration = \"{name}\""))]);
        for command in ["run", "check"] {
            bench.run(&[command, "--config", &config]).expect(3, &[name, what]);
        }
    }
}

/// A list on stdin that stays open and silent is a camera that hangs.
#[test]
fn a_camera_that_hangs_is_a_fault_while_the_other_is_judged_and_a_signal_ends_the_run() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("front", 0, 20, known);
    let config = config(&bench, &[folder("list", "-", ""), folder("front", "front", "")]);
    let text = fs::read_to_string(&config).unwrap();
    bench.write("config.toml", &text.replace("deadline_ms = 60000", "deadline_ms = 100\nstartup_ms = 0\nlatch = []"));
    let mut program = bench.program(&["run", "--config", &config]);
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Verdict>(&line.unwrap()).unwrap());
    let (mut judged, mut faults) = (0, 0);
    while judged < 20 || faults < 3 {
        let verdict = lines.next().unwrap();
        match verdict.camera.as_str() {
            "front" => judged += u64::from(verdict.frame.is_some()),
            _ => {
                faults += 1;
                assert_eq!((verdict.alive, verdict.frame, verdict.state), (faults, None, State::Fault));
                // On a busy machine a frame of the other one may take longer than the deadline, and that is told, too.
                assert_eq!(verdict.reasons[0], Reason::NoFrameWithinDeadline);
            }
        }
    }
    let kill = std::process::Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let rest: Vec<Verdict> = lines.collect();
    let last = rest.last().unwrap();
    assert_eq!(
        (last.camera.as_str(), last.state, last.reasons.as_slice()),
        ("list", State::Fault, &[Reason::Stopped][..])
    );
    let said = ["camera front: 20 frames captured = 20 judged", "stopped by a signal: 20 frames captured"];
    Ran::from(child.wait_with_output().unwrap()).expect(0, &said);
}
