//! Sets a batch axis free that the exporter fixed to one picture, as PyTorch and Ultralytics do unless told otherwise.
//!
//! Declaring the input's first axis free is not enough: exporters also write the 1 into the shapes of Reshape nodes. A
//! 0 in its place means "as the tensor has it". Whether that was the batch's axis shows when the network is run: a
//! picture has to give the same alone and among others (see [`mod@super::measure`]).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::AdoptError;
use crate::onnx::proto::{DataType, TensorProto};
use crate::onnx::rewrite::Changes;
use crate::onnx::{Graph, Names, Node, build};

/// Gives every Reshape of a picture's tensor to [1, ...] a shape of [0, ...] instead.
pub(super) fn free(graph: &Graph<'_>, names: &mut Names, changes: &mut Changes) -> Result<(), AdoptError> {
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in graph.nodes.iter().flat_map(|node| &node.inputs).chain(&graph.outputs) {
        *uses.entry(name).or_default() += 1;
    }
    let mut shapes = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| reshapes_a_picture(graph, node)) {
        let shape = match shapes.entry(node.inputs[1]) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                unknown.insert(graph.constant(node.inputs[1])?.and_then(|stored| free_shape(&stored)))
            }
        };
        let Some(shape) = shape else { continue };
        let left = uses.entry(node.inputs[1]).or_default();
        *left = left.saturating_sub(1);
        if *left == 0 {
            changes.unused.insert(node.inputs[1].to_owned());
        }
        let name = names.fresh("oodwatch.shape");
        changes.constants.push(build::longs(&name, shape));
        changes.node_inputs.insert((index, 1), name);
    }
    Ok(())
}

/// Whether a node gives what comes from a picture a shape that the file fixes, in which 0 means "as before".
fn reshapes_a_picture(graph: &Graph<'_>, node: &Node<'_>) -> bool {
    let ("Reshape", "", [data, _]) = (node.op, node.domain, &node.inputs[..]) else { return false };
    let zero_is_as_before = matches!(node.integer("allowzero"), Ok(None | Some(0)));
    zero_is_as_before && !graph.is_constant(data)
}

/// A stored shape of [1, ...] as [0, ...]; `None` for any other.
fn free_shape(stored: &TensorProto) -> Option<Vec<i64>> {
    if stored.data_type != Some(DataType::Int64.into()) || stored.dims.len() != 1 {
        return None;
    }
    let mut shape: Vec<i64> = match &stored.raw_data {
        Some(raw) if !raw.is_empty() => raw.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
        _ => stored.int64_data.clone(),
    };
    let first = shape.first_mut().filter(|extent| **extent == 1)?;
    *first = 0;
    Some(shape)
}
