//! `oodwatch adopt`: whatever graph the tiny network comes in, the package computes what the network computes.

use std::fs;

use oodwatch::infer::NetworkOutputs;
use oodwatch::onnx::build::node;
use oodwatch::onnx::proto::DataType;
use oodwatch::package::{Golden, Package};

use crate::support::foreign::{Foreign, value};
use crate::support::network::{self, CHANNELS, HEAD, HEAD_BIAS, SIDE};
use crate::support::{Bench, Ran, Tool, have, known, strange};

const CLASSES: &str = "red,green,blue";

/// Max abs diff between sums of at most 64 f32 terms of order 10, in whatever order.
const ROUNDING: f32 = 1e-4;

/// Adopts a network with further arguments.
fn adopt(bench: &Bench, network: &[u8], more: &[&str]) -> Ran {
    fs::write(bench.path("foreign.onnx"), network).unwrap();
    let mut arguments = vec!["adopt", "--onnx", "foreign.onnx", "--classes", CLASSES, "--out", "mine"];
    arguments.extend(more);
    bench.run(&arguments)
}

/// What a package of the network computes for its golden pictures, which has to be what the tiny network computes.
#[track_caller]
fn adopted(network: &Foreign, more: &[&str]) -> (Package, Golden, String) {
    adopted_within(network, more, ROUNDING)
}

#[track_caller]
fn adopted_within(network: &Foreign, more: &[&str], tolerance: f32) -> (Package, Golden, String) {
    let bench = Bench::new();
    let said = adopt(&bench, &network.bytes(), more).expect(0, &[]).stdout;
    let package = Package::open(&bench.path("mine")).unwrap();
    // A network that takes bytes scales them itself; what is in the package is what goes in.
    let scale = if package.manifest.input.scale == 1.0 { 1.0 / 255.0 } else { 1.0 };
    let golden = package.golden().unwrap();
    let wanted = network::forward((golden.inputs.to_array() * scale).view());
    close(tolerance, "logits", golden.logits.iter(), wanted.logits.iter());
    close(tolerance, "features", golden.features.iter(), wanted.features.iter());
    check_local(&golden, &wanted, tolerance);
    (package, golden, said)
}

fn check_local(golden: &Golden, wanted: &NetworkOutputs, tolerance: f32) {
    if let (Some(norms), Some(logits)) = (&golden.local_norms, &golden.local_logits) {
        close(tolerance, "local_norms", norms.iter(), wanted.local_norms.as_ref().unwrap().iter());
        close(tolerance, "local_logits", logits.iter(), wanted.local_logits.as_ref().unwrap().iter());
    }
}

#[track_caller]
fn close<'v>(
    tolerance: f32,
    what: &str,
    got: impl ExactSizeIterator<Item = &'v f32>,
    want: impl ExactSizeIterator<Item = &'v f32>,
) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (got, want) in got.zip(want) {
        assert!((got - want).abs() <= tolerance, "{what}: {got}, wanted {want}");
    }
}

#[test]
fn whatever_the_graph_the_package_computes_what_the_network_computes() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    for (name, network) in [
        ("flatten and gemm", Foreign::gemm()),
        ("matmul, add, softmax", Foreign::matmul_add_softmax()),
        ("conv head", Foreign::conv_head()),
        ("fixed batch", Foreign::fixed_batch()),
        ("bytes, colours last", Foreign::bytes_colours_last()),
        ("colliding names", Foreign::colliding()),
        ("opset 18", Foreign { opset: 18, ..Foreign::gemm() }),
    ] {
        let (package, golden, said) = adopted(&network, &[]);
        let head = package.calibration.head.as_ref().unwrap_or_else(|| panic!("{name}: no head\n{said}"));
        assert_eq!(head.weight.iter().copied().collect::<Vec<_>>(), HEAD.concat(), "{name}");
        assert_eq!(head.bias.to_vec(), HEAD_BIAS, "{name}");
        assert!(golden.local_norms.is_some(), "{name}: no local outputs\n{said}");
        assert!(package.calibration.scores.is_empty(), "{name}");
    }
}

#[test]
fn a_network_that_takes_half_precision_is_given_it() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    // Max abs diff: inputs up to 1 lose 2.5e-4, which stem and head together make at most 40 times as much.
    let (package, ..) = adopted_within(&Foreign::half_precision(), &[], 1e-2);
    assert_eq!(package.manifest.input.name, "oodwatch.input");
}

#[test]
fn features_may_be_a_vector_a_pooled_point_or_a_map() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    for features in ["flat", "pooled", "map"] {
        let (package, golden, said) = adopted(&Foreign::gemm(), &["--features", features]);
        assert!(package.calibration.head.is_some() && golden.local_norms.is_some(), "{features}\n{said}");
        assert!(said.contains(&format!("{features:?}: as named")), "{said}");
    }
}

#[test]
fn a_package_that_was_adopted_can_be_calibrated_and_then_judges() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let said = adopt(&bench, &Foreign::gemm().bytes(), &[]).expect(0, &[]).stdout;
    assert!(said.contains("next      oodwatch calibrate --model mine"), "{said}");
    bench.pictures("known", 0, 39, known);
    bench.pictures("strange", 0, 20, strange);
    bench
        .run(&["score", "--model", "mine", "known"])
        .expect(3, &["mine: the package is not calibrated yet", "calibrate"]);
    let arguments = ["calibrate", "--model", "mine", "--from", "known", "--false-alarm-rate", "0.05", "--out", "ready"];
    bench.run(&arguments).expect(0, &[]);
    let lines = bench.run(&["score", "--model", "ready", "strange"]).expect(0, &[]).json();
    assert_eq!(lines.iter().filter(|line| line["flag"] == true).count(), 20);
    let config = bench.config("[camera.source.images]\npath = \"strange\"");
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("\"package\"", "\"ready\"")).unwrap();
    let verdicts = bench.run(&["run", "--config", "config.toml"]).expect(0, &[]).verdicts();
    assert!(verdicts.iter().filter(|verdict| verdict.score.is_some()).all(|verdict| verdict.flag == Some(true)));
}

#[test]
fn without_a_proved_head_the_package_has_none_and_no_local_outputs() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    // Something between the features and the last layer: the last layer's weights are not these features' head.
    let mut network = Foreign::gemm().then(node("Neg", &["flat"], "negative", Vec::new()));
    network.graph.node.swap(4, 5);
    network.graph.node[5].input[0] = "negative".into();
    let bench = Bench::new();
    let said = adopt(&bench, &network.bytes(), &["--features", "flat"]).expect(0, &[]).stdout;
    assert!(said.contains("head      none") && said.contains("local     none"), "{said}");
    let package = Package::open(&bench.path("mine")).unwrap();
    assert_eq!((package.calibration.head, package.manifest.output.local), (None, None));
}

#[test]
fn preprocessing_comes_from_a_file_and_flags_win_over_it() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.write("prepare.toml", "color = \"bgr\"\nresize = \"center_crop\"\nmean = [0.1, 0.2, 0.3]\nscale = 0.5\n");
    let more = ["--preprocess", "prepare.toml", "--scale", "1/255", "--std", "0.5"];
    adopt(&bench, &Foreign::gemm().bytes(), &more).expect(0, &[]);
    let manifest = fs::read_to_string(bench.path("mine/manifest.toml")).unwrap();
    for part in
        ["color = \"bgr\"", "resize = \"center_crop\"", "mean = [0.1", "std = [0.5, 0.5, 0.5]", "scale = 0.0039"]
    {
        assert!(manifest.contains(part), "{part:?} is missing from:\n{manifest}");
    }
    bench.write("prepare.toml", "colour = \"bgr\"\n");
    adopt(&bench, &Foreign::gemm().bytes(), &["--force", "--preprocess", "prepare.toml"])
        .expect(2, &["prepare.toml", "unknown field `colour`", "^"]);
}

#[test]
fn a_size_that_the_network_leaves_free_is_asked_for() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let mut network = Foreign::gemm();
    network.graph.input = vec![value("picture", DataType::Float, &[-1, 3, -1, -1])];
    let bench = Bench::new();
    adopt(&bench, &network.bytes(), &["--width", "8"]).expect(3, &["input \"picture\"", "--height"]);
    adopted(&network, &["--width", "8", "--height", "8"]);
}

#[test]
fn list_shows_every_tensor_with_its_shape_and_what_it_would_be_taken_for() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    fs::write(bench.path("foreign.onnx"), Foreign::matmul_add_softmax().bytes()).unwrap();
    let listed = bench.run(&["adopt", "--onnx", "foreign.onnx", "--list"]).expect(0, &[]).stdout;
    let line = |name: &str| listed.lines().find(|line| line.contains(&format!("  {name}"))).unwrap().to_owned();
    assert!(line("map").contains(&format!("Tensor<f32>(1, {CHANNELS}, {SIDE}, {SIDE})")), "{listed}");
    assert!(line("flat").contains("<- features: the input of the last MatMul"), "{listed}");
    assert!(line("same").contains("<- logits: what Softmax makes the output \"probabilities\" of"), "{listed}");
}

#[test]
fn what_does_not_fit_is_refused_by_name_and_with_a_way_out() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let refuse = |network: &Foreign, more: &[&str], code: i32, said: &[&str]| {
        adopt(&bench, &network.bytes(), more).expect(code, said);
        assert!(!bench.path("mine").exists());
    };
    let gemm = Foreign::gemm();
    refuse(&gemm, &["--features", "flut"], 2, &["no tensor \"flut\"", "near it are \"flat\""]);
    refuse(&gemm, &["--logits", "map"], 3, &["logits \"map\" is", "wanted [N, K]"]);
    refuse(&gemm, &["--width", "9"], 3, &["--width is 9, but it takes 8"]);
    refuse(&gemm, &["--std", "0"], 2, &["--std is [0.0, 0.0, 0.0], wanted three positive numbers"]);
    refuse(&gemm.clone().giving("map"), &[], 2, &["2 outputs: \"result\", \"map\"", "--logits"]);
    refuse(&Foreign { opset: 6, ..gemm.clone() }, &[], 3, &["version 6", "wanted at least 7"]);
    refuse(&Foreign::bytes_colours_last(), &["--scale", "1/255"], 2, &["takes bytes (uint8) as they are"]);

    let mut sigmoid = gemm.clone().then(node("Sigmoid", &["result"], "each", Vec::new()));
    sigmoid.graph.output[0].name = Some("each".into());
    refuse(&sigmoid, &[], 3, &["\"each\" is made by Sigmoid", "--logits"]);

    let mut grey = gemm.clone();
    grey.graph.input = vec![value("picture", DataType::Float, &[-1, 1, 8, 8])];
    refuse(&grey, &[], 3, &["it takes 1 channels, wanted 3"]);

    let mixing = gemm.then(node("ReduceMean", &["result"], "mean", Vec::new()));
    let mut mixing = mixing.then(node("Sub", &["result", "mean"], "centred", Vec::new()));
    mixing.graph.output[0].name = Some("centred".into());
    refuse(&mixing, &["--features", "flat"], 3, &["\"centred\" of a picture changes by", "inference mode"]);
}

#[test]
fn a_network_for_one_picture_only_is_refused_with_the_way_to_export_it() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    // The 1 of the Reshape's shape comes out of another node, where it is not seen.
    let mut hidden = Foreign::fixed_batch();
    for node in hidden.graph.node.iter_mut().filter(|node| node.op_type.as_deref() == Some("Reshape")) {
        node.input[1] = "computed".into();
    }
    hidden.graph.node.insert(3, node("Abs", &["shape"], "computed", Vec::new()));
    let bench = Bench::new();
    adopt(&bench, &hidden.bytes(), &[])
        .expect(3, &["on one picture but not on a batch of 8", "dynamic_axes", "picture"]);
}

#[test]
fn class_names_come_from_a_file_or_a_list_and_have_to_be_as_many_as_the_logits() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    fs::write(bench.path("foreign.onnx"), Foreign::gemm().bytes()).unwrap();
    let adopt = |classes: &str| bench.run(&["adopt", "--onnx", "foreign.onnx", "--classes", classes, "--out", "mine"]);
    adopt("red,green").expect(2, &["--classes has 2 names, the logits \"result\" are 3"]);
    adopt("names.txt").expect(2, &["\"names.txt\" is no file"]);
    bench.write("names.txt", "red\ngreen\nlight blue\n");
    adopt("names.txt").expect(0, &[]);
    assert_eq!(Package::open(&bench.path("mine")).unwrap().manifest.classes, ["red", "green", "light blue"]);
    adopt("names.txt").expect(2, &["mine: exists already"]);
}

#[test]
fn a_file_that_is_no_network_is_code_3_and_says_so() {
    let bench = Bench::new();
    adopt(&bench, b"\x89PNG\r\n\x1a\n, a picture", &[]).expect(3, &["not a readable ONNX file"]);
    adopt(&bench, b"", &[]).expect(3, &["not a readable ONNX file: file: no graph in it"]);
    let whole = Foreign::gemm().bytes();
    adopt(&bench, &whole[..whole.len() / 2], &[]).expect(3, &["not a readable ONNX file"]);
    let missing = ["adopt", "--onnx", "nowhere.onnx", "--classes", CLASSES, "--out", "mine"];
    bench.run(&missing).expect(3, &["nowhere.onnx: cannot be read"]);
}
