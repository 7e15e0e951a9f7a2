//! Why no quantised package was written.

use oodwatch::infer::{InferError, Precision};
use oodwatch::onnx::OnnxError;
use oodwatch::package::PackageError;
use oodwatch::score::ScoreError;
use oodwatch::self_test::SelfTestError;
use thiserror::Error;

use crate::package::ExportError;
use crate::pictures::PictureError;

/// Why no quantised package was written.
#[derive(Debug, Error)]
pub enum QuantizeError {
    /// The package cannot be read, or the new one not written.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Pictures cannot be read.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// ONNX Runtime is missing or refuses a network.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// Scores cannot be fitted or calibrated, or the package does not pass its own test.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The network cannot be read.
    #[error("quantize: model.onnx: {source}")]
    Onnx {
        /// What is wrong with it.
        source: OnnxError,
    },
    /// A score cannot be computed.
    #[error("quantize: {0}")]
    Score(#[from] ScoreError),
    /// Two implementations are too far apart.
    #[error("quantize: held against another implementation of the network: {0}; nothing was written")]
    Implementations(SelfTestError),
    /// The network is no f32 network.
    #[error("quantize: the network is in {found} already; start from the package in fp32")]
    Quantised {
        /// Its number format.
        found: Precision,
    },
    /// The package promises nothing that could be kept.
    #[error(
        "quantize: the package is not calibrated; calibrate it first, or name scores (--score) and a --false-alarm-rate"
    )]
    NotCalibrated,
    /// The network has no layer that could be quantised.
    #[error(
        "quantize: no Conv, Gemm or MatMul with stored f32 weights has another one behind it; the last layers stay in f32, so nothing \
         is left to quantise"
    )]
    NoLayer,
    /// The network's operator set is too old.
    #[error("quantize: model.onnx: operator set {found}, at least {wanted} is needed for a scale per channel")]
    Opset {
        /// Its operator set.
        found: u64,
        /// The oldest that will do.
        wanted: u64,
    },
    /// An operator is not known to take halves.
    #[error("quantize: model.onnx: operator {op} (output {output:?}) is not known to take half precision")]
    Operator {
        /// The operator.
        op: String,
        /// What it makes.
        output: String,
    },
    /// A later layer reads what is an output of the network.
    #[error("quantize: model.onnx: output {output:?} is read by a layer that is to be in half precision")]
    InnerOutput {
        /// The output.
        output: String,
    },
    /// A weight does not fit into half precision.
    #[error("quantize: model.onnx: tensor {tensor:?} holds {value}, half precision ends at 65504")]
    TooLarge {
        /// The weight's tensor.
        tensor: String,
        /// The value.
        value: f32,
    },
    /// An activation does not fit into half precision.
    #[error("quantize: tensor {tensor:?} reaches {value} on the ID pictures, half precision ends at 65504")]
    Overflow {
        /// The tensor.
        tensor: String,
        /// The largest magnitude.
        value: f32,
    },
    /// An activation is no number.
    #[error("quantize: tensor {tensor:?} is infinite or NaN on the ID pictures")]
    NotFinite {
        /// The tensor.
        tensor: String,
    },
    /// Nothing says which pictures the network was trained on.
    #[error(
        "quantize: the package does not name its training pictures, which ranges are taken from and scores are fitted on; name some \
         with --fit"
    )]
    NoFit,
    /// Too few pictures.
    #[error("quantize: {found} {what} pictures, at least {wanted} are needed")]
    TooFew {
        /// What they are for.
        what: &'static str,
        /// Pictures there are.
        found: usize,
        /// Pictures that it takes.
        wanted: usize,
    },
}
