//! What a graph looks like it is made of, before anything of it is run.

use super::surgery::Surgery;
use super::{AdoptError, Choice, Request, find, head};
use crate::onnx::Model;
use crate::package::Head;

/// What [`super::adopt`] would take, which it then proves by running the network.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The tensor that looks like the logits.
    pub logits: Choice,
    /// The tensor that looks like the features.
    pub features: Choice,
    /// The tensor that the features may be the mean of.
    pub map: Option<String>,
    /// The weights of the last layer, where they are stored in the file as a plain matrix.
    pub head: Option<Head>,
}

/// Reads a file as [`super::adopt`] does, up to where it would be run: gives what was found, and the file with
/// that as its outputs. Needs no ONNX Runtime.
///
/// # Errors
/// As [`super::adopt`], but for what only running the network can tell.
pub fn propose(onnx: &[u8], request: &Request) -> Result<(Proposal, Vec<u8>), AdoptError> {
    let model = Model::parse(onnx)?;
    let proposal = Proposal::of(&model, request)?;
    let mut surgery = Surgery::new(onnx, &model, &request.preprocessing)?;
    let outputs = [&proposal.logits.tensor, &proposal.features.tensor].into_iter().chain(&proposal.map);
    let exposed = surgery.exposing(&outputs.map(String::as_str).collect::<Vec<_>>())?;
    Ok((proposal, exposed))
}

impl Proposal {
    pub(super) fn of(model: &Model<'_>, request: &Request) -> Result<Self, AdoptError> {
        let graph = &model.graph;
        let logits = find::logits(graph, request.logits.as_deref())?;
        let features = find::features(graph, &logits.tensor, request.features.as_deref())?;
        let map = find::pooled_map(graph, &features.tensor).map(str::to_owned);
        let head = find::linear(graph, &logits.tensor).map(|linear| head::read(graph, &linear)).transpose()?;
        Ok(Self { logits, features, map, head: head.flatten() })
    }
}
