use std::env;
use std::path::{Path, PathBuf};

use super::*;
use crate::package::sha256_hex;
use crate::self_test;

/// The shipped package, if ONNX Runtime is there.
fn package() -> Option<Package> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = env::var_os(LIBRARY_VARIABLE).is_some_and(|path| PathBuf::from(path).exists());
    assert!(here || env::var_os("OODWATCH_REQUIRE_ALL").is_none(), "ONNX Runtime is missing");
    here.then(|| Package::open(&root.join("models/cifar10-resnet20")).unwrap())
}

/// ONNX Runtime always has its processor; a session that asks for nothing else and forbids it is the one such session that
/// can be had without a GPU.
#[test]
fn what_no_provider_can_do_is_not_given_to_the_processor_unless_it_was_asked_for() {
    let Some(package) = package() else { return };
    let nothing = NetworkOptions { execution_providers: Vec::new(), ..NetworkOptions::default() };
    let file = package.dir.join(MODEL_FILE);
    let open = |options: &NetworkOptions| {
        open_session(Onnx::File(&file), Precision::Fp32, options, shapes(&package.manifest.input, options)).map(|_| ())
    };
    let error = open(&nothing).unwrap_err();
    assert!(matches!(error, InferError::Partial { .. }), "{error}");
    assert!(error.to_string().contains("add \"cpu\" to [model] execution_providers"), "{error}");
    open(&NetworkOptions::default()).unwrap();
}

#[test]
fn integers_are_refused_of_a_network_without_them() {
    let Some(package) = package() else { return };
    let mut options =
        NetworkOptions { execution_providers: vec![ExecutionProvider::TensorRt], ..NetworkOptions::default() };
    options.provider_options.tensorrt.precision = Precision::Int8;
    let error = Network::open(&package, &options).err().unwrap();
    assert!(matches!(error, InferError::NotQuantised), "{error}");
}

/// ONNX Runtime would read whatever file such a tensor names.
#[test]
fn weights_that_lie_in_other_files_are_refused_before_onnx_runtime_sees_them() {
    let field = |number: u8, body: &[u8]| [&[number << 3 | 2, u8::try_from(body.len()).unwrap()], body].concat();
    // TensorProto: name (8), data_location (14) EXTERNAL; GraphProto: initializer (5); ModelProto: graph (7), opset_import (8).
    let tensor = [field(8, b"kernel"), vec![14 << 3, 1]].concat();
    let onnx = [field(7, &field(5, &tensor)), field(8, &[2 << 3, 17])].concat();
    let error = own_precision(&onnx).unwrap_err();
    assert!(error.blames_package() && error.to_string().contains("kernel"), "{error}");
    let nothing_external = field(8, &[2 << 3, 17]);
    assert_eq!(own_precision(&nothing_external).unwrap(), Precision::Fp32);
}

#[test]
fn every_node_of_the_shipped_network_is_placed_on_the_processor() {
    let Some(package) = package() else { return };
    let golden = package.golden().unwrap();
    let input = golden.inputs.first();
    let placement = placement(&package, &NetworkOptions::default(), input.view()).unwrap();
    let [(provider, nodes)] = placement.nodes.into_iter().collect::<Vec<_>>().try_into().unwrap();
    // ResNet-20 has 19 convolutions that nothing fuses with each other.
    assert!(provider == "CPUExecutionProvider" && nodes >= 19, "{nodes} on {provider}");
}

#[test]
fn the_shipped_network_passes_on_all_its_golden_inputs_and_one_that_differs_is_named() {
    let Some(package) = package() else { return };
    let mut network = Network::open(&package, &NetworkOptions::default()).unwrap();
    let golden = package.golden().unwrap();
    let passed = self_test::run(&mut network, &golden, &package.model(), None).unwrap();
    assert_eq!((passed.inputs, golden.count()), (8, 8));
    assert!(passed.largest_deviation <= golden.tolerance);
    let mut wrong = golden;
    wrong.logits[[7, 0]] += 1.0;
    let error = self_test::run(&mut network, &wrong, &package.model(), None).unwrap_err();
    assert!(error.to_string().contains("logits of golden input 7"), "{error}");
}

#[test]
fn a_prepared_network_computes_the_same_to_the_last_bit_and_counts_no_more_nodes() {
    let Some(package) = package() else { return };
    let folder = tempfile::tempdir().unwrap();
    let plain = NetworkOptions::default();
    let written = PreparedNetwork::write(&package, &plain, folder.path().join("network.onnx")).unwrap();
    assert_eq!(written.precision, Precision::Fp32);
    let prepared = NetworkOptions { prepared: Some(written.clone()), ..plain.clone() };
    let golden = package.golden().unwrap();
    let outputs = |options: &NetworkOptions| {
        let mut network = Network::open(&package, options).unwrap();
        let NetworkOutputs { logits, features, .. } = network.run(golden.inputs.to_array().view()).unwrap();
        (logits, features)
    };
    assert_eq!(outputs(&prepared), outputs(&plain));
    let input = golden.inputs.first();
    let nodes = |options: &NetworkOptions| placement(&package, options, input.view()).unwrap();
    assert_eq!(nodes(&prepared), nodes(&plain));

    let mut bytes = std::fs::read(&written.file).unwrap();
    bytes.reverse();
    std::fs::write(&written.file, bytes).unwrap();
    let error = Network::open(&package, &prepared).err().unwrap();
    assert!(matches!(error, InferError::Prepared { .. }) && !error.blames_package(), "{error}");
    assert!(error.to_string().contains("its sha256 is"), "{error}");
}

#[test]
fn a_prepared_network_that_onnx_runtime_does_not_read_or_write_is_an_error_that_says_so() {
    let Some(package) = package() else { return };
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere/network.onnx");
    let error = PreparedNetwork::write(&package, &NetworkOptions::default(), nowhere).unwrap_err();
    assert!(matches!(error, InferError::NotWritten { .. }) && error.to_string().contains("2 GiB"), "{error}");
    let file = folder.path().join("network.onnx");
    std::fs::write(&file, "nonsense").unwrap();
    let nonsense = PreparedNetwork { sha256: sha256_hex(b"nonsense"), file, precision: Precision::Fp32 };
    let options = NetworkOptions { prepared: Some(nonsense), ..NetworkOptions::default() };
    let error = Network::open(&package, &options).err().unwrap();
    assert!(error.to_string().contains("ONNX Runtime cannot open it") && !error.blames_package(), "{error}");
}
