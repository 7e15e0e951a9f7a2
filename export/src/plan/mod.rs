//! What each network is made of, as data.
//!
//! A [`Plan`] lists a network's layers once. libtorch runs it ([`crate::model::Net`]) and the ONNX writer writes it
//! ([`crate::onnx::network`]), so that the two cannot drift apart. Names of weights are those of the PyTorch
//! implementations that users already have weights of.

mod cifar_resnet;
mod mobile;
mod resnet;

/// Every architecture that there is a plan of.
pub const ARCHITECTURES: [&str; 10] = [
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet18_32x32",
    "resnet18",
    "resnet34",
    "resnet50",
    "mobilenet_v2",
    "efficientnet_lite0",
];

/// The plan of that name does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("architecture {found:?} is unknown; known are {known}", known = ARCHITECTURES.join(", "))]
pub struct UnknownArchitecture {
    /// The name as given.
    pub found: String,
}

/// A convolutional classifier: layers up to its last feature map F; then the mean of F over its locations, and a linear head.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Name of the architecture, one of [`ARCHITECTURES`].
    pub arch: &'static str,
    /// From the picture to F.
    pub layers: Vec<Layer>,
    /// Channels of F.
    pub features: usize,
    /// What stands before `.weight` and `.bias` in the names of the head's weights.
    pub head: &'static str,
    /// Settings of every batch norm.
    pub batch_norm: BatchNorm,
}

/// One step from the picture to F.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// A convolution and what belongs to it.
    Conv(Conv),
    /// The largest of every window of `size` locations; what is added around the map counts for nothing.
    MaxPool {
        /// Side of the window, in locations.
        size: usize,
        /// Step in both directions, in locations.
        stride: usize,
        /// How far windows reach over each side of the map, in locations.
        padding: usize,
    },
    /// A few convolutions, around which their input is led as well.
    Residual(Residual),
}

/// A convolution without bias, its batch norm, and its activation.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// What stands before `.weight` in the kernel's name.
    pub conv: String,
    /// What stands before the names of the batch norm's weights.
    pub bn: String,
    /// Channels of the input.
    pub from: usize,
    /// Channels of the output.
    pub to: usize,
    /// How the square kernel moves.
    pub window: Window,
    /// Channel groups that do not see each other.
    pub groups: usize,
    /// What follows the batch norm.
    pub activation: Activation,
}

/// A square window that is moved over a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its side, in locations.
    pub size: usize,
    /// Step in both directions, in locations.
    pub stride: usize,
    /// What is added around the map.
    pub padding: Padding,
}

/// How many zeros are added around a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// So many on every side.
    Even(usize),
    /// As TensorFlow's "SAME": as many as give ceil(extent / stride) locations; of an odd number, the larger half comes
    /// behind.
    Same,
}

/// A body of convolutions whose input is added to its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Residual {
    /// What the block is called.
    pub name: String,
    /// One after the other.
    pub body: Vec<Conv>,
    /// What becomes of the input.
    pub skip: Skip,
    /// What follows the sum.
    pub activation: Activation,
}

/// How the input of a residual block reaches its sum.
#[derive(Debug, Clone, PartialEq)]
pub enum Skip {
    /// As it is.
    Identity,
    /// Every `stride`-th location, with zero channels on both sides (He et al., CVPR 2016, option A).
    ZeroPadded {
        /// Step in both directions, in locations.
        stride: usize,
    },
    /// Through a convolution of its own.
    Conv(Box<Conv>),
}

/// What is applied to each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
}

/// Settings of batch norms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Weight of a batch in the running statistics, as PyTorch counts it.
    pub momentum: f64,
}

impl BatchNorm {
    /// PyTorch's defaults.
    const PYTORCH: Self = Self { eps: 1e-5, momentum: 0.1 };
}

impl Plan {
    /// The plan of an architecture.
    ///
    /// # Errors
    /// None of that name.
    pub fn of(arch: &str) -> Result<Self, UnknownArchitecture> {
        let plan = match arch {
            "resnet20" | "resnet32" | "resnet44" | "resnet56" => cifar_resnet::plan(arch),
            "resnet18_32x32" | "resnet18" | "resnet34" | "resnet50" => resnet::plan(arch),
            "mobilenet_v2" => Some(mobile::mobilenet_v2()),
            "efficientnet_lite0" => Some(mobile::efficientnet_lite0()),
            _ => None,
        };
        plan.ok_or_else(|| UnknownArchitecture { found: arch.into() })
    }

    /// Every convolution, in the order in which its weights lie.
    pub fn convs(&self) -> impl Iterator<Item = &Conv> {
        self.layers.iter().flat_map(|layer| match layer {
            Layer::Conv(conv) => vec![conv],
            Layer::MaxPool { .. } => vec![],
            Layer::Residual(block) => block.body.iter().chain(block.skip.conv()).collect(),
        })
    }

    /// Names of the head's weight and bias.
    pub fn head_names(&self) -> [String; 2] {
        ["weight", "bias"].map(|field| format!("{}.{field}", self.head))
    }
}

impl Skip {
    /// Its convolution, if it has one.
    pub fn conv(&self) -> Option<&Conv> {
        match self {
            Self::Conv(conv) => Some(conv),
            Self::Identity | Self::ZeroPadded { .. } => None,
        }
    }
}

impl Conv {
    /// A convolution of all channels with the batch norm `bn` behind it.
    fn new(conv: String, bn: String, [from, to]: [usize; 2], window: Window, activation: Activation) -> Self {
        Self { conv, bn, from, to, window, groups: 1, activation }
    }
}

impl Window {
    /// A window that keeps its centre over every `stride`-th location.
    const fn centred(size: usize, stride: usize) -> Self {
        Self { size, stride, padding: Padding::Even(size / 2) }
    }

    /// Zeros added before and behind an axis of that extent.
    pub fn pads(&self, extent: usize) -> [usize; 2] {
        match self.padding {
            Padding::Even(zeros) => [zeros, zeros],
            Padding::Same => {
                let last = (extent.div_ceil(self.stride).saturating_sub(1)) * self.stride;
                let total = (last + self.size).saturating_sub(extent);
                [total / 2, total - total / 2]
            }
        }
    }
}

#[cfg(test)]
mod tests;
