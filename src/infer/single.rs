//! One picture at a time, in memory that is taken once: what the monitor does for every frame.
//!
//! The input is written where ONNX Runtime reads it, and the outputs are read where ONNX Runtime has written them. On the processor
//! nothing is copied on the way; a provider with memory of its own (cuda, tensorrt) copies to and from these tensors by itself. It is
//! `Run` with outputs handed in, not ORT's IoBinding: IoBinding copies an input to a device once, when it is bound, and `ort` describes
//! every output of it anew after each run, on the heap. This way a run takes no memory on our side at all, which a test counts.

use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionOutputs};
use ort::value::Tensor;

use super::InferError;
use crate::package::{InputSpec, OutputSpec};
use crate::score::Outputs;

/// Memory for one picture's way through a network.
pub(super) struct Single {
    /// [1, 3, H, W].
    input: Tensor<f32>,
    /// Owns the outputs: [1, K], [1, C], and where the network has them [1, H, W] and [1, K, H, W].
    options: RunOptions<HasSelectedOutputs>,
}

impl Single {
    /// Takes the memory. ONNX Runtime has been loaded: its session is there.
    pub(super) fn new(input: &InputSpec, output: &OutputSpec, classes: usize) -> Result<Self, InferError> {
        let [channels, height, width] = input.chw();
        let mut outputs = OutputSelector::no_default()
            .with("logits")
            .preallocate("logits", zeros(&[1, classes])?)
            .with("features")
            .preallocate("features", zeros(&[1, output.features])?);
        if let Some(local) = output.local {
            outputs = outputs
                .with("local_norms")
                .preallocate("local_norms", zeros(&[1, local.height, local.width])?)
                .with("local_logits")
                .preallocate("local_logits", zeros(&[1, classes, local.height, local.width])?);
        }
        Ok(Self {
            input: zeros(&[1, channels, height, width])?,
            options: RunOptions::new().map_err(InferError::Runtime)?.with_outputs(outputs),
        })
    }

    /// The input, to be written before [`Self::run`].
    pub(super) fn input_mut(&mut self) -> &mut [f32] {
        self.input.extract_tensor_mut().1
    }

    /// Runs what is in the input. `session` has that one input.
    pub(super) fn run<'s>(&'s mut self, session: &'s mut Session) -> Result<OneImage<'s>, InferError> {
        // By place, not by name: a list of names would be made anew each time.
        let results =
            session.run_with_options(ort::inputs![&self.input], &self.options).map_err(InferError::Runtime)?;
        Ok(OneImage { results })
    }
}

fn zeros(shape: &[usize]) -> Result<Tensor<f32>, InferError> {
    Tensor::from_array((shape, vec![0.0; shape.iter().product()])).map_err(InferError::Runtime)
}

/// What the network says about one image, in the memory in which it was written; valid until the next run.
pub struct OneImage<'s> {
    results: SessionOutputs<'s>,
}

impl OneImage<'_> {
    /// The outputs.
    ///
    /// # Errors
    /// None that [`super::Network::run_one`] would have left to find.
    pub fn outputs(&self) -> Result<Outputs<'_>, InferError> {
        let values = |name: &'static str| match self.results.get(name) {
            Some(value) => {
                value.try_extract_tensor::<f32>().map(|(_, values)| Some(values)).map_err(InferError::Runtime)
            }
            None => Ok(None),
        };
        Ok(Outputs {
            logits: values("logits")?.unwrap_or_default(),
            features: values("features")?.unwrap_or_default(),
            local_norms: values("local_norms")?,
            local_logits: values("local_logits")?,
        })
    }
}
