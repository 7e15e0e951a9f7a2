//! What is done to the file: its input is made the usual one, and the tensors of a package become its outputs.
//!
//! `logits` and `features` as in every package, and where the features are the mean of a map F and the head (Wc, b)
//! is known, `local_norms` = `||F[n,:,h,w]||_2` and `local_logits` = the head at every location. Every tensor passes a
//! Cast to f32 on its way out, which ONNX Runtime takes away where it is f32 already.

use super::input::{self, Input, Preprocessing};
use super::{AdoptError, batch};
use crate::onnx::proto::{DataType, NodeProto};
use crate::onnx::rewrite::{Changes, rewrite};
use crate::onnx::{Model, Names, OnnxError, build};
use crate::package::{Head, LocalSpec};

/// The oldest operator set that the added nodes are written for, which is also the oldest that ONNX Runtime promises.
const OLDEST_OPSET: u64 = 7;

/// From this version on ReduceL2 takes its axes as an input.
const AXES_AS_INPUT: u64 = 18;

/// The outputs of a package's network. A tensor of the file that bears one of these names gets another.
const OUTPUTS: [&str; 4] = ["logits", "features", "local_norms", "local_logits"];

/// A file on the way to becoming a package's network.
pub(super) struct Surgery<'a> {
    bytes: &'a [u8],
    opset: u64,
    names: Names,
    changes: Changes,
    /// The graph's input.
    pub(super) input: Input,
}

/// What becomes an output, by its name in the file.
pub(super) struct Outputs<'a> {
    pub(super) logits: &'a str,
    /// K.
    pub(super) classes: usize,
    pub(super) features: &'a str,
    /// C.
    pub(super) channels: usize,
    /// Whether the features are a map that is still to be averaged.
    pub(super) pool: bool,
    pub(super) local: Option<Local<'a>>,
}

/// The map behind the features.
pub(super) struct Local<'a> {
    pub(super) map: &'a str,
    pub(super) size: LocalSpec,
    pub(super) head: &'a Head,
    /// A power of two near the usual local norm: the norm is computed as s ||F / s||, which keeps the sum of squares
    /// in range should the network be converted to half precision, and is exact in f32.
    pub(super) norm_scale: f32,
}

impl<'a> Surgery<'a> {
    pub(super) fn new(bytes: &'a [u8], model: &Model<'_>, wanted: &Preprocessing) -> Result<Self, AdoptError> {
        if model.opset < OLDEST_OPSET {
            return Err(AdoptError::Opset { found: model.opset, wanted: OLDEST_OPSET });
        }
        let mut input = input::find(&model.graph, wanted)?;
        let mut names = Names::of(&model.graph);
        let mut changes = Changes::default();
        for name in OUTPUTS {
            let taken = names.fresh(name) != name;
            if taken {
                changes.renamed.insert(name.into(), names.fresh(&format!("{name}.original")));
            }
        }
        input.change(&mut names, &mut changes);
        if input.fixed_batch {
            batch::free(&model.graph, &mut names, &mut changes)?;
        }
        Ok(Self { bytes, opset: model.opset, names, changes, input })
    }

    /// The file with these tensors as its outputs, as f32 and in this order.
    pub(super) fn exposing(&mut self, tensors: &[&str]) -> Result<Vec<u8>, OnnxError> {
        let mut changes = self.changes.clone();
        for tensor in tensors {
            let output = self.names.fresh("oodwatch.probe");
            changes.last.push(cast(self.changes.name(tensor), &output));
            changes.outputs.push(build::untyped(&output));
        }
        rewrite(self.bytes, &changes)
    }

    /// The file with these tensors as its outputs, as they are; gives the names they have there.
    pub(super) fn listing(&self, tensors: &[&str]) -> Result<Vec<u8>, OnnxError> {
        let mut changes = self.changes.clone();
        changes.outputs = tensors.iter().map(|tensor| build::untyped(self.changes.name(tensor))).collect();
        rewrite(self.bytes, &changes)
    }

    /// The package's network.
    pub(super) fn finish(mut self, outputs: &Outputs<'_>) -> Result<Vec<u8>, OnnxError> {
        self.flattened(outputs.logits, "logits", false);
        self.flattened(outputs.features, "features", outputs.pool);
        self.changes.outputs.push(build::batch_of("logits", &[outputs.classes]));
        self.changes.outputs.push(build::batch_of("features", &[outputs.channels]));
        if let Some(local) = &outputs.local {
            self.local(local);
        }
        rewrite(self.bytes, &self.changes)
    }

    /// Adds `output` [N, X], which is `tensor` [N, X, 1...], or the mean of `tensor` [N, X, H, W] over H and W.
    fn flattened(&mut self, tensor: &str, output: &str, pool: bool) {
        let mut from = self.floats(tensor, output);
        if pool {
            let pooled = self.names.fresh(&format!("{output}.pooled"));
            self.push(build::node("GlobalAveragePool", &[&from], &pooled, Vec::new()));
            from = pooled;
        }
        self.push(build::node("Flatten", &[&from], output, vec![build::integer("axis", 1)]));
    }

    fn local(&mut self, local: &Local<'_>) {
        let map = self.floats(local.map, "local");
        let (classes, channels) = local.head.weight.dim();
        let weight = self.names.fresh("local_logits.weight");
        let bias = self.names.fresh("local_logits.bias");
        self.changes.constants.extend([
            build::floats(&weight, &[classes, channels, 1, 1], local.head.weight.iter().copied()),
            build::floats(&bias, &[classes], local.head.bias.iter().copied()),
        ]);
        self.push(build::node("Conv", &[&map, &weight, &bias], "local_logits", Vec::new()));
        self.norms(&map, local.norm_scale);
        let LocalSpec { height, width } = local.size;
        self.changes.outputs.push(build::batch_of("local_norms", &[height, width]));
        self.changes.outputs.push(build::batch_of("local_logits", &[classes, height, width]));
    }

    /// Adds `local_norms`: s * ||map / s|| over the channels.
    fn norms(&mut self, map: &str, scale: f32) {
        let [small, norm, shrink, grow] =
            ["scaled", "scaled_norm", "shrink", "grow"].map(|part| self.names.fresh(&format!("local_norms.{part}")));
        self.changes.constants.push(build::floats(&shrink, &[], [scale.recip()]));
        self.changes.constants.push(build::floats(&grow, &[], [scale]));
        self.push(build::node("Mul", &[map, &shrink], &small, Vec::new()));
        let keep = build::integer("keepdims", 0);
        if self.opset >= AXES_AS_INPUT {
            let axes = self.names.fresh("local_norms.axes");
            self.changes.constants.push(build::longs(&axes, &[1]));
            self.push(build::node("ReduceL2", &[&small, &axes], &norm, vec![keep]));
        } else {
            self.push(build::node("ReduceL2", &[&small], &norm, vec![build::integers("axes", &[1]), keep]));
        }
        self.push(build::node("Mul", &[&norm, &grow], "local_norms", Vec::new()));
    }

    /// A tensor of the file as f32, under a new name.
    fn floats(&mut self, tensor: &str, part: &str) -> String {
        let output = self.names.fresh(&format!("{part}.f32"));
        let node = cast(self.changes.name(tensor), &output);
        self.push(node);
        output
    }

    fn push(&mut self, node: NodeProto) {
        self.changes.last.push(node);
    }
}

fn cast(from: &str, to: &str) -> NodeProto {
    build::node("Cast", &[from], to, vec![build::integer("to", i64::from(i32::from(DataType::Float)))])
}
