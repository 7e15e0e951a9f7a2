//! Proves at every start, and again while running, that this machine computes what the package's maker computed.
//!
//! Another ONNX Runtime, driver or processor may round differently, within the package's tolerance; anything
//! beyond is a refusal, because every threshold was set on the maker's numbers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::infer::{InferError, Network};
use crate::package::{GOLDEN_TOLERANCE, Golden, Measure};
use crate::score::{Model, Outputs, Score, ScoreError, ScoreName, Scorers};

/// `[self_test]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfTestConfig {
    /// Seconds from one self-test of a running monitor to the next; 0 for none but at the start and on demand.
    pub every_s: f64,
}

impl Default for SelfTestConfig {
    /// Once an hour: a few frames' time for a machine that got hot, or whose memory or driver broke, since it started.
    fn default() -> Self {
        Self { every_s: 3_600.0 }
    }
}

impl SelfTestConfig {
    /// The first key whose value is out of range: the key, what it holds, what it may hold.
    pub fn wrong_value(&self) -> Option<(&'static str, String, &'static str)> {
        let wrong = !(self.every_s == 0.0 || (1.0..=31_536_000.0).contains(&self.every_s));
        wrong.then(|| ("every_s", self.every_s.to_string(), "0, or 1 to 31536000"))
    }

    /// Time from one to the next, if there are any.
    pub fn every(&self) -> Option<Duration> {
        (self.every_s > 0.0).then(|| Duration::from_secs_f64(self.every_s))
    }
}

/// What the self-test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelfTest {
    /// Golden inputs that were run.
    pub inputs: usize,
    /// The largest |got - want| / (1 + |want|) over all outputs and scores, or root mean squares of them ([`Measure`]).
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
/// One input at a time, the way that frames take: all at once would prove another way, and ONNX Runtime keeps for ever the memory that
/// the largest batch took.
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
    let mut largest_deviation: f32 = 0.0;
    for input in 0..golden.count() {
        largest_deviation = largest_deviation.max(run_one(network, golden, &mut scorers, input)?);
    }
    Ok(SelfTest { inputs: golden.count(), largest_deviation })
}

/// Runs one golden input, by itself as a frame is, through a network and the scorers of its package, which are at work. Gives
/// the largest deviation.
///
/// # Errors
/// As [`run()`]; also where there is no such input.
pub fn run_one(
    network: &mut Network,
    golden: &Golden,
    scorers: &mut Scorers,
    input: usize,
) -> Result<f32, SelfTestError> {
    let input = input.min(golden.count().saturating_sub(1));
    golden.inputs.write(input, network.input_mut());
    let image = network.run_one()?;
    let mut comparison = Comparison { golden, input, largest_deviation: 0.0 };
    let outputs = image.outputs()?;
    comparison.outputs(&outputs)?;
    comparison.scores(&outputs, scorers)?;
    Ok(comparison.largest_deviation)
}

/// Holds what one golden input gave against what it has to give.
struct Comparison<'a> {
    golden: &'a Golden,
    input: usize,
    largest_deviation: f32,
}

impl Comparison<'_> {
    fn outputs(&mut self, got: &Outputs<'_>) -> Result<(), SelfTestError> {
        let golden = self.golden;
        self.tensor("logits", got.logits, golden.logits.iter())?;
        self.tensor("features", got.features, golden.features.iter())?;
        if let (Some(got), Some(want)) = (got.local_norms, &golden.local_norms) {
            self.tensor("local_norms", got, want.iter())?;
        }
        if let (Some(got), Some(want)) = (got.local_logits, &golden.local_logits) {
            self.tensor("local_logits", got, want.iter())?;
        }
        Ok(())
    }

    /// `want` holds the values of all golden inputs, one after the other.
    fn tensor<'v>(
        &mut self,
        what: &str,
        got: &[f32],
        want: impl Iterator<Item = &'v f32> + Clone,
    ) -> Result<(), SelfTestError> {
        let tolerance = self.golden.tolerance;
        let of_input = want.clone().skip(self.input * got.len());
        let mut pairs = got.iter().copied().zip(of_input.copied());
        match self.golden.measure {
            Measure::Value => pairs.try_for_each(|pair| self.value(what, pair, tolerance)),
            Measure::RootMeanSquare => {
                let what = format!("{what} (root mean square of the difference, by that of all golden values)");
                let difference = root_mean_square(pairs.map(|(got, want)| f64::from(got) - f64::from(want)));
                let relative = difference / root_mean_square(want.map(|want| f64::from(*want))).max(f64::MIN_POSITIVE);
                self.value(&what, (relative as f32, 0.0), tolerance)
            }
        }
    }

    fn scores(&mut self, image: &Outputs<'_>, scorers: &mut Scorers) -> Result<(), SelfTestError> {
        let golden = self.golden;
        let names = scorers.names().to_vec();
        let golden_image;
        let (scored, tolerance) = match golden.measure {
            Measure::Value => (image, golden.tolerance),
            Measure::RootMeanSquare => {
                golden_image = golden.outputs(self.input);
                (&golden_image, GOLDEN_TOLERANCE)
            }
        };
        for (name, Score(got)) in names.iter().zip(scorers.score(scored)) {
            // Fewer scores than these are golden where a package was made for some only.
            if let Some(want) = golden.scores.get(name).and_then(|scores| scores.get(self.input)) {
                self.value(&format!("score {name}"), (*got, *want), tolerance)?;
            }
        }
        Ok(())
    }

    fn value(&mut self, what: &str, (got, want): (f32, f32), tolerance: f32) -> Result<(), SelfTestError> {
        if !agrees(got, want, tolerance) {
            let input = self.input;
            return Err(SelfTestError::Differs { what: what.into(), input, got, want, tolerance });
        }
        self.largest_deviation = self.largest_deviation.max((got - want).abs() / (1.0 + want.abs()));
        Ok(())
    }
}

/// Whether `got` is as good as `want`; NaN never is.
fn agrees(got: f32, want: f32, tolerance: f32) -> bool {
    want.is_finite() && (got - want).abs() <= tolerance * (1.0 + want.abs())
}

fn root_mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value * value, count + 1));
    (sum / f64::from(count.max(1))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_mean_square_forgives_one_value_and_neither_many_nor_one_that_is_no_number() {
        let of = |off: usize, by: f64| root_mean_square((0..100).map(|at| if at < off { by } else { 0.0 }));
        assert!((of(1, 2.0) - 0.2).abs() < 1e-9 && (of(100, 2.0) - 2.0).abs() < 1e-9);
        assert!(of(1, f64::NAN).is_nan() && of(1, f64::INFINITY).is_infinite());
        assert_eq!(root_mean_square(std::iter::empty()), 0.0);
    }

    #[test]
    fn once_an_hour_is_the_default_and_what_cannot_be_meant_is_named() {
        let config = |every_s| SelfTestConfig { every_s };
        assert_eq!(SelfTestConfig::default().every(), Some(Duration::from_secs(3_600)));
        assert_eq!((config(0.0).every(), config(0.0).wrong_value()), (None, None));
        for wrong in [-1.0, 0.5, f64::NAN, f64::INFINITY] {
            assert_eq!(config(wrong).wrong_value().unwrap().0, "every_s");
        }
    }
}
