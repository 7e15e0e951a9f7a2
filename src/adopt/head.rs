//! The classifier head: read from the last layer's weights, and believed only when it computes the logits.

use ndarray::{Array1, Array2, ArrayView2};

use super::find::Linear;
use crate::onnx::{Graph, OnnxError};
use crate::package::Head;

/// |W z + b - logit| may be this much of 1 + |logit|: other orders of summing f32 stay well below, another layer
/// far above.
const TOLERANCE: f64 = 1e-3;

/// The weights of the last layer; `None` where they are not stored as f32, or not as a plain matrix.
pub(super) fn read(graph: &Graph<'_>, linear: &Linear<'_, '_>) -> Result<Option<Head>, OnnxError> {
    let node = linear.node;
    let Some(stored) = graph.constant(node.inputs[1])? else { return Ok(None) };
    let Some((dims, values)) = stored.floats() else { return Ok(None) };
    let factor = |name| Ok::<_, OnnxError>(node.attribute(name)?.and_then(|attribute| attribute.f).unwrap_or(1.0));
    let (mut alpha, mut beta, mut stored_as_kc) = (1.0, 1.0, node.op == "Conv");
    if node.op == "Gemm" {
        (alpha, beta) = (factor("alpha")?, factor("beta")?);
        stored_as_kc = node.integer("transB")?.unwrap_or(0) != 0;
        if node.integer("transA")?.unwrap_or(0) != 0 {
            return Ok(None);
        }
    }
    let (rows, columns) = match (dims[..].split_at_checked(2), node.op) {
        (Some(([rows, columns], rest)), "Conv") if rest.iter().all(|extent| *extent == 1) => (*rows, *columns),
        (Some(([rows, columns], [])), "Gemm" | "MatMul") => (*rows, *columns),
        _ => return Ok(None),
    };
    let Ok(matrix) = Array2::from_shape_vec((rows, columns), values) else { return Ok(None) };
    let weight = if stored_as_kc { matrix } else { matrix.reversed_axes().as_standard_layout().into_owned() };
    let bias = match linear.added {
        None => Some(Array1::zeros(weight.nrows())),
        Some(added) => bias(graph, added, weight.nrows())?,
    };
    Ok(bias.map(|bias| Head { weight: weight * alpha, bias: bias * beta }))
}

/// K numbers, or one for all.
fn bias(graph: &Graph<'_>, tensor: &str, classes: usize) -> Result<Option<Array1<f32>>, OnnxError> {
    let values = graph.constant(tensor)?.and_then(|stored| stored.floats()).map(|(_, values)| values);
    Ok(match values {
        Some(values) if values.len() == classes => Some(Array1::from(values)),
        Some(values) if values.len() == 1 => Some(Array1::from_elem(classes, values[0])),
        _ => None,
    })
}

/// The largest |W z + b - logits| over a batch, or `None` where the head is not what makes the logits.
///
/// `features` [N, C], `logits` [N, K].
pub(super) fn prove(head: &Head, features: ArrayView2<'_, f32>, logits: ArrayView2<'_, f32>) -> Option<f64> {
    if head.weight.ncols() != features.ncols() || head.weight.nrows() != logits.ncols() {
        return None;
    }
    let mut largest: f64 = 0.0;
    for (feature, logits) in features.outer_iter().zip(logits.outer_iter()) {
        for ((row, bias), logit) in head.weight.outer_iter().zip(&head.bias).zip(logits) {
            let product: f64 = row.iter().zip(feature).map(|(w, z)| f64::from(*w) * f64::from(*z)).sum();
            let difference = (product + f64::from(*bias) - f64::from(*logit)).abs();
            if difference.is_nan() || difference > TOLERANCE * (1.0 + f64::from(logit.abs())) {
                return None;
            }
            largest = largest.max(difference);
        }
    }
    Some(largest)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_head_is_proved_by_the_logits_that_it_gives_and_no_others() {
        let head = Head { weight: array![[1.0, 2.0], [0.0, -1.0]], bias: array![0.5, 0.0] };
        let features = array![[1.0, 1.0], [0.0, 2.0]];
        assert_eq!(prove(&head, features.view(), array![[3.5, -1.0], [4.5, -2.0]].view()), Some(0.0));
        assert_eq!(prove(&head, features.view(), array![[3.5, -1.0], [4.5, 2.0]].view()), None);
        assert_eq!(prove(&head, features.view(), array![[3.5, f32::NAN], [4.5, -2.0]].view()), None);
        assert_eq!(prove(&head, features.view(), array![[3.5], [4.5]].view()), None);
    }
}
