//! Merges a batch norm into the convolution before it.
//!
//! At inference y = gamma * (conv(x) - mean) / sqrt(var + eps) + beta is an affine map per output
//! channel, so it can be a part of the convolution's own weights. Worked out in f64: the result
//! then differs from the two-step network only by f32 rounding.

use super::OnnxError;
use super::graph::Kernel;
use crate::weights::{Array, Tensors};

/// The convolution `conv` (no bias) followed by the batch norm `bn`, as one kernel.
///
/// `shape` is the kernel's [out, in, height, width]; `eps` is the batch norm's own.
///
/// # Errors
/// [`OnnxError::Weights`] when a tensor is missing or has another shape.
pub fn conv_bn(tensors: &Tensors, conv: &str, bn: &str, shape: [usize; 4], eps: f64) -> Result<Kernel, OnnxError> {
    let weight = tensors.get(&format!("{conv}.weight"), &shape)?;
    let channel = |field: &str| tensors.get(&format!("{bn}.{field}"), &shape[..1]);
    let (gamma, beta) = (channel("weight")?, channel("bias")?);
    let (mean, var) = (channel("running_mean")?, channel("running_var")?);

    let per_channel = shape[1..].iter().product::<usize>().max(1);
    let mut folded = Vec::with_capacity(weight.values().len());
    let mut bias = Vec::with_capacity(shape[0]);
    for (channel, kernel) in weight.values().chunks(per_channel).enumerate() {
        let at = |array: &Array| f64::from(array.values()[channel]);
        let factor = at(gamma) / (at(var) + eps).sqrt();
        folded.extend(kernel.iter().map(|&w| (f64::from(w) * factor) as f32));
        bias.push((at(beta) - at(mean) * factor) as f32);
    }
    Ok(Kernel { weight: Array::new(shape.to_vec(), folded)?, bias: Some(bias) })
}
