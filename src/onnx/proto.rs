//! The ONNX messages that a classifier needs, as protobuf structs.
//!
//! A hand-declared subset of `onnx.proto` (IR version 8, Apache-2.0, the ONNX project): field
//! numbers and types are the specification's, fields that we neither read nor write are left out, and
//! whoever reads the file sees them as unset. Repeated numbers are written one by one
//! (`packed = "false"`), as the specification's proto2 syntax does; readers such as rten refuse
//! the packed form. prost reads both forms.
//!
//! These structs drop the fields they do not know. A file of somebody else is therefore never decoded as a whole and
//! written again; [`super::rewrite`] changes its bytes instead.

use prost::{Enumeration, Message, Oneof};

/// A whole file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// Version of the file format itself.
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    /// Program that wrote the file.
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    /// Version of that program.
    #[prost(string, optional, tag = "3")]
    pub producer_version: Option<String>,
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Operator sets that the network's nodes are taken from.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Free text pairs.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// An operator set and its version. The empty domain is ONNX's own.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    /// Name of the set.
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// Its version.
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

/// One free text pair.
#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    /// Left side.
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    /// Right side.
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// Nodes in topological order, their constants, and what goes in and out.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// Operations; each may only use what was made before it.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Name of the network.
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    /// Constants: weights and biases.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// What the caller gives.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// What the caller gets.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

/// One operation.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// Names of the values it reads.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values it makes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name, for messages and profiles.
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    /// The operator, such as `Conv`.
    #[prost(string, optional, tag = "4")]
    pub op_type: Option<String>,
    /// Its constants that are not tensors, such as strides.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
}

/// A named constant of a node. Exactly one value field is set, the one that `kind` says.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// Name of the attribute.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Value of [`AttributeKind::Float`].
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// Value of [`AttributeKind::Int`].
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// Value of [`AttributeKind::Tensor`].
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// Value of [`AttributeKind::Ints`].
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Which value field is set.
    #[prost(enumeration = "AttributeKind", optional, tag = "20")]
    pub kind: Option<i32>,
}

/// `AttributeProto.AttributeType`, as far as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum AttributeKind {
    /// Nothing set.
    Undefined = 0,
    /// One number.
    Float = 1,
    /// One integer.
    Int = 2,
    /// One tensor.
    Tensor = 4,
    /// A list of integers.
    Ints = 7,
}

/// A constant tensor, row-major.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// Extents, outermost first; none for a scalar.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// Element type.
    #[prost(enumeration = "DataType", optional, tag = "2")]
    pub data_type: Option<i32>,
    /// The elements of an `f32` tensor, where `raw_data` is not used.
    #[prost(float, repeated, packed = "false", tag = "4")]
    pub float_data: Vec<f32>,
    /// The elements of an `i64` tensor, where `raw_data` is not used.
    #[prost(int64, repeated, packed = "false", tag = "7")]
    pub int64_data: Vec<i64>,
    /// Name by which nodes read it.
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
    /// The elements as little-endian bytes.
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
}

impl TensorProto {
    /// Extents and values of an f32 tensor, if they are all there and finite.
    pub fn floats(&self) -> Option<(Vec<usize>, Vec<f32>)> {
        if self.data_type != Some(DataType::Float.into()) {
            return None;
        }
        let dims: Vec<usize> = self.dims.iter().map(|extent| usize::try_from(*extent).ok()).collect::<Option<_>>()?;
        let count = dims.iter().try_fold(1_usize, |product, extent| product.checked_mul(*extent))?;
        let values: Vec<f32> = match &self.raw_data {
            Some(raw) if !raw.is_empty() => {
                raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
            _ => self.float_data.clone(),
        };
        (values.len() == count && values.iter().all(|value| value.is_finite())).then_some((dims, values))
    }
}

/// `TensorProto.DataType`, as far as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum DataType {
    /// Not set.
    Undefined = 0,
    /// `f32`.
    Float = 1,
    /// `u8`.
    Uint8 = 2,
    /// `i8`.
    Int8 = 3,
    /// `i64`.
    Int64 = 7,
    /// IEEE half precision.
    Float16 = 10,
}

/// Name and type of an input or output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// Its name.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// A type; always a dense tensor here.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// The tensor case of the specification's choice.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// `TypeProto.Tensor`: element type and shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    /// Element type.
    #[prost(enumeration = "DataType", optional, tag = "1")]
    pub elem_type: Option<i32>,
    /// Shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// Extents, outermost first.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// `TensorShapeProto.Dimension`: one extent.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// A number, or a name for what is known only at run time.
    #[prost(oneof = "Extent", tags = "1, 2")]
    pub value: Option<Extent>,
}

/// The two forms of an extent.
#[derive(Clone, PartialEq, Oneof)]
pub enum Extent {
    /// Fixed.
    #[prost(int64, tag = "1")]
    Fixed(i64),
    /// Known at run time only; equal names mean equal extents.
    #[prost(string, tag = "2")]
    Named(String),
}
