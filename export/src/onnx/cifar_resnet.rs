//! CIFAR ResNets as ONNX: He et al., "Deep Residual Learning for Image Recognition" (2015),
//! section 4.2, with the parameter-free shortcut (their option A).
//!
//! Tensor names are those of the model definition that is trained here. The shortcut takes every
//! second pixel and puts zero channels on both sides; as a 1x1 convolution with stride 2 and
//! constant weights of 0 and 1 it needs no slicing or padding operator, which keeps the graph
//! within what every runtime and quantiser handles.

use super::graph::{Graph, Kernel, Map, Sliding};
use super::outputs::{self, Head};
use super::{OnnxError, fold};
use crate::weights::{Array, Tensors};

/// Channels of the three stages.
pub const WIDTHS: [usize; 3] = [16, 32, 64];

/// Depths that can be written.
pub const DEPTHS: [usize; 4] = [20, 32, 44, 56];

/// PyTorch's default for a batch norm's epsilon.
const BN_EPS: f64 = 1e-5;

/// Depth that an architecture name such as `resnet20` stands for.
///
/// # Errors
/// [`OnnxError::Architecture`] for any other name.
pub fn depth(arch: &str) -> Result<usize, OnnxError> {
    let found = DEPTHS.into_iter().find(|depth| arch == format!("resnet{depth}"));
    found.ok_or_else(|| OnnxError::Architecture {
        found: arch.to_owned(),
        known: DEPTHS.map(|depth| format!("resnet{depth}")).join(", "),
    })
}

/// The bytes of `model.onnx` for a network of that depth on square pictures of `size` pixels.
///
/// Input `input` [N, 3, size, size], already normalised; outputs as in [`outputs`]. The number of
/// classes is that of `linear.bias`. For `norm_scale` see [`outputs::add`].
///
/// # Errors
/// [`OnnxError::Weights`] for a missing or mis-shaped tensor.
pub fn to_bytes(tensors: &Tensors, depth: usize, size: usize, norm_scale: f32) -> Result<Vec<u8>, OnnxError> {
    let mut graph = Graph::new(&format!("resnet{depth}"));
    let input = graph.input("input", 3, size, size);
    let mut x = conv_bn(&mut graph, tensors, &input, ("conv1", "bn1"), WIDTHS[0], 1)?;
    x = graph.relu("relu", &x);
    for (stage, &width) in WIDTHS.iter().enumerate() {
        for block in 0..(depth - 2) / 6 {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            x = basic_block(&mut graph, tensors, &x, &format!("layer{}.{block}", stage + 1), width, stride)?;
        }
    }
    let classes = tensors.any_shape("linear.bias")?.values().len();
    let head = Head {
        weight: tensors.get("linear.weight", &[classes, WIDTHS[2]])?.clone(),
        bias: tensors.get("linear.bias", &[classes])?.clone(),
    };
    outputs::add(&mut graph, &x, &head, norm_scale)?;
    Ok(graph.into_bytes())
}

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)).
fn basic_block(
    graph: &mut Graph,
    tensors: &Tensors,
    x: &Map,
    name: &str,
    width: usize,
    stride: usize,
) -> Result<Map, OnnxError> {
    let conv = |i: usize| (format!("{name}.conv{i}"), format!("{name}.bn{i}"));
    let (conv1, bn1) = conv(1);
    let (conv2, bn2) = conv(2);
    let inner = conv_bn(graph, tensors, x, (&conv1, &bn1), width, stride)?;
    let inner = graph.relu(&format!("{name}.relu1"), &inner);
    let inner = conv_bn(graph, tensors, &inner, (&conv2, &bn2), width, 1)?;

    let skipped = if stride == 1 && x.channels == width {
        x.clone()
    } else {
        let sliding = Sliding { stride, padding: 0, groups: 1 };
        graph.conv(&format!("{name}.shortcut"), x, &option_a(x.channels, width)?, sliding)?
    };
    let sum = graph.add(&format!("{name}.add"), &inner, &skipped)?;
    Ok(graph.relu(&format!("{name}.relu2"), &sum))
}

/// A 3x3 convolution and its batch norm as one node.
fn conv_bn(
    graph: &mut Graph,
    tensors: &Tensors,
    x: &Map,
    (conv, bn): (&str, &str),
    width: usize,
    stride: usize,
) -> Result<Map, OnnxError> {
    let kernel = fold::conv_bn(tensors, conv, bn, [width, x.channels, 3, 3], BN_EPS)?;
    graph.conv(conv, x, &kernel, Sliding { stride, padding: 1, groups: 1 })
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
