//! What the network says about a batch: owned arrays, lent out image by image.

use ndarray::{Array, Array2, Array3, Array4, ArrayView, Dimension, Ix2, Ix3, Ix4};
use ort::session::SessionOutputs;

use super::InferError;
use crate::package::OutputSpec;
use crate::score::Outputs;

/// Outputs of a batch of N images.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkOutputs {
    /// Logits [N, K].
    pub logits: Array2<f32>,
    /// Pooled penultimate features [N, C].
    pub features: Array2<f32>,
    /// L2 norm of the feature map per location [N, H, W], where the network has it.
    pub local_norms: Option<Array3<f32>>,
    /// The head applied per location [N, K, H, W], where the network has it.
    pub local_logits: Option<Array4<f32>>,
}

impl NetworkOutputs {
    /// N: how many images the batch had.
    pub fn count(&self) -> usize {
        self.logits.shape()[0]
    }

    /// The outputs of each image of the batch, in order.
    pub fn images(&self) -> impl Iterator<Item = Outputs<'_>> {
        (0..self.count()).map(|index| Outputs {
            logits: row(&self.logits, index),
            features: row(&self.features, index),
            local_norms: self.local_norms.as_ref().map(|norms| row(norms, index)),
            local_logits: self.local_logits.as_ref().map(|logits| row(logits, index)),
        })
    }
}

/// Everything of image `index`. The arrays are ours and contiguous.
pub(crate) fn row<D: Dimension>(array: &Array<f32, D>, index: usize) -> &[f32] {
    let values = array.as_slice().unwrap_or_default();
    let length = values.len() / array.shape()[0].max(1);
    &values[index * length..(index + 1) * length]
}

/// Copies the outputs that `spec` names out of ONNX Runtime's memory.
pub(super) fn extract(
    results: &SessionOutputs<'_>,
    count: usize,
    classes: usize,
    spec: &OutputSpec,
) -> Result<NetworkOutputs, InferError> {
    let (mut local_norms, mut local_logits) = (None, None);
    if let Some(local) = spec.local {
        local_norms = Some(array(results, "local_norms", Ix3(count, local.height, local.width))?);
        local_logits = Some(array(results, "local_logits", Ix4(count, classes, local.height, local.width))?);
    }
    Ok(NetworkOutputs {
        logits: array(results, "logits", Ix2(count, classes))?,
        features: array(results, "features", Ix2(count, spec.features))?,
        local_norms,
        local_logits,
    })
}

/// One output as an array of the wanted shape. Axes left free in the graph are only known here.
fn array<D: Dimension>(results: &SessionOutputs<'_>, name: &str, shape: D) -> Result<Array<f32, D>, InferError> {
    let wanted = format!("{:?}", shape.slice());
    let wrong = |found: String| InferError::Shape { kind: "output", name: name.into(), found, wanted };
    let Some(value) = results.get(name) else {
        return Err(wrong("missing".into()));
    };
    let (found, values) = value.try_extract_tensor::<f32>().map_err(InferError::Runtime)?;
    let fits = found.iter().copied().eq(shape.slice().iter().map(|axis| *axis as i64));
    match ArrayView::from_shape(shape, values) {
        Ok(view) if fits => Ok(view.to_owned()),
        _ => Err(wrong(format!("{:?}", &found[..]))),
    }
}
