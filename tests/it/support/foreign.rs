//! The tiny network as other people's exporters would write it: the same numbers in other graphs.
//!
//! Whatever the graph looks like, an adopted package of it has to compute what [`super::network::forward`] computes.

use oodwatch::onnx::build::{batch_of, floats, integer, integers, longs, node, untyped};
use oodwatch::onnx::proto::{
    DataType, Dimension, Extent, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

use super::network::{CHANNELS, HEAD, HEAD_BIAS, SIDE, STEM};

/// A graph that can still be changed before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Foreign {
    pub(crate) graph: GraphProto,
    pub(crate) opset: i64,
}

impl Foreign {
    /// `picture` [N, 3, 8, 8] to the feature map `map` [N, 4, 8, 8] and its mean `pooled` [N, 4, 1, 1].
    fn body() -> Self {
        let graph = GraphProto {
            name: Some("foreign".into()),
            node: vec![
                node("Conv", &["picture", "stem"], "before", Vec::new()),
                node("Relu", &["before"], "map", Vec::new()),
                node("GlobalAveragePool", &["map"], "pooled", Vec::new()),
            ],
            initializer: vec![floats("stem", &[CHANNELS, 3, 1, 1], STEM.concat())],
            input: vec![batch_of("picture", &[3, SIDE, SIDE])],
            output: Vec::new(),
        };
        Self { graph, opset: 17 }
    }

    /// As PyTorch writes it: Flatten, Gemm.
    pub(crate) fn gemm() -> Self {
        Self::body()
            .then(node("Flatten", &["pooled"], "flat", Vec::new()))
            .then(node("Gemm", &["flat", "w", "b"], "result", vec![integer("transB", 1)]))
            .with(floats("w", &[HEAD.len(), CHANNELS], HEAD.concat()))
            .with(floats("b", &[HEAD.len()], HEAD_BIAS))
            .giving("result")
    }

    /// As PaddlePaddle and TensorFlow write it: Reshape, MatMul, Add, Softmax.
    pub(crate) fn matmul_add_softmax() -> Self {
        let transposed = (0..CHANNELS).flat_map(|c| HEAD.map(|row| row[c]));
        Self::body()
            .then(node("Reshape", &["pooled", "shape"], "flat", Vec::new()))
            .then(node("MatMul", &["flat", "w"], "product", Vec::new()))
            .then(node("Add", &["product", "b"], "sum", Vec::new()))
            .then(node("Identity", &["sum"], "same", Vec::new()))
            .then(node("Softmax", &["same"], "probabilities", vec![integer("axis", 1)]))
            .with(longs("shape", &[-1, CHANNELS as i64]))
            .with(floats("w", &[CHANNELS, HEAD.len()], transposed))
            .with(floats("b", &[HEAD.len()], HEAD_BIAS))
            .giving("probabilities")
    }

    /// As MobileNets have it: a 1x1 Conv on the pooled [N, 4, 1, 1] gives [N, 3, 1, 1].
    pub(crate) fn conv_head() -> Self {
        Self::body()
            .then(node("Conv", &["pooled", "w", "b"], "result", Vec::new()))
            .with(floats("w", &[HEAD.len(), CHANNELS, 1, 1], HEAD.concat()))
            .with(floats("b", &[HEAD.len()], HEAD_BIAS))
            .giving("result")
    }

    /// As exporters write it that were not told otherwise: one picture only, in the input and in a Reshape.
    pub(crate) fn fixed_batch() -> Self {
        let mut foreign = Self::matmul_add_softmax().replacing(longs("shape", &[1, CHANNELS as i64]));
        foreign.graph.input = vec![value("picture", DataType::Float, &[1, 3, SIDE as i64, SIDE as i64])];
        foreign
    }

    /// As TensorFlow writes it: bytes with the colours last, turned and scaled inside.
    pub(crate) fn bytes_colours_last() -> Self {
        let mut foreign = Self::gemm().with(floats("inverse", &[], [1.0 / 255.0]));
        foreign.graph.input = vec![value("raw", DataType::Uint8, &[-1, SIDE as i64, SIDE as i64, 3])];
        let to_float = integer("to", i64::from(i32::from(DataType::Float)));
        let front = [
            node("Cast", &["raw"], "cast", vec![to_float]),
            node("Mul", &["cast", "inverse"], "scaled", Vec::new()),
            node("Transpose", &["scaled"], "picture", vec![integers("perm", &[0, 3, 1, 2])]),
        ];
        foreign.graph.node.splice(0..0, front);
        foreign
    }

    /// As half-precision converters write it that keep the weights: f16 in front.
    pub(crate) fn half_precision() -> Self {
        let mut foreign = Self::gemm();
        foreign.graph.input = vec![value("half", DataType::Float16, &[-1, 3, SIDE as i64, SIDE as i64])];
        let to_float = integer("to", i64::from(i32::from(DataType::Float)));
        foreign.graph.node.insert(0, node("Cast", &["half"], "picture", vec![to_float]));
        foreign
    }

    /// With tensors that have a package's own names but are something else.
    pub(crate) fn colliding() -> Self {
        let text = |name: &str| match name {
            "picture" => "features".to_owned(),
            "before" => "logits".to_owned(),
            "w" => "local_norms".to_owned(),
            "result" => "local_logits".to_owned(),
            other => other.to_owned(),
        };
        let mut foreign = Self::gemm();
        for node in &mut foreign.graph.node {
            node.input.iter_mut().chain(&mut node.output).for_each(|name| *name = text(name));
        }
        for tensor in &mut foreign.graph.initializer {
            tensor.name = tensor.name.as_deref().map(text);
        }
        for value in foreign.graph.input.iter_mut().chain(&mut foreign.graph.output) {
            value.name = value.name.as_deref().map(text);
        }
        foreign
    }

    pub(crate) fn then(mut self, node: NodeProto) -> Self {
        self.graph.node.push(node);
        self
    }

    pub(crate) fn with(mut self, constant: TensorProto) -> Self {
        self.graph.initializer.push(constant);
        self
    }

    /// Another constant in the place of the one of that name.
    pub(crate) fn replacing(mut self, constant: TensorProto) -> Self {
        self.graph.initializer.retain(|stored| stored.name != constant.name);
        self.with(constant)
    }

    pub(crate) fn giving(mut self, output: &str) -> Self {
        self.graph.output.push(untyped(output));
        self
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let model = ModelProto {
            ir_version: Some(8),
            producer_name: Some("somebody else".into()),
            producer_version: None,
            graph: Some(self.graph.clone()),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(self.opset) }],
            metadata_props: Vec::new(),
        };
        model.encode_to_vec()
    }
}

/// An input of any type; -1 is a free extent.
pub(crate) fn value(name: &str, element: DataType, extents: &[i64]) -> ValueInfoProto {
    let dim = extents.iter().map(|extent| Dimension { value: Some(Extent::Fixed(*extent)) }).collect();
    let tensor = TensorTypeProto { elem_type: Some(element.into()), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
