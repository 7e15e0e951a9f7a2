//! Changes an ONNX file on the wire: adds nodes, declares other inputs and outputs, renames tensors.
//!
//! Everything else keeps its bytes. Outputs that are no longer declared become `value_info`, which is the same
//! message under another number, so that even their description stays.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::OnnxError;
use super::proto::{NodeProto, TensorProto, ValueInfoProto};
use super::wire::{Value, fields, put_bytes};

/// Messages inside messages in which names are changed, three to each graph inside a graph; [`super::Model`] refuses
/// files that go so deep.
const MAX_DEPTH: usize = 64;

/// What is to become of a file. The default changes nothing but that the graph declares no outputs.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// New names of tensors, by old name; also inside branches and loops. The fields below use new names.
    pub renamed: BTreeMap<String, String>,
    /// New names for single inputs of nodes: (which node of the file, which of its inputs), both from 0.
    pub node_inputs: BTreeMap<(usize, usize), String>,
    /// Constants that nothing uses any more; ONNX Runtime would warn of them at every start.
    pub unused: BTreeSet<String>,
    /// Nodes to run before all others.
    pub first: Vec<NodeProto>,
    /// Nodes to put before single nodes of the file, which are counted from 0.
    pub before: BTreeMap<usize, Vec<NodeProto>>,
    /// Nodes to run after all others.
    pub last: Vec<NodeProto>,
    /// Constants to add.
    pub constants: Vec<TensorProto>,
    /// An input's (old) name, and the declaration that takes its place.
    pub input: Option<(String, ValueInfoProto)>,
    /// The outputs of the changed network, in place of those it had.
    pub outputs: Vec<ValueInfoProto>,
    /// Leaves out the file's own notes on the shapes of inner tensors, for where they are no longer true.
    pub forget_shapes: bool,
}

impl Changes {
    /// The name that a tensor of the file will have.
    pub fn name<'n>(&'n self, old: &'n str) -> &'n str {
        self.renamed.get(old).map_or(old, String::as_str)
    }
}

/// The bytes of the changed file.
///
/// # Errors
/// Bytes that are no ONNX file.
pub fn rewrite(bytes: &[u8], changes: &Changes) -> Result<Vec<u8>, OnnxError> {
    let mut out = Vec::with_capacity(bytes.len() + 4096);
    for field in fields(bytes) {
        let field = field.map_err(|source| OnnxError::Wire { part: "file".into(), source })?;
        match (field.number, field.value) {
            (7, Value::Bytes(graph)) => put_bytes(&mut out, 7, &rewrite_graph(graph, changes)?),
            _ => out.extend_from_slice(field.raw),
        }
    }
    Ok(out)
}

fn rewrite_graph(graph: &[u8], changes: &Changes) -> Result<Vec<u8>, OnnxError> {
    let mut out = Vec::with_capacity(graph.len() + 4096);
    put_all(&mut out, 1, &changes.first);
    let renamed = rename_in(Part::Graph, graph, &changes.renamed, 0)?;
    let input = changes.input.as_ref().map(|(old, new)| (changes.name(old), new));
    let mut node = 0;
    for field in fields(&renamed) {
        let field = field.map_err(|source| OnnxError::Wire { part: "graph".into(), source })?;
        match (field.number, field.value) {
            (1, Value::Bytes(body)) => {
                put_all(&mut out, 1, changes.before.get(&node).map_or(&[][..], Vec::as_slice));
                let inputs = changes.node_inputs.range((node, 0)..(node + 1, 0));
                match inputs.map(|((_, input), name)| (*input, name)).collect::<Vec<_>>() {
                    inputs if inputs.is_empty() => out.extend_from_slice(field.raw),
                    inputs => put_bytes(&mut out, 1, &with_inputs(body, &inputs)?),
                }
                node += 1;
            }
            (11, Value::Bytes(body)) => match &input {
                Some((old, new)) if has_name(body, 1, old) => put_bytes(&mut out, 11, &new.encode_to_vec()),
                _ => out.extend_from_slice(field.raw),
            },
            (5, Value::Bytes(body)) if changes.unused.iter().any(|name| has_name(body, 8, changes.name(name))) => {}
            (12 | 13, Value::Bytes(_)) if changes.forget_shapes => {}
            (12, Value::Bytes(body)) => put_bytes(&mut out, 13, body),
            _ => out.extend_from_slice(field.raw),
        }
    }
    put_all(&mut out, 1, &changes.last);
    put_all(&mut out, 5, &changes.constants);
    put_all(&mut out, 12, &changes.outputs);
    Ok(out)
}

/// A node with other names for some of its inputs.
fn with_inputs(node: &[u8], inputs: &[(usize, &String)]) -> Result<Vec<u8>, OnnxError> {
    let mut out = Vec::with_capacity(node.len());
    let mut index = 0;
    for field in fields(node) {
        let field = field.map_err(|source| OnnxError::Wire { part: "node".into(), source })?;
        match inputs.iter().find(|(input, _)| field.number == 1 && *input == index) {
            Some((_, name)) => put_bytes(&mut out, 1, name.as_bytes()),
            None => out.extend_from_slice(field.raw),
        }
        index += usize::from(field.number == 1);
    }
    Ok(out)
}

fn put_all<M: Message>(out: &mut Vec<u8>, number: u64, messages: &[M]) {
    for message in messages {
        put_bytes(out, number, &message.encode_to_vec());
    }
}

/// Whether field `number` of a message is this name.
fn has_name(message: &[u8], number: u64, name: &str) -> bool {
    fields(message).flatten().any(|field| field.number == number && field.value == Value::Bytes(name.as_bytes()))
}

/// Messages that name tensors.
#[derive(Clone, Copy)]
enum Part {
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    ValueInfo,
    Annotation,
    AnnotationEntry,
}

/// What a field of a message is to the renaming.
enum Holds {
    Name,
    Part(Part),
    Other,
}

impl Part {
    /// The field numbers of onnx.proto.
    fn holds(self, field: u64) -> Holds {
        match (self, field) {
            (Self::Node, 1 | 2)
            | (Self::Tensor, 8)
            | (Self::ValueInfo | Self::Annotation, 1)
            | (Self::AnnotationEntry, 2) => Holds::Name,
            (Self::Graph, 1) => Holds::Part(Self::Node),
            (Self::Graph, 5) | (Self::SparseTensor, 1) => Holds::Part(Self::Tensor),
            (Self::Graph, 11..=13) => Holds::Part(Self::ValueInfo),
            (Self::Graph, 14) => Holds::Part(Self::Annotation),
            (Self::Graph, 15) => Holds::Part(Self::SparseTensor),
            (Self::Annotation, 2) => Holds::Part(Self::AnnotationEntry),
            (Self::Node, 5) => Holds::Part(Self::Attribute),
            (Self::Attribute, 6 | 11) => Holds::Part(Self::Graph),
            _ => Holds::Other,
        }
    }
}

/// A message with the names in it changed; borrowed where none of them occurs.
fn rename_in<'a>(
    part: Part,
    message: &'a [u8],
    renamed: &BTreeMap<String, String>,
    depth: usize,
) -> Result<Cow<'a, [u8]>, OnnxError> {
    if renamed.is_empty() {
        return Ok(Cow::Borrowed(message));
    }
    if depth > MAX_DEPTH {
        return Err(OnnxError::malformed("graph", "graphs inside graphs, too deep"));
    }
    let mut out = Vec::new();
    let mut changed = false;
    for field in fields(message) {
        let field = field.map_err(|source| OnnxError::Wire { part: "graph".into(), source })?;
        let Value::Bytes(body) = field.value else {
            out.extend_from_slice(field.raw);
            continue;
        };
        let new = match part.holds(field.number) {
            Holds::Name => new_name(body, renamed),
            Holds::Part(part) => rename_in(part, body, renamed, depth + 1)?,
            Holds::Other => Cow::Borrowed(body),
        };
        match new {
            Cow::Borrowed(_) => out.extend_from_slice(field.raw),
            Cow::Owned(new) => {
                changed = true;
                put_bytes(&mut out, field.number, &new);
            }
        }
    }
    Ok(if changed { Cow::Owned(out) } else { Cow::Borrowed(message) })
}

fn new_name<'a>(name: &'a [u8], renamed: &BTreeMap<String, String>) -> Cow<'a, [u8]> {
    let new = std::str::from_utf8(name).ok().and_then(|name| renamed.get(name));
    new.map_or(Cow::Borrowed(name), |new| Cow::Owned(new.clone().into_bytes()))
}
