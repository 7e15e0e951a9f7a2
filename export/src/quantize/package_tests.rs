//! Packages from end to end. They need ONNX Runtime and are passed over without, unless everything is required.

use oodwatch::calibrate::beta_binomial_interval;
use oodwatch::infer::{ExecutionProvider, InferError, NetworkOptions, own_precision};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::Scorers;

use super::tests::runtime_is_there;
use super::*;
use crate::package::{ExportOptions, export};
use crate::trained::fixture::{write_checkpoint, write_pictures};
use ndarray::Axis;
use oodwatch::package::{Golden, Measure};
use oodwatch::self_test;

/// A package of a ResNet-20 with arbitrary weights, quantised; `None` without ONNX Runtime.
fn quantised(folder: &Path, format: Format) -> Option<(Quantised, Package, DataSource)> {
    let checkpoint = write_checkpoint(folder, "resnet20");
    let (fit, calibration) = (write_pictures(folder, 120, 7), write_pictures(folder, 800, 6));
    let scores: Vec<ScoreName> = ["energy", "mahalanobis", "local_norm_mean"].map(|name| name.parse().unwrap()).into();
    let export_options = ExportOptions {
        calibration: Some(calibration.clone()),
        fit: Some(fit.clone()),
        scores: scores.clone(),
        ..ExportOptions::default()
    };
    let (from, out) = (folder.join("fp32"), folder.join("quantised"));
    export(&checkpoint, &from, &export_options).unwrap();
    let options = QuantizeOptions {
        format,
        calibration: calibration.clone(),
        half: Half::Validation,
        fit: Some(fit),
        range_pictures: 64,
        ranges: RangeRule::default(),
        scores: Vec::new(),
        target: None,
        force: false,
    };
    let done = quantize(&from, &out, &options).unwrap();
    let package = Package::open(&out).unwrap();
    assert_eq!(package.calibration.scores.keys().copied().collect::<Vec<_>>(), {
        let mut scores = scores;
        scores.sort();
        scores
    });
    let again = quantize(&out, &folder.join("again"), &options).unwrap_err().to_string();
    assert!(again.contains("already"), "{again}");
    Some((done, package, calibration))
}

#[test]
fn a_quantised_package_opens_tells_its_format_and_keeps_its_false_alarm_rate_on_other_pictures() {
    if !runtime_is_there() {
        return eprintln!("passed over: no ONNX Runtime");
    }
    for (format, precision) in [
        (Format::Int8(Layout::Cpu), Precision::Int8),
        (Format::Int8(Layout::Tensorrt), Precision::Int8),
        (Format::Fp16, Precision::Fp16),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let Some((done, package, pictures)) = quantised(folder.path(), format) else { return };
        assert_eq!((done.layers, done.left.len()), (21, 0), "{format:?}");
        let smaller = 2 * done.bytes[1] < done.bytes[0] + 60_000;
        assert_eq!(smaller, format != Format::Int8(Layout::Tensorrt), "{format:?}: {:?}", done.bytes);
        let limit = if precision == Precision::Int8 { 0.15 } else { 0.005 };
        assert!(done.difference.features < limit, "{format:?}: {:?}", done.difference);
        let mut network = Network::open(&package, &NetworkOptions::default()).unwrap();
        assert_eq!((network.precision(), package.calibration.precision.as_str()), (precision, precision.as_str()));
        assert_eq!(own_precision(&package.model_onnx().unwrap()).unwrap(), precision);
        let told = package.manifest.provenance[PROVENANCE].as_table().unwrap();
        assert_eq!(told["precision"].as_str(), Some(precision.as_str()));
        assert_eq!(
            told["from"]["package"].as_str(),
            Some(Package::open(&folder.path().join("fp32")).unwrap().id.as_str())
        );
        keeps_its_rate(&package, &mut network, &pictures);
    }
}

#[test]
fn a_network_that_computes_something_else_fails_its_self_test() {
    if !runtime_is_there() {
        return eprintln!("passed over: no ONNX Runtime");
    }
    let folder = tempfile::tempdir().unwrap();
    let Some((_, package, _)) = quantised(folder.path(), Format::Int8(Layout::Cpu)) else { return };
    let mut network = Network::open(&package, &NetworkOptions::default()).unwrap();
    let mut problem = |golden: &Golden| match self_test::run(&mut network, golden, &package.model(), None) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let golden = package.golden().unwrap();
    assert_eq!(problem(&golden), "");
    assert!(golden.tolerance < 0.25 && golden.measure == Measure::RootMeanSquare);
    // Red and blue exchanged.
    let mut inputs = golden.inputs.to_array();
    inputs.invert_axis(Axis(1));
    let exchanged = Golden { inputs: inputs.into(), ..golden.clone() };
    assert!(problem(&exchanged).contains("root mean square"), "{}", problem(&exchanged));
    // One output too large by half, all others as they should be.
    for output in ["features", "logits", "local_logits"] {
        let mut larger = golden.clone();
        match output {
            "features" => larger.features *= 1.5,
            "logits" => larger.logits *= 1.5,
            _ => *larger.local_logits.as_mut().unwrap() *= 1.5,
        }
        assert!(problem(&larger).contains(output), "{output}: {}", problem(&larger));
    }
}

/// Judges the pictures of odd index; those of even index set the thresholds.
fn keeps_its_rate(package: &Package, network: &mut Network, source: &DataSource) {
    let pictures = Pictures::unlabelled(source).unwrap();
    let indices = Half::Test.indices(pictures.len());
    let names: Vec<ScoreName> = package.calibration.scores.keys().copied().collect();
    let mut scorers = Scorers::new(&names, &package.model()).unwrap();
    let mut preprocessor = Preprocessor::new(&package.manifest.input).unwrap();
    let batch = pictures.batch(&indices, &mut preprocessor, package.manifest.input.chw()).unwrap();
    let mut flagged = vec![0; names.len()];
    for image in network.run(batch.view()).unwrap().images() {
        for ((name, score), flagged) in names.iter().zip(scorers.score(&image)).zip(&mut flagged) {
            *flagged += usize::from(package.calibration.scores[name].judge(*score, None).flag);
        }
    }
    for (name, flagged) in names.iter().zip(flagged) {
        let calibration = &package.calibration.scores[name];
        let n = calibration.all.scores().len();
        let (low, high) = beta_binomial_interval(n, calibration.target, indices.len(), 0.999).unwrap();
        assert!((low..=high).contains(&flagged), "{name}: {flagged} of {}, wanted {low} to {high}", indices.len());
    }
}

#[test]
fn integers_are_let_through_for_tensorrt_where_the_network_has_them() {
    if !runtime_is_there() {
        return eprintln!("passed over: no ONNX Runtime");
    }
    let folder = tempfile::tempdir().unwrap();
    let Some((_, package, _)) = quantised(folder.path(), Format::Int8(Layout::Tensorrt)) else { return };
    let mut options =
        NetworkOptions { execution_providers: vec![ExecutionProvider::TensorRt], ..NetworkOptions::default() };
    options.provider_options.tensorrt.precision = Precision::Int8;
    let error = Network::open(&package, &options).err();
    assert!(!matches!(error, Some(InferError::NotQuantised)), "{error:?}");
    let original = Package::open(&folder.path().join("fp32")).unwrap();
    let error = Network::open(&original, &options).err();
    assert!(matches!(error, Some(InferError::NotQuantised)), "{error:?}");
}
