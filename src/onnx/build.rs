//! Makes the nodes, constants and declarations that are added to somebody else's graph.

use super::proto::{
    AttributeKind, AttributeProto, DataType, Dimension, Extent, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

/// A node of ONNX's own operator set with one output, whose name is also the node's.
pub fn node(op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        name: Some(output.to_owned()),
        op_type: Some(op.to_owned()),
        attribute,
    }
}

/// An attribute of one integer.
pub fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        i: Some(value),
        kind: Some(AttributeKind::Int.into()),
        ..AttributeProto::default()
    }
}

/// An attribute of several integers.
pub fn integers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        ints: values.to_vec(),
        kind: Some(AttributeKind::Ints.into()),
        ..AttributeProto::default()
    }
}

/// A constant of f32, row-major.
pub fn floats(name: &str, dims: &[usize], values: impl IntoIterator<Item = f32>) -> TensorProto {
    let raw = values.into_iter().flat_map(f32::to_le_bytes).collect();
    constant(name, dims, DataType::Float, raw)
}

/// A constant list of i64.
pub fn longs(name: &str, values: &[i64]) -> TensorProto {
    constant(name, &[values.len()], DataType::Int64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// A constant of i8, row-major.
pub fn bytes(name: &str, dims: &[usize], values: impl IntoIterator<Item = i8>) -> TensorProto {
    constant(name, dims, DataType::Int8, values.into_iter().flat_map(i8::to_le_bytes).collect())
}

/// A constant of any type, whose values are little-endian bytes, row-major.
pub fn constant(name: &str, dims: &[usize], data_type: DataType, raw: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: dims.iter().map(|extent| *extent as i64).collect(),
        data_type: Some(data_type.into()),
        name: Some(name.to_owned()),
        raw_data: Some(raw),
        ..TensorProto::default()
    }
}

/// Declares an input or output of f32, [N, rest...] with a free N.
pub fn batch_of(name: &str, rest: &[usize]) -> ValueInfoProto {
    let batch = Extent::Named("N".to_owned());
    let rest = rest.iter().map(|extent| Extent::Fixed(*extent as i64));
    let dim = std::iter::once(batch).chain(rest).map(|extent| Dimension { value: Some(extent) }).collect();
    let tensor = TensorTypeProto { elem_type: Some(DataType::Float.into()), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

/// Declares an output and leaves its type to the runtime's own inference.
pub fn untyped(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: Some(name.to_owned()), r#type: None }
}
