//! Somebody else's network, as `adopt` reads and changes it: everything but running it.

use oodwatch::adopt::{Request, propose};
use oodwatch::onnx::Model;
use oodwatch::onnx::wire::fields;

use super::within;

/// A node of two bytes takes a struct with two vectors, and its names stand in tables.
const MEMORY_PER_BYTE: usize = 512;

/// Reads `input` as an ONNX file, and as what is in one.
pub fn run(input: &[u8]) {
    let seen: usize = fields(input).flatten().map(|field| field.raw.len()).sum();
    assert!(seen <= input.len());
    within(MEMORY_PER_BYTE * input.len() + (1 << 20), || {
        if let Ok(model) = Model::parse(input) {
            look_around(&model);
            adopt(input, &model);
        }
    });
}

/// Asks for everything that a graph can be asked for.
fn look_around(model: &Model<'_>) {
    let graph = &model.graph;
    for name in graph.tensors() {
        assert!(graph.has(name));
        // Errors are fine here; only panics and memory are not.
        drop(graph.constant(name));
    }
    for node in &graph.nodes {
        drop(node.integer("axis"));
    }
    for (_, body) in &graph.inputs {
        drop(graph.input_type(body));
    }
}

fn adopt(input: &[u8], model: &Model<'_>) {
    let Ok((proposal, exposed)) = propose(input, &Request::default()) else { return };
    assert!(model.graph.has(&proposal.logits.tensor) || model.graph.outputs.contains(&&*proposal.logits.tensor));
    assert!(model.graph.has(&proposal.features.tensor));
    if let Some(head) = &proposal.head {
        assert_eq!(head.weight.nrows(), head.bias.len());
    }
    let changed = Model::parse(&exposed).unwrap_or_else(|error| panic!("{error}: in what was made of a good file"));
    assert_eq!(changed.opset, model.opset);
    assert_eq!(changed.graph.outputs.len(), 2 + usize::from(proposal.map.is_some()));
    assert!(changed.graph.nodes.len() >= model.graph.nodes.len() + changed.graph.outputs.len());
}
