//! The part of a network that is quantised: every layer but the last ones, and what lies between those layers.
//!
//! A layer is a `Conv`, `Gemm` or `MatMul`. Behind a last layer comes no further one: in a package these are the head and the head
//! at every location, and what they read (the feature map, its mean, its norms) is what the scores are computed of. So
//! nothing is quantised from the result of the last inner layer on.

use std::collections::{BTreeMap, BTreeSet};

use oodwatch::onnx::rewrite::Changes;
use oodwatch::onnx::{Graph, Node, OnnxError};

/// A layer whose weights can be stored as integers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer<'a> {
    /// Which node of the file it is.
    pub(super) node: usize,
    /// What it reads.
    pub(super) input: &'a str,
    /// Its weights' name.
    pub(super) weight: &'a str,
    /// Extents of the weights.
    pub(super) dims: Vec<usize>,
    /// The weights, row-major.
    pub(super) values: Vec<f32>,
    /// Its bias, one number per output channel, where it has one that is known.
    pub(super) bias: Option<Vec<f32>>,
    /// Axis of the weights that counts output channels.
    pub(super) axis: usize,
}

/// Which nodes of a graph lie inside.
#[derive(Debug)]
pub(super) struct Inner<'a> {
    /// The layers, in the file's order.
    pub(super) layers: Vec<Layer<'a>>,
    /// Per node of the file: whether it is an inner layer, or an inner layer comes after it.
    pub(super) nodes: Vec<bool>,
    /// Inner layers, by their result, whose weights are not stored in the file as f32; they stay as they are.
    pub(super) left: Vec<&'a str>,
}

impl<'a> Inner<'a> {
    /// Looks through a graph, whose nodes stand in topological order, as ONNX wants them.
    ///
    /// # Errors
    /// A constant that cannot be read.
    pub(super) fn of(graph: &Graph<'a>) -> Result<Self, OnnxError> {
        let leads_to_layer = leading_to(graph, |index| is_layer(&graph.nodes[index]));
        let inner_layer = |index: usize| is_layer(&graph.nodes[index]) && leads_to_layer[index];
        let leads_to_inner = leading_to(graph, inner_layer);
        let mut inner = Self { layers: Vec::new(), nodes: Vec::new(), left: Vec::new() };
        for (index, node) in graph.nodes.iter().enumerate() {
            inner.nodes.push(inner_layer(index) || leads_to_inner[index]);
            if inner_layer(index) {
                match layer(graph, index)? {
                    Some(layer) => inner.layers.push(layer),
                    None => inner.left.extend(node.outputs.first()),
                }
            }
        }
        Ok(inner)
    }

    /// The tensors that inner nodes make, by the node that makes them.
    pub(super) fn made<'g>(&'g self, graph: &'g Graph<'a>) -> BTreeMap<&'a str, usize> {
        let inner = graph.nodes.iter().enumerate().filter(|(index, _)| self.nodes[*index]);
        inner.flat_map(|(index, node)| node.outputs.iter().map(move |output| (*output, index))).collect()
    }
}

fn is_layer(node: &Node<'_>) -> bool {
    node.domain.is_empty() && matches!(node.op, "Conv" | "Gemm" | "MatMul")
}

/// Per node: whether one of the wanted nodes comes after it, that is, reads what was made of its result.
fn leading_to(graph: &Graph<'_>, wanted: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut read: BTreeSet<&str> = BTreeSet::new();
    let mut leading = vec![false; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        leading[index] = node.outputs.iter().any(|output| read.contains(output));
        if leading[index] || wanted(index) {
            read.extend(node.inputs.iter().filter(|input| !input.is_empty()));
        }
    }
    leading
}

/// The layer at `index`, if its weights are a constant of f32.
fn layer<'a>(graph: &Graph<'a>, index: usize) -> Result<Option<Layer<'a>>, OnnxError> {
    let node = &graph.nodes[index];
    let (Some(input), Some(weight)) = (node.inputs.first(), node.inputs.get(1)) else { return Ok(None) };
    let stored = graph.constant(weight)?.and_then(|tensor| tensor.floats());
    let (Some((dims, values)), false) = (stored, graph.is_constant(input)) else { return Ok(None) };
    let axis = match node.op {
        "Conv" if dims.len() >= 3 => 0,
        "Gemm" if dims.len() == 2 && !plain_gemm(node)? => return Ok(None),
        "Gemm" if dims.len() == 2 => usize::from(node.integer("transB")?.unwrap_or(0) == 0),
        "MatMul" if dims.len() == 2 => 1,
        _ => return Ok(None),
    };
    let bias = node.inputs.get(2).map(|bias| graph.constant(bias)).transpose()?.flatten();
    let bias = bias.and_then(|tensor| tensor.floats()).map(|(_, values)| values);
    let bias = bias.filter(|bias| bias.len() == dims[axis]);
    Ok(Some(Layer { node: index, input, weight, dims, values, bias, axis }))
}

/// Whether a Gemm is input times weights, without factors: those of other ones are not told from the scales.
fn plain_gemm(node: &Node<'_>) -> Result<bool, OnnxError> {
    let factor = |name| Ok::<_, OnnxError>(node.attribute(name)?.and_then(|attribute| attribute.f).unwrap_or(1.0));
    Ok(factor("alpha")? == 1.0 && factor("beta")? == 1.0 && node.integer("transA")?.unwrap_or(0) == 0)
}

/// Those of `constants` that no node reads any more once `changes` are made.
pub(super) fn unread<'a>(
    graph: &Graph<'_>,
    changes: &Changes,
    constants: impl Iterator<Item = &'a str>,
) -> BTreeSet<String> {
    let still_read = |constant: &str| {
        let reads = |(node, at): (usize, &Node<'_>)| {
            let mut inputs = at.inputs.iter().enumerate();
            inputs.any(|(input, name)| *name == constant && !changes.node_inputs.contains_key(&(node, input)))
        };
        graph.nodes.iter().enumerate().any(reads)
    };
    constants.filter(|constant| !still_read(constant)).map(String::from).collect()
}
