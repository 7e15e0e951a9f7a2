//! Writes QuantizeLinear and DequantizeLinear ("QDQ") into a network, by changing the bytes of its file.
//!
//! A value x is stored as round(x / scale) + zero point and read back as (stored - zero point) * scale. Weights are i8 with one scale
//! per output channel and zero point 0; each quantised tensor of activations has one scale. Biases stay f32: TensorRT wants
//! them so, and ONNX Runtime makes i32 of them by itself. How activations are stored is a matter of who computes ([`Layout`]).

use std::collections::{BTreeMap, BTreeSet};

use oodwatch::onnx::proto::{DataType, ValueInfoProto};
use oodwatch::onnx::rewrite::{Changes, rewrite};
use oodwatch::onnx::{Graph, Model, Names, OnnxError, build};
use serde::{Deserialize, Serialize};

use super::QuantizeError;
use super::histogram::{Histogram, RangeRule};
use super::inner::{Inner, Layer, unread};

/// From this version on DequantizeLinear takes one scale per channel.
const OLDEST_OPSET: u64 = 13;

/// Largest magnitude of a stored weight, and of a stored activation on both sides of its zero point. -128 is left out, so that the
/// range has two equal sides.
const SIDE: f32 = 127.0;

/// Steps of an activation that is never below 0, where it has all of a byte.
const BYTE: f32 = 255.0;

/// Largest magnitude of a bias in the steps of its layer, half of what an i32 holds.
const BIAS_STEPS: f32 = (1 << 30) as f32;

/// What a quantised network is laid out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// ONNX Runtime's kernels for processors: activations are u8, with zero point 0 where they are never below 0 and 128 elsewhere,
    /// and both sides of every sum are quantised too. TensorRT refuses u8.
    Cpu,
    /// TensorRT: activations are i8 with zero point 0, quantised where a layer reads them, and weights stay f32 in the file with a
    /// QuantizeLinear behind them, as ONNX Runtime's quantiser writes it for TensorRT (`AddQDQPairToWeight`). Other providers run it too, but ONNX Runtime has few
    /// integer kernels for it on a processor.
    Tensorrt,
}

impl Layout {
    /// The tensors to be quantised, in the order in which they are first read, and where they are read: node and input.
    pub(super) fn points<'a>(self, graph: &Graph<'a>, inner: &Inner<'a>) -> Vec<Point<'a>> {
        let layers: BTreeSet<usize> = inner.layers.iter().map(|layer| layer.node).collect();
        let mut points: Vec<Point<'a>> = Vec::new();
        for (index, node) in graph.nodes.iter().enumerate().filter(|(index, _)| inner.nodes[*index]) {
            let variable = |input: &str| !graph.is_constant(input);
            let sum = self == Self::Cpu && node.op == "Add" && node.inputs.iter().all(|input| variable(input));
            let read = if layers.contains(&index) { 1 } else { usize::from(sum) * node.inputs.len() };
            for (input, tensor) in node.inputs.iter().enumerate().take(read) {
                match points.iter_mut().find(|point| point.tensor == *tensor) {
                    Some(point) => point.readers.push((index, input)),
                    None => points.push(Point { tensor, readers: vec![(index, input)] }),
                }
            }
        }
        points
    }
}

/// A tensor that is to be quantised.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point<'a> {
    pub(super) tensor: &'a str,
    /// Nodes of the file with their inputs, in the file's order; other nodes go on reading the tensor itself.
    pub(super) readers: Vec<(usize, usize)>,
}

/// How activations of one tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// Size of a step.
    pub(super) step: f32,
    /// What 0 is stored as: 0, or 128 of u8.
    pub(super) zero_point: u8,
    /// Whether it is stored as u8 rather than i8.
    pub(super) unsigned: bool,
}

impl Scale {
    /// The scale that a tensor's values on known pictures ask for.
    pub(super) fn of(seen: &Histogram, rule: RangeRule, layout: Layout) -> Self {
        let unsigned = layout == Layout::Cpu;
        let steps = if unsigned && !seen.negative() { BYTE } else { SIDE };
        let zero_point = if unsigned && seen.negative() { 128 } else { 0 };
        Self { step: seen.range(rule, steps as u16) / steps, zero_point, unsigned }
    }

    /// What comes back of a value that was stored.
    #[cfg(test)]
    pub(super) fn kept(self, value: f32) -> f32 {
        let zero = f32::from(self.zero_point);
        let (low, high) = if self.unsigned { (0.0, 255.0) } else { (-128.0, 127.0) };
        (((value / self.step).round_ties_even() + zero).clamp(low, high) - zero) * self.step
    }
}

/// The file with its inner layers in integers; `scales` are those of the [`Layout::points`], `outputs` the declarations of its outputs.
///
/// # Errors
/// An operator set that is too old, or bytes that are no ONNX file.
pub(super) fn write(
    bytes: &[u8],
    model: &Model<'_>,
    inner: &Inner<'_>,
    (layout, points): (Layout, &[(Point<'_>, Scale)]),
    outputs: Vec<ValueInfoProto>,
) -> Result<Vec<u8>, QuantizeError> {
    if model.opset < OLDEST_OPSET {
        return Err(QuantizeError::Opset { found: model.opset, wanted: OLDEST_OPSET });
    }
    let mut writer = Writer { names: Names::of(&model.graph), changes: Changes { outputs, ..Changes::default() } };
    let mut steps = BTreeMap::new();
    for (point, scale) in points {
        writer.activation(point, *scale);
        steps.insert(point.tensor, scale.step);
    }
    for layer in &inner.layers {
        writer.weight(layer, steps.get(layer.input).copied().unwrap_or(1.0), layout);
    }
    if layout == Layout::Cpu {
        let weights = inner.layers.iter().map(|layer| layer.weight);
        writer.changes.unused = unread(&model.graph, &writer.changes, weights);
    }
    Ok(rewrite(bytes, &writer.changes)?)
}

struct Writer {
    names: Names,
    changes: Changes,
}

impl Writer {
    /// Stores a tensor and reads it back, before the first node that wants it so.
    fn activation(&mut self, point: &Point<'_>, scale: Scale) {
        let [stored, back, step, zero] = self.names(point.tensor, ["quantized", "dequantized", "scale", "zero_point"]);
        let kind = if scale.unsigned { DataType::Uint8 } else { DataType::Int8 };
        self.changes.constants.push(build::floats(&step, &[], [scale.step]));
        self.changes.constants.push(build::constant(&zero, &[], kind, vec![scale.zero_point]));
        let pair = vec![
            build::node("QuantizeLinear", &[point.tensor, &step, &zero], &stored, Vec::new()),
            build::node("DequantizeLinear", &[&stored, &step, &zero], &back, Vec::new()),
        ];
        let first = point.readers.iter().map(|(node, _)| *node).min().unwrap_or(0);
        self.changes.before.entry(first).or_default().extend(pair);
        for reader in &point.readers {
            self.changes.node_inputs.insert(*reader, back.clone());
        }
    }

    /// Puts integers in the place of a layer's weights, or makes some of them as the network is opened.
    fn weight(&mut self, layer: &Layer<'_>, input_step: f32, layout: Layout) {
        let [stored, back, step, zero] = self.names(layer.weight, ["quantized", "dequantized", "scale", "zero_point"]);
        let (steps, values) = integers(layer, input_step);
        let channels = steps.len();
        self.changes.constants.push(build::floats(&step, &[channels], steps));
        self.changes.constants.push(build::bytes(&zero, &[channels], vec![0; channels]));
        let axis = || vec![build::integer("axis", layer.axis as i64)];
        let nodes = self.changes.before.entry(layer.node).or_default();
        match layout {
            Layout::Cpu => self.changes.constants.push(build::bytes(&stored, &layer.dims, values)),
            Layout::Tensorrt => {
                nodes.push(build::node("QuantizeLinear", &[layer.weight, &step, &zero], &stored, axis()));
            }
        }
        nodes.push(build::node("DequantizeLinear", &[&stored, &step, &zero], &back, axis()));
        self.changes.node_inputs.insert((layer.node, 1), back);
    }

    fn names<const N: usize>(&mut self, tensor: &str, parts: [&str; N]) -> [String; N] {
        parts.map(|part| self.names.fresh(&format!("{tensor}.{part}")))
    }
}

/// Steps per output channel, and the weights in them, in the order of the weights.
///
/// A layer adds up in steps of its weights' times its input's; where weights are tiny beside their bias, the steps are made
/// large enough that the bias still fits an i32, which ONNX Runtime stores it as.
fn integers(layer: &Layer<'_>, input_step: f32) -> (Vec<f32>, Vec<i8>) {
    let inside: usize = layer.dims[layer.axis + 1..].iter().product();
    let channels = layer.dims[layer.axis];
    let channel = |at: usize| at / inside.max(1) % channels;
    let mut largest = vec![0.0_f32; channels];
    for (at, value) in layer.values.iter().enumerate() {
        largest[channel(at)] = largest[channel(at)].max(value.abs());
    }
    let step = |(channel, largest): (usize, &f32)| {
        let bias = layer.bias.as_ref().map_or(0.0, |bias| bias[channel].abs());
        let step = (largest / SIDE).max(bias / (input_step * BIAS_STEPS));
        if step.is_normal() { step } else { 1.0 }
    };
    let steps: Vec<f32> = largest.iter().enumerate().map(step).collect();
    let stored = |(at, value): (usize, &f32)| (value / steps[channel(at)]).round_ties_even().clamp(-SIDE, SIDE) as i8;
    let values = layer.values.iter().enumerate().map(stored).collect();
    (steps, values)
}

impl From<OnnxError> for QuantizeError {
    fn from(source: OnnxError) -> Self {
        Self::Onnx { source }
    }
}
