//! A trained network as ONNX, layer by layer as its [`Plan`] says.
//!
//! Every convolution has its batch norm folded in. The parameter-free shortcut of CIFAR ResNets takes every second
//! pixel and puts zero channels on both sides; as a 1x1 convolution with stride 2 and constant weights of 0 and 1 it
//! needs no slicing or padding operator, which keeps the graph within what every runtime and quantiser handles.

use super::graph::{Graph, Kernel, Map, Sliding};
use super::outputs::{self, Head};
use super::{OnnxError, fold};
use crate::plan::{Activation, Conv, Layer, Plan, Residual, Skip, Window};
use crate::weights::{Array, Tensors};

/// Upper end of ReLU6.
const SIX: f32 = 6.0;

/// The bytes of `model.onnx` for a network on square pictures of `size` pixels.
///
/// Input `input` [N, 3, size, size], already normalised; outputs as in [`outputs`]. The number of
/// classes is that of the head's bias. For `norm_scale` see [`outputs::add`].
///
/// # Errors
/// [`OnnxError::Weights`] for a missing or mis-shaped tensor.
pub fn to_bytes(tensors: &Tensors, plan: &Plan, size: usize, norm_scale: f32) -> Result<Vec<u8>, OnnxError> {
    let mut writer = Writer { graph: Graph::new(plan.arch), tensors, eps: plan.batch_norm.eps };
    let mut x = writer.graph.input("input", 3, size, size);
    for (index, layer) in plan.layers.iter().enumerate() {
        x = match layer {
            Layer::Conv(conv) => writer.conv(conv, &x)?,
            Layer::MaxPool { size, stride, padding } => {
                let sliding = Sliding { stride: *stride, pads: [[*padding; 2]; 2], groups: 1 };
                writer.graph.max_pool(&format!("pool{index}"), &x, *size, sliding)?
            }
            Layer::Residual(block) => writer.residual(block, &x)?,
        };
    }
    let [weight, bias] = plan.head_names();
    let classes = tensors.any_shape(&bias)?.values().len();
    let head = Head {
        weight: tensors.get(&weight, &[classes, plan.features])?.clone(),
        bias: tensors.get(&bias, &[classes])?.clone(),
    };
    outputs::add(&mut writer.graph, &x, &head, norm_scale)?;
    Ok(writer.graph.into_bytes())
}

struct Writer<'a> {
    graph: Graph,
    tensors: &'a Tensors,
    /// Of every batch norm.
    eps: f64,
}

impl Writer<'_> {
    /// A convolution, its batch norm and its activation.
    fn conv(&mut self, conv: &Conv, x: &Map) -> Result<Map, OnnxError> {
        let shape = [conv.to, conv.from / conv.groups, conv.window.size, conv.window.size];
        let kernel = fold::conv_bn(self.tensors, &conv.conv, &conv.bn, shape, self.eps)?;
        let sum = self.graph.conv(&conv.conv, x, &kernel, slide(conv.window, x, conv.groups))?;
        Ok(self.activate(&conv.conv, conv.activation, sum))
    }

    fn residual(&mut self, block: &Residual, x: &Map) -> Result<Map, OnnxError> {
        let name = &block.name;
        let mut inner = x.clone();
        for conv in &block.body {
            inner = self.conv(conv, &inner)?;
        }
        let skipped = match &block.skip {
            Skip::Identity => x.clone(),
            Skip::ZeroPadded { stride } => {
                let sliding = Sliding { stride: *stride, pads: [[0; 2]; 2], groups: 1 };
                let kernel = option_a(x.channels, inner.channels)?;
                self.graph.conv(&format!("{name}.shortcut"), x, &kernel, sliding)?
            }
            Skip::Conv(conv) => self.conv(conv, x)?,
        };
        let sum = self.graph.add(&format!("{name}.add"), &inner, &skipped)?;
        Ok(self.activate(name, block.activation, sum))
    }

    fn activate(&mut self, name: &str, activation: Activation, x: Map) -> Map {
        match activation {
            Activation::None => x,
            Activation::Relu => self.graph.relu(&format!("{name}.relu"), &x),
            Activation::Relu6 => self.graph.clip(&format!("{name}.relu6"), &x, 0.0, SIX),
        }
    }
}

/// How a window moves over that map.
fn slide(window: Window, x: &Map, groups: usize) -> Sliding {
    Sliding { stride: window.stride, pads: [window.pads(x.height), window.pads(x.width)], groups }
}

/// The 1x1 kernel that copies `from` channels into the middle of `to` channels, zero elsewhere.
fn option_a(from: usize, to: usize) -> Result<Kernel, OnnxError> {
    // The reference code pads planes / 4 on both sides, which is (to - from) / 2 as widths double.
    let first = to.saturating_sub(from) / 2;
    let mut weight = vec![0.0; to * from];
    for channel in 0..from.min(to) {
        weight[(first + channel) * from + channel] = 1.0;
    }
    Ok(Kernel { weight: Array::new(vec![to, from, 1, 1], weight)?, bias: None })
}
