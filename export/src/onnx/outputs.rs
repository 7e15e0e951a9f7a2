//! The outputs that every oodwatch network has, from its last feature map.
//!
//! With F the last feature map after its final ReLU [N,C,H,W] and (Wc, b) the classifier head:
//! `features` = mean of F over H and W, `logits` = Wc features + b, `local_norms` = ||F[n,:,h,w]||_2,
//! `local_logits` = the head at every location. Pooling and head are linear, so the mean of
//! `local_logits` over H and W is `logits`.

use super::OnnxError;
use super::graph::{Graph, Kernel, Map, Sliding};
use crate::weights::Array;

/// The classifier head.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Wc [K, C].
    pub weight: Array,
    /// b [K].
    pub bias: Array,
}

/// Adds and declares all four outputs.
///
/// `norm_scale` is the s of `s * ||F / s||`: a power of two near the usual norm, which keeps the
/// sum of squares in range if the network is later converted to half precision and is exact in
/// single precision. 1 leaves the two multiplications out.
///
/// # Errors
/// [`OnnxError::Layer`] when the head does not fit the map.
pub fn add(graph: &mut Graph, map: &Map, head: &Head, norm_scale: f32) -> Result<(), OnnxError> {
    let features = graph.global_average_pool("features", map);
    let logits = graph.linear("logits", &features, &head.weight, &head.bias)?;

    let shape = vec![logits.width, features.width, 1, 1];
    let weight = Array::new(shape, head.weight.values().to_vec())?;
    let kernel = Kernel { weight, bias: Some(head.bias.values().to_vec()) };
    let at_each_location = Sliding { stride: 1, pads: [[0; 2]; 2], groups: 1 };
    let local = graph.conv("local_logits", map, &kernel, at_each_location)?;

    graph.channel_norm("local_norms", map, norm_scale);

    graph.output("logits", &[logits.width]);
    graph.output("features", &[features.width]);
    graph.output("local_norms", &[map.height, map.width]);
    graph.output("local_logits", &[local.channels, local.height, local.width]);
    Ok(())
}
