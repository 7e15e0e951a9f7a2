//! The hardware back ends of ONNX Runtime that the config may ask for.

use std::fmt;
use std::str::FromStr;

use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};
use serde::{Deserialize, Serialize};

use super::InferError;

/// A hardware back end of ONNX Runtime, by the name in configs and packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionProvider {
    /// The processor.
    Cpu,
    /// NVIDIA CUDA.
    Cuda,
    /// NVIDIA TensorRT.
    TensorRt,
}

impl ExecutionProvider {
    /// Every provider of this build.
    pub const ALL: &[Self] = &[Self::Cpu, Self::Cuda, Self::TensorRt];

    /// The name in configs and packages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        }
    }

    /// What ort registers; a provider that cannot start is an error, never a silent step down to the processor.
    pub(super) fn dispatch(self) -> Result<ExecutionProviderDispatch, InferError> {
        let available = match self {
            Self::Cpu => Ok(true),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
        };
        if !available.map_err(InferError::Runtime)? {
            return Err(InferError::ProviderMissing { provider: self });
        }
        Ok(match self {
            Self::Cpu => ep::CPU::default().build(),
            Self::Cuda => ep::CUDA::default().build(),
            Self::TensorRt => ep::TensorRT::default().build(),
        }
        .error_on_failure())
    }
}

impl fmt::Display for ExecutionProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// An execution provider was asked for by a name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("execution provider {found:?} is unknown; there are cpu, cuda, tensorrt")]
pub struct UnknownProvider {
    /// The name asked for.
    pub found: String,
}

impl FromStr for ExecutionProvider {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().copied().find(|provider| provider.as_str() == text);
        known.ok_or_else(|| UnknownProvider { found: text.into() })
    }
}
