//! Nothing of a file is lost when it is changed, and no bytes whatever make a panic of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;

use super::build::{batch_of, floats, integer, longs, node, untyped};
use super::proto::{DataType, GraphProto, ModelProto, OperatorSetIdProto, TensorProto};
use super::rewrite::{Changes, rewrite};
use super::wire::{Field, Value, fields, put_bytes};
use super::*;

/// A classifier with a Reshape, a Gemm and a Softmax; three classes of four features.
pub(crate) fn sample() -> Vec<u8> {
    let graph = GraphProto {
        name: Some("sample".into()),
        node: vec![
            node("GlobalAveragePool", &["image"], "pooled", Vec::new()),
            node("Reshape", &["pooled", "shape"], "flat", Vec::new()),
            node("Gemm", &["flat", "w", "b"], "logits", vec![integer("transB", 1)]),
            node("Softmax", &["logits"], "result", Vec::new()),
        ],
        initializer: vec![longs("shape", &[1, 3]), floats("w", &[4, 3], [0.5; 12]), floats("b", &[4], [0.0; 4])],
        input: vec![batch_of("image", &[3, 8, 8])],
        output: vec![batch_of("result", &[4])],
    };
    let model = ModelProto {
        ir_version: Some(8),
        producer_name: Some("a test".into()),
        producer_version: None,
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        metadata_props: Vec::new(),
    };
    model.encode_to_vec()
}

/// The sample with fields that this build does not know: in the file, in the graph, and in every node.
fn with_unknown_fields() -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields(&sample()).map(Result::unwrap) {
        match field {
            Field { number: 7, value: Value::Bytes(graph), .. } => put_bytes(&mut out, 7, &strange_graph(graph)),
            _ => out.extend_from_slice(field.raw),
        }
    }
    put_bytes(&mut out, 20, b"unknown in file");
    out
}

fn strange_graph(graph: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields(graph).map(Result::unwrap) {
        match field {
            Field { number: 1, value: Value::Bytes(node), .. } => {
                let mut node = node.to_vec();
                put_bytes(&mut node, 77, b"unknown in node");
                put_bytes(&mut out, 1, &node);
            }
            _ => out.extend_from_slice(field.raw),
        }
    }
    put_bytes(&mut out, 99, b"unknown in graph");
    out
}

fn occurrences(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

fn renaming(from: &str, to: &str) -> Changes {
    Changes {
        renamed: BTreeMap::from([(from.to_owned(), to.to_owned())]),
        outputs: vec![untyped("result")],
        ..Changes::default()
    }
}

#[test]
fn the_structure_is_read_without_decoding_the_weights() {
    let bytes = sample();
    let model = Model::parse(&bytes).unwrap();
    assert_eq!((model.producer, model.opset, model.graph.nodes.len()), ("a test", 17, 4));
    assert_eq!(model.graph.outputs, ["result"]);
    assert_eq!(model.graph.producer("flat").unwrap().inputs, ["pooled", "shape"]);
    assert_eq!(model.graph.producer("logits").unwrap().integer("transB").unwrap(), Some(1));
    assert_eq!(model.graph.constant("w").unwrap().unwrap().dims, [4, 3]);
    assert_eq!(model.graph.constant("flat").unwrap(), None);
}

#[test]
fn fields_that_this_build_does_not_know_survive_a_change() {
    let changed = rewrite(&with_unknown_fields(), &renaming("logits", "logits.original")).unwrap();
    assert_eq!(occurrences(&changed, "unknown in file"), 1);
    assert_eq!(occurrences(&changed, "unknown in graph"), 1);
    assert_eq!(occurrences(&changed, "unknown in node"), 4);
}

#[test]
fn adding_nodes_leaves_every_byte_of_the_file_where_it_was() {
    let bytes = sample();
    let last = vec![node("Identity", &["flat"], "features", Vec::new())];
    let changes = Changes { last, outputs: vec![untyped("features")], ..Changes::default() };
    let changed = rewrite(&bytes, &changes).unwrap();
    let graph_of = |bytes: &[u8]| {
        let graph = fields(bytes).flatten().find(|field| field.number == 7).map(|field| field.value);
        let Some(Value::Bytes(graph)) = graph else { panic!("no graph") };
        fields(graph).map(|field| field.unwrap().raw.to_vec()).collect::<Vec<_>>()
    };
    let (before, after) = (graph_of(&bytes), graph_of(&changed));
    // All but the declared output, which is now a value_info, and the two additions.
    assert!(before[..before.len() - 1].iter().eq(&after[..before.len() - 1]));
    assert_eq!(after.len(), before.len() + 2);
    assert_eq!(Model::parse(&changed).unwrap().graph.outputs, ["features"]);
}

#[test]
fn a_tensor_is_renamed_wherever_it_is_made_or_used() {
    let changed = rewrite(&sample(), &renaming("logits", "scores")).unwrap();
    let model = Model::parse(&changed).unwrap();
    assert!(!model.graph.has("logits"));
    assert_eq!(model.graph.producer("scores").unwrap().op, "Gemm");
    assert_eq!(model.graph.producer("result").unwrap().inputs, ["scores"]);
}

#[test]
fn a_tensor_is_renamed_inside_branches_too() {
    let mut branch = Vec::new();
    let inner = node("Identity", &["logits"], "inner", Vec::new()).encode_to_vec();
    put_bytes(&mut branch, 1, &inner);
    let mut attribute = Vec::new();
    put_bytes(&mut attribute, 1, b"then_branch");
    put_bytes(&mut attribute, 6, &branch);
    let mut condition = node("If", &["yes"], "chosen", Vec::new()).encode_to_vec();
    put_bytes(&mut condition, 5, &attribute);
    let mut graph = Vec::new();
    put_bytes(&mut graph, 1, &condition);
    let mut file = Vec::new();
    put_bytes(&mut file, 7, &graph);
    let changed = rewrite(&file, &renaming("logits", "a much longer name than before")).unwrap();
    assert_eq!((occurrences(&changed, "logits"), occurrences(&changed, "a much longer name")), (0, 1));
}

#[test]
fn one_input_of_one_node_is_changed_and_no_other() {
    let changes = Changes { node_inputs: BTreeMap::from([((1, 1), "other".to_owned())]), ..Changes::default() };
    let changed = rewrite(&sample(), &changes).unwrap();
    let model = Model::parse(&changed).unwrap();
    assert_eq!(model.graph.nodes[1].inputs, ["pooled", "other"]);
    assert_eq!(model.graph.nodes[2].inputs, ["flat", "w", "b"]);
}

#[test]
fn a_node_is_put_before_another_one_and_no_byte_of_either_changes() {
    let pair = vec![node("Identity", &["flat"], "a", Vec::new()), node("Identity", &["a"], "b", Vec::new())];
    let changes = Changes { before: BTreeMap::from([(2, pair)]), ..Changes::default() };
    let changed = rewrite(&with_unknown_fields(), &changes).unwrap();
    let model = Model::parse(&changed).unwrap();
    let made: Vec<_> = model.graph.nodes.iter().map(|node| node.outputs[0]).collect();
    assert_eq!(made, ["pooled", "flat", "a", "b", "logits", "result"]);
    assert_eq!(occurrences(&changed, "unknown in node"), 4);
}

#[test]
fn weights_in_other_files_are_refused_by_name() {
    let mut tensor = floats("far", &[1], []).encode_to_vec();
    put_bytes(&mut tensor, 13, b"\x0a\x08location\x12\x0b../secrets");
    let mut graph = Vec::new();
    put_bytes(&mut graph, 5, &tensor);
    let mut file = Vec::new();
    put_bytes(&mut file, 7, &graph);
    put_bytes(&mut file, 8, &OperatorSetIdProto { domain: None, version: Some(17) }.encode_to_vec());
    let error = Model::parse(&file).unwrap_err().to_string();
    assert!(error.contains("tensor \"far\" lies in another file"), "{error}");
}

#[test]
fn graphs_inside_graphs_without_end_are_refused() {
    let mut graph = Vec::new();
    for _ in 0..1000 {
        let (mut attribute, mut node) = (Vec::new(), Vec::new());
        put_bytes(&mut attribute, 6, &graph);
        put_bytes(&mut node, 5, &attribute);
        graph = Vec::new();
        put_bytes(&mut graph, 1, &node);
    }
    let mut file = Vec::new();
    put_bytes(&mut file, 7, &graph);
    put_bytes(&mut file, 8, &OperatorSetIdProto { domain: None, version: Some(17) }.encode_to_vec());
    assert!(Model::parse(&file).unwrap_err().to_string().contains("graphs inside graphs"));
    assert!(rewrite(&file, &renaming("a", "b")).is_err());
}

#[test]
fn a_file_without_graph_or_operator_set_says_what_it_lacks() {
    assert!(Model::parse(&[]).unwrap_err().to_string().contains("no graph in it"));
    assert!(Model::parse(&[0x3a, 0]).unwrap_err().to_string().contains("opset_import"));
    assert!(Model::parse(b"a text").unwrap_err().to_string().starts_with("not a readable ONNX file: file: "));
}

#[test]
fn a_tensor_that_claims_more_than_it_holds_is_no_weight() {
    let tensor = |dims: &[i64]| TensorProto {
        dims: dims.to_vec(),
        data_type: Some(DataType::Float.into()),
        raw_data: Some(vec![0; 16]),
        ..TensorProto::default()
    };
    assert!(tensor(&[2, 2]).floats().is_some());
    for dims in [&[2, 3][..], &[i64::MAX, i64::MAX], &[-2, -2]] {
        assert_eq!(tensor(dims).floats(), None);
    }
}

proptest! {
    #[test]
    fn damaged_files_are_read_or_refused_but_never_a_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        keep in any::<prop::sample::Index>(),
        truncate in any::<bool>(),
    ) {
        let mut bytes = with_unknown_fields();
        for (place, value) in flips {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if truncate {
            bytes.truncate(keep.index(bytes.len()));
        }
        let _ = rewrite(&bytes, &renaming("logits", "scores"));
        if let Ok(model) = Model::parse(&bytes) {
            for node in &model.graph.nodes {
                let _ = node.attribute("transB");
                node.inputs.iter().for_each(|name| drop(model.graph.constant(name)));
            }
        }
    }
}
