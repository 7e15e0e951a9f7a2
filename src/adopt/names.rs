//! Names of tensors that are near a wrong one.

use super::AdoptError;
use crate::onnx::Graph;

/// Names offered for one that does not exist.
const OFFERED: usize = 3;

/// Refuses a name that the graph does not have, with those that are nearest to it.
pub(super) fn existing(graph: &Graph<'_>, flag: &'static str, name: &str) -> Result<(), AdoptError> {
    if graph.has(name) {
        return Ok(());
    }
    let mut near: Vec<(f64, &str)> =
        graph.tensors().map(|tensor| (strsim::jaro_winkler(name, tensor), tensor)).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.dedup();
    let nearest: Vec<String> = near.iter().take(OFFERED).map(|(_, tensor)| format!("{tensor:?}")).collect();
    Err(AdoptError::NoTensor { flag, found: name.into(), nearest: nearest.join(", ") })
}
