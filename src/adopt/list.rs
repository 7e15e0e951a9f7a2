//! The tensors of a graph with the shapes they have for one picture, to choose from.

use ndarray::Axis;

use super::find::{self, Choice};
use super::input::Preprocessing;
use super::measure::refused;
use super::surgery::Surgery;
use super::{AdoptError, pictures};
use crate::infer::Probe;
use crate::onnx::Model;

/// A tensor that a node makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The operator that makes it.
    pub op: String,
    /// Its name in the file.
    pub name: String,
    /// Element type and shape for one picture, such as `Tensor<f32>(1, 512)`.
    pub kind: String,
    /// What [`super::adopt`] would take it for, and why.
    pub role: Option<String>,
}

/// Every tensor that the graph's nodes make, in the graph's order; constants are left out.
///
/// # Errors
/// As [`super::adopt`]; the preprocessing has to say no more than the size, where the graph leaves it free.
pub fn list(onnx: &[u8], wanted: &Preprocessing) -> Result<Vec<Listed>, AdoptError> {
    let model = Model::parse(onnx)?;
    let surgery = Surgery::new(onnx, &model, wanted)?;
    let nodes = model.graph.nodes.iter().filter(|node| node.op != "Constant");
    let made: Vec<(&str, &str)> = nodes
        .flat_map(|node| node.outputs.iter().map(|output| (node.op, *output)))
        .filter(|(_, output)| !output.is_empty())
        .collect();
    let names: Vec<&str> = made.iter().map(|(_, output)| *output).collect();
    let pictures = pictures(&surgery.input.spec)?;
    let (one, _) = pictures.view().split_at(Axis(0), 1);
    let mut probe = Probe::open(&surgery.listing(&names)?).map_err(refused)?;
    let types = probe.types(&surgery.input.spec.name, one).map_err(refused)?;
    let logits = find::logits(&model.graph, None);
    let features = logits.as_ref().ok().and_then(|logits| find::features(&model.graph, &logits.tensor, None).ok());
    let roles = [("logits", logits.ok()), ("features", features)];
    let listed = made.into_iter().zip(types).map(|((op, name), (_, kind))| Listed {
        op: op.into(),
        name: name.into(),
        kind,
        role: roles.iter().find_map(|(role, choice)| role_of(role, choice.as_ref(), name)),
    });
    Ok(listed.collect())
}

fn role_of(role: &str, choice: Option<&Choice>, name: &str) -> Option<String> {
    choice.filter(|choice| choice.tensor == name).map(|choice| format!("{role}: {}", choice.reason))
}
