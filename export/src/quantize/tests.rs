//! The written graphs, node by node, and the numbers, against direct computations. What runs needs ONNX Runtime and is passed over
//! without, unless everything is required.

use std::collections::BTreeMap;

use ndarray::{Array4, Axis};
use oodwatch::infer::{InferError, Probe};
use oodwatch::onnx::proto::{DataType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};
use oodwatch::onnx::{Names, build};
use prost::Message;

use super::histogram::Histogram;
use super::inner::Inner;
use super::*;

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
pub(super) fn graph() -> GraphProto {
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

pub(super) fn declared() -> Vec<ValueInfoProto> {
    vec![batch_of("logits", &[CLASSES]), batch_of("features", &[4]), batch_of("local_logits", &[CLASSES, 2, 2])]
}

pub(super) fn file(graph: GraphProto, opset: i64) -> Vec<u8> {
    ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(opset) }],
        ..ModelProto::default()
    }
    .encode_to_vec()
}

/// The nodes of a file, a line each.
pub(super) fn nodes(bytes: &[u8]) -> Vec<String> {
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
pub(super) fn runtime_is_there() -> bool {
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
