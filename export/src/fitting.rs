//! Fits the scores of a network on labelled ID pictures: those that it was trained on, as the papers do.
//!
//! Evaluation runs libtorch, export runs ONNX Runtime; both take the pictures in the same order through the same code.

use indicatif::ProgressBar;
use ndarray::ArrayView4;
use oodwatch::fit::{Fit, FitError};
use oodwatch::infer::NetworkOutputs;
use oodwatch::package::{Head, InputSpec};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::{Fitted, Parameters, ScoreName};

use crate::pictures::{PictureError, Pictures};

/// The pictures, and which scores to fit on them how.
pub(crate) struct FitTask<'a> {
    /// What the network takes.
    pub(crate) input: &'a InputSpec,
    /// K.
    pub(crate) classes: usize,
    /// C.
    pub(crate) features: usize,
    pub(crate) head: Option<&'a Head>,
    pub(crate) pictures: &'a Pictures,
    pub(crate) batch_size: usize,
    pub(crate) names: &'a [ScoreName],
    pub(crate) parameters: &'a Parameters,
    /// Where the pictures come from, in words.
    pub(crate) origin: &'a str,
    pub(crate) bar: &'a ProgressBar,
}

impl FitTask<'_> {
    /// Runs all pictures through `forward`, and fits.
    pub(crate) fn run<E: From<PictureError> + From<FitError>>(
        &self,
        mut forward: impl FnMut(ArrayView4<'_, f32>) -> Result<NetworkOutputs, E>,
    ) -> Result<Fitted, E> {
        let mut preprocessor = Preprocessor::new(self.input).map_err(PictureError::from)?;
        let mut fit = Fit::new(self.names, self.classes, self.features, self.head, self.parameters.clone());
        let indices: Vec<usize> = (0..self.pictures.len()).collect();
        for indices in indices.chunks(self.batch_size) {
            let batch = self.pictures.batch(indices, &mut preprocessor, self.input.chw())?;
            for (image, index) in forward(batch.view())?.images().zip(indices) {
                fit.add(&image, self.pictures.label(*index))?;
            }
            self.bar.inc(indices.len() as u64);
        }
        Ok(fit.finish(self.origin)?)
    }
}
