//! `[model]`: which package, and on what it runs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::infer::{
    CpuConfig, CudaConfig, ExecutionProvider, NetworkOptions, ProviderOptions, TensorRtConfig, XnnpackConfig,
};

/// `[model]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Folder of the model package.
    pub package: PathBuf,
    /// Execution providers, wanted first; all have to start.
    #[serde(default = "default_execution_providers")]
    pub execution_providers: Vec<ExecutionProvider>,
    /// Whether a provider that is missing or does not start may be left out.
    #[serde(default)]
    pub fallback: bool,
    /// Threads inside one inference; 0 leaves one processor core free.
    #[serde(default)]
    pub threads: usize,
    /// `[model.cpu]`.
    #[serde(default)]
    pub cpu: CpuConfig,
    /// `[model.tensorrt]`.
    #[serde(default)]
    pub tensorrt: TensorRtConfig,
    /// `[model.cuda]`.
    #[serde(default)]
    pub cuda: CudaConfig,
    /// `[model.xnnpack]`.
    #[serde(default)]
    pub xnnpack: XnnpackConfig,
}

fn default_execution_providers() -> Vec<ExecutionProvider> {
    NetworkOptions::default().execution_providers
}

impl ModelConfig {
    /// Defaults for a package.
    pub fn new(package: &Path) -> Self {
        Self {
            package: package.into(),
            execution_providers: default_execution_providers(),
            fallback: false,
            threads: 0,
            cpu: CpuConfig::default(),
            tensorrt: TensorRtConfig::default(),
            cuda: CudaConfig::default(),
            xnnpack: XnnpackConfig::default(),
        }
    }

    /// The first key whose value is out of range: the key, what it holds, what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        if self.execution_providers.is_empty() {
            let wanted = "at least one of cpu, xnnpack, cuda, tensorrt";
            return Some(("execution_providers", "empty".into(), wanted));
        }
        // What another provider leaves to the processor is not known before it starts, and may not be written down.
        if self.cpu.prepared && self.execution_providers != [ExecutionProvider::Cpu] {
            let wanted = "false, or execution_providers = [\"cpu\"] alone";
            return Some(("cpu.prepared", "true".into(), wanted));
        }
        self.tensorrt.wrong_value().or_else(|| self.cuda.wrong_value())
    }

    /// How the network is run for that many cameras. Engines are not kept, and nothing is prepared; [`crate::open`] says where that is.
    pub fn network_options(&self, cameras: usize) -> NetworkOptions {
        NetworkOptions {
            execution_providers: self.execution_providers.clone(),
            provider_options: ProviderOptions {
                tensorrt: self.tensorrt.clone(),
                cuda: self.cuda.clone(),
                xnnpack: self.xnnpack.clone(),
            },
            threads: self.threads,
            cameras,
            engines: None,
            prepared: None,
            as_written: false,
        }
    }
}
