//! The networks that can be trained, and the ordered table that holds their weights.
//!
//! [`Net`] runs a [`crate::plan::Plan`] over a [`ParamStore`]: names follow the PyTorch implementations that users
//! already have weights of.

mod net;
mod params;
mod start;

pub use net::{Forward, Net};
pub use params::{ParamStore, Role};
pub(crate) use params::{export_one, load_into, values_of};
pub use start::{StartError, StartHead, fill, fresh};

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::plan::UnknownArchitecture;

/// Precision of the convolutions while training. Weights, statistics of batch norms, head and losses stay in FP32; so do
/// the activations between the convolutions, but for CUDA, where they stay as the convolutions give them, as in PyTorch's
/// autocast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats throughout; CUDA rounds the factors in convolutions to TF32, unless NVIDIA_TF32_OVERRIDE=0 is set.
    #[default]
    Fp32,
    /// Convolutions in bfloat16, which needs no scaled loss as halves do. Faster on CUDA, and where the processor has
    /// instructions for it (AMX, AVX512-BF16); many times slower elsewhere.
    Bf16,
}

/// What goes wrong when a network is built or filled with weights.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The architecture's name is not known.
    #[error("model: {0}")]
    UnknownArchitecture(#[from] UnknownArchitecture),
    /// A weight that the network needs is not among those given.
    #[error("model: weight {name:?} is missing")]
    MissingWeight {
        /// Name of the weight.
        name: String,
    },
    /// A weight has another shape than the network needs.
    #[error("model: weight {name:?} has shape {found:?}, {wanted:?} is needed")]
    WrongShape {
        /// Name of the weight.
        name: String,
        /// Shape as found.
        found: Vec<i64>,
        /// Shape that the network needs.
        wanted: Vec<i64>,
    },
}

/// The same values with NHWC strides, the layout in which CPU convolutions run fastest.
/// `tch` has no memory-format argument, so the strides are made by permuting.
pub(crate) fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}
