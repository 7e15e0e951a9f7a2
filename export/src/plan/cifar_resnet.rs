//! ResNet-20/32/44/56 for 32x32 pictures (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
//! section 4.2) with the parameter-free shortcut (option A).
//!
//! Names are those of the widely used PyTorch implementation (akamaster/pytorch_resnet_cifar10).

use super::{Activation, BatchNorm, Conv, Layer, Plan, Residual, Skip, Window};

const WIDTHS: [usize; 3] = [16, 32, 64];

/// The plan, unless the name is another family's.
pub(super) fn plan(arch: &str) -> Option<Plan> {
    let (arch, blocks) = match arch {
        "resnet20" => ("resnet20", 3),
        "resnet32" => ("resnet32", 5),
        "resnet44" => ("resnet44", 7),
        "resnet56" => ("resnet56", 9),
        _ => return None,
    };
    let window = Window::centred(3, 1);
    let stem = Conv::new("conv1".into(), "bn1".into(), [3, WIDTHS[0]], window, Activation::Relu);
    let mut layers = vec![Layer::Conv(stem)];
    let mut channels = WIDTHS[0];
    for (stage, width) in WIDTHS.into_iter().enumerate() {
        for index in 0..blocks {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            layers.push(block(format!("layer{}.{index}", stage + 1), [channels, width], stride));
            channels = width;
        }
    }
    Some(Plan { arch, layers, features: channels, head: "linear", batch_norm: BatchNorm::PYTORCH })
}

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)).
fn block(name: String, [from, to]: [usize; 2], stride: usize) -> Layer {
    let conv = |i: usize, from, stride, activation| {
        Conv::new(
            format!("{name}.conv{i}"),
            format!("{name}.bn{i}"),
            [from, to],
            Window::centred(3, stride),
            activation,
        )
    };
    let body = vec![conv(1, from, stride, Activation::Relu), conv(2, to, 1, Activation::None)];
    let skip = if stride == 1 && from == to { Skip::Identity } else { Skip::ZeroPadded { stride } };
    Layer::Residual(Residual { name, body, skip, activation: Activation::Relu })
}
