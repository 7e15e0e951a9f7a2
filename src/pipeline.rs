//! The judging part of a frame's way: preprocess, infer, score. `run`, `score`, `calibrate` and `bench` all go
//! through here, so what is calibrated is what is run.

use std::time::{Duration, Instant};

use image::RgbImage;
use ndarray::ArrayView4;

use crate::decode::Picture;
use crate::infer::{ExecutionProvider, InferError, Network, NetworkOptions, NetworkOutputs};
use crate::package::{InputSpec, Package};
use crate::preprocess::{PreprocessError, Preprocessor};
use crate::score::{Score, ScoreError, ScoreName, Scorers};

/// Why a picture could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The picture could not become the network's input.
    #[error("preprocess: {0}")]
    Preprocess(#[from] PreprocessError),
    /// The network failed.
    #[error("infer: {0}")]
    Infer(#[from] InferError),
    /// A score cannot be computed with this package.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

/// What the network and the scores say about one picture.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The wanted scores, in the order in which they were asked for.
    pub scores: Vec<Score>,
    /// Index and softmax probability of the most probable class; none where no logit is a number.
    pub top_class: Option<(usize, f32)>,
    /// How long each stage took.
    pub timings: Timings,
}

/// Duration of each stage of one picture.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// From the picture to the network's input; of a camera's raw frames this is where colours are made, too.
    pub preprocess: Duration,
    /// The network.
    pub infer: Duration,
    /// From outputs to scores.
    pub score: Duration,
}

/// A preprocessor, a network and the scores to compute.
pub struct Pipeline {
    input: InputSpec,
    preprocessor: Preprocessor,
    network: Network,
    scorers: Scorers,
}

impl Pipeline {
    /// Opens a package's network for these scores.
    ///
    /// # Errors
    /// The package lacks what a score reads; ONNX Runtime, the execution provider or the network refuses.
    pub fn open(package: &Package, options: &NetworkOptions, scores: &[ScoreName]) -> Result<Self, PipelineError> {
        Ok(Self {
            scorers: Scorers::new(scores, &package.model())?,
            input: package.manifest.input.clone(),
            preprocessor: Preprocessor::new(&package.manifest.input)?,
            network: Network::from_onnx(&package.model_onnx, &package.manifest, options)?,
        })
    }

    /// The execution provider that the network runs on.
    pub fn execution_provider(&self) -> ExecutionProvider {
        self.network.execution_provider()
    }

    /// The network, for a self-test.
    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    /// The scores that are computed, in the order of [`Judged::scores`].
    pub fn scores(&self) -> &[ScoreName] {
        self.scorers.names()
    }

    /// What the network says about one picture, without scores.
    ///
    /// # Errors
    /// A picture without pixels, or a failure inside ONNX Runtime.
    pub fn infer(&mut self, image: &RgbImage) -> Result<NetworkOutputs, PipelineError> {
        let tensor = self.preprocessor.run(image)?;
        Ok(run_one(&mut self.network, &self.input, tensor)?)
    }

    /// Judges one picture: pixels, or a camera's raw frame.
    ///
    /// # Errors
    /// A picture without pixels, a raw frame that is too short, or a failure inside ONNX Runtime.
    pub fn judge<'p>(&mut self, picture: impl Into<Picture<'p>>) -> Result<Judged, PipelineError> {
        let start = Instant::now();
        let tensor = self.preprocessor.prepare(picture.into())?;
        let prepared = Instant::now();
        let outputs = run_one(&mut self.network, &self.input, tensor)?;
        let inferred = Instant::now();
        let (scores, top_class) = score_one(&outputs, &mut self.scorers);
        let timings = Timings { preprocess: prepared - start, infer: inferred - prepared, score: inferred.elapsed() };
        Ok(Judged { scores, top_class, timings })
    }
}

fn run_one(network: &mut Network, input: &InputSpec, tensor: &[f32]) -> Result<NetworkOutputs, InferError> {
    let [channels, height, width] = input.chw();
    let batch = ArrayView4::from_shape((1, channels, height, width), tensor)
        .map_err(|_| InferError::Batch { found: vec![tensor.len()], wanted: input.chw() })?;
    network.run(batch)
}

fn score_one(outputs: &NetworkOutputs, scorers: &mut Scorers) -> (Vec<Score>, Option<(usize, f32)>) {
    outputs.images().next().map_or_else(Default::default, |image| (scorers.score(&image).to_vec(), image.top_class()))
}
