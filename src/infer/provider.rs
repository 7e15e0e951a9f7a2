//! The hardware back ends of ONNX Runtime that the config may ask for.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use ort::ep::{self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider as _, ExecutionProviderDispatch};
use serde::{Deserialize, Serialize};

use super::options::{KeyValues, Shapes};
use super::{InferError, NetworkOptions};

/// A hardware back end of ONNX Runtime, by the name in configs and packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionProvider {
    /// The processor.
    Cpu,
    /// The processor, by Google's XNNPACK; only in builds of ONNX Runtime that have it.
    Xnnpack,
    /// NVIDIA CUDA.
    Cuda,
    /// NVIDIA TensorRT.
    TensorRt,
}

impl ExecutionProvider {
    /// Every provider of this build.
    pub const ALL: &[Self] = &[Self::Cpu, Self::Xnnpack, Self::Cuda, Self::TensorRt];

    /// The name in configs and packages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Xnnpack => "xnnpack",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        }
    }

    /// Whether the loaded ONNX Runtime was built with it; whether it starts is another matter.
    ///
    /// # Errors
    /// ONNX Runtime cannot be loaded, or does not say.
    pub fn is_available(self) -> Result<bool, InferError> {
        super::library::environment()?;
        match self {
            Self::Cpu => Ok(true),
            Self::Xnnpack => ep::XNNPACK::is_available(),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
        }
        .map_err(InferError::Runtime)
    }

    /// What ort registers; a provider that cannot start is an error, never a silent step down to the processor. Engines of
    /// TensorRT are kept in `engines`, where there is one.
    pub(super) fn dispatch(
        self,
        options: &NetworkOptions,
        threads: usize,
        shapes: Shapes<'_>,
        engines: Option<&Path>,
    ) -> Result<ExecutionProviderDispatch, InferError> {
        if !self.is_available()? {
            return Err(InferError::ProviderMissing { provider: self });
        }
        let tables = &options.provider_options;
        Ok(match self {
            // With the arena, each run finds its memory where the last one left it instead of asking the allocator for it.
            Self::Cpu => ep::CPU::default().with_arena_allocator(true).build(),
            Self::Xnnpack => told(ep::XNNPACK::default(), tables.xnnpack.key_values(threads)).build(),
            Self::Cuda => told(ep::CUDA::default(), tables.cuda.key_values()).build(),
            Self::TensorRt => told(ep::TensorRT::default(), tables.tensorrt.key_values(shapes, engines)).build(),
        }
        .error_on_failure())
    }
}

fn told<P: ArbitrarilyConfigurableExecutionProvider>(provider: P, options: KeyValues) -> P {
    options.into_iter().fold(provider, |provider, (key, value)| provider.with_arbitrary_config(key, value))
}

impl fmt::Display for ExecutionProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// An execution provider was asked for by a name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("execution provider {found:?} is unknown; there are cpu, xnnpack, cuda, tensorrt")]
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
