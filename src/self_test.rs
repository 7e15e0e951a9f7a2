//! Proves at every start that this machine computes what the package's maker computed.
//!
//! Another ONNX Runtime, driver or processor may round differently, within the package's tolerance; anything
//! beyond is a refusal, because every threshold was set on the maker's numbers.

use crate::infer::{InferError, Network, NetworkOutputs};
use crate::package::Golden;
use crate::score::{Model, Score, ScoreError, ScoreName, Scorers};

/// What the self-test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelfTest {
    /// Golden inputs that were run.
    pub inputs: usize,
    /// The largest |got - want| / (1 + |want|) over all outputs and scores.
    pub largest_deviation: f32,
}

/// Why a machine may not run a package.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// The network could not be run.
    #[error("self-test: {0}")]
    Infer(#[from] InferError),
    /// A score of the golden vectors cannot be computed.
    #[error("self-test: {0}")]
    Score(#[from] ScoreError),
    /// A value is not the one in the package.
    #[error(
        "self-test failed: {what} of golden input {input} is {got}, the package wants {want} within {tolerance}: \
         this machine computes something else than the one that made the package"
    )]
    Differs {
        /// Output or score.
        what: String,
        /// Number of the golden input.
        input: usize,
        /// What this machine computes.
        got: f32,
        /// What the package holds.
        want: f32,
        /// The package's tolerance.
        tolerance: f32,
    },
}

/// Runs the golden inputs through the network and compares outputs and scores: all that the golden vectors hold, or
/// `only` some, which is quicker to start. `model` is what the scores are built for.
///
/// # Errors
/// A value outside the package's tolerance, a score that cannot be computed, or a network that does not run.
pub fn run(
    network: &mut Network,
    golden: &Golden,
    model: &Model<'_>,
    only: Option<&[ScoreName]>,
) -> Result<SelfTest, SelfTestError> {
    let names: Vec<ScoreName> =
        golden.scores.keys().copied().filter(|name| only.is_none_or(|only| only.contains(name))).collect();
    let mut scorers = Scorers::new(&names, model)?;
    let outputs = network.run(golden.inputs.view())?;
    let mut comparison = Comparison { golden, largest_deviation: 0.0 };
    comparison.outputs(&outputs)?;
    comparison.scores(&outputs, &mut scorers)?;
    Ok(SelfTest { inputs: outputs.count(), largest_deviation: comparison.largest_deviation })
}

struct Comparison<'a> {
    golden: &'a Golden,
    largest_deviation: f32,
}

impl Comparison<'_> {
    fn outputs(&mut self, got: &NetworkOutputs) -> Result<(), SelfTestError> {
        let golden = self.golden;
        self.tensor("logits", got.logits.iter(), golden.logits.iter())?;
        self.tensor("features", got.features.iter(), golden.features.iter())?;
        if let (Some(got), Some(want)) = (&got.local_norms, &golden.local_norms) {
            self.tensor("local_norms", got.iter(), want.iter())?;
        }
        if let (Some(got), Some(want)) = (&got.local_logits, &golden.local_logits) {
            self.tensor("local_logits", got.iter(), want.iter())?;
        }
        Ok(())
    }

    fn tensor<'v>(
        &mut self,
        what: &str,
        got: impl ExactSizeIterator<Item = &'v f32>,
        want: impl Iterator<Item = &'v f32>,
    ) -> Result<(), SelfTestError> {
        let per_input = (got.len() / self.golden.logits.shape()[0]).max(1);
        for (index, (got, want)) in got.zip(want).enumerate() {
            self.value(what, index / per_input, *got, *want)?;
        }
        Ok(())
    }

    fn scores(&mut self, outputs: &NetworkOutputs, scorers: &mut Scorers) -> Result<(), SelfTestError> {
        let golden = self.golden;
        let names = scorers.names().to_vec();
        for (index, image) in outputs.images().enumerate() {
            for (name, Score(got)) in names.iter().zip(scorers.score(&image)) {
                self.value(&format!("score {name}"), index, *got, golden.scores[name][index])?;
            }
        }
        Ok(())
    }

    fn value(&mut self, what: &str, input: usize, got: f32, want: f32) -> Result<(), SelfTestError> {
        if !self.golden.agrees(got, want) {
            let tolerance = self.golden.tolerance;
            return Err(SelfTestError::Differs { what: what.into(), input, got, want, tolerance });
        }
        self.largest_deviation = self.largest_deviation.max((got - want).abs() / (1.0 + want.abs()));
        Ok(())
    }
}
