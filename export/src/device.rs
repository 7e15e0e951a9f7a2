//! On what libtorch computes: the processor, or a CUDA device.

use serde::{Deserialize, Serialize};

/// Where weights and batches lie and steps are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor. Runs are bit-equal for equal seeds and numbers of threads.
    #[default]
    Cpu,
    /// The first CUDA device. cuDNN adds in no fixed order, so runs of one seed differ in their last digits.
    Cuda,
}

/// CUDA was asked for and is not there. Nothing falls back to the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "device = \"cuda\": {found}, wanted a CUDA device that libtorch can use; docs/TRAINING.md says how to bring one"
)]
pub struct NoCuda {
    /// What is there instead.
    pub found: &'static str,
}

impl Device {
    /// Whether it is the processor, the default.
    // serde hands this a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn is_cpu(&self) -> bool {
        *self == Self::Cpu
    }

    /// The device as libtorch has it, once it is sure to be there.
    ///
    /// # Errors
    /// [`NoCuda`]: libtorch was built without CUDA, its part for CUDA is not loaded, or it finds no device.
    pub fn ready(self) -> Result<tch::Device, NoCuda> {
        match self {
            Self::Cpu => Ok(tch::Device::Cpu),
            Self::Cuda if tch::Cuda::is_available() => Ok(tch::Device::Cuda(0)),
            Self::Cuda if tch::utils::has_cuda() => Err(NoCuda { found: "no device that the driver offers" }),
            Self::Cuda => Err(NoCuda { found: "a libtorch without CUDA" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuda_is_refused_where_it_is_not_and_never_replaced() {
        assert_eq!(Device::Cpu.ready().unwrap(), tch::Device::Cpu);
        match Device::Cuda.ready() {
            Ok(device) => assert_eq!(device, tch::Device::Cuda(0)),
            Err(error) => assert!(error.to_string().starts_with("device = \"cuda\": "), "{error}"),
        }
    }
}
