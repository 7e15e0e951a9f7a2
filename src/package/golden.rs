//! `golden.safetensors`: seeded synthetic inputs with the outputs and scores that they gave.
//!
//! At every start the network is run on these inputs: a machine, driver or runtime that computes something else is
//! found before the first verdict. The inputs are already preprocessed noise, not pictures of anybody's data set.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array, Array2, Array3, Array4, ArrayView1, Dimension, Ix2, Ix3, Ix4};
use serde::{Deserialize, Serialize};

use super::tensors::{TensorWriter, Tensors, all_finite};
use super::{Calibration, GOLDEN_FILE, GoldenInputs, Manifest, PackageError};
use crate::infer::{NetworkOutputs, row};
use crate::score::{Model, Outputs, ScoreError, ScoreName, Scorers};

/// The tolerance of golden outputs in new packages: |got - want| <= tolerance * (1 + |want|). Other processors round
/// differently by some 1e-5, wrong weights or inputs differ by far more than this.
pub const GOLDEN_TOLERANCE: f32 = 5e-4;

/// What of an output is held to the tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Every value.
    #[default]
    Value,
    /// The root mean square of an input's differences, by that of all golden values of the output. A value that two implementations of a quantised network round to
    /// neighbouring steps changes whatever is computed of it: single values are far off then, though both are right. A score is
    /// such a value, so scores are computed of the golden outputs, and held to [`GOLDEN_TOLERANCE`].
    RootMeanSquare,
}

/// Inputs and what the network makes of them. N is the number of inputs, at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// Preprocessed inputs [N, 3, H, W].
    pub inputs: GoldenInputs,
    /// `logits` [N, K].
    pub logits: Array2<f32>,
    /// `features` [N, C].
    pub features: Array2<f32>,
    /// `local_norms` [N, H, W] where the network has them.
    pub local_norms: Option<Array3<f32>>,
    /// `local_logits` [N, K, H, W] where the network has them.
    pub local_logits: Option<Array4<f32>>,
    /// Scores of each input, N per score.
    pub scores: BTreeMap<ScoreName, Vec<f32>>,
    /// A value `got` passes when |got - want| <= tolerance * (1 + |want|).
    pub tolerance: f32,
    /// What has to pass.
    pub measure: Measure,
}

#[derive(Serialize, Deserialize)]
struct Description {
    tolerance: f32,
    #[serde(default, skip_serializing_if = "is_value")]
    measure: Measure,
}

// serde hands this a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_value(measure: &Measure) -> bool {
    *measure == Measure::Value
}

impl Golden {
    /// Inputs there are.
    pub fn count(&self) -> usize {
        self.logits.shape()[0]
    }

    /// Of inputs and what the network makes of them, with the scores of [`Self::score`]. Every value is held to the tolerance.
    ///
    /// # Errors
    /// As [`Self::score`].
    pub fn new(
        inputs: Array4<f32>,
        outputs: NetworkOutputs,
        tolerance: f32,
        manifest: &Manifest,
        calibration: &Calibration,
    ) -> Result<Self, ScoreError> {
        let NetworkOutputs { logits, features, local_norms, local_logits } = outputs;
        let (inputs, scores, measure) = (inputs.into(), BTreeMap::new(), Measure::Value);
        let mut golden = Self { inputs, logits, features, local_norms, local_logits, scores, tolerance, measure };
        golden.score(manifest, calibration)?;
        Ok(golden)
    }

    /// What the network made of one input.
    pub fn outputs(&self, input: usize) -> Outputs<'_> {
        Outputs {
            logits: row(&self.logits, input),
            features: row(&self.features, input),
            local_norms: self.local_norms.as_ref().map(|norms| row(norms, input)),
            local_logits: self.local_logits.as_ref().map(|logits| row(logits, input)),
        }
    }

    /// Computes the scores of every input anew from the stored outputs: those that `calibration` has thresholds for, or
    /// that need no fit.
    ///
    /// # Errors
    /// A score that the package cannot have.
    pub fn score(&mut self, manifest: &Manifest, calibration: &Calibration) -> Result<(), ScoreError> {
        let model = Model::new(manifest, calibration.head.as_ref(), &calibration.fitted);
        let unfitted = ScoreName::PLAIN.iter().filter(|name| !name.needs().fit && model.lacks(**name).is_none());
        let names: BTreeSet<ScoreName> = unfitted.chain(calibration.scores.keys()).copied().collect();
        let names: Vec<ScoreName> = names.into_iter().collect();
        let mut scorers = Scorers::new(&names, &model)?;
        self.scores = names.iter().map(|name| (*name, Vec::new())).collect();
        for index in 0..self.logits.shape()[0] {
            let scores: Vec<_> = scorers.score(&self.outputs(index)).iter().map(|score| score.0).collect();
            for (name, score) in names.iter().zip(scores) {
                self.scores.entry(*name).or_default().push(score);
            }
        }
        Ok(())
    }

    /// Reads the file's bytes and compares every shape with the manifest.
    ///
    /// # Errors
    /// No safetensors file, or tensors that are not finite or contradict the manifest.
    pub fn parse(bytes: &[u8], manifest: &Manifest) -> Result<Self, PackageError> {
        let tensors = Tensors::parse(GOLDEN_FILE, bytes)?;
        let description: Description = tensors.metadata()?;
        let [channels, height, width] = manifest.input.chw();
        let (axes, values) = tensors.values("inputs", &[None, Some(channels), Some(height), Some(width)])?;
        let count = axes.first().copied().unwrap_or(0);
        let inputs = GoldenInputs::new([count, channels, height, width], values);
        if let Some(place) = inputs.not_finite() {
            return Err(wrong_values("inputs", format!("value {place} is not finite")));
        }
        check_usable(count, description.tolerance)?;
        let classes = manifest.class_count();
        let (local_norms, local_logits) = parse_local(&tensors, manifest, count)?;
        Ok(Self {
            logits: read::<Ix2>(&tensors, "logits", &[Some(count), Some(classes)])?,
            features: read::<Ix2>(&tensors, "features", &[Some(count), Some(manifest.output.features)])?,
            scores: parse_scores(&tensors, count)?,
            tolerance: description.tolerance,
            measure: description.measure,
            inputs,
            local_norms,
            local_logits,
        })
    }

    /// The file's bytes; the same content gives the same bytes.
    ///
    /// # Errors
    /// Values that no such file can hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackageError> {
        let mut writer = TensorWriter::default();
        writer.add("inputs", self.inputs.to_array().view().into_dyn());
        writer.add("logits", self.logits.view().into_dyn());
        writer.add("features", self.features.view().into_dyn());
        if let Some(norms) = &self.local_norms {
            writer.add("local_norms", norms.view().into_dyn());
        }
        if let Some(logits) = &self.local_logits {
            writer.add("local_logits", logits.view().into_dyn());
        }
        for (name, scores) in &self.scores {
            writer.add(format!("scores/{name}"), ArrayView1::from(scores).into_dyn());
        }
        writer.finish(GOLDEN_FILE, &Description { tolerance: self.tolerance, measure: self.measure })
    }
}

fn check_usable(count: usize, tolerance: f32) -> Result<(), PackageError> {
    if count == 0 {
        return Err(wrong_values("inputs", "there are none; a self-test needs at least one".into()));
    }
    if !(tolerance > 0.0 && tolerance < 1.0) {
        return Err(PackageError::Metadata {
            file: GOLDEN_FILE.into(),
            key: "tolerance",
            problem: format!("is {tolerance}, wanted a number between 0 and 1"),
        });
    }
    Ok(())
}

type Local = (Option<Array3<f32>>, Option<Array4<f32>>);

fn parse_local(tensors: &Tensors<'_>, manifest: &Manifest, count: usize) -> Result<Local, PackageError> {
    let Some(local) = manifest.output.local else {
        return Ok((None, None));
    };
    let (height, width) = (Some(local.height), Some(local.width));
    let norms = read::<Ix3>(tensors, "local_norms", &[Some(count), height, width])?;
    let classes = Some(manifest.class_count());
    let logits = read::<Ix4>(tensors, "local_logits", &[Some(count), classes, height, width])?;
    Ok((Some(norms), Some(logits)))
}

fn parse_scores(tensors: &Tensors<'_>, count: usize) -> Result<BTreeMap<ScoreName, Vec<f32>>, PackageError> {
    let mut scores = BTreeMap::new();
    for name in tensors.names_under("scores/") {
        let tensor = format!("scores/{name}");
        let score: ScoreName = name.parse().map_err(|error: ScoreError| wrong_values(&tensor, error.to_string()))?;
        let values = tensors.array(&tensor, &[Some(count)])?;
        all_finite(GOLDEN_FILE, &tensor, &values)?;
        scores.insert(score, values.into_raw_vec_and_offset().0);
    }
    Ok(scores)
}

fn read<D: Dimension>(
    tensors: &Tensors<'_>,
    name: &str,
    wanted: &[Option<usize>],
) -> Result<Array<f32, D>, PackageError> {
    let array = tensors.array(name, wanted)?;
    all_finite(GOLDEN_FILE, name, &array)?;
    array.into_dimensionality::<D>().map_err(|error| wrong_values(name, error.to_string()))
}

fn wrong_values(tensor: &str, problem: String) -> PackageError {
    PackageError::TensorValues { file: GOLDEN_FILE.into(), name: tensor.into(), problem }
}
