//! Everything for which a network is not adopted, each case saying what was found, what was wanted, and the way out.

use crate::infer::InferError;
use crate::onnx::OnnxError;
use crate::package::PackageError;
use crate::preprocess::PreprocessError;
use crate::self_test::SelfTestError;

/// Why a network cannot be adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The file cannot be read.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A name that is not in the graph.
    #[error("{flag}: there is no tensor {found:?} in the graph; near it are {nearest}; --list shows all")]
    NoTensor {
        /// Which of the caller's names.
        flag: &'static str,
        /// The name.
        found: String,
        /// Names that are there.
        nearest: String,
    },
    /// It is not clear which output the logits are.
    #[error(
        "the graph has {} outputs: {}; say with --logits which tensor holds the logits", found.len(), found.join(", ")
    )]
    WhichLogits {
        /// The outputs.
        found: Vec<String>,
    },
    /// The output is no place to find logits at.
    #[error(
        "output {output:?} is made by {op}, which does not have one logit per class; name the tensor that has with \
         --logits (--list shows all)"
    )]
    NotLogits {
        /// The output.
        output: String,
        /// The operator that makes it.
        op: String,
    },
    /// No layer was found whose input could be the features.
    #[error(
        "no Gemm, MatMul or Conv leads to the logits {logits:?}, so no tensor can be proposed as features; name one \
         with --features (--list shows all)"
    )]
    NoFeatures {
        /// The logits.
        logits: String,
    },
    /// The graph's input does not fit, or more has to be said about it.
    #[error("input {name:?}: {problem}")]
    Input {
        /// Its name; all names where there are several.
        name: String,
        /// What is wrong, and the way out.
        problem: String,
    },
    /// An operator set that is too old for the nodes that have to be added.
    #[error(
        "the network uses version {found} of ONNX's operators, wanted at least {wanted}; convert it, in Python: \
         onnx.version_converter.convert_version(onnx.load(FILE), 17)"
    )]
    Opset {
        /// Its version.
        found: u64,
        /// The oldest that will do.
        wanted: u64,
    },
    /// A tensor has another shape than its part needs.
    #[error("{part} {tensor:?} is {found:?} for a batch of {count}, wanted {wanted}")]
    Shape {
        /// `logits` or `features`.
        part: &'static str,
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// Pictures in the batch.
        count: usize,
        /// What would do.
        wanted: &'static str,
    },
    /// The number of class names is not the number of logits.
    #[error("--classes has {found} names, the logits {tensor:?} are {wanted}")]
    Classes {
        /// Names given.
        found: usize,
        /// The logits.
        tensor: String,
        /// How many there are.
        wanted: usize,
    },
    /// The network can only do one picture at a time.
    #[error(
        "the network runs on one picture but not on a batch of {count}: {problem}\nexport it again with a free batch \
         axis: torch.onnx.export(..., dynamic_axes={{\"{input}\": {{0: \"N\"}}}}), or dynamic=True in Ultralytics"
    )]
    FixedBatch {
        /// Name of its input.
        input: String,
        /// Pictures in the batch.
        count: usize,
        /// What went wrong.
        problem: String,
    },
    /// What the network says about a picture depends on the pictures beside it.
    #[error(
        "{tensor:?} of a picture changes by {difference} with the other pictures in its batch: the network is in \
         training mode, or mixes its batch; export it again in inference mode (model.eval())"
    )]
    MixesBatch {
        /// The tensor.
        tensor: String,
        /// The largest difference.
        difference: f32,
    },
    /// An output is not a number.
    #[error("{tensor:?} holds values that are no numbers, for synthetic pictures; check --scale, --mean and --std")]
    NotFinite {
        /// The tensor.
        tensor: String,
    },
    /// Preprocessing that makes no sense.
    #[error("{flag} is {found}, wanted {wanted}")]
    Preprocessing {
        /// The key or flag.
        flag: &'static str,
        /// What was given.
        found: String,
        /// What would do.
        wanted: &'static str,
    },
    /// ONNX Runtime opens or runs it only to refuse it.
    #[error("ONNX Runtime cannot run the network on one picture: {problem}")]
    DoesNotRun {
        /// ONNX Runtime's word on it.
        problem: String,
    },
    /// ONNX Runtime is not there, or does not open the finished network.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// Pictures cannot be prepared for it.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// The finished package fails its own golden vectors.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// The package cannot be written.
    #[error(transparent)]
    Package(#[from] PackageError),
}
