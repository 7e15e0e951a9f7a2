//! A package survives the way to disk and back, and every kind of damage is told apart.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ndarray::{Array, array};

use super::*;
use crate::calibrate::{CalibratedPolicy, Criterion, Delay, FalseAlarms, Fusion, ScoreCalibration, Target};
use crate::decide::policy::{Policy, Rule};
use crate::decode::DecodeConfig;
use crate::score::{Fitted, Parameters, ScoreName, State};

const MODEL: &[u8] = b"not an ONNX file; a package does not look inside";

fn manifest() -> Manifest {
    Manifest {
        schema: SCHEMA,
        classes: vec!["cat".into(), "dog".into()],
        input: InputSpec {
            name: "input".into(),
            dtype: DType::Float32,
            layout: Layout::Nchw,
            width: 2,
            height: 1,
            resize: Resize::Stretch,
            color: Color::Rgb,
            scale: 1.0 / 255.0,
            mean: [0.5, 0.4, 0.3],
            std: [0.2, 0.2, 0.2],
        },
        output: OutputSpec { features: 3, local: Some(LocalSpec { height: 1, width: 2 }) },
        provenance: toml::Table::from_iter([("seed".to_string(), 7.into())]),
        decode: DecodeConfig { scaled: true },
        view: toml::from_str("rotate = 90\nignore = [[[0.0, 0.0], [0.5, 0.0], [0.0, 0.25]]]").unwrap(),
        files: BTreeMap::new(),
    }
}

fn calibration() -> Calibration {
    let id_scores = vec![-3.0, -2.0, -1.5, -2.5];
    let target = Target { rate: 0.4, confidence: Some(0.5) };
    let state = State::default().with_tensor("bank", array![[0.5_f32, 1.0, -1.0]]).with_number("threshold", 0.1);
    let fusion: Fusion = "fisher(energy,msp)".parse().unwrap();
    Calibration {
        head: Some(Head { weight: array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], bias: array![0.5, -0.5] }),
        fitted: Fitted {
            parameters: Parameters::default(),
            states: BTreeMap::from([("knn".to_string(), state)]),
            images: 9,
            origin: "nine pictures".into(),
        },
        scores: BTreeMap::from([
            (ScoreName::Energy, ScoreCalibration::new(id_scores.clone(), Target::rate(0.25)).unwrap()),
            (ScoreName::Msp, ScoreCalibration::per_class(id_scores.clone(), &[0, 0, 1, 1], 2, target).unwrap()),
        ]),
        fusions: BTreeMap::from([(fusion, ScoreCalibration::new(id_scores, target).unwrap())]),
        images: 4,
        origin: "three pictures".into(),
        precision: "fp32".into(),
        execution_provider: "cpu".into(),
    }
}

fn golden() -> Golden {
    Golden {
        inputs: Array::from_shape_fn((1, 3, 1, 2), |(_, c, _, x)| (c + x) as f32).into(),
        logits: array![[1.0, -1.0]],
        features: array![[0.1, 0.2, 0.3]],
        local_norms: Some(array![[[0.5, 0.6]]]),
        local_logits: Some(Array::zeros((1, 2, 1, 2))),
        scores: BTreeMap::from([(ScoreName::Energy, vec![-1.2])]),
        tolerance: 1e-4,
        measure: Measure::Value,
    }
}

fn written() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("package");
    write(&path, MODEL, manifest(), &calibration(), &golden()).unwrap();
    (dir, path)
}

fn refusal(path: &Path) -> String {
    Package::open(path).unwrap_err().to_string()
}

/// Replaces a file and vouches for it in the manifest, as a careless editor of packages would.
fn plant(path: &Path, file: &str, bytes: &[u8]) {
    let manifest = fs::read_to_string(path.join(MANIFEST_FILE)).unwrap();
    let old = sha256_hex(&fs::read(path.join(file)).unwrap());
    fs::write(path.join(file), bytes).unwrap();
    fs::write(path.join(MANIFEST_FILE), manifest.replace(&old, &sha256_hex(bytes))).unwrap();
}

fn edit_manifest(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path.join(MANIFEST_FILE)).unwrap();
    assert!(text.contains(from), "{from:?} is not in:\n{text}");
    fs::write(path.join(MANIFEST_FILE), text.replace(from, to)).unwrap();
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let (_dir, path) = written();
    let package = Package::open(&path).unwrap();
    assert_eq!(package.model_onnx().unwrap(), MODEL);
    assert_eq!(package.calibration, calibration());
    assert_eq!(package.golden().unwrap(), golden());
    assert_eq!(Manifest { files: BTreeMap::new(), ..package.manifest }, manifest());
}

/// A threshold's target, or a fitted number, that comes back a bit off is another one.
#[test]
fn numbers_beside_the_tensors_are_read_back_to_the_last_bit() {
    let mut rng = fastrand::Rng::with_seed(5);
    let numbers = (0..20_000).map(|index| (index.to_string(), rng.f64() * 10_f64.powi(rng.i32(-20..20))));
    let state = State { numbers: numbers.collect(), ..State::default() };
    let fitted = Fitted { states: BTreeMap::from([("knn".into(), state)]), ..calibration().fitted };
    let calibration = Calibration { fitted, ..calibration() };
    let read = Calibration::parse(&calibration.to_bytes().unwrap(), &manifest()).unwrap();
    let wanted = &calibration.fitted.states["knn"].numbers;
    let off = read.fitted.states["knn"].numbers.iter().filter(|(name, number)| wanted[*name] != **number).count();
    assert_eq!(off, 0);
}

/// What `oodwatch calibrate` puts beside a score's threshold.
fn policy(window: u32) -> CalibratedPolicy {
    CalibratedPolicy {
        policy: Policy { rule: Rule::KOfN { level: 0.01, window, enter: 3, leave: 1 }, max_gap_s: 1.0 },
        max_false_alarms_per_hour: 1.0,
        chosen_on: FalseAlarms { alarms: 0, hours: 1.0, hours_in_alarm: 0.0 },
        tested_on: FalseAlarms { alarms: 1, hours: 1.1, hours_in_alarm: 0.1 },
        frame_by_frame: FalseAlarms { alarms: 30, hours: 1.0, hours_in_alarm: 0.2 },
        block_s: 2.0,
        frames_per_second: 30.0,
        delay: Delay { cuts: 64, missed: 1, mean_s: 0.5, most_s: Some(1.0), worst_s: None },
        unknown: "a model".into(),
    }
}

#[test]
fn policies_survive_too_and_bad_ones_are_refused_by_name() {
    let fusion: Fusion = "fisher(energy,msp)".parse().unwrap();
    let with = |window: u32| {
        let mut calibration = calibration();
        calibration.set_policy(&Criterion::Score(ScoreName::Energy), policy(window));
        calibration.set_policy(&Criterion::Fusion(fusion.clone()), policy(window));
        calibration
    };
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (dir.path().join("good"), dir.path().join("bad"));
    write(&good, MODEL, manifest(), &with(5), &golden()).unwrap();
    assert_eq!(Package::open(&good).unwrap().calibration, with(5));
    write(&bad, MODEL, manifest(), &with(2), &golden()).unwrap();
    let error = refusal(&bad);
    for part in ["policies", "energy", "3 of 2 frames", "out of range"] {
        assert!(error.contains(part), "{part:?} is missing from: {error}");
    }
}

/// Packages that were written before there were policies hold no word of them; nor do those without one now.
#[test]
fn a_package_without_policies_is_what_it_always_was() {
    let (_dir, path) = written();
    let bytes = fs::read(path.join(CALIBRATION_FILE)).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("policies"));
    assert!(Package::open(&path).unwrap().calibration.scores.values().all(|score| score.policy.is_none()));
}

#[test]
fn the_same_content_gives_the_same_id() {
    let ((_a, first), (_b, second)) = (written(), written());
    assert_eq!(Package::open(&first).unwrap().id, Package::open(&second).unwrap().id);
}

#[test]
fn the_id_is_the_hash_of_the_manifest() {
    let (_dir, path) = written();
    let manifest = fs::read(path.join(MANIFEST_FILE)).unwrap();
    assert_eq!(Package::open(&path).unwrap().id, sha256_hex(&manifest));
}

#[test]
fn a_truncated_file_is_refused_with_both_hashes() {
    let (_dir, path) = written();
    let found = &MODEL[..10];
    fs::write(path.join(MODEL_FILE), found).unwrap();
    let error = refusal(&path);
    for part in ["model.onnx", "(10 bytes)", &sha256_hex(found), &sha256_hex(MODEL)] {
        assert!(error.contains(part), "{part:?} is missing from {error}");
    }
}

/// The door is passed once; what comes after it may find another file there.
#[test]
fn a_file_that_becomes_another_after_the_package_was_opened_is_refused_when_it_is_read() {
    let (_dir, path) = written();
    let package = Package::open(&path).unwrap();
    fs::write(path.join(MODEL_FILE), b"another network").unwrap();
    fs::write(path.join(GOLDEN_FILE), b"other vectors").unwrap();
    let refusals = [package.model_onnx().unwrap_err(), package.golden().unwrap_err()];
    for (error, file) in refusals.iter().zip([MODEL_FILE, GOLDEN_FILE]) {
        assert!(matches!(error, PackageError::Hash { .. }) && error.to_string().contains(file), "{error}");
    }
}

#[test]
fn a_file_that_was_written_to_or_replaced_is_another_file_though_its_bytes_are_the_same() {
    let (dir, path) = written();
    let package = Package::open(&path).unwrap();
    let file = path.join(MODEL_FILE);
    let now = package.model_file().unwrap();
    assert_eq!(now.path(), file);
    now.check_unchanged().unwrap();
    let copy = dir.path().join("copy");
    fs::copy(&file, &copy).unwrap();
    fs::rename(&copy, &file).unwrap();
    assert!(now.check_unchanged().unwrap_err().to_string().contains("model.onnx: was changed while"));
    // Time of change is kept in the kernel's ticks, of ten milliseconds at most.
    std::thread::sleep(std::time::Duration::from_millis(30));
    let now = package.model_file().unwrap();
    fs::write(&file, MODEL).unwrap();
    assert!(matches!(now.check_unchanged(), Err(PackageError::Changed { .. })));
    assert_eq!(package.model_onnx().unwrap(), MODEL);
}

#[test]
fn what_no_score_reads_is_forgotten_and_the_rest_kept() {
    let (_dir, path) = written();
    let kept = |scores: &[ScoreName]| {
        let mut package = Package::begin(&path).unwrap();
        package.keep_for(scores);
        package.calibration
    };
    assert_eq!(kept(&[ScoreName::Knn]), Calibration { head: None, ..calibration() });
    let (energy, react) = (kept(&[ScoreName::Energy]), kept(&["react".parse().unwrap()]));
    assert!(energy.head.is_none() && energy.fitted.states.is_empty());
    assert!(react.head == calibration().head && react.fitted.states.is_empty());
    assert_eq!(energy.scores, calibration().scores);
}

#[test]
fn a_missing_file_is_named() {
    for file in [MANIFEST_FILE, MODEL_FILE, CALIBRATION_FILE, GOLDEN_FILE] {
        let (_dir, path) = written();
        fs::remove_file(path.join(file)).unwrap();
        assert!(refusal(&path).contains(file));
    }
}

#[test]
fn a_newer_schema_is_called_newer_whatever_else_it_holds() {
    let (_dir, path) = written();
    edit_manifest(&path, "schema = 1", "schema = 2\nnew_key = true");
    assert!(refusal(&path).contains("schema 2, this oodwatch reads up to 1"));
}

#[test]
fn an_unknown_key_is_refused_with_line_and_caret() {
    let (_dir, path) = written();
    edit_manifest(&path, "schema = 1", "schema = 1\nshcema = 1");
    let error = refusal(&path);
    assert!(error.contains("unknown field `shcema`") && error.contains('^'), "{error}");
}

#[test]
fn a_wrong_number_of_classes_disagrees_with_the_calibration() {
    let (_dir, path) = written();
    edit_manifest(&path, "\"dog\"", "\"dog\", \"cow\"");
    let error = refusal(&path);
    assert_eq!(error, "calibration.safetensors: tensor \"head.weight\" is F32 [2, 3], wanted F32 [3, 3]");
}

#[test]
fn a_file_that_the_manifest_does_not_vouch_for_is_refused() {
    let (_dir, path) = written();
    edit_manifest(&path, "\"golden.safetensors\" = ", "\"olden.safetensors\" = ");
    assert!(refusal(&path).contains("[files] lacks \"golden.safetensors\""));
}

#[test]
fn values_out_of_range_are_refused_by_key() {
    let (_dir, path) = written();
    edit_manifest(&path, "width = 2\nheight = 1", "width = 0\nheight = 1");
    assert!(refusal(&path).contains("input size is 0x1, wanted 1x1 to 8192x8192"));
}

/// The calibration file with one f32 value of a tensor replaced.
fn with_value(tensor: &str, index: usize, value: f32) -> Vec<u8> {
    let mut bytes = calibration().to_bytes().unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let data = tensors.tensor(tensor).unwrap().data();
    let start = data.as_ptr() as usize - bytes.as_ptr() as usize + index * 4;
    bytes[start..start + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

#[test]
fn numbers_of_a_calibration_that_contradict_each_other_are_refused() {
    for (tensor, index, value, part) in [
        ("scores/energy", 0, 9.0, "not in ascending order"),
        ("scores/energy", 3, f32::NAN, "not finite"),
        ("threshold/energy", 0, -1.0, "is -1, but its scores and a false-alarm rate of 0.25 give -1.5"),
        ("threshold/msp/1", 0, -1.0, "threshold/msp/1"),
        ("fitted/knn/bank", 2, f32::INFINITY, "not finite"),
        ("head.weight", 5, f32::NAN, "not finite"),
    ] {
        let (_dir, path) = written();
        plant(&path, CALIBRATION_FILE, &with_value(tensor, index, value));
        let refusal = refusal(&path);
        assert!(refusal.contains(part) && refusal.contains(tensor), "{tensor}: {refusal}");
    }
}

#[test]
fn a_package_without_a_head_survives_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("package");
    let headless = Calibration { head: None, ..calibration() };
    write(&path, MODEL, manifest(), &headless, &golden()).unwrap();
    assert_eq!(Package::open(&path).unwrap().calibration, headless);
}

#[test]
fn a_calibration_that_is_no_safetensors_file_is_refused() {
    let (_dir, path) = written();
    plant(&path, CALIBRATION_FILE, b"nonsense");
    assert!(refusal(&path).contains("calibration.safetensors: not a readable safetensors file"));
}

#[test]
fn golden_outputs_of_another_shape_are_refused() {
    let (_dir, path) = written();
    let other = Golden { logits: array![[1.0, 2.0, 3.0]], ..golden() };
    plant(&path, GOLDEN_FILE, &other.to_bytes().unwrap());
    assert!(refusal(&path).contains("golden.safetensors: tensor \"logits\" is F32 [1, 3], wanted F32 [1, 2]"));
}

#[test]
fn an_existing_place_is_refused_and_left_as_it_was() {
    let (dir, path) = written();
    fs::write(path.join("mine"), "keep").unwrap();
    let error = write(&path, MODEL, manifest(), &calibration(), &golden()).unwrap_err();
    assert!(matches!(error, PackageError::Exists { .. }));
    assert_eq!(fs::read_to_string(path.join("mine")).unwrap(), "keep");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "a temporary folder was left behind");
}

#[test]
fn replacing_leaves_exactly_the_new_package() {
    let (dir, path) = written();
    fs::write(path.join("old"), "gone").unwrap();
    replace(&path, b"another network", manifest(), &calibration(), &golden()).unwrap();
    assert_eq!(Package::open(&path).unwrap().model_onnx().unwrap(), b"another network");
    assert!(!path.join("old").exists());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "a temporary folder was left behind");
}

#[test]
fn a_manifest_out_of_range_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut broken = manifest();
    broken.input.std = [1.0, 0.0, 1.0];
    assert!(write(&dir.path().join("package"), MODEL, broken, &calibration(), &golden()).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
