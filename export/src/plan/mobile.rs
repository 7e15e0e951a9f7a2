//! Networks of inverted residuals (Sandler et al., "MobileNetV2", CVPR 2018): 1x1 up, 3x3 or 5x5 per channel, 1x1 down,
//! with ReLU6, and the sum where input and output have one shape.
//!
//! - MobileNetV2 of width 1.0, with the names of torchvision.
//! - EfficientNet-Lite0 (Tan & Le, "EfficientNet", ICML 2019; the Lite family of 2020 has neither squeeze-and-excitation nor
//!   swish), with the names and the TensorFlow padding of the PyPI package `efficientnet_lite_pytorch`.

use super::{Activation, BatchNorm, Conv, Layer, Padding, Plan, Residual, Skip, Window};

const STEM: usize = 32;
const FEATURES: usize = 1280;
/// TensorFlow's settings; its momentum of 0.99 is PyTorch's 0.01.
const TENSORFLOW: BatchNorm = BatchNorm { eps: 1e-3, momentum: 0.01 };

/// Blocks of one width: expansion, channels out, how many, stride of the first, side of the kernel.
struct Stage(usize, usize, usize, usize, usize);

/// Table 2 of the paper.
const MOBILENET_V2: [Stage; 7] = [
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 32, 3, 2, 3),
    Stage(6, 64, 4, 2, 3),
    Stage(6, 96, 3, 1, 3),
    Stage(6, 160, 3, 2, 3),
    Stage(6, 320, 1, 1, 3),
];

/// Table 1 of the paper.
const EFFICIENTNET_LITE0: [Stage; 7] = [
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
];

/// What the weights of a block are called.
struct Names {
    block: String,
    /// Convolution and batch norm that widen, those per channel, those that narrow.
    parts: [[String; 2]; 3],
}

pub(super) fn mobilenet_v2() -> Plan {
    let window = |size, stride| Window { size, stride, padding: Padding::Even(size / 2) };
    let names = |index: usize, expands: bool| {
        let block = format!("features.{}", index + 1);
        // The list of a block that does not widen is one shorter.
        let second = usize::from(expands);
        let pair = |part: usize| [0, 1].map(|i| format!("{block}.conv.{part}.{i}"));
        let last = [1, 2].map(|i| format!("{block}.conv.{}", second + i));
        Names { parts: [pair(0), pair(second), last], block }
    };
    let outer = |index: usize| [0, 1].map(|i| format!("features.{index}.{i}"));
    let layers = layers(&MOBILENET_V2, window, names, [outer(0), outer(18)]);
    Plan { arch: "mobilenet_v2", layers, features: FEATURES, head: "classifier.1", batch_norm: BatchNorm::PYTORCH }
}

pub(super) fn efficientnet_lite0() -> Plan {
    let window = |size, stride| Window { size, stride, padding: Padding::Same };
    let names = |index: usize, _| {
        let block = format!("_blocks.{index}");
        let part = |conv: &str, bn: usize| [format!("{block}.{conv}"), format!("{block}._bn{bn}")];
        Names { parts: [part("_expand_conv", 0), part("_depthwise_conv", 1), part("_project_conv", 2)], block }
    };
    let outer = [["_conv_stem", "_bn0"], ["_conv_head", "_bn1"]].map(|pair| pair.map(str::to_owned));
    let layers = layers(&EFFICIENTNET_LITE0, window, names, outer);
    Plan { arch: "efficientnet_lite0", layers, features: FEATURES, head: "_fc", batch_norm: TENSORFLOW }
}

/// Stem, blocks, and the 1x1 convolution to F.
fn layers(
    stages: &[Stage],
    window: impl Fn(usize, usize) -> Window,
    names: impl Fn(usize, bool) -> Names,
    [stem, last]: [[String; 2]; 2],
) -> Vec<Layer> {
    let conv = |[conv, bn]: [String; 2], channels, window| Conv::new(conv, bn, channels, window, Activation::Relu6);
    let mut layers = vec![Layer::Conv(conv(stem, [3, STEM], window(3, 2)))];
    let mut from = STEM;
    let mut index = 0;
    for &Stage(expansion, to, count, first_stride, size) in stages {
        for i in 0..count {
            let stride = if i == 0 { first_stride } else { 1 };
            let Names { block, parts: [expand, depthwise, project] } = names(index, expansion > 1);
            let inside = from * expansion;
            let mut body = Vec::new();
            if expansion > 1 {
                body.push(conv(expand, [from, inside], window(1, 1)));
            }
            body.push(Conv { groups: inside, ..conv(depthwise, [inside, inside], window(size, stride)) });
            body.push(Conv { activation: Activation::None, ..conv(project, [inside, to], window(1, 1)) });
            if stride == 1 && from == to {
                let (skip, activation) = (Skip::Identity, Activation::None);
                layers.push(Layer::Residual(Residual { name: block, body, skip, activation }));
            } else {
                layers.extend(body.into_iter().map(Layer::Conv));
            }
            from = to;
            index += 1;
        }
    }
    layers.push(Layer::Conv(conv(last, [from, FEATURES], window(1, 1))));
    layers
}
