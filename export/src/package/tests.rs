//! A network with arbitrary weights goes the whole way into a package, and ONNX Runtime computes what
//! libtorch computes. Needs ONNX Runtime's library; passed over without, unless everything is required.

use ndarray::Array4;

use super::*;
use crate::trained::fixture::{write_checkpoint, write_pictures};
use crate::weights::Array;

fn options(folder: &Path) -> ExportOptions {
    ExportOptions {
        calibration: Some(write_pictures(folder, 160, 6)),
        fit: Some(write_pictures(folder, 200, 7)),
        ..ExportOptions::default()
    }
}

/// Whether ONNX Runtime's library can be loaded.
fn runtime_is_there(error: &ExportError) -> bool {
    let missing = matches!(error, ExportError::Infer(InferError::Library { .. }));
    assert!(!missing || std::env::var_os("OODWATCH_REQUIRE_ALL").is_none(), "{error}");
    !missing
}

#[test]
fn every_depth_becomes_a_package_that_computes_what_libtorch_computes() {
    for arch in ["resnet20", "resnet32", "resnet44", "resnet56"] {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = write_checkpoint(folder.path(), arch);
        let out = folder.path().join("packages/test");
        let exported = match export(&checkpoint, &out, &options(folder.path())) {
            Ok(exported) => exported,
            Err(error) if !runtime_is_there(&error) => return eprintln!("passed over: {error}"),
            Err(error) => panic!("{arch}: {error}"),
        };
        // largest difference <= 1e-4 over all outputs, and mean of local_logits against logits
        assert!(exported.parity.worst().1 <= 1e-4, "{arch}: {:?}", exported.parity);
        assert!(exported.parity.pictures >= 64);
        assert_eq!(exported.calibration_pictures, 80);

        let package = Package::open(&out).unwrap();
        assert_eq!(package.id, exported.id);
        assert_eq!(package.calibration.scores.len(), ScoreName::PLAIN.len());
        assert_eq!(package.golden().unwrap().scores.len(), ScoreName::PLAIN.len());
        assert_eq!((exported.fit_pictures, package.calibration.fitted.images), (200, 200));
        assert_eq!(package.manifest.provenance["seed"].as_integer(), Some(5));
        let left: Vec<_> = std::fs::read_dir(out.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["test"]);
    }
}

/// At 64 pixels, so that paddings differ from those at the side of one location.
#[test]
fn every_backbone_becomes_a_package_that_computes_what_libtorch_computes() {
    for arch in ["resnet18", "resnet50", "mobilenet_v2", "efficientnet_lite0"] {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = write_checkpoint(folder.path(), arch);
        let scores = vec!["energy".parse().unwrap(), "local_norm_mean".parse().unwrap()];
        let options = ExportOptions { fit: None, scores, ..options(folder.path()) };
        let out = folder.path().join("packages/test");
        let exported = match export(&checkpoint, &out, &options) {
            Ok(exported) => exported,
            Err(error) if !runtime_is_there(&error) => return eprintln!("passed over: {error}"),
            Err(error) => panic!("{arch}: {error}"),
        };
        assert!(exported.parity.worst().1 <= 1e-4, "{arch}: {:?}", exported.parity);
        assert_eq!(Package::open(&out).unwrap().calibration.scores.len(), 2, "{arch}");
    }
}

#[test]
fn a_score_that_has_to_be_fitted_is_refused_without_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = write_checkpoint(folder.path(), "resnet20");
    let options = ExportOptions { fit: None, scores: vec!["knn".parse().unwrap()], ..options(folder.path()) };
    let error = export(&checkpoint, &folder.path().join("package"), &options).unwrap_err();
    if runtime_is_there(&error) {
        assert!(error.to_string().contains("score knn has to be fitted"), "{error}");
    }
}

#[test]
fn the_same_checkpoint_gives_the_same_package() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = write_checkpoint(folder.path(), "resnet20");
    let mut options = options(folder.path());
    let out = folder.path().join("package");
    let first = match export(&checkpoint, &out, &options) {
        Err(error) if !runtime_is_there(&error) => return eprintln!("passed over: {error}"),
        result => result.unwrap(),
    };
    let refused = export(&checkpoint, &out, &options).unwrap_err().to_string();
    assert!(refused.contains("exists already"), "{refused}");
    options.force = true;
    assert_eq!(export(&checkpoint, &out, &options).unwrap().id, first.id);
}

#[test]
fn a_network_that_disagrees_with_libtorch_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut trained = Trained::open(&write_checkpoint(folder.path(), "resnet20")).unwrap();
    let bias = trained.tensors.any_shape("bn1.bias").unwrap();
    let mut values = bias.values().to_vec();
    values[3] += 0.5;
    trained.tensors.insert("bn1.bias", Array::vector(values));
    let out = folder.path().join("packages/test");
    let error = export_trained(&trained, &out, &options(folder.path())).unwrap_err();
    if runtime_is_there(&error) {
        assert!(matches!(error, ExportError::Disagree { .. }), "{error}");
    }
    assert!(!folder.path().join("packages").exists());
}

#[test]
fn too_few_pictures_and_no_pictures_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = write_checkpoint(folder.path(), "resnet20");
    let out = folder.path().join("package");
    let few = ExportOptions { calibration: Some(write_pictures(folder.path(), 10, 6)), ..ExportOptions::default() };
    let text = export(&checkpoint, &out, &few).unwrap_err().to_string();
    assert!(text.contains("5 calibration pictures, at least 64"), "{text}");
    let text = export(&checkpoint, &out, &ExportOptions::default()).unwrap_err().to_string();
    assert!(text.contains("--calibration"), "{text}");
    assert!(!out.exists());
}

#[test]
fn libtorchs_local_logits_have_the_logits_as_their_mean() {
    let folder = tempfile::tempdir().unwrap();
    let trained = Trained::open(&write_checkpoint(folder.path(), "resnet20")).unwrap();
    let batch = Array4::from_shape_fn((3, 3, 32, 32), |(n, c, h, w)| ((n + 2 * c + h * w) % 7) as f32 / 3.0 - 1.0);
    let outputs = trained.outputs(&trained.forward(batch.view())).unwrap();
    let mut parity = Parity::default();
    parity.add(&outputs, &outputs.clone());
    assert!(parity.mean_local_logits <= 1e-5, "{parity:?}");
}
