//! Writes the tiny network as an ONNX file, field by field: IR 8, opset 17, dynamic N.
//!
//! ```text
//! input [N,3,8,8] ─ Conv 1x1 ─ Relu ─ F [N,4,8,8] ─ GlobalAveragePool ─ Flatten ─ features ─ Gemm ─ logits
//!                                        ├─ ReduceL2 over channels ─ local_norms [N,8,8]
//!                                        └─ Conv 1x1 (the head) ─ local_logits [N,K,8,8]
//! ```
//!
//! The field numbers are those of onnx.proto3.

use super::network::{CHANNELS, HEAD, HEAD_BIAS, SIDE, STEM};

// TensorProto.DataType
const FLOAT: u64 = 1;
const INT64: u64 = 7;
const BOOL: u64 = 9;

/// The network with its three classes.
pub(crate) fn tiny() -> Vec<u8> {
    with_classes(HEAD.len())
}

/// The network, which computes for ever (a `Loop` of some 1e11 turns) when a picture is white.
pub(crate) fn stuck_on_white() -> Vec<u8> {
    // The least feature of known, strange and golden pictures is below 1.5, that of white ones is 2.
    let turns = [
        node("ReduceMin", &["features"], "least", &[integer("keepdims", 0)]),
        node("Sub", &["least", "limit"], "above", &[]),
        node("Mul", &["above", "many"], "many_above", &[]),
        node("Relu", &["many_above"], "turns", &[]),
        node("Cast", &["turns"], "count", &[integer("to", INT64)]),
        node("Loop", &["count", "", "zero"], "nothing", &[graph("body", &turn())]),
        node("Add", &["gemm", "nothing"], "logits", &[]),
        initializer("limit", &[], &[1.5]),
        initializer("many", &[], &[2e11]),
        initializer("zero", &[], &[0.0]),
    ];
    of(HEAD.len(), "gemm", &turns.concat())
}

/// What a loop does in a turn: nothing that could be left out.
fn turn() -> Vec<u8> {
    [
        node("Identity", &["go_on"], "going_on", &[]),
        node("Abs", &["before"], "after", &[]),
        text(2, "turn"),
        scalar(11, "turn", INT64),
        scalar(11, "go_on", BOOL),
        scalar(11, "before", FLOAT),
        scalar(12, "going_on", BOOL),
        scalar(12, "after", FLOAT),
    ]
    .concat()
}

/// The network with the first `classes` of its classes.
pub(crate) fn with_classes(classes: usize) -> Vec<u8> {
    of(classes, "logits", &[])
}

/// The network, with what the Gemm gives under a name, and more fields of its graph.
fn of(classes: usize, gemm: &str, more: &[u8]) -> Vec<u8> {
    let head: Vec<f32> = HEAD[..classes].concat();
    let graph = [
        node("Conv", &["input", "stem"], "pre", &[]),
        node("Relu", &["pre"], "F", &[]),
        node("GlobalAveragePool", &["F"], "pooled", &[]),
        node("Flatten", &["pooled"], "features", &[]),
        node("Gemm", &["features", "head", "bias"], gemm, &[integer("transB", 1)]),
        node("ReduceL2", &["F"], "local_norms", &[integers("axes", &[1]), integer("keepdims", 0)]),
        node("Conv", &["F", "head_1x1", "bias"], "local_logits", &[]),
        text(2, "tiny"),
        initializer("stem", &[CHANNELS, 3, 1, 1], &STEM.concat()),
        initializer("head", &[classes, CHANNELS], &head),
        initializer("head_1x1", &[classes, CHANNELS, 1, 1], &head),
        initializer("bias", &[classes], &HEAD_BIAS[..classes]),
        value(11, "input", &[3, SIDE, SIDE]),
        value(12, "logits", &[classes]),
        value(12, "features", &[CHANNELS]),
        value(12, "local_norms", &[SIDE, SIDE]),
        value(12, "local_logits", &[classes, SIDE, SIDE]),
        more.to_vec(),
    ]
    .concat();
    let opset = message(8, &[text(1, ""), number(2, 17)]);
    [number(1, 8), text(2, "oodwatch tests"), bytes(7, &graph), opset].concat()
}

fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut fields: Vec<Vec<u8>> = inputs.iter().map(|input| text(1, input)).collect();
    fields.extend([text(2, output), text(3, output), text(4, operator)]);
    fields.extend(attributes.iter().cloned());
    message(1, &fields)
}

fn integer(name: &str, value: u64) -> Vec<u8> {
    message(5, &[text(1, name), number(3, value), number(20, 2)])
}

fn integers(name: &str, values: &[u64]) -> Vec<u8> {
    let mut fields = vec![text(1, name), number(20, 7)];
    fields.extend(values.iter().map(|value| number(8, *value)));
    message(5, &fields)
}

fn graph(name: &str, fields: &[u8]) -> Vec<u8> {
    message(5, &[text(1, name), bytes(6, fields), number(20, 5)])
}

fn initializer(name: &str, dims: &[usize], values: &[f32]) -> Vec<u8> {
    let mut fields: Vec<Vec<u8>> = dims.iter().map(|dim| number(1, *dim as u64)).collect();
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fields.extend([number(2, 1), text(8, name), bytes(9, &raw)]);
    message(5, &fields)
}

/// An input or output of f32 with a free first axis.
fn value(field: u64, name: &str, dims: &[usize]) -> Vec<u8> {
    let mut axes = vec![message(1, &[text(2, "N")])];
    axes.extend(dims.iter().map(|dim| message(1, &[number(1, *dim as u64)])));
    let tensor = message(1, &[number(1, 1), message(2, &axes)]);
    message(field, &[text(1, name), bytes(2, &tensor)])
}

/// An input or output without axes.
fn scalar(field: u64, name: &str, kind: u64) -> Vec<u8> {
    let tensor = message(1, &[number(1, kind), message(2, &[])]);
    message(field, &[text(1, name), bytes(2, &tensor)])
}

fn message(field: u64, fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(field, &fields.concat())
}

fn text(field: u64, value: &str) -> Vec<u8> {
    bytes(field, value.as_bytes())
}

/// A length-delimited field (wire type 2).
fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// A number (wire type 0).
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut encoded = Vec::new();
    while value >= 0x80 {
        encoded.push(value as u8 | 0x80);
        value >>= 7;
    }
    encoded.push(value as u8);
    encoded
}
