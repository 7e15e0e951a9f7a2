//! The judging part of a frame's way: preprocess, infer, score. `run`, `score`, `calibrate` and `bench` all go
//! through here, so what is calibrated is what is run.

use std::time::{Duration, Instant};

use ndarray::ArrayView4;

use crate::decode::Picture;
use crate::infer::{ExecutionProvider, InferError, Network, NetworkOptions, NetworkOutputs, Precision};
use crate::package::{InputSpec, Package};
use crate::preprocess::{PreprocessError, Preprocessor};
use crate::score::{Score, ScoreError, ScoreName, Scorers};
use crate::view::ViewConfig;

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
#[derive(Debug, Clone, Default)]
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

/// Which of a pipeline's fitted scores: those of the package that it was opened with, or of one that was added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FittedScores(usize);

/// Which of a pipeline's ways from a picture to the network's input: that of the package's own view, or of a camera that was
/// added. Each camera has one of its own, for its view and its kind of frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lens(usize);

/// Preprocessors, a network and the scores to compute, fitted once or in several ways.
pub struct Pipeline {
    input: InputSpec,
    /// By [`Lens`]; never empty.
    preprocessors: Vec<Preprocessor>,
    network: Network,
    scores: Vec<ScoreName>,
    /// By [`FittedScores`].
    scorers: Vec<Scorers>,
}

impl Pipeline {
    /// Opens a package's network for these scores. Pictures go through the view that the package was calibrated with.
    ///
    /// # Errors
    /// The package lacks what a score reads; ONNX Runtime, the execution provider or the network refuses.
    pub fn open(package: &Package, options: &NetworkOptions, scores: &[ScoreName]) -> Result<Self, PipelineError> {
        Ok(Self {
            scorers: vec![Scorers::new(scores, &package.model())?],
            scores: scores.to_vec(),
            input: package.manifest.input.clone(),
            preprocessors: vec![Preprocessor::with_view(&package.manifest.input, &package.manifest.view)?],
            network: Network::open(package, options)?,
        })
    }

    /// Adds the same scores as another package fitted them, one of the same network.
    ///
    /// # Errors
    /// The package lacks what a score reads.
    pub fn add(&mut self, package: &Package) -> Result<FittedScores, PipelineError> {
        self.scorers.push(Scorers::new(&self.scores, &package.model())?);
        Ok(FittedScores(self.scorers.len() - 1))
    }

    /// Adds a camera's view.
    ///
    /// # Errors
    /// An input of no pixels.
    pub fn add_lens(&mut self, view: &ViewConfig) -> Result<Lens, PipelineError> {
        self.preprocessors.push(Preprocessor::with_view(&self.input, view)?);
        Ok(Lens(self.preprocessors.len() - 1))
    }

    /// Looks at pictures through this view from now on, instead of the one that the package was calibrated with.
    ///
    /// # Errors
    /// An input of no pixels.
    pub fn set_view(&mut self, view: &ViewConfig) -> Result<(), PipelineError> {
        self.preprocessors[0] = Preprocessor::with_view(&self.input, view)?;
        Ok(())
    }

    /// The execution provider that the network runs on.
    pub fn execution_provider(&self) -> ExecutionProvider {
        self.network.execution_provider()
    }

    /// The number format that the network runs in.
    pub fn precision(&self) -> Precision {
        self.network.precision()
    }

    /// How the network was asked to run.
    pub fn network_options(&self) -> &NetworkOptions {
        self.network.options()
    }

    /// The network, for a self-test.
    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    /// The network and the scores that one of the packages fitted, for a self-test of what is at work.
    pub fn network_and_scorers(&mut self, fitted: FittedScores) -> Option<(&mut Network, &mut Scorers)> {
        Some((&mut self.network, self.scorers.get_mut(fitted.0)?))
    }

    /// The scores that are computed, in the order of [`Judged::scores`].
    pub fn scores(&self) -> &[ScoreName] {
        &self.scores
    }

    /// What the network says about one picture, without scores.
    ///
    /// # Errors
    /// A picture without pixels or of which the view leaves nothing, or a failure inside ONNX Runtime.
    pub fn infer<'p>(&mut self, picture: impl Into<Picture<'p>>) -> Result<NetworkOutputs, PipelineError> {
        let tensor = self.preprocessors[0].prepare(picture.into())?;
        let [channels, height, width] = self.input.chw();
        let batch = ArrayView4::from_shape((1, channels, height, width), tensor)
            .map_err(|_| InferError::Batch { found: vec![tensor.len()], wanted: self.input.chw() })?;
        Ok(self.network.run(batch)?)
    }

    /// Judges one picture: pixels, or a camera's raw frame.
    ///
    /// # Errors
    /// A picture without pixels or of which the view leaves nothing, a raw frame that is too short, or a failure inside ONNX
    /// Runtime.
    pub fn judge<'p>(&mut self, picture: impl Into<Picture<'p>>) -> Result<Judged, PipelineError> {
        let mut judged = Judged::default();
        self.judge_into(FittedScores::default(), Lens::default(), picture, &mut judged)?;
        Ok(judged)
    }

    /// Judges one picture by the scores that one of the packages fitted, through the view of one of the cameras. Scores of another
    /// pipeline are none, and a view of another pipeline is the package's.
    ///
    /// From the second picture of a size on this takes no memory, ONNX Runtime's own aside. After an error `judged` is what it was.
    ///
    /// # Errors
    /// As [`Self::judge`].
    pub fn judge_into<'p>(
        &mut self,
        fitted: FittedScores,
        lens: Lens,
        picture: impl Into<Picture<'p>>,
        judged: &mut Judged,
    ) -> Result<(), PipelineError> {
        let start = Instant::now();
        let lens = if lens.0 < self.preprocessors.len() { lens.0 } else { 0 };
        self.preprocessors[lens].prepare_into(picture.into(), self.network.input_mut())?;
        let prepared = Instant::now();
        let image = self.network.run_one()?;
        let outputs = image.outputs()?;
        let inferred = Instant::now();
        judged.scores.clear();
        if let Some(scorers) = self.scorers.get_mut(fitted.0) {
            judged.scores.extend_from_slice(scorers.score(&outputs));
        }
        judged.top_class = outputs.top_class();
        judged.timings =
            Timings { preprocess: prepared - start, infer: inferred - prepared, score: inferred.elapsed() };
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
