//! Runs a network of which only the input is known, to see what its outputs are.

use ndarray::{ArrayD, ArrayView4, IxDyn};
use ort::session::{Session, SessionOutputs};
use ort::value::TensorRef;

use super::options::Shapes;
use super::{InferError, NetworkOptions, Onnx, open_session, own_precision};

/// An opened network whose outputs may have any shape. On the processor.
pub struct Probe {
    session: Session,
}

impl Probe {
    /// Opens a network from the bytes of an ONNX file.
    ///
    /// # Errors
    /// ONNX Runtime is missing, or cannot read the network.
    pub fn open(onnx: &[u8]) -> Result<Self, InferError> {
        // On the processor no engine is built, so that its shapes are of no account.
        let shapes = Shapes { input: "", chw: [0; 3], largest_batch: 1 };
        Ok(Self { session: open_session(Onnx::Bytes(onnx), own_precision(onnx)?, &NetworkOptions::default(), shapes)? })
    }

    /// Runs a batch [N, 3, H, W] through the input of that name; gives all outputs, which must be of f32, in the file's
    /// order.
    ///
    /// # Errors
    /// A failure inside ONNX Runtime, or an output of another type.
    pub fn run(&mut self, input: &str, batch: ArrayView4<'_, f32>) -> Result<Vec<ArrayD<f32>>, InferError> {
        let outputs = run(&mut self.session, input, batch)?;
        let arrays = outputs.iter().map(|(name, value)| {
            let (shape, values) = value.try_extract_tensor::<f32>().map_err(InferError::Runtime)?;
            let extents: Vec<usize> = shape.iter().map(|extent| usize::try_from(*extent).unwrap_or(0)).collect();
            ArrayD::from_shape_vec(IxDyn(&extents), values.to_vec()).map_err(|_| InferError::Shape {
                kind: "output",
                name: name.into(),
                found: format!("{} values", values.len()),
                wanted: format!("{extents:?}"),
            })
        });
        arrays.collect()
    }

    /// Runs a batch as [`Probe::run`] does, and says of every output what it is, such as `Tensor<f32>(1, 10)`.
    ///
    /// # Errors
    /// A failure inside ONNX Runtime.
    pub fn types(&mut self, input: &str, batch: ArrayView4<'_, f32>) -> Result<Vec<(String, String)>, InferError> {
        let outputs = run(&mut self.session, input, batch)?;
        Ok(outputs.iter().map(|(name, value)| (name.to_owned(), value.dtype().to_string())).collect())
    }
}

fn run<'s>(
    session: &'s mut Session,
    input: &str,
    batch: ArrayView4<'_, f32>,
) -> Result<SessionOutputs<'s>, InferError> {
    let contiguous = batch.as_standard_layout();
    let tensor = TensorRef::from_array_view(contiguous.view()).map_err(InferError::Runtime)?;
    session.run(ort::inputs![input => tensor]).map_err(InferError::Runtime)
}
