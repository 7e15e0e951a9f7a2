//! Golden vectors: synthetic pictures, and what libtorch makes of them in FP32.

use ndarray::Array4;
use oodwatch::package::{Golden, InputSpec};
use oodwatch::score::ScoreName;
use oodwatch::synthetic;

use super::ExportError;
use crate::pictures::PictureError;
use crate::trained::Trained;

/// Number of golden pictures.
const COUNT: usize = 8;

/// |got - want| <= tolerance * (1 + |want|). Parity with libtorch allows 1e-4, other processors round
/// differently by some 1e-5; wrong weights or inputs differ by far more than both.
const TOLERANCE: f32 = 5e-4;

/// Makes the pictures and runs them through libtorch.
pub(super) fn golden(trained: &Trained) -> Result<Golden, ExportError> {
    let inputs = inputs(&trained.input)?;
    let outputs = trained.outputs(&trained.forward(inputs.view()))?;
    let of_each = |name: &ScoreName| outputs.images().map(|image| name.score(&image).0).collect();
    let scores = ScoreName::ALL.iter().map(|name| (*name, of_each(name))).collect();
    Ok(Golden {
        inputs,
        scores,
        logits: outputs.logits,
        features: outputs.features,
        local_norms: outputs.local_norms,
        local_logits: outputs.local_logits,
        tolerance: TOLERANCE,
    })
}

/// The golden pictures, prepared as the runtime does it: [N, 3, H, W].
pub(super) fn inputs(spec: &InputSpec) -> Result<Array4<f32>, ExportError> {
    Ok(synthetic::inputs(spec, COUNT).map_err(PictureError::from)?)
}
