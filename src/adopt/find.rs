//! Finds, in somebody else's graph, the tensors that a package needs: logits, features, and the map behind them.
//!
//! What is found here by the looks of the graph is a proposal. Shapes, the head and the map are proved afterwards by
//! running the network.

use std::collections::{HashSet, VecDeque};

use super::AdoptError;
use super::names::existing;
use crate::onnx::{Graph, Node};

/// Operators that hand their first input on, perhaps in another shape.
const PASSING: &[&str] = &["Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout"];

/// Operators whose output has lost the logits, but whose input may have them.
const SOFTMAX: &[&str] = &["Softmax", "LogSoftmax"];

/// Operators that may average a map over its locations; whether they do is proved by running them.
const POOLING: &[&str] = &["GlobalAveragePool", "ReduceMean", "AveragePool"];

/// A tensor, and how it was come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Name of the tensor in the file.
    pub tensor: String,
    /// Why this one.
    pub reason: String,
}

/// The last layer: its output is linear in its input.
#[derive(Debug, Clone)]
pub(super) struct Linear<'g, 'a> {
    /// The Gemm, MatMul or 1x1 Conv.
    pub(super) node: &'g Node<'a>,
    /// The tensor that it multiplies.
    pub(super) input: &'a str,
    /// What is added to its product.
    pub(super) added: Option<&'a str>,
}

/// The logits: the tensor that the caller names, or what the graph's output is made of.
pub(super) fn logits(graph: &Graph<'_>, named: Option<&str>) -> Result<Choice, AdoptError> {
    if let Some(name) = named {
        existing(graph, "--logits", name)?;
        return Ok(Choice { tensor: name.into(), reason: "as named".into() });
    }
    let output = match graph.outputs[..] {
        [output] => output,
        _ if graph.outputs.contains(&"logits") => "logits",
        _ => {
            let found = graph.outputs.iter().map(|name| format!("{name:?}")).collect();
            return Err(AdoptError::WhichLogits { found });
        }
    };
    match graph.producer(upstream(graph, output)) {
        Some(Node { op, inputs, .. }) if SOFTMAX.contains(op) && !inputs.is_empty() => {
            Ok(Choice { tensor: inputs[0].into(), reason: format!("what {op} makes the output {output:?} of") })
        }
        Some(Node { op: op @ ("Sigmoid" | "ArgMax" | "TopK"), .. }) => {
            Err(AdoptError::NotLogits { output: output.into(), op: (*op).into() })
        }
        _ => Ok(Choice { tensor: output.into(), reason: "the graph's output".into() }),
    }
}

/// The features: the tensor that the caller names, or the input of the last layer before the logits.
pub(super) fn features(graph: &Graph<'_>, logits: &str, named: Option<&str>) -> Result<Choice, AdoptError> {
    if let Some(name) = named {
        existing(graph, "--features", name)?;
        return Ok(Choice { tensor: name.into(), reason: "as named".into() });
    }
    let found = match linear(graph, logits) {
        Some(linear) => Some((linear.input, linear.node)),
        None => nearest_weighted(graph, logits).map(|node| (node.inputs[0], node)),
    };
    match found {
        Some((tensor, node)) if graph.has(tensor) => {
            Ok(Choice { tensor: tensor.into(), reason: format!("the input of the last {}", node.op) })
        }
        _ => Err(AdoptError::NoFeatures { logits: logits.into() }),
    }
}

/// The layer that makes the logits, if it multiplies one tensor and perhaps adds another.
pub(super) fn linear<'g, 'a>(graph: &'g Graph<'a>, logits: &str) -> Option<Linear<'g, 'a>> {
    let node = graph.producer(upstream(graph, logits))?;
    if node.op != "Add" {
        let added = node.inputs.get(2).copied().filter(|name| !name.is_empty());
        return multiplies(node).then(|| Linear { node, input: node.inputs[0], added });
    }
    let [a, b] = node.inputs[..] else { return None };
    [(a, b), (b, a)].into_iter().find_map(|(product, added)| {
        let node = graph.producer(upstream(graph, product)).filter(|node| multiplies(node))?;
        Some(Linear { node, input: node.inputs[0], added: Some(added) })
    })
}

fn multiplies(node: &Node<'_>) -> bool {
    matches!(node.op, "Gemm" | "MatMul" | "Conv") && node.domain.is_empty() && node.inputs.len() >= 2
}

/// The nearest layer with weights on the way back from a tensor.
fn nearest_weighted<'g, 'a>(graph: &'g Graph<'a>, from: &str) -> Option<&'g Node<'a>> {
    let mut waiting = VecDeque::from([graph.producer(from)?]);
    let mut seen = HashSet::new();
    while let Some(node) = waiting.pop_front() {
        if multiplies(node) {
            return Some(node);
        }
        let before = node.inputs.iter().filter(|name| seen.insert(**name));
        waiting.extend(before.filter_map(|name| graph.producer(name)));
    }
    None
}

/// The map that a feature tensor may be the mean of.
pub(super) fn pooled_map<'a>(graph: &Graph<'a>, features: &str) -> Option<&'a str> {
    let node = graph.producer(upstream(graph, features)).filter(|node| POOLING.contains(&node.op))?;
    node.inputs.first().copied().filter(|name| !name.is_empty())
}

/// The tensor that another one is the same as, but for its shape or type.
fn upstream<'t>(graph: &Graph<'t>, tensor: &'t str) -> &'t str {
    let mut tensor = tensor;
    // A damaged graph may go round in circles.
    for _ in 0..=graph.nodes.len() {
        match graph.producer(tensor) {
            Some(node) if PASSING.contains(&node.op) && !node.inputs.is_empty() => tensor = node.inputs[0],
            _ => break,
        }
    }
    tensor
}
