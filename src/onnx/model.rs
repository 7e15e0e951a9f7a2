//! The structure of an ONNX file: nodes, constants, inputs, outputs, all borrowed from the file's bytes.
//!
//! Attributes and weights stay bytes until somebody asks for one of them. The number of names is bounded, so that a
//! file of a few bytes per entry cannot ask for more memory than a real one.

use std::collections::HashMap;

use prost::Message;

use super::OnnxError;
use super::external::external_tensor;
use super::proto::{AttributeProto, TensorProto, ValueInfoProto};
use super::wire::{Field, Value, fields};

/// Nodes, names and constants together that a file may have; the largest classifiers have some ten thousand.
const MAX_ENTRIES: usize = 2_000_000;

/// A whole file.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    /// Program that wrote the file; empty where it does not say.
    pub producer: &'a str,
    /// Version of ONNX's own operator set.
    pub opset: u64,
    /// The network.
    pub graph: Graph<'a>,
}

/// Nodes in topological order, and what goes in and out.
#[derive(Debug, Clone, Default)]
pub struct Graph<'a> {
    /// The operations.
    pub nodes: Vec<Node<'a>>,
    /// What the caller gives, without constants that have a default: names with their `ValueInfoProto`.
    pub inputs: Vec<(&'a str, &'a [u8])>,
    /// Names of what the caller gets.
    pub outputs: Vec<&'a str>,
    /// Constants by name: their `TensorProto`.
    initializers: HashMap<&'a str, &'a [u8]>,
    /// Which node makes a tensor.
    producers: HashMap<&'a str, usize>,
}

/// One operation.
#[derive(Debug, Clone, Default)]
pub struct Node<'a> {
    /// The operator, such as `Conv`.
    pub op: &'a str,
    /// The operator set; empty for ONNX's own.
    pub domain: &'a str,
    /// Tensors that it reads; an empty name stands for an optional one that is left out.
    pub inputs: Vec<&'a str>,
    /// Tensors that it makes.
    pub outputs: Vec<&'a str>,
    /// The node's own bytes.
    body: &'a [u8],
}

impl<'a> Model<'a> {
    /// Reads the structure of a file.
    ///
    /// # Errors
    /// Bytes that are no ONNX file, or weights outside it; the text names the part and what was found.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut model = Self { producer: "", opset: 0, graph: Graph::default() };
        let mut graph = None;
        for field in fields(bytes) {
            match within("file", field)? {
                (2, Value::Bytes(name)) => model.producer = text("producer", name)?,
                (7, Value::Bytes(body)) if graph.is_none() => graph = Some(body),
                (7, _) => return Err(OnnxError::malformed("file", "more than one graph")),
                (8, Value::Bytes(import)) => model.import(import)?,
                _ => {}
            }
        }
        let body = graph.ok_or_else(|| OnnxError::malformed("file", "no graph in it"))?;
        if model.opset == 0 {
            return Err(OnnxError::malformed("file", "no version of ONNX's operator set (opset_import)"));
        }
        model.graph = Graph::parse(body)?;
        match external_tensor(body, 0)? {
            Some(tensor) => Err(OnnxError::ExternalData { tensor: tensor.into() }),
            None => Ok(model),
        }
    }

    fn import(&mut self, body: &'a [u8]) -> Result<(), OnnxError> {
        let (mut domain, mut version) = ("", 0);
        for field in fields(body) {
            match within("opset_import", field)? {
                (1, Value::Bytes(name)) => domain = text("opset_import", name)?,
                (2, Value::Varint(number)) => version = number,
                _ => {}
            }
        }
        if matches!(domain, "" | "ai.onnx") {
            self.opset = version;
        }
        Ok(())
    }
}

impl<'a> Graph<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, OnnxError> {
        let mut graph = Self::default();
        let mut entries = 0;
        for field in fields(body) {
            match within("graph", field)? {
                (1, Value::Bytes(body)) => graph.nodes.push(Node::parse(body, &mut entries)?),
                (5, Value::Bytes(tensor)) => {
                    graph.initializers.insert(name_of("initializer", tensor, 8)?, tensor);
                }
                (11, Value::Bytes(value)) => graph.inputs.push((name_of("input", value, 1)?, value)),
                (12, Value::Bytes(value)) => graph.outputs.push(name_of("output", value, 1)?),
                _ => {}
            }
            count(&mut entries)?;
        }
        graph.inputs.retain(|(name, _)| !graph.initializers.contains_key(name));
        for (index, node) in graph.nodes.iter().enumerate() {
            graph.producers.extend(node.outputs.iter().map(|name| (*name, index)));
        }
        Ok(graph)
    }

    /// The node that makes a tensor.
    pub fn producer(&self, tensor: &str) -> Option<&Node<'a>> {
        self.producers.get(tensor).and_then(|index| self.nodes.get(*index))
    }

    /// Every named tensor: inputs, constants and what the nodes make.
    pub fn tensors(&self) -> impl Iterator<Item = &'a str> {
        let made = self.nodes.iter().flat_map(|node| node.outputs.iter().copied());
        let given = self.inputs.iter().map(|(name, _)| *name).chain(self.initializers.keys().copied());
        given.chain(made).filter(|name| !name.is_empty())
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, tensor: &str) -> bool {
        self.producers.contains_key(tensor)
            || self.initializers.contains_key(tensor)
            || self.inputs.iter().any(|(name, _)| *name == tensor)
    }

    /// The type and shape that the file gives an input.
    ///
    /// # Errors
    /// A description that cannot be read.
    pub fn input_type(&self, body: &[u8]) -> Result<ValueInfoProto, OnnxError> {
        ValueInfoProto::decode(body).map_err(|error| OnnxError::malformed("input", error.to_string()))
    }

    /// Whether a tensor is stored in the file or made by a `Constant` node.
    pub fn is_constant(&self, name: &str) -> bool {
        self.initializers.contains_key(name) || self.producer(name).is_some_and(|node| node.op == "Constant")
    }

    /// A constant tensor, stored in the file or made by a `Constant` node; `None` for anything else.
    ///
    /// # Errors
    /// A tensor that cannot be read.
    pub fn constant(&self, name: &str) -> Result<Option<TensorProto>, OnnxError> {
        let body = self.constant_body(name)?;
        body.map(TensorProto::decode).transpose().map_err(|error| malformed_tensor(name, &error))
    }

    /// The element type of a constant tensor, by its number in the specification; its elements are not looked at.
    ///
    /// # Errors
    /// A tensor that cannot be read.
    pub fn constant_type(&self, name: &str) -> Result<Option<u64>, OnnxError> {
        let Some(body) = self.constant_body(name)? else { return Ok(None) };
        let mut found = None;
        for field in fields(body) {
            if let (2, Value::Varint(number)) = within("tensor", field)? {
                found = Some(number);
            }
        }
        Ok(found)
    }

    /// The `TensorProto` of a constant.
    fn constant_body(&self, name: &str) -> Result<Option<&'a [u8]>, OnnxError> {
        if let Some(body) = self.initializers.get(name) {
            return Ok(Some(body));
        }
        match self.producer(name) {
            Some(node) if node.op == "Constant" => node.tensor("value"),
            // Exporters put an Identity between a weight and a node that shares it.
            Some(node) if node.op == "Identity" && node.inputs.len() == 1 => {
                Ok(self.initializers.get(node.inputs[0]).copied())
            }
            _ => Ok(None),
        }
    }
}

impl<'a> Node<'a> {
    fn parse(body: &'a [u8], entries: &mut usize) -> Result<Self, OnnxError> {
        let mut node = Self { body, ..Self::default() };
        for field in fields(body) {
            match within("node", field)? {
                (1, Value::Bytes(name)) => node.inputs.push(text("node", name)?),
                (2, Value::Bytes(name)) => node.outputs.push(text("node", name)?),
                (4, Value::Bytes(name)) => node.op = text("node", name)?,
                (7, Value::Bytes(name)) => node.domain = text("node", name)?,
                _ => {}
            }
            count(entries)?;
        }
        Ok(node)
    }

    /// An attribute by name.
    ///
    /// # Errors
    /// An attribute that cannot be read.
    pub fn attribute(&self, name: &str) -> Result<Option<AttributeProto>, OnnxError> {
        let decoded = self.attribute_body(name)?.map(AttributeProto::decode).transpose();
        decoded.map_err(|error| OnnxError::malformed("attribute", error.to_string()))
    }

    /// The `TensorProto` in an attribute that is one tensor.
    fn tensor(&self, name: &str) -> Result<Option<&'a [u8]>, OnnxError> {
        let mut found = None;
        for field in fields(self.attribute_body(name)?.unwrap_or_default()) {
            if let (5, Value::Bytes(body)) = within("attribute", field)? {
                found = Some(body);
            }
        }
        Ok(found)
    }

    fn attribute_body(&self, name: &str) -> Result<Option<&'a [u8]>, OnnxError> {
        for field in fields(self.body) {
            if let (5, Value::Bytes(body)) = within("node", field)?
                && name_of("attribute", body, 1)? == name
            {
                return Ok(Some(body));
            }
        }
        Ok(None)
    }

    /// An attribute that is one integer.
    ///
    /// # Errors
    /// An attribute that cannot be read.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, OnnxError> {
        Ok(self.attribute(name)?.and_then(|attribute| attribute.i))
    }
}

pub(super) fn within<'a>(
    part: &str,
    field: Result<Field<'a>, super::WireError>,
) -> Result<(u64, Value<'a>), OnnxError> {
    match field {
        Ok(field) => Ok((field.number, field.value)),
        Err(source) => Err(OnnxError::Wire { part: part.into(), source }),
    }
}

fn count(entries: &mut usize) -> Result<(), OnnxError> {
    *entries += 1;
    match *entries {
        0..=MAX_ENTRIES => Ok(()),
        _ => Err(OnnxError::malformed("graph", format!("more than {MAX_ENTRIES} nodes, names and constants"))),
    }
}

/// The text in field `number` of a message; empty where it has none.
pub(super) fn name_of<'a>(part: &str, body: &'a [u8], number: u64) -> Result<&'a str, OnnxError> {
    let mut name = "";
    for field in fields(body) {
        if let (found, Value::Bytes(bytes)) = within(part, field)?
            && found == number
        {
            name = text(part, bytes)?;
        }
    }
    Ok(name)
}

fn text<'a>(part: &str, bytes: &'a [u8]) -> Result<&'a str, OnnxError> {
    std::str::from_utf8(bytes).map_err(|error| OnnxError::malformed(part, format!("a name that is no text: {error}")))
}

fn malformed_tensor(name: &str, error: &prost::DecodeError) -> OnnxError {
    OnnxError::malformed(&format!("tensor {name:?}"), error.to_string())
}
