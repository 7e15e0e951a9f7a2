//! Puts ONNX nodes together, one small function per layer.
//!
//! A value carries its shape ([`Map`] for [N,C,H,W], [`Vector`] for [N,C]; N stays open), so a
//! layer that does not fit is refused here, by name, and not by a runtime on a robot.

use oodwatch::onnx::proto::{
    AttributeKind, AttributeProto, DataType, Dimension, Extent, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

use super::{IR_VERSION, OPSET_VERSION, OnnxError};
use crate::weights::Array;

/// Name of the batch dimension in every input and output.
pub const BATCH: &str = "N";

/// A feature map [N, channels, height, width] inside the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Name of the value in the file.
    pub name: String,
    /// C.
    pub channels: usize,
    /// H.
    pub height: usize,
    /// W.
    pub width: usize,
}

/// A vector per image [N, width] inside the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// Name of the value in the file.
    pub name: String,
    /// Number of elements per image.
    pub width: usize,
}

/// Weights of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// [out, in / groups, height, width].
    pub weight: Array,
    /// [out]; none where the layer has none.
    pub bias: Option<Vec<f32>>,
}

/// How a kernel is moved over its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    /// Step in both directions, in input locations.
    pub stride: usize,
    /// Zeros added before and behind each axis, in input locations: above and below, left and right.
    pub pads: [[usize; 2]; 2],
    /// Number of channel groups that do not see each other.
    pub groups: usize,
}

impl Sliding {
    fn pads(&self) -> AttributeProto {
        let [[top, bottom], [left, right]] = self.pads;
        ints("pads", &[top, left, bottom, right])
    }

    fn strides(&self) -> AttributeProto {
        ints("strides", &[self.stride; 2])
    }
}

/// A network under construction.
#[derive(Debug, Default)]
pub struct Graph {
    proto: GraphProto,
}

impl Graph {
    /// An empty network of that name.
    pub fn new(name: &str) -> Self {
        let name = Some(name.to_owned());
        Self { proto: GraphProto { name, ..GraphProto::default() } }
    }

    /// Declares an input image batch [N, channels, height, width].
    pub fn input(&mut self, name: &str, channels: usize, height: usize, width: usize) -> Map {
        self.proto.input.push(value_info(name, &[channels, height, width]));
        Map { name: name.to_owned(), channels, height, width }
    }

    /// Declares the value `name` as an output of shape [N, rest...].
    pub fn output(&mut self, name: &str, rest: &[usize]) {
        self.proto.output.push(value_info(name, rest));
    }

    /// 2-D convolution. The result is called `name`; weights `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// [`OnnxError::Layer`] when the kernel does not fit the input.
    pub fn conv(&mut self, name: &str, x: &Map, kernel: &Kernel, sliding: Sliding) -> Result<Map, OnnxError> {
        let [out, per_group, kh, kw] = kernel_extents(name, kernel)?;
        if per_group * sliding.groups != x.channels || out % sliding.groups != 0 {
            return Err(OnnxError::Layer {
                layer: name.to_owned(),
                found: format!("{} input channels in {} groups", x.channels, sliding.groups),
                wanted: format!("{per_group} per group for kernel {:?}", kernel.weight.shape()),
            });
        }
        let height = slid(name, x.height, kh, (sliding.stride, sliding.pads[0]))?;
        let width = slid(name, x.width, kw, (sliding.stride, sliding.pads[1]))?;

        let mut inputs = vec![x.name.clone(), self.constant(&format!("{name}.weight"), &kernel.weight)];
        if let Some(bias) = &kernel.bias {
            let bias = Array::vector(bias.clone());
            inputs.push(self.constant(&format!("{name}.bias"), &bias));
        }
        let attributes = vec![
            ints("dilations", &[1, 1]),
            int("group", sliding.groups),
            ints("kernel_shape", &[kh, kw]),
            sliding.pads(),
            sliding.strides(),
        ];
        self.node("Conv", name, inputs, attributes);
        Ok(Map { name: name.to_owned(), channels: out, height, width })
    }

    /// The largest value in every window of `size` x `size` locations; what lies outside the map counts for nothing.
    ///
    /// # Errors
    /// [`OnnxError::Layer`] when the window does not fit the input.
    pub fn max_pool(&mut self, name: &str, x: &Map, size: usize, sliding: Sliding) -> Result<Map, OnnxError> {
        let height = slid(name, x.height, size, (sliding.stride, sliding.pads[0]))?;
        let width = slid(name, x.width, size, (sliding.stride, sliding.pads[1]))?;
        let attributes = vec![ints("kernel_shape", &[size, size]), sliding.pads(), sliding.strides()];
        self.node("MaxPool", name, vec![x.name.clone()], attributes);
        Ok(Map { name: name.to_owned(), channels: x.channels, height, width })
    }

    /// min(max(x, low), high).
    pub fn clip(&mut self, name: &str, x: &Map, low: f32, high: f32) -> Map {
        let bounds = [("low", low), ("high", high)]
            .map(|(bound, value)| self.constant(&format!("{name}.{bound}"), &Array::scalar(value)));
        self.node("Clip", name, [vec![x.name.clone()], bounds.to_vec()].concat(), Vec::new());
        Map { name: name.to_owned(), ..x.clone() }
    }

    /// max(x, 0).
    pub fn relu(&mut self, name: &str, x: &Map) -> Map {
        self.node("Relu", name, vec![x.name.clone()], Vec::new());
        Map { name: name.to_owned(), ..x.clone() }
    }

    /// Sum of two maps of one shape.
    ///
    /// # Errors
    /// [`OnnxError::Layer`] when the shapes differ.
    pub fn add(&mut self, name: &str, a: &Map, b: &Map) -> Result<Map, OnnxError> {
        let extents = |m: &Map| [m.channels, m.height, m.width];
        if extents(a) != extents(b) {
            return Err(OnnxError::Layer {
                layer: name.to_owned(),
                found: format!("{:?} and {:?}", extents(a), extents(b)),
                wanted: "two equal shapes".to_owned(),
            });
        }
        self.node("Add", name, vec![a.name.clone(), b.name.clone()], Vec::new());
        Ok(Map { name: name.to_owned(), ..a.clone() })
    }

    /// Mean over height and width, as one vector per image.
    pub fn global_average_pool(&mut self, name: &str, x: &Map) -> Vector {
        let pooled = format!("{name}.pooled");
        self.node("GlobalAveragePool", &pooled, vec![x.name.clone()], Vec::new());
        self.node("Flatten", name, vec![pooled], vec![int("axis", 1)]);
        Vector { name: name.to_owned(), width: x.channels }
    }

    /// Fully connected layer: `weight` [out, in], `bias` [out].
    ///
    /// # Errors
    /// [`OnnxError::Layer`] when weight, bias and input do not fit each other.
    pub fn linear(&mut self, name: &str, x: &Vector, weight: &Array, bias: &Array) -> Result<Vector, OnnxError> {
        let out = bias.values().len();
        if weight.shape() != [out, x.width] {
            return Err(OnnxError::Layer {
                layer: name.to_owned(),
                found: format!("weight {:?}, bias {:?}", weight.shape(), bias.shape()),
                wanted: format!("weight [{out}, {}], bias [{out}]", x.width),
            });
        }
        let weight = self.constant(&format!("{name}.weight"), weight);
        let bias = self.constant(&format!("{name}.bias"), bias);
        // y = x * weight^T + bias: PyTorch keeps a linear layer's weight as [out, in].
        self.node("Gemm", name, vec![x.name.clone(), weight, bias], vec![int("transB", 1)]);
        Ok(Vector { name: name.to_owned(), width: out })
    }

    /// L2 norm over the channels of every location, [N, H, W], under `name`.
    ///
    /// Computed as s * ||x / s|| with s = `scale`; the factors are left out for a scale of 1.
    pub fn channel_norm(&mut self, name: &str, x: &Map, scale: f32) {
        let attributes = || vec![ints("axes", &[1]), int("keepdims", 0)];
        if scale == 1.0 {
            return self.node("ReduceL2", name, vec![x.name.clone()], attributes());
        }
        let (small, norm) = (format!("{name}.scaled"), format!("{name}.scaled_norm"));
        let shrink = self.constant(&format!("{name}.shrink"), &Array::scalar(scale.recip()));
        let grow = self.constant(&format!("{name}.grow"), &Array::scalar(scale));
        self.node("Mul", &small, vec![x.name.clone(), shrink], Vec::new());
        self.node("ReduceL2", &norm, vec![small], attributes());
        self.node("Mul", name, vec![norm, grow], Vec::new());
    }

    /// The bytes of the file. The same graph gives the same bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some("oodwatch-export".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            graph: Some(self.proto),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET_VERSION) }],
            metadata_props: Vec::new(),
        };
        model.encode_to_vec()
    }

    fn node(&mut self, op: &str, output: &str, input: Vec<String>, attribute: Vec<AttributeProto>) {
        self.proto.node.push(NodeProto {
            input,
            output: vec![output.to_owned()],
            name: Some(output.to_owned()),
            op_type: Some(op.to_owned()),
            attribute,
        });
    }

    fn constant(&mut self, name: &str, array: &Array) -> String {
        self.proto.initializer.push(TensorProto {
            dims: array.shape().iter().map(|&d| d as i64).collect(),
            data_type: Some(DataType::Float.into()),
            name: Some(name.to_owned()),
            raw_data: Some(array.values().iter().flat_map(|v| v.to_le_bytes()).collect()),
            ..TensorProto::default()
        });
        name.to_owned()
    }
}

fn kernel_extents(layer: &str, kernel: &Kernel) -> Result<[usize; 4], OnnxError> {
    let bias = kernel.bias.as_ref().map(Vec::len);
    match *kernel.weight.shape() {
        [out, per_group, kh, kw] if bias.is_none_or(|b| b == out) => Ok([out, per_group, kh, kw]),
        ref shape => Err(OnnxError::Layer {
            layer: layer.to_owned(),
            found: format!("kernel {shape:?}, bias {bias:?}"),
            wanted: "kernel [out, in, height, width] and as many biases as outputs".to_owned(),
        }),
    }
}

/// Extent of a convolution's output along one axis.
fn slid(layer: &str, extent: usize, kernel: usize, (stride, pads): (usize, [usize; 2])) -> Result<usize, OnnxError> {
    let padded = extent + pads[0] + pads[1];
    if kernel == 0 || kernel > padded || stride == 0 {
        return Err(OnnxError::Layer {
            layer: layer.to_owned(),
            found: format!("kernel of {kernel} with stride {stride}"),
            wanted: format!("1 to {padded} (the padded input) and a stride of at least 1"),
        });
    }
    Ok((padded - kernel) / stride + 1)
}

fn int(name: &str, value: usize) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        i: Some(value as i64),
        kind: Some(AttributeKind::Int.into()),
        ..AttributeProto::default()
    }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        ints: values.iter().map(|&v| v as i64).collect(),
        kind: Some(AttributeKind::Ints.into()),
        ..AttributeProto::default()
    }
}

/// A float tensor of shape [N, rest...].
fn value_info(name: &str, rest: &[usize]) -> ValueInfoProto {
    let batch = Extent::Named(BATCH.to_owned());
    let rest = rest.iter().map(|&extent| Extent::Fixed(extent as i64));
    let dim = std::iter::once(batch).chain(rest).map(|extent| Dimension { value: Some(extent) }).collect();
    let tensor = TensorTypeProto { elem_type: Some(DataType::Float.into()), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
