//! Puts the inner part of a network into IEEE half precision, by changing the bytes of its file.
//!
//! Weights are stored as halves, and Casts lead in and out. Inputs and outputs of the network stay f32, and so does everything from
//! the last inner layer's result on (`super::inner`). Half precision ends at 65504.

use std::collections::BTreeMap;

use half::f16;
use oodwatch::onnx::proto::{DataType, ValueInfoProto};
use oodwatch::onnx::rewrite::{Changes, rewrite};
use oodwatch::onnx::{Graph, Model, Names, build};

use super::QuantizeError;
use super::inner::{Inner, unread};

/// Largest number of half precision.
pub(super) const LARGEST: f32 = 65504.0;

/// Operators whose floats may all be halves. Others are refused by name: some want f32 beside halves (Resize), some contain graphs.
const OPERATORS: [&str; 29] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "Div",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Mul",
    "PRelu",
    "Pad",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Softmax",
    "Sub",
    "Tanh",
    "Transpose",
];

/// The tensors that become halves as the network runs, all of f32 before.
///
/// # Errors
/// An inner node of an operator that is not known to take halves.
pub(super) fn tensors<'a>(graph: &Graph<'a>, inner: &Inner<'a>) -> Result<Vec<&'a str>, QuantizeError> {
    let mut tensors = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let holds_graphs = matches!(node.op, "If" | "Loop" | "Scan");
        if holds_graphs || inner.nodes[index] && (!OPERATORS.contains(&node.op) || !node.domain.is_empty()) {
            let output = node.outputs.first().copied().unwrap_or_default();
            return Err(QuantizeError::Operator { op: node.op.into(), output: output.into() });
        }
        if inner.nodes[index] && node.op != "Constant" {
            tensors.extend(node.outputs.iter().filter(|output| !output.is_empty()));
        }
    }
    Ok(tensors)
}

/// The file with its inner part in halves; `outputs` are the declarations of its outputs.
///
/// # Errors
/// An output inside the inner part, or a weight beyond 65504.
pub(super) fn write(
    bytes: &[u8],
    model: &Model<'_>,
    inner: &Inner<'_>,
    outputs: Vec<ValueInfoProto>,
) -> Result<Vec<u8>, QuantizeError> {
    let graph = &model.graph;
    let made = inner.made(graph);
    if let Some(output) = graph.outputs.iter().find(|output| made.contains_key(*output)) {
        return Err(QuantizeError::InnerOutput { output: (*output).into() });
    }
    let changes = Changes { outputs, forget_shapes: true, ..Changes::default() };
    let mut writer = Writer { names: Names::of(graph), changes, converted: BTreeMap::new() };
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.op != "Constant") {
        for (input, tensor) in node.inputs.iter().enumerate().filter(|(_, tensor)| !tensor.is_empty()) {
            let other = match (inner.nodes[index], made.contains_key(tensor)) {
                (true, _) if graph.is_constant(tensor) => writer.constant(graph, tensor)?,
                (true, false) => Some(writer.cast(tensor, index, DataType::Float16)),
                (false, true) if !graph.is_constant(tensor) => Some(writer.cast(tensor, index, DataType::Float)),
                _ => None,
            };
            if let Some(other) = other {
                writer.changes.node_inputs.insert((index, input), other);
            }
        }
    }
    let constants = writer.converted.keys().copied().filter(|tensor| graph.is_constant(tensor));
    writer.changes.unused = unread(graph, &writer.changes, constants);
    Ok(rewrite(bytes, &writer.changes)?)
}

struct Writer<'a> {
    names: Names,
    changes: Changes,
    /// Names of what was converted already.
    converted: BTreeMap<&'a str, String>,
}

impl<'a> Writer<'a> {
    /// The halves of a constant of f32; nothing for a constant of another type, which stays.
    fn constant(&mut self, graph: &Graph<'_>, tensor: &'a str) -> Result<Option<String>, QuantizeError> {
        if let Some(name) = self.converted.get(tensor) {
            return Ok(Some(name.clone()));
        }
        let Some((dims, values)) = graph.constant(tensor)?.and_then(|stored| stored.floats()) else { return Ok(None) };
        if let Some(value) = values.iter().find(|value| !f16::from_f32(**value).is_finite()) {
            return Err(QuantizeError::TooLarge { tensor: tensor.into(), value: *value });
        }
        let name = self.names.fresh(&format!("{tensor}.half"));
        let raw = values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        self.changes.constants.push(build::constant(&name, &dims, DataType::Float16, raw));
        self.converted.insert(tensor, name.clone());
        Ok(Some(name))
    }

    /// The tensor as another type, made before the first node that wants it so.
    fn cast(&mut self, tensor: &'a str, node: usize, to: DataType) -> String {
        if let Some(name) = self.converted.get(tensor) {
            return name.clone();
        }
        let part = if to == DataType::Float16 { "half" } else { "f32" };
        let name = self.names.fresh(&format!("{tensor}.{part}"));
        let cast = build::node("Cast", &[tensor], &name, vec![build::integer("to", i64::from(i32::from(to)))]);
        self.changes.before.entry(node).or_default().push(cast);
        self.converted.insert(tensor, name.clone());
        name
    }
}
