//! What each execution provider is told: the tables `[model.cpu]`, `[model.tensorrt]`, `[model.cuda]` and `[model.xnnpack]`.
//!
//! A table becomes the keys and values of ONNX Runtime's provider options as plain data, so that the translation is tested
//! where no such provider is. Keys and their meaning: ONNX Runtime's pages "TensorRT Execution Provider", "CUDA Execution
//! Provider" and "XNNPACK Execution Provider"; only keys that ONNX Runtime 1.17 knows are used.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::package::Measure;

/// Highest device number and DLA core that are taken for one.
const MAX_DEVICE: u32 = 63;
const MAX_DLA_CORE: i32 = 15;
const BYTES_PER_MIB: u64 = 1 << 20;

/// Number format of an inference; a calibration holds for one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats, as the network was exported.
    #[default]
    Fp32,
    /// 16-bit floats where the provider finds them faster.
    Fp16,
    /// 8-bit integers where the network says so by QuantizeLinear and DequantizeLinear.
    Int8,
}

impl Precision {
    /// The name in configs and packages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }

    /// The most that golden outputs may be off by this measure, where a package is calibrated for this
    /// precision; none where the package's own tolerance holds. Halves carry 11 bits, 4.9e-4 of a value, and a
    /// network of some fifty layers adds that up. Integers of 8 bits round each other's roundings: two right implementations of a
    /// ResNet-20 were a few hundredths apart in the root mean square (docs/QUANTISATION.md). A network that is further off computes
    /// something else.
    pub const fn widest_tolerance(self, measure: Measure) -> Option<f32> {
        match (self, measure) {
            (Self::Fp32, _) => None,
            (Self::Int8, Measure::RootMeanSquare) => Some(0.25),
            (Self::Fp16, _) | (Self::Int8, Measure::Value) => Some(0.05),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// `[model.cpu]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CpuConfig {
    /// Whether the network that `oodwatch build-engine` had prepared for this processor is run, instead of preparing it at each start.
    pub prepared: bool,
    /// Folder of prepared networks; empty for the usual one.
    pub prepared_cache: PathBuf,
}

/// `[model.tensorrt]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TensorRtConfig {
    /// Number format; another one than `fp32` needs a calibration of its own.
    pub precision: Precision,
    /// Number of the GPU.
    pub device: u32,
    /// Deep learning accelerator to run on; -1 for the GPU.
    pub dla_core: i32,
    /// Most memory that building an engine may work in, MiB; 0 leaves it to ONNX Runtime.
    pub max_workspace_mb: u64,
    /// Folder of built engines; empty for the usual one.
    pub engine_cache: PathBuf,
}

impl Default for TensorRtConfig {
    fn default() -> Self {
        Self { precision: Precision::Fp32, device: 0, dla_core: -1, max_workspace_mb: 0, engine_cache: PathBuf::new() }
    }
}

/// `[model.cuda]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CudaConfig {
    /// Number of the GPU.
    pub device: u32,
    /// Most memory of the GPU, MiB; 0 for no limit.
    pub memory_limit_mb: u64,
}

/// `[model.xnnpack]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct XnnpackConfig {
    /// Threads of XNNPACK's own pool; 0 for as many as `[model] threads` gives.
    pub threads: usize,
}

/// The tables of all providers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderOptions {
    /// `[model.tensorrt]`.
    pub tensorrt: TensorRtConfig,
    /// `[model.cuda]`.
    pub cuda: CudaConfig,
    /// `[model.xnnpack]`.
    pub xnnpack: XnnpackConfig,
}

/// Keys and values as ONNX Runtime takes them.
pub(super) type KeyValues = Vec<(&'static str, String)>;

/// What an engine is built for, beside the network itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shapes<'a> {
    /// Name of the network's input.
    pub(super) input: &'a str,
    /// Channels, height, width.
    pub(super) chw: [usize; 3],
    /// Most pictures in one batch.
    pub(super) largest_batch: usize,
}

impl TensorRtConfig {
    /// The first key whose value is out of range: the key, what it holds, what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        if self.device > MAX_DEVICE {
            return Some(("tensorrt.device", self.device.to_string(), "0 to 63"));
        }
        if !(-1..=MAX_DLA_CORE).contains(&self.dla_core) {
            return Some(("tensorrt.dla_core", self.dla_core.to_string(), "-1 (the GPU) to 15"));
        }
        // DLA computes in halves and integers only.
        let unfit = self.dla_core >= 0 && self.precision == Precision::Fp32;
        unfit.then(|| ("tensorrt.precision", "fp32".into(), "fp16 or int8, which is all that dla_core computes in"))
    }

    /// What ONNX Runtime is told; engines and timings are kept in `engines`, where there is one.
    ///
    /// The profile reaches from one picture to one of every camera, so that a camera that is lost never leads to another engine.
    pub(super) fn key_values(&self, shapes: Shapes<'_>, engines: Option<&Path>) -> KeyValues {
        let shape = |batch: usize| {
            let [channels, height, width] = shapes.chw;
            format!("{}:{batch}x{channels}x{height}x{width}", shapes.input)
        };
        let mut told = vec![
            ("device_id", self.device.to_string()),
            ("trt_fp16_enable", flag(self.precision != Precision::Fp32)),
            ("trt_int8_enable", flag(self.precision == Precision::Int8)),
            ("trt_dla_enable", flag(self.dla_core >= 0)),
            ("trt_profile_min_shapes", shape(1)),
            ("trt_profile_opt_shapes", shape(1)),
            ("trt_profile_max_shapes", shape(shapes.largest_batch)),
        ];
        if self.dla_core >= 0 {
            told.push(("trt_dla_core", self.dla_core.to_string()));
        }
        if self.max_workspace_mb > 0 {
            told.push(("trt_max_workspace_size", self.max_workspace_mb.saturating_mul(BYTES_PER_MIB).to_string()));
        }
        if let Some(engines) = engines {
            let folder = engines.display().to_string();
            told.push(("trt_engine_cache_enable", flag(true)));
            told.push(("trt_engine_cache_path", folder.clone()));
            told.push(("trt_timing_cache_enable", flag(true)));
            told.push(("trt_timing_cache_path", folder));
        }
        told
    }
}

impl CudaConfig {
    /// The first key whose value is out of range: the key, what it holds, what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        (self.device > MAX_DEVICE).then(|| ("cuda.device", self.device.to_string(), "0 to 63"))
    }

    pub(super) fn key_values(&self) -> KeyValues {
        let mut told = vec![("device_id", self.device.to_string())];
        if self.memory_limit_mb > 0 {
            told.push(("gpu_mem_limit", self.memory_limit_mb.saturating_mul(BYTES_PER_MIB).to_string()));
        }
        told
    }
}

impl XnnpackConfig {
    /// `threads` are those of `[model] threads`.
    pub(super) fn key_values(&self, threads: usize) -> KeyValues {
        let threads = if self.threads > 0 { self.threads } else { threads };
        vec![("intra_op_num_threads", threads.to_string())]
    }
}

fn flag(on: bool) -> String {
    if on { "1".into() } else { "0".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: Shapes<'static> = Shapes { input: "input", chw: [3, 224, 224], largest_batch: 4 };

    fn told(config: &TensorRtConfig, engines: Option<&Path>) -> String {
        let told = config.key_values(SHAPES, engines);
        told.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tensorrt_is_told_of_every_batch_from_one_to_all_cameras() {
        assert_eq!(
            told(&TensorRtConfig::default(), None),
            "device_id=0 trt_fp16_enable=0 trt_int8_enable=0 trt_dla_enable=0 \
             trt_profile_min_shapes=input:1x3x224x224 trt_profile_opt_shapes=input:1x3x224x224 \
             trt_profile_max_shapes=input:4x3x224x224"
        );
    }

    #[test]
    fn every_key_of_tensorrt_reaches_onnx_runtime() {
        let config = TensorRtConfig {
            precision: Precision::Int8,
            device: 1,
            dla_core: 0,
            max_workspace_mb: 512,
            engine_cache: PathBuf::new(),
        };
        assert_eq!(
            told(&config, Some(Path::new("/var/cache/e"))),
            "device_id=1 trt_fp16_enable=1 trt_int8_enable=1 trt_dla_enable=1 \
             trt_profile_min_shapes=input:1x3x224x224 trt_profile_opt_shapes=input:1x3x224x224 \
             trt_profile_max_shapes=input:4x3x224x224 trt_dla_core=0 trt_max_workspace_size=536870912 \
             trt_engine_cache_enable=1 trt_engine_cache_path=/var/cache/e trt_timing_cache_enable=1 \
             trt_timing_cache_path=/var/cache/e"
        );
    }

    #[test]
    fn cuda_and_xnnpack_are_told_what_their_tables_say() {
        let cuda = CudaConfig { device: 2, memory_limit_mb: 1 };
        assert_eq!(cuda.key_values(), [("device_id", "2".into()), ("gpu_mem_limit", "1048576".into())]);
        assert_eq!(CudaConfig::default().key_values(), [("device_id", "0".into())]);
        assert_eq!(XnnpackConfig { threads: 3 }.key_values(1), [("intra_op_num_threads", "3".into())]);
        assert_eq!(XnnpackConfig::default().key_values(2), [("intra_op_num_threads", "2".into())]);
    }

    #[test]
    fn an_accelerator_that_cannot_compute_in_fp32_is_not_asked_to() {
        let dla = |precision| TensorRtConfig { precision, dla_core: 1, ..TensorRtConfig::default() }.wrong_value();
        assert_eq!(dla(Precision::Fp16), None);
        assert_eq!(dla(Precision::Fp32).map(|(key, ..)| key), Some("tensorrt.precision"));
        let far = TensorRtConfig { dla_core: 16, ..TensorRtConfig::default() };
        assert_eq!(far.wrong_value().map(|(key, ..)| key), Some("tensorrt.dla_core"));
    }
}
