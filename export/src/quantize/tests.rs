//! The written graphs, node by node; the numbers, against direct computations; and packages from end to end, which need ONNX
//! Runtime and are passed over without, unless everything is required.

use std::collections::BTreeMap;

use half::f16;
use ndarray::{Array4, Axis};
use oodwatch::calibrate::beta_binomial_interval;
use oodwatch::infer::{ExecutionProvider, InferError, NetworkOptions, Probe};
use oodwatch::onnx::proto::{DataType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};
use oodwatch::onnx::{Names, build};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::Scorers;
use prost::Message;

use super::histogram::Histogram;
use super::inner::Inner;
use super::*;
use crate::package::{ExportOptions, export};
use crate::trained::fixture::{write_checkpoint, write_pictures};

const CLASSES: usize = 3;

/// Weights that are all different, in (-1, 1).
fn weights(name: &str, dims: &[usize]) -> TensorProto {
    let seed = name.bytes().map(usize::from).sum::<usize>();
    let values = (0..dims.iter().product()).map(|at: usize| ((at * 37 + seed * 11) % 101) as f32 / 51.0 - 0.99);
    build::floats(name, dims, values)
}

fn conv(input: &str, name: &str) -> NodeProto {
    build::node("Conv", &[input, &format!("{name}.weight"), &format!("{name}.bias")], name, Vec::new())
}

/// Three convolutions of 1x1 with a sum between, and the outputs of a package; four channels inside.
fn graph() -> GraphProto {
    let mut node = vec![
        conv("input", "a"),
        build::node("Relu", &["a"], "a.relu", Vec::new()),
        conv("a.relu", "b"),
        build::node("Add", &["b", "a.relu"], "sum", Vec::new()),
        build::node("Relu", &["sum"], "sum.relu", Vec::new()),
        conv("sum.relu", "c"),
        build::node("Relu", &["c"], "map", Vec::new()),
        build::node("GlobalAveragePool", &["map"], "pooled", Vec::new()),
        build::node("Flatten", &["pooled"], "features", Vec::new()),
        build::node("Gemm", &["features", "head", "head.bias"], "logits", vec![build::integer("transB", 1)]),
    ];
    node.push(build::node("Conv", &["map", "local.weight"], "local_logits", Vec::new()));
    let layer = |name: &str, from: usize| {
        [weights(&format!("{name}.weight"), &[4, from, 1, 1]), weights(&format!("{name}.bias"), &[4])]
    };
    let mut initializer: Vec<TensorProto> = [layer("a", 3), layer("b", 4), layer("c", 4)].concat();
    initializer.extend([weights("head", &[CLASSES, 4]), weights("head.bias", &[CLASSES])]);
    initializer.push(weights("local.weight", &[CLASSES, 4, 1, 1]));
    GraphProto {
        name: Some("tiny".into()),
        node,
        initializer,
        input: vec![build::batch_of("input", &[3, 2, 2])],
        output: declared(),
    }
}

fn declared() -> Vec<ValueInfoProto> {
    vec![batch_of("logits", &[CLASSES]), batch_of("features", &[4]), batch_of("local_logits", &[CLASSES, 2, 2])]
}

fn file(graph: GraphProto, opset: i64) -> Vec<u8> {
    ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(opset) }],
        ..ModelProto::default()
    }
    .encode_to_vec()
}

/// The nodes of a file, a line each.
fn nodes(bytes: &[u8]) -> Vec<String> {
    let model = Model::parse(bytes).unwrap();
    model
        .graph
        .nodes
        .iter()
        .map(|node| format!("{} {} -> {}", node.op, node.inputs.join(" "), node.outputs[0]))
        .collect()
}

fn scale(step: f32, zero_point: u8, unsigned: bool) -> Scale {
    Scale { step, zero_point, unsigned }
}

/// The tiny network in integers; 0 is stored as 128 where `signed` names the tensor.
fn in_integers(layout: Layout, signed: &[&str]) -> Vec<u8> {
    let bytes = file(graph(), 17);
    let model = Model::parse(&bytes).unwrap();
    let inner = Inner::of(&model.graph).unwrap();
    let unsigned = layout == Layout::Cpu;
    let of = |tensor: &str| scale(0.03, if unsigned && signed.contains(&tensor) { 128 } else { 0 }, unsigned);
    let points = layout.points(&model.graph, &inner);
    let points: Vec<_> = points.into_iter().map(|point| (point.clone(), of(point.tensor))).collect();
    int8::write(&bytes, &model, &inner, (layout, &points), declared()).unwrap()
}

#[test]
fn every_layer_but_the_last_ones_reads_integers_and_for_a_processor_every_sum_does() {
    let bytes = in_integers(Layout::Cpu, &["input", "b"]);
    let activation = "scale {t}.zero_point";
    let pair = |t: &str| {
        let [step, zero] = ["scale", "zero_point"].map(|part| format!("{t}.{part}"));
        assert_eq!(activation.replace("{t}", t), format!("scale {zero}"));
        [
            format!("QuantizeLinear {t} {step} {zero} -> {t}.quantized"),
            format!("DequantizeLinear {t}.quantized {step} {zero} -> {t}.dequantized"),
        ]
    };
    let weight = |t: &str| {
        format!(
            "DequantizeLinear {t}.weight.quantized {t}.weight.scale {t}.weight.zero_point -> {t}.weight.dequantized"
        )
    };
    let wanted = [
        pair("input").to_vec(),
        vec![weight("a"), "Conv input.dequantized a.weight.dequantized a.bias -> a".into(), "Relu a -> a.relu".into()],
        pair("a.relu").to_vec(),
        vec![weight("b"), "Conv a.relu.dequantized b.weight.dequantized b.bias -> b".into()],
        pair("b").to_vec(),
        vec!["Add b.dequantized a.relu.dequantized -> sum".into(), "Relu sum -> sum.relu".into()],
        pair("sum.relu").to_vec(),
        vec![
            weight("c"),
            "Conv sum.relu.dequantized c.weight.dequantized c.bias -> c".into(),
            "Relu c -> map".into(),
            "GlobalAveragePool map -> pooled".into(),
            "Flatten pooled -> features".into(),
            "Gemm features head head.bias -> logits".into(),
            "Conv map local.weight -> local_logits".into(),
        ],
    ]
    .concat();
    assert_eq!(nodes(&bytes), wanted);
    let model = Model::parse(&bytes).unwrap();
    assert_eq!(model.graph.outputs, ["logits", "features", "local_logits"]);
    assert!(!model.graph.has("a.weight") && model.graph.has("a.bias") && model.graph.has("head"));
    let stored = |name: &str| model.graph.constant(name).unwrap().unwrap();
    let zero = |name: &str| (stored(name).data_type.unwrap(), stored(name).raw_data.unwrap());
    assert_eq!(zero("input.zero_point"), (DataType::Uint8.into(), vec![128]));
    assert_eq!(zero("a.relu.zero_point"), (DataType::Uint8.into(), vec![0]));
    assert_eq!(stored("a.weight.quantized").data_type, Some(DataType::Int8.into()));
    let axis = model.graph.producer("a.weight.dequantized").unwrap().integer("axis").unwrap();
    assert_eq!(axis, Some(0));
}

#[test]
fn for_tensorrt_sums_and_stored_weights_stay_in_floats_and_zero_is_stored_as_zero() {
    let bytes = in_integers(Layout::Tensorrt, &["input", "b"]);
    let nodes = nodes(&bytes);
    assert!(nodes.contains(&"Add b a.relu -> sum".to_owned()), "{nodes:?}");
    let made = "QuantizeLinear b.weight b.weight.scale b.weight.zero_point -> b.weight.quantized".to_owned();
    assert!(nodes.contains(&made), "{nodes:?}");
    // Of three layers: what they read, and their weights.
    assert_eq!(nodes.iter().filter(|node| node.starts_with("QuantizeLinear")).count(), 6);
    let model = Model::parse(&bytes).unwrap();
    for tensor in ["input", "a.relu", "sum.relu"] {
        let zero = model.graph.constant(&format!("{tensor}.zero_point")).unwrap().unwrap();
        assert_eq!((zero.data_type, zero.raw_data), (Some(DataType::Int8.into()), Some(vec![0])), "{tensor}");
    }
}

#[test]
fn a_layer_whose_weights_are_computed_stays_as_it_is_and_is_named() {
    let mut graph = graph();
    graph.node.insert(2, build::node("Sigmoid", &["b.weight"], "made", Vec::new()));
    graph.node[3].input[1] = "made".into();
    let bytes = file(graph, 17);
    let model = Model::parse(&bytes).unwrap();
    let inner = Inner::of(&model.graph).unwrap();
    assert_eq!((inner.layers.len(), inner.left.as_slice()), (2, ["b"].as_slice()));
}

#[test]
fn a_network_of_a_head_alone_has_nothing_to_quantise_and_an_old_operator_set_is_refused() {
    let mut head = graph();
    head.node.drain(..6);
    let bytes = file(head, 17);
    let model = Model::parse(&bytes).unwrap();
    assert!(Inner::of(&model.graph).unwrap().layers.is_empty());
    let bytes = file(graph(), 12);
    let model = Model::parse(&bytes).unwrap();
    let inner = Inner::of(&model.graph).unwrap();
    let error = int8::write(&bytes, &model, &inner, (Layout::Cpu, &[]), declared()).unwrap_err().to_string();
    assert!(error.contains("operator set 12, at least 13"), "{error}");
}

#[test]
fn weights_are_within_half_a_step_of_their_channel_and_the_largest_is_exact() {
    let bytes = in_integers(Layout::Cpu, &[]);
    let (model, original) = (Model::parse(&bytes).unwrap(), file(graph(), 17));
    let original = Model::parse(&original).unwrap();
    for layer in ["a", "b", "c"] {
        let (dims, values) = original.graph.constant(&format!("{layer}.weight")).unwrap().unwrap().floats().unwrap();
        let constant = |part: &str| model.graph.constant(&format!("{layer}.weight.{part}")).unwrap().unwrap();
        let (_, steps) = constant("scale").floats().unwrap();
        let stored = constant("quantized").raw_data.unwrap();
        let row = dims[1];
        for (channel, step) in steps.iter().enumerate() {
            let rows = channel * row..(channel + 1) * row;
            let back = stored[rows.clone()].iter().map(|byte| f32::from(byte.cast_signed()) * step);
            let worst = back.zip(&values[rows.clone()]).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(worst <= 0.5001 * step, "{layer} {channel}: {worst} of {step}");
            let largest = values[rows].iter().fold(0.0_f32, |a, b| a.max(b.abs()));
            assert!((largest - 127.0 * step).abs() < 1e-6);
        }
    }
}

#[test]
fn a_scale_keeps_what_the_layout_says() {
    let seen = |values: &[f32]| {
        let mut histogram = Histogram::default();
        histogram.add(values.iter());
        histogram
    };
    let (positive, both) = (seen(&[0.0, 2.55]), seen(&[-2.54, 1.0]));
    let of = |seen: &Histogram, layout| Scale::of(seen, RangeRule::Largest, layout);
    assert_eq!(of(&positive, Layout::Cpu), scale(2.55 / 255.0, 0, true));
    assert_eq!(of(&both, Layout::Cpu), scale(2.54 / 127.0, 128, true));
    assert_eq!(of(&both, Layout::Tensorrt), scale(2.54 / 127.0, 0, false));
    assert_eq!(of(&positive, Layout::Tensorrt), scale(2.55 / 127.0, 0, false));
}

/// Whether ONNX Runtime's library can be loaded.
fn runtime_is_there() -> bool {
    let found = Probe::open(&file(graph(), 17));
    let missing = matches!(found, Err(InferError::Library { .. }));
    assert!(!missing || std::env::var_os("OODWATCH_REQUIRE_ALL").is_none(), "ONNX Runtime is missing");
    !missing
}

fn pictures(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 3, 2, 2), |(n, c, h, w)| ((n * 29 + c * 17 + h * 7 + w * 3) % 41) as f32 / 20.0 - 1.0)
}

/// The tensors of `bytes` on pictures, as ONNX Runtime computes them with all its rewriting.
fn computed(bytes: &[u8], tensors: &[&str]) -> Vec<ndarray::ArrayD<f32>> {
    let outputs = tensors.iter().map(|tensor| build::untyped(tensor)).collect();
    let changes = oodwatch::onnx::rewrite::Changes { outputs, ..Default::default() };
    let exposed = oodwatch::onnx::rewrite::rewrite(bytes, &changes).unwrap();
    Probe::open(&exposed).unwrap().run("input", pictures(50).view()).unwrap()
}

#[test]
fn onnx_runtime_keeps_of_every_value_what_the_formula_keeps() {
    if !runtime_is_there() {
        return eprintln!("passed over: no ONNX Runtime");
    }
    for (layout, signed, scale) in
        [(Layout::Cpu, &["input", "b"][..], scale(0.03, 128, true)), (Layout::Tensorrt, &[], scale(0.03, 0, false))]
    {
        let kept = &computed(&in_integers(layout, signed), &["input.dequantized"])[0];
        for (kept, given) in kept.iter().zip(&pictures(50)) {
            assert!((kept - scale.kept(*given)).abs() < 1e-6, "{layout:?}: {given} became {kept}");
        }
    }
}

/// A layer of 1x1 over one location, on values that were stored and read back.
fn direct(model: &Model<'_>, layer: &str, values: &[f32], scale: Scale) -> Vec<f32> {
    let constant = |part: &str| model.graph.constant(&format!("{layer}.{part}")).unwrap().unwrap();
    let (_, steps) = constant("weight.scale").floats().unwrap();
    let (_, bias) = constant("bias").floats().unwrap();
    let original = file(graph(), 17);
    let original = Model::parse(&original).unwrap();
    let (_, weights) = original.graph.constant(&format!("{layer}.weight")).unwrap().unwrap().floats().unwrap();
    let row = |channel: usize| &weights[channel * values.len()..(channel + 1) * values.len()];
    let sum = |channel: usize| {
        let stored = |weight: &f32| (weight / steps[channel]).round_ties_even();
        let products = row(channel).iter().zip(values).map(|(w, x)| stored(w) * scale.kept(*x));
        products.sum::<f32>() * steps[channel] + bias[channel]
    };
    (0..steps.len()).map(sum).collect()
}

/// Largest difference <= 2 steps of 0.03: ONNX Runtime adds up in integers and may round a value that lies between two steps to the other
/// one, which the next layers weigh by up to 1 each.
#[test]
fn the_integer_network_computes_what_a_direct_computation_does() {
    if !runtime_is_there() {
        return eprintln!("passed over: no ONNX Runtime");
    }
    for (layout, signed) in [(Layout::Cpu, &["input", "b"][..]), (Layout::Tensorrt, &[])] {
        let bytes = in_integers(layout, signed);
        let model = Model::parse(&bytes).unwrap();
        let unsigned = layout == Layout::Cpu;
        let zero = |tensor: &str| if unsigned && signed.contains(&tensor) { 128 } else { 0 };
        let of = |tensor: &str| scale(0.03, zero(tensor), unsigned);
        let map = computed(&bytes, &["map"]).remove(0);
        let mut worst = 0.0_f32;
        for (picture, got) in pictures(50).outer_iter().zip(map.outer_iter()) {
            for (at, got) in got.view().into_shape_with_order((4, 4)).unwrap().axis_iter(Axis(1)).enumerate() {
                let pixel: Vec<f32> = picture.outer_iter().map(|plane| plane[[at / 2, at % 2]]).collect();
                let relu = |values: Vec<f32>| values.into_iter().map(|value| value.max(0.0)).collect::<Vec<_>>();
                let a = relu(direct(&model, "a", &pixel, of("input")));
                let b = direct(&model, "b", &a, of("a.relu"));
                let kept = |value: f32, tensor: &str| if unsigned { of(tensor).kept(value) } else { value };
                let sum = a.iter().zip(&b).map(|(a, b)| kept(*a, "a.relu") + kept(*b, "b")).collect();
                let wanted = relu(direct(&model, "c", &relu(sum), of("sum.relu")));
                worst = wanted.iter().zip(got).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
            }
        }
        assert!(worst <= 0.06, "{layout:?}: {worst}");
    }
}

fn in_halves(graph: GraphProto) -> Result<Vec<u8>, QuantizeError> {
    let bytes = file(graph, 17);
    let model = Model::parse(&bytes).unwrap();
    let inner = Inner::of(&model.graph).unwrap();
    fp16::tensors(&model.graph, &inner)?;
    fp16::write(&bytes, &model, &inner, declared())
}

#[test]
fn halves_reach_from_a_cast_of_the_input_to_a_cast_of_the_last_inner_layer() {
    let bytes = in_halves(graph()).unwrap();
    let wanted = [
        "Cast input -> input.half",
        "Conv input.half a.weight.half a.bias.half -> a",
        "Relu a -> a.relu",
        "Conv a.relu b.weight.half b.bias.half -> b",
        "Add b a.relu -> sum",
        "Relu sum -> sum.relu",
        "Conv sum.relu c.weight.half c.bias.half -> c",
        "Cast c -> c.f32",
        "Relu c.f32 -> map",
        "GlobalAveragePool map -> pooled",
        "Flatten pooled -> features",
        "Gemm features head head.bias -> logits",
        "Conv map local.weight -> local_logits",
    ];
    assert_eq!(nodes(&bytes), wanted);
    let (model, original) = (Model::parse(&bytes).unwrap(), file(graph(), 17));
    let original = Model::parse(&original).unwrap();
    for name in ["a.weight", "a.bias", "c.weight"] {
        assert!(!model.graph.has(name), "{name} is still there");
        let stored = model.graph.constant(&format!("{name}.half")).unwrap().unwrap();
        assert_eq!(stored.data_type, Some(DataType::Float16.into()));
        let (_, values) = original.graph.constant(name).unwrap().unwrap().floats().unwrap();
        let raw = stored.raw_data.unwrap();
        let halves = raw.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes));
        for (half, value) in halves.zip(values) {
            // Half of the last of 11 bits.
            assert!((half.to_f32() - value).abs() <= value.abs() * 2.0_f32.powi(-11), "{value} became {half}");
        }
    }
}

#[test]
fn what_does_not_fit_into_halves_is_refused_by_name() {
    let text = |graph| in_halves(graph).unwrap_err().to_string();
    let mut large = graph();
    large.initializer[2] = build::floats("b.weight", &[4, 4, 1, 1], (0..16).map(|at| at as f32 * 5000.0));
    assert!(text(large).contains(r#"tensor "b.weight" holds 70000, half precision ends at 65504"#));
    let mut resized = graph();
    resized.node[1].op_type = Some("Resize".into());
    assert!(text(resized).contains(r#"operator Resize (output "a.relu") is not known to take half precision"#));
}

#[test]
fn names_that_are_taken_are_not_taken_twice() {
    let mut taken = graph();
    taken.node[0].output[0] = "input.quantized".into();
    taken.node[1].input[0] = "input.quantized".into();
    let bytes = file(taken, 17);
    let model = Model::parse(&bytes).unwrap();
    assert_eq!(Names::of(&model.graph).fresh("input.quantized"), "input.quantized_2");
    let inner = Inner::of(&model.graph).unwrap();
    let points = Layout::Tensorrt.points(&model.graph, &inner);
    let points: Vec<_> = points.into_iter().map(|point| (point, scale(0.1, 0, false))).collect();
    let written = int8::write(&bytes, &model, &inner, (Layout::Tensorrt, &points), declared()).unwrap();
    let mut made = BTreeMap::new();
    for node in nodes(&written) {
        *made.entry(node.rsplit(' ').next().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert!(made.values().all(|times| *times == 1), "{made:?}");
}

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
        let mut network = Network::open(&package, &[ExecutionProvider::Cpu]).unwrap();
        assert_eq!((network.precision(), package.calibration.precision.as_str()), (precision, precision.as_str()));
        let told = package.manifest.provenance[PROVENANCE].as_table().unwrap();
        assert_eq!(told["precision"].as_str(), Some(precision.as_str()));
        assert_eq!(
            told["from"]["package"].as_str(),
            Some(Package::open(&folder.path().join("fp32")).unwrap().id.as_str())
        );
        keeps_its_rate(&package, &mut network, &pictures);
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
    let error = Network::from_onnx(&package.model_onnx, &package.manifest, &options).err();
    assert!(!matches!(error, Some(InferError::NotQuantised)), "{error:?}");
    let original = Package::open(&folder.path().join("fp32")).unwrap();
    let error = Network::from_onnx(&original.model_onnx, &original.manifest, &options).err();
    assert!(matches!(error, Some(InferError::NotQuantised)), "{error:?}");
}
