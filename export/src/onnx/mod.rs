//! Writes a trained network as an ONNX file.
//!
//! tch cannot export, so the file is put together here: [`oodwatch::onnx::proto`] declares the messages,
//! [`graph`] turns layers into nodes, [`fold`] merges batch norm into the convolution before it,
//! [`outputs`] adds the outputs that every oodwatch network has, and [`network`] walks through a
//! [`crate::plan::Plan`]. Nothing here needs libtorch: the input is a plain list of named tensors. The same weights give
//! the same bytes.

use thiserror::Error;

use crate::weights::WeightsError;

pub mod fold;
pub mod graph;
pub mod network;
pub mod outputs;

/// Version of the ONNX file format that is written.
pub const IR_VERSION: i64 = 8;

/// Version of ONNX's own operator set that is used.
pub const OPSET_VERSION: i64 = 17;

/// Why a network could not be written.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// A tensor is missing or has another shape than the architecture wants.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A layer was given something that does not fit it.
    #[error("{layer}: has {found}, wants {wanted}")]
    Layer {
        /// Name of the layer.
        layer: String,
        /// What it was given.
        found: String,
        /// What it takes.
        wanted: String,
    },
}

#[cfg(test)]
mod tests;
