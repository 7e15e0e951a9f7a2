//! Names of tensors: those that are near a wrong one, and those that are still free.

use std::collections::HashSet;

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

/// The names in use, for finding free ones.
pub(super) struct Names(HashSet<String>);

impl Names {
    pub(super) fn of(graph: &Graph<'_>) -> Self {
        Self(graph.tensors().chain(graph.outputs.iter().copied()).map(String::from).collect())
    }

    /// `wanted`, or where that is taken, `wanted` with a number; taken from now on.
    pub(super) fn fresh(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let mut candidates = std::iter::once(wanted.to_owned()).chain(numbered);
        let free = candidates.find(|name| !self.0.contains(name)).unwrap_or_else(|| wanted.to_owned());
        self.0.insert(free.clone());
        free
    }
}
