//! Names of tensors that are still free in a graph.

use std::collections::HashSet;

use super::Graph;

/// The names in use, for finding free ones.
#[derive(Debug, Clone)]
pub struct Names(HashSet<String>);

impl Names {
    /// Those of a graph.
    pub fn of(graph: &Graph<'_>) -> Self {
        Self(graph.tensors().chain(graph.outputs.iter().copied()).map(String::from).collect())
    }

    /// `wanted`, or where that is taken, `wanted` with a number; taken from now on.
    pub fn fresh(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let mut candidates = std::iter::once(wanted.to_owned()).chain(numbered);
        let free = candidates.find(|name| !self.0.contains(name)).unwrap_or_else(|| wanted.to_owned());
        self.0.insert(free.clone());
        free
    }
}
