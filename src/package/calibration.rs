//! `calibration.safetensors`: the classifier head, and per score the sorted ID scores with threshold and rate.
//!
//! Tensors: `head.weight` [K, C] and `head.bias` [K] where the package has a head, `scores/<name>` [n] ascending,
//! `threshold/<name>` [1].

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView1, Ix1, Ix2};
use serde::{Deserialize, Serialize};

use super::tensors::{TensorWriter, Tensors, all_finite};
use super::{CALIBRATION_FILE, Manifest, PackageError};
use crate::score::ScoreName;

/// What was learned from in-distribution frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// The classifier head; absent where a network's last layer is not known to be linear in its features.
    pub head: Option<Head>,
    /// Per score: its ID scores and threshold.
    pub scores: BTreeMap<ScoreName, ScoreCalibration>,
    /// How many calibration frames set the thresholds.
    pub images: usize,
    /// Where they came from, in words.
    pub origin: String,
    /// Number format of the inference that the scores were computed with, such as `fp32`.
    pub precision: String,
    /// Execution provider of that inference, such as `cpu`.
    pub execution_provider: String,
}

/// The classifier head: logits = `weight` z + `bias`, with the pooled feature z.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Wc [K, C].
    pub weight: Array2<f32>,
    /// b, K of them.
    pub bias: Array1<f32>,
}

/// One score's calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreCalibration {
    /// Scores of the ID calibration frames, ascending, all finite.
    pub sorted_id_scores: Vec<f32>,
    /// A frame whose score is above this is flagged.
    pub threshold: f32,
    /// Per-frame false-alarm rate that the threshold was set for, in (0, 1).
    pub rate: f64,
}

/// What the tensors cannot hold.
#[derive(Serialize, Deserialize)]
struct Description {
    images: usize,
    origin: String,
    precision: String,
    execution_provider: String,
    rates: BTreeMap<ScoreName, f64>,
}

impl Calibration {
    /// Reads the file's bytes and compares every shape with the manifest.
    pub(super) fn parse(bytes: &[u8], manifest: &Manifest) -> Result<Self, PackageError> {
        let tensors = Tensors::parse(CALIBRATION_FILE, bytes)?;
        let description: Description = tensors.metadata()?;
        Ok(Self {
            scores: parse_scores(&tensors, &description)?,
            head: parse_head(&tensors, manifest)?,
            images: description.images,
            origin: description.origin,
            precision: description.precision,
            execution_provider: description.execution_provider,
        })
    }

    /// The file's bytes; the same calibration gives the same bytes.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, PackageError> {
        let mut writer = TensorWriter::default();
        if let Some(head) = &self.head {
            writer.add("head.weight", head.weight.view().into_dyn());
            writer.add("head.bias", head.bias.view().into_dyn());
        }
        for (name, score) in &self.scores {
            writer.add(format!("scores/{name}"), ArrayView1::from(&score.sorted_id_scores).into_dyn());
            writer.add(format!("threshold/{name}"), ArrayView1::from(&[score.threshold]).into_dyn());
        }
        let rates = self.scores.iter().map(|(name, score)| (*name, score.rate)).collect();
        writer.finish(
            CALIBRATION_FILE,
            &Description {
                images: self.images,
                origin: self.origin.clone(),
                precision: self.precision.clone(),
                execution_provider: self.execution_provider.clone(),
                rates,
            },
        )
    }
}

/// Both tensors or neither.
fn parse_head(tensors: &Tensors<'_>, manifest: &Manifest) -> Result<Option<Head>, PackageError> {
    if tensors.names_under("head.").is_empty() {
        return Ok(None);
    }
    let (classes, features) = (manifest.class_count(), manifest.output.features);
    let weight = tensors.array("head.weight", &[Some(classes), Some(features)])?;
    let bias = tensors.array("head.bias", &[Some(classes)])?;
    all_finite(CALIBRATION_FILE, "head.weight", &weight)?;
    all_finite(CALIBRATION_FILE, "head.bias", &bias)?;
    let (weight, bias) = (fixed::<Ix2>(weight, "head.weight")?, fixed::<Ix1>(bias, "head.bias")?);
    Ok(Some(Head { weight, bias }))
}

fn parse_scores(
    tensors: &Tensors<'_>,
    description: &Description,
) -> Result<BTreeMap<ScoreName, ScoreCalibration>, PackageError> {
    let mut scores = BTreeMap::new();
    for name in tensors.names_under("scores/") {
        let score_name: ScoreName = name
            .parse()
            .map_err(|error: crate::score::ScoreError| wrong_values(&format!("scores/{name}"), error.to_string()))?;
        scores.insert(score_name, parse_score(tensors, &name, score_name, description)?);
    }
    Ok(scores)
}

fn parse_score(
    tensors: &Tensors<'_>,
    name: &str,
    score_name: ScoreName,
    description: &Description,
) -> Result<ScoreCalibration, PackageError> {
    let tensor = format!("scores/{name}");
    let sorted_id_scores = tensors.array(&tensor, &[None])?.into_raw_vec_and_offset().0;
    all_finite(CALIBRATION_FILE, &tensor, &sorted_id_scores)?;
    if !sorted_id_scores.is_sorted() {
        return Err(wrong_values(&tensor, "the scores are not in ascending order".into()));
    }
    let threshold = tensors.array(&format!("threshold/{name}"), &[Some(1)])?[[0]];
    all_finite(CALIBRATION_FILE, &format!("threshold/{name}"), [&threshold])?;
    let rate = description.rates.get(&score_name).copied().unwrap_or(f64::NAN);
    if !(rate > 0.0 && rate < 1.0) {
        return Err(PackageError::Metadata {
            file: CALIBRATION_FILE.into(),
            key: "rates",
            problem: format!("rate of {name} is {rate}, wanted a number between 0 and 1"),
        });
    }
    Ok(ScoreCalibration { sorted_id_scores, threshold, rate })
}

fn wrong_values(tensor: &str, problem: String) -> PackageError {
    PackageError::TensorValues { file: CALIBRATION_FILE.into(), name: tensor.into(), problem }
}

/// Gives a checked array its static number of axes.
fn fixed<D: ndarray::Dimension>(
    array: ndarray::ArrayD<f32>,
    name: &str,
) -> Result<ndarray::Array<f32, D>, PackageError> {
    array.into_dimensionality::<D>().map_err(|error| wrong_values(name, error.to_string()))
}
