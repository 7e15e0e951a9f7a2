//! `oodwatch evidence`: the page on the shipped package, what is refused, and what does not hold.

use std::fs;
use std::path::Path;
use std::thread;

use image::{Rgb, RgbImage};
use oodwatch::package::{self, Golden};
use serde_json::Value;

use crate::support::{Bench, Ran, Tool, cifar10, have, known};
use crate::support::{network, onnx};

/// A folder whose name wants to be part of the page.
const UNKNOWN: &str = "<img src=x onerror=alert(1)>|*x*";
/// Late enough for a machine that does other things too.
const DEADLINE: &str = "[decide]\ndeadline_ms = 10000\n";

/// A folder with photographs that the shipped package was not calibrated on, unknown ones, and a config.
fn photographs(count: usize, more: &str) -> Bench {
    let bench = Bench::new();
    fs::create_dir(bench.path("known")).unwrap();
    let records = fs::read(cifar10()).unwrap();
    for (number, record) in records.chunks_exact(3073).skip(1).step_by(2).take(count).enumerate() {
        let value = |x, y, channel: usize| record[1 + 1024 * channel + 32 * y as usize + x as usize];
        let photograph = RgbImage::from_fn(32, 32, |x, y| Rgb([0, 1, 2].map(|channel| value(x, y, channel))));
        photograph.save(bench.path(&format!("known/{number:04}.png"))).unwrap();
    }
    bench.pictures(UNKNOWN, 0, 30, |number| {
        RgbImage::from_fn(32, 32, |x, y| Rgb([(x * y * 7 + number * 13) as u8, (x * 40) as u8, (y * 40) as u8]))
    });
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cifar10-resnet20").display().to_string();
    let source = "[[camera]]\n[camera.source.images]\npath = \"known\"\n";
    bench.write("config.toml", &format!("{source}[model]\npackage = {package:?}\n{more}"));
    bench
}

fn evidence(bench: &Bench, id: &str, out: &str, more: &[&str]) -> Ran {
    let mut arguments = vec!["evidence", "--config", "config.toml", "--id", id, "--out", out];
    arguments.extend(more);
    bench.run(&arguments)
}

/// The evidence in a folder, without what is time or machine.
fn lasting(bench: &Bench, out: &str) -> Value {
    let mut all: Value = serde_json::from_slice(&fs::read(bench.path(out).join("evidence.json")).unwrap()).unwrap();
    let fields = all.as_object_mut().unwrap();
    assert!(fields.remove("created_at").is_some() && fields.remove("machine").is_some());
    for run in all["results"]["faults"].as_array_mut().unwrap() {
        assert!(run.as_object_mut().unwrap().remove("measured").is_some());
    }
    all
}

#[test]
fn the_shipped_package_gives_the_same_page_twice_and_all_that_is_promised_holds() {
    if !have(&[Tool::OnnxRuntime, Tool::Cifar10]) {
        return;
    }
    let bench = photographs(80, DEADLINE);
    thread::scope(|scope| {
        for out in ["first", "second"] {
            let bench = &bench;
            scope.spawn(move || evidence(bench, "known", out, &["--ood", UNKNOWN]).expect(0, &[]));
        }
    });
    let found = lasting(&bench, "first");
    assert_eq!(found, lasting(&bench, "second"));
    assert_eq!(found["unmet"], Value::Array(Vec::new()));
    assert_eq!(found["self_test"]["passed"], true);
    let results = &found["results"];
    let runs = results["faults"].as_array().unwrap();
    assert_eq!(runs.iter().filter(|run| run["held"] == true).count(), 13, "{runs:?}");
    assert!(runs.iter().all(|run| run["held"] != false));
    let trials = results["health"]["trials"].as_array().unwrap();
    let (told, not_told): (Vec<&Value>, Vec<&Value>) =
        trials.iter().partition(|trial| trial["outcome"]["told"].is_object());
    assert_eq!(told.len(), 14, "{trials:?}");
    // Those are of hours of scores and of the board, not of pictures.
    let names: Vec<&str> = not_told.iter().map(|trial| trial["kind"].as_str().unwrap()).collect();
    assert_eq!(names, ["score_drift", "score_slack", "board_throttled", "board_hot"]);
    assert!(not_told.iter().all(|trial| trial["outcome"]["not_applicable"].is_object()), "{trials:?}");
    let rate = &results["known"]["flags"]["rate"];
    let [low, value, high] = ["low", "value", "high"].map(|end| rate[end].as_f64().unwrap());
    assert!(0.0 <= low && low <= value && value < high && high < 0.25, "{rate}");
    assert!(results["unknown"][0]["auroc"]["low"].as_f64().unwrap() > 0.5);
    check_pages(&bench.path("first"));
}

/// Of a network that was prepared ahead of time, the page names the file that ran; and the package's own is read all the same.
#[test]
fn a_prepared_network_is_named_and_the_one_that_it_was_made_of_still_vouched_for() {
    if !have(&[Tool::OnnxRuntime, Tool::Cifar10]) {
        return;
    }
    let bench = photographs(40, "");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cifar10-resnet20");
    fs::create_dir(bench.path("shipped")).unwrap();
    for entry in fs::read_dir(&shipped).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), bench.path("shipped").join(entry.file_name())).unwrap();
    }
    let [package, cache] = ["shipped", "cache"].map(|folder| bench.path(folder).display().to_string());
    let model = format!("[model]\npackage = {package:?}\ncpu = {{ prepared = true, prepared_cache = {cache:?} }}\n");
    let source = "[[camera]]\n[camera.source.images]\npath = \"known\"\n";
    bench.write("config.toml", &format!("{source}{model}{DEADLINE}"));
    bench.run(&["build-engine", "--config", "config.toml"]).expect(0, &[]);
    evidence(&bench, "known", "first", &[]).expect(0, &[]);
    let prepared = &lasting(&bench, "first")["identity"]["prepared"];
    let file = fs::read(prepared["file"].as_str().unwrap()).unwrap();
    assert_eq!(prepared["sha256"], package::sha256_hex(&file));
    let page = fs::read_to_string(bench.path("first/evidence.md")).unwrap();
    assert!(page.contains("prepared network, run for model.onnx"), "{page}");

    let network = bench.path("shipped/model.onnx");
    let mut bytes = fs::read(&network).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&network, bytes).unwrap();
    evidence(&bench, "known", "second", &[]).expect(3, &["model.onnx", "sha256"]);
}

fn check_pages(dir: &Path) {
    let [html, text] = ["evidence.html", "evidence.md"].map(|name| fs::read_to_string(dir.join(name)).unwrap());
    assert!(html.contains("supports a safety case and replaces none") && text.contains("and replaces none"));
    for page in [&html, &text] {
        assert!(page.contains("&lt;img src=x") && !page.contains("<img") && !page.contains("<script"));
    }
    // Nothing is fetched: the only address is the name of SVG's language.
    assert_eq!(html.matches("://").count(), html.matches("http://www.w3.org/2000/svg").count());
    assert!(html.matches("<svg").count() >= 4);
    for line in text.lines().filter(|line| line.starts_with("![")) {
        let file = line.rsplit_once("](").unwrap().1.trim_end_matches(')');
        assert!(dir.join(file).is_file(), "{line}");
    }
}

#[test]
fn a_check_that_notices_nothing_ends_with_7_and_the_page_says_so() {
    if !have(&[Tool::OnnxRuntime, Tool::Cifar10]) {
        return;
    }
    // Limits that no noise reaches, though they are within the range of numbers.
    let bench = photographs(20, &format!("[health]\nnoise = {{ warn = 200, error = 255 }}\n{DEADLINE}"));
    let ran = evidence(&bench, "known", "page", &[]).expect(7, &["noise was not told", "1 of what was promised"]);
    assert!(ran.stdout.contains("page/evidence.html"));
    let page = fs::read_to_string(bench.path("page/evidence.md")).unwrap();
    assert!(page.contains("NOT TOLD") && page.contains("No unknown footage was given"), "{page}");
}

#[test]
fn pictures_of_the_calibration_are_refused() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("footage", 300, 39, known);
    let arguments = ["--from", "footage", "--false-alarm-rate", "0.1", "--score", "energy", "--out", "mine"];
    bench.run(&[&["calibrate", "--model", "package"], &arguments[..]].concat()).expect(0, &[]);
    bench.config("[camera.source.images]\npath = \"footage\"");
    let config = fs::read_to_string(bench.path("config.toml")).unwrap().replace("\"package\"", "\"mine\"");
    bench.write("config.toml", &config);
    evidence(&bench, "footage", "page", &["--model", "mine"])
        .expect(2, &["footage: these are pictures of the calibration"]);
    assert!(!bench.path("page").exists());
    evidence(&bench, "footage", "page", &["--model", "package"])
        .expect(2, &["is not the package that the config runs"]);
}

#[test]
fn a_failed_self_test_is_written_down_and_ends_with_5() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let golden = network::golden();
    let elsewhere = Golden { logits: golden.logits.mapv(|logit| logit + 0.01), ..golden };
    package::replace(&bench.path("package"), &onnx::tiny(), network::manifest(), &network::calibration(), &elsewhere)
        .unwrap();
    bench.config("[camera.source.images]\npath = \"footage\"");
    evidence(&bench, "footage", "page", &[]).expect(5, &["the page is written", "the self-test failed"]);
    let page = fs::read_to_string(bench.path("page/evidence.md")).unwrap();
    assert!(page.contains("FAILED: self-test failed: logits") && page.contains("nothing else was examined"), "{page}");
}

#[test]
fn nothing_is_written_over_but_a_page() {
    let bench = Bench::new();
    bench.config("[camera.source.images]\npath = \"footage\"");
    bench.write("here/evidence.txt", "mine");
    evidence(&bench, "footage", "here", &[]).expect(2, &["here: is there already"]);
    evidence(&bench, "footage", "here", &["--force"]).expect(2, &["here: is no evidence page"]);
    assert!(bench.path("here/evidence.txt").is_file());
}

#[test]
fn a_camera_has_to_be_named_where_there_are_several() {
    let bench = Bench::new();
    let camera = |name: &str| format!("[[camera]]\nname = \"{name}\"\n[camera.source.images]\npath = \"footage\"\n");
    bench.write("config.toml", &format!("{}{}[model]\npackage = \"package\"\n", camera("front"), camera("rear")));
    evidence(&bench, "footage", "page", &[]).expect(2, &["several cameras (front, rear); name one by --camera"]);
    evidence(&bench, "footage", "page", &["--camera", "top"]).expect(2, &["--camera top: the config has front, rear"]);
}
