//! A package survives the way to disk and back, and every kind of damage is told apart.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ndarray::{Array, array};

use super::*;
use crate::score::ScoreName;

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
        files: BTreeMap::new(),
    }
}

fn calibration() -> Calibration {
    let energy = ScoreCalibration { sorted_id_scores: vec![-3.0, -2.0, -1.5], threshold: -1.5, rate: 0.25 };
    Calibration {
        head: Some(Head { weight: array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], bias: array![0.5, -0.5] }),
        scores: BTreeMap::from([(ScoreName::Energy, energy)]),
        images: 3,
        origin: "three pictures".into(),
        precision: "fp32".into(),
        execution_provider: "cpu".into(),
    }
}

fn golden() -> Golden {
    Golden {
        inputs: Array::from_shape_fn((1, 3, 1, 2), |(_, c, _, x)| (c + x) as f32),
        logits: array![[1.0, -1.0]],
        features: array![[0.1, 0.2, 0.3]],
        local_norms: Some(array![[[0.5, 0.6]]]),
        local_logits: Some(Array::zeros((1, 2, 1, 2))),
        scores: BTreeMap::from([(ScoreName::Energy, vec![-1.2])]),
        tolerance: 1e-4,
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
    assert_eq!(package.model_onnx, MODEL);
    assert_eq!(package.calibration, calibration());
    assert_eq!(package.golden, golden());
    assert_eq!(Manifest { files: BTreeMap::new(), ..package.manifest }, manifest());
}

#[test]
fn a_package_without_a_head_is_read_back_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("package");
    let headless = Calibration { head: None, ..calibration() };
    write(&path, MODEL, manifest(), &headless, &golden()).unwrap();
    assert_eq!(Package::open(&path).unwrap().calibration, headless);
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

#[test]
fn scores_out_of_order_or_not_finite_are_refused() {
    for scores in [vec![2.0, 1.0], vec![1.0, f32::NAN]] {
        let (_dir, path) = written();
        let mut broken = calibration();
        broken.scores.get_mut(&ScoreName::Energy).unwrap().sorted_id_scores = scores;
        plant(&path, CALIBRATION_FILE, &broken.to_bytes().unwrap());
        assert!(refusal(&path).contains("\"scores/energy\""));
    }
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
    assert_eq!(Package::open(&path).unwrap().model_onnx, b"another network");
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
