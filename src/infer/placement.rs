//! Which execution provider does how much of a network, as ONNX Runtime itself writes it down in the profile of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;

use ndarray::ArrayView4;
use ort::value::TensorRef;
use serde::Deserialize;

use super::{InferError, NetworkOptions, Verified, builder, commit, shapes};
use crate::package::Package;

/// Nodes of the optimised network per provider, by ONNX Runtime's name of it. A provider that compiles, as TensorRT does,
/// makes one node of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Provider and number of nodes.
    pub nodes: BTreeMap<String, usize>,
}

impl fmt::Display for Placement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.nodes.iter().map(|(provider, nodes)| format!("{nodes} on {provider}")).collect();
        write!(formatter, "{}", parts.join(", "))
    }
}

/// An event of the profile; only what is looked at.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default)]
    cat: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    args: Arguments,
}

#[derive(Debug, Default, Deserialize)]
struct Arguments {
    #[serde(default)]
    provider: String,
}

/// Runs a package's network once on `batch`, [1, 3, H, W], in a session of its own, and counts its nodes per provider.
///
/// # Errors
/// The network does not open or run as `options` ask, or the profile cannot be read.
pub fn placement(
    package: &Package,
    options: &NetworkOptions,
    batch: ArrayView4<'_, f32>,
) -> Result<Placement, InferError> {
    let unreadable = |problem: &dyn fmt::Display| InferError::Profile(problem.to_string());
    let folder = tempfile::tempdir().map_err(|error| unreadable(&error))?;
    let verified = Verified::of(package, options)?;
    let input = &package.manifest.input;
    let builder = builder(verified.own, options, shapes(input, options))?
        .with_profiling(folder.path().join("run"))
        .map_err(|error| InferError::Runtime(super::forget_builder(error)))?;
    let mut session = commit(builder, verified.onnx(), options)?;
    verified.check_unchanged()?;
    let contiguous = batch.as_standard_layout();
    let tensor = TensorRef::from_array_view(contiguous.view()).map_err(InferError::Runtime)?;
    session.run(ort::inputs![input.name.as_str() => tensor]).map_err(InferError::Runtime)?;
    let file = session.end_profiling().map_err(InferError::Runtime)?;
    let text = fs::read_to_string(&file).map_err(|error| unreadable(&error))?;
    count(&text).map_err(|error| unreadable(&error))
}

fn count(profile: &str) -> Result<Placement, serde_json::Error> {
    let events: Vec<Event> = serde_json::from_str(profile)?;
    let ran: BTreeSet<(&str, &str)> = events
        .iter()
        .filter(|event| event.cat == "Node" && !event.args.provider.is_empty())
        .filter_map(|event| Some((event.args.provider.as_str(), event.name.strip_suffix("_kernel_time")?)))
        .collect();
    let mut nodes = BTreeMap::new();
    for (provider, _) in ran {
        *nodes.entry(provider.to_owned()).or_insert(0) += 1;
    }
    Ok(Placement { nodes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_counts_once_and_for_the_provider_that_ran_it() {
        let profile = r#"[
            {"cat":"Session","name":"model_loading_from_saved_proto","args":{}},
            {"cat":"Node","name":"conv_fence_before","args":{"op_name":"Conv"}},
            {"cat":"Node","name":"conv_kernel_time","args":{"op_name":"Conv","provider":"CUDAExecutionProvider"}},
            {"cat":"Node","name":"conv_kernel_time","args":{"op_name":"Conv","provider":"CUDAExecutionProvider"}},
            {"cat":"Node","name":"relu_kernel_time","args":{"op_name":"Relu","provider":"CUDAExecutionProvider"}},
            {"cat":"Node","name":"shape_kernel_time","args":{"op_name":"Shape","provider":"CPUExecutionProvider"}}
        ]"#;
        let placement = count(profile).unwrap();
        assert_eq!(placement.to_string(), "1 on CPUExecutionProvider, 2 on CUDAExecutionProvider");
    }

    #[test]
    fn a_profile_that_is_none_is_an_error() {
        assert!(count("{").is_err());
    }
}
