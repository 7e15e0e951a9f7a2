//! ResNet-18/34/50 for pictures of some 224 pixels (He et al., CVPR 2016, table 1), with a convolution in the shortcuts
//! (option B) and the stride of a bottleneck in its 3x3 convolution, as torchvision has them; its weights load by name.
//! And ResNet-18 for pictures of 32 pixels, with a first convolution of 3x3 that keeps every location and no pooling behind it: under
//! the names of OpenOOD, whose benchmark of CIFAR-10 it is.

use super::{Activation, BatchNorm, Conv, Layer, Plan, Residual, Skip, Window};

const STEM: usize = 64;
const WIDTHS: [usize; 4] = [64, 128, 256, 512];
/// How many times wider a bottleneck's output is than its inside.
const EXPANSION: usize = 4;

/// What stands before the numbers in the names of a shortcut's convolution and its batch norm.
const TORCHVISION: &str = "downsample";
const OPENOOD: &str = "shortcut";

/// The plan, unless the name is another family's.
pub(super) fn plan(arch: &str) -> Option<Plan> {
    let (arch, blocks, expansion) = match arch {
        "resnet18_32x32" => ("resnet18_32x32", [2, 2, 2, 2], 1),
        "resnet18" => ("resnet18", [2, 2, 2, 2], 1),
        "resnet34" => ("resnet34", [3, 4, 6, 3], 1),
        "resnet50" => ("resnet50", [3, 4, 6, 3], EXPANSION),
        _ => return None,
    };
    let small = arch == "resnet18_32x32";
    let window = if small { Window::centred(3, 1) } else { Window::centred(7, 2) };
    let mut layers = vec![Layer::Conv(Conv::new("conv1".into(), "bn1".into(), [3, STEM], window, Activation::Relu))];
    if !small {
        layers.push(Layer::MaxPool { size: 3, stride: 2, padding: 1 });
    }
    let shortcut = if small { OPENOOD } else { TORCHVISION };
    let mut channels = STEM;
    for (stage, (width, count)) in WIDTHS.into_iter().zip(blocks).enumerate() {
        for index in 0..count {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let name = format!("layer{}.{index}", stage + 1);
            layers.push(block(name, [channels, width, width * expansion], stride, shortcut));
            channels = width * expansion;
        }
    }
    Some(Plan { arch, layers, features: channels, head: "fc", batch_norm: BatchNorm::PYTORCH })
}

/// Two 3x3 convolutions, or a bottleneck where the output is wider than the inside.
fn block(name: String, [from, inside, to]: [usize; 3], stride: usize, shortcut: &str) -> Layer {
    let conv = |i: usize, channels, window, activation| {
        Conv::new(format!("{name}.conv{i}"), format!("{name}.bn{i}"), channels, window, activation)
    };
    let (relu, none) = (Activation::Relu, Activation::None);
    let body = if inside == to {
        vec![conv(1, [from, to], Window::centred(3, stride), relu), conv(2, [to, to], Window::centred(3, 1), none)]
    } else {
        vec![
            conv(1, [from, inside], Window::centred(1, 1), relu),
            conv(2, [inside, inside], Window::centred(3, stride), relu),
            conv(3, [inside, to], Window::centred(1, 1), none),
        ]
    };
    let skip = if stride == 1 && from == to {
        Skip::Identity
    } else {
        let at = |i: usize| format!("{name}.{shortcut}.{i}");
        Skip::Conv(Box::new(Conv::new(at(0), at(1), [from, to], Window::centred(1, stride), none)))
    };
    Layer::Residual(Residual { name, body, skip, activation: relu })
}
