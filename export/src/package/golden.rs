//! Golden vectors: synthetic pictures, and what libtorch makes of them in FP32.

use ndarray::Array4;
use oodwatch::package::{Calibration, GOLDEN_TOLERANCE, Golden, InputSpec, Manifest};
use oodwatch::synthetic;

use super::ExportError;
use crate::pictures::PictureError;
use crate::trained::Trained;

/// Number of golden pictures.
const COUNT: usize = 8;

/// Makes the pictures, runs them through libtorch, and computes the calibrated scores of what comes out.
pub(super) fn golden(trained: &Trained, manifest: &Manifest, calibration: &Calibration) -> Result<Golden, ExportError> {
    let inputs = inputs(&trained.input)?;
    let outputs = trained.outputs(&trained.forward(inputs.view()))?;
    Ok(Golden::new(inputs, outputs, GOLDEN_TOLERANCE, manifest, calibration)?)
}

/// The golden pictures, prepared as the runtime does it: [N, 3, H, W].
pub(super) fn inputs(spec: &InputSpec) -> Result<Array4<f32>, ExportError> {
    Ok(synthetic::inputs(spec, COUNT).map_err(PictureError::from)?)
}
