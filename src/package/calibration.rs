//! `calibration.safetensors`: the classifier head, what the scores were fitted to, and per score the sorted ID scores.
//!
//! Tensors: `head.weight` [K, C], `head.bias` [K] where the package has a head; `fitted/<score>/<tensor>`;
//! `scores/<name>` [n] ascending.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use ndarray::{Array1, Array2, ArrayView1, Ix1, Ix2};
use serde::{Deserialize, Serialize};

use super::tensors::{TensorWriter, Tensors, all_finite};
use super::{CALIBRATION_FILE, Manifest, PackageError};
use crate::calibrate::{CalibratedPolicy, Criterion, Fusion, Reference, ScoreCalibration, Target};
use crate::score::{Fitted, Parameters, ScoreName, State};

/// What was learned from in-distribution frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// The classifier head, where it could be had.
    pub head: Option<Head>,
    /// What the scores were fitted to.
    pub fitted: Fitted,
    /// Per score: its ID scores and threshold.
    pub scores: BTreeMap<ScoreName, ScoreCalibration>,
    /// Per fusion: the combined scores of ID frames and their threshold.
    pub fusions: BTreeMap<Fusion, ScoreCalibration>,
    /// How many calibration frames set the thresholds.
    pub images: usize,
    /// Where they came from, in words.
    pub origin: String,
    /// Number format of the inference that the scores were computed with, such as `fp32`.
    pub precision: String,
    /// Execution provider of that inference, such as `cpu`.
    pub execution_provider: String,
}

/// The classifier head: logits y = Wc z + b of the pooled features z.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Wc [K, C].
    pub weight: Array2<f32>,
    /// b [K].
    pub bias: Array1<f32>,
}

/// What the tensors cannot hold.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    images: usize,
    origin: String,
    precision: String,
    execution_provider: String,
    targets: BTreeMap<String, Target>,
    /// Per score or fusion: what raises the alarm over time, where that was calibrated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    policies: BTreeMap<String, CalibratedPolicy>,
    parameters: Parameters,
    fitted_images: usize,
    fitted_origin: String,
    /// Single numbers of the fitted state, by score and name.
    numbers: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Calibration {
    /// Reads the file's bytes and compares every shape with the manifest.
    ///
    /// # Errors
    /// No safetensors file, or tensors and numbers that contradict each other or the manifest.
    pub fn parse(bytes: &[u8], manifest: &Manifest) -> Result<Self, PackageError> {
        let tensors = Tensors::parse(CALIBRATION_FILE, bytes)?;
        let description: Description = tensors.metadata()?;
        description.parameters.check().map_err(|error| PackageError::Metadata {
            file: CALIBRATION_FILE.into(),
            key: "parameters",
            problem: error.to_string(),
        })?;
        let head = parse_head(&tensors, manifest)?;
        let mut thresholds = Thresholds::parse(&tensors, &description, manifest.class_count())?;
        Ok(Self {
            head,
            fitted: parse_fitted(&tensors, &description)?,
            fusions: thresholds.take(|name| name.contains('('))?,
            scores: thresholds.take(|_| true)?,
            images: description.images,
            origin: description.origin,
            precision: description.precision,
            execution_provider: description.execution_provider,
        })
    }

    /// The file's bytes; the same calibration gives the same bytes.
    ///
    /// # Errors
    /// Values that no such file can hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackageError> {
        let mut writer = TensorWriter::default();
        if let Some(head) = &self.head {
            writer.add("head.weight", head.weight.view().into_dyn());
            writer.add("head.bias", head.bias.view().into_dyn());
        }
        for (score, state) in &self.fitted.states {
            for (name, tensor) in &state.tensors {
                writer.add(format!("fitted/{score}/{name}"), tensor.view());
            }
        }
        for (name, score) in self.named() {
            add_score(&mut writer, &name, score);
        }
        let numbers = self.fitted.states.iter().map(|(score, state)| (score.clone(), state.numbers.clone()));
        writer.finish(
            CALIBRATION_FILE,
            &Description {
                images: self.images,
                origin: self.origin.clone(),
                precision: self.precision.clone(),
                execution_provider: self.execution_provider.clone(),
                targets: self.named().map(|(name, score)| (name, score.target)).collect(),
                policies: self.named().filter_map(|(name, score)| Some((name, score.policy.clone()?))).collect(),
                parameters: self.fitted.parameters.clone(),
                fitted_images: self.fitted.images,
                fitted_origin: self.fitted.origin.clone(),
                numbers: numbers.collect(),
            },
        )
    }

    /// Gives a criterion its policy over time; one that is not calibrated gets none.
    pub fn set_policy(&mut self, criterion: &Criterion, policy: CalibratedPolicy) {
        let calibration = match criterion {
            Criterion::Score(score) => self.scores.get_mut(score),
            Criterion::Fusion(fusion) => self.fusions.get_mut(fusion),
        };
        if let Some(calibration) = calibration {
            calibration.policy = Some(policy);
        }
    }

    /// Scores, then fusions, with their names.
    fn named(&self) -> impl Iterator<Item = (String, &ScoreCalibration)> {
        let scores = self.scores.iter().map(|(name, score)| (name.to_string(), score));
        scores.chain(self.fusions.iter().map(|(name, score)| (name.to_string(), score)))
    }
}

fn add_score(writer: &mut TensorWriter, name: &str, score: &ScoreCalibration) {
    let mut add = |place: String, reference: &Reference| {
        writer.add(format!("scores/{place}"), ArrayView1::from(reference.scores()).into_dyn());
        writer.add(format!("threshold/{place}"), ArrayView1::from(&[reference.threshold()]).into_dyn());
    };
    add(name.to_string(), &score.all);
    for (class, reference) in score.per_class.iter().flatten().enumerate() {
        add(format!("{name}/{class}"), reference);
    }
}

fn parse_head(tensors: &Tensors<'_>, manifest: &Manifest) -> Result<Option<Head>, PackageError> {
    if tensors.names_under("head.").is_empty() {
        return Ok(None);
    }
    let (classes, features) = (manifest.class_count(), manifest.output.features);
    let weight = tensors.array("head.weight", &[Some(classes), Some(features)])?;
    let bias = tensors.array("head.bias", &[Some(classes)])?;
    all_finite(CALIBRATION_FILE, "head.weight", &weight)?;
    all_finite(CALIBRATION_FILE, "head.bias", &bias)?;
    Ok(Some(Head { weight: fixed::<Ix2>(weight, "head.weight")?, bias: fixed::<Ix1>(bias, "head.bias")? }))
}

/// Shapes are compared with the network's when a score is built from its state.
fn parse_fitted(tensors: &Tensors<'_>, description: &Description) -> Result<Fitted, PackageError> {
    let mut states: BTreeMap<String, State> = BTreeMap::new();
    for name in tensors.names_under("fitted/") {
        let tensor = format!("fitted/{name}");
        let (score, part) = name
            .split_once('/')
            .ok_or_else(|| wrong_values(&tensor, "its name is not of the form fitted/<score>/<tensor>".into()))?;
        let array = tensors.any_array(&tensor)?;
        all_finite(CALIBRATION_FILE, &tensor, &array)?;
        states.entry(score.into()).or_default().tensors.insert(part.into(), array);
    }
    for (score, numbers) in &description.numbers {
        states.entry(score.clone()).or_default().numbers.clone_from(numbers);
    }
    Ok(Fitted {
        parameters: description.parameters.clone(),
        states,
        images: description.fitted_images,
        origin: description.fitted_origin.clone(),
    })
}

/// Calibrations by the text of their name, on the way to their typed names.
struct Thresholds(BTreeMap<String, ScoreCalibration>);

impl Thresholds {
    fn parse(tensors: &Tensors<'_>, description: &Description, classes: usize) -> Result<Self, PackageError> {
        let names = tensors.names_under("scores/");
        let calibration = |name: &String| {
            let wrong = |key, problem| PackageError::Metadata { file: CALIBRATION_FILE.into(), key, problem };
            let missing = || wrong("targets", format!("target of {name} is missing"));
            let target = *description.targets.get(name).ok_or_else(missing)?;
            let policy = description.policies.get(name).cloned();
            policy
                .iter()
                .try_for_each(|calibrated| calibrated.policy.check())
                .map_err(|problem| wrong("policies", format!("{name}: {problem}")))?;
            let of_class = |class: usize| parse_reference(tensors, &format!("{name}/{class}"), target);
            // One class that has scores of its own means that every class must. Names are sorted.
            let prefix = format!("{name}/");
            let next = names.get(names.partition_point(|other| *other < prefix));
            let per_class = next.is_some_and(|other| other.starts_with(&prefix));
            Ok((
                name.clone(),
                ScoreCalibration {
                    target,
                    all: parse_reference(tensors, name, target)?,
                    per_class: per_class.then(|| (0..classes).map(of_class).collect()).transpose()?,
                    policy,
                },
            ))
        };
        let whole = names.iter().filter(|name| !name.contains('/'));
        whole.map(calibration).collect::<Result<_, PackageError>>().map(Self)
    }

    /// Those whose name is one of `ours`, by their typed name.
    fn take<N: FromStr<Err: Display> + Ord>(
        &mut self,
        ours: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<N, ScoreCalibration>, PackageError> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|(name, _)| ours(name));
        self.0 = left;
        let typed = |(name, score): (String, ScoreCalibration)| match name.parse() {
            Ok(typed) => Ok((typed, score)),
            Err(error) => Err(wrong_values(&format!("scores/{name}"), N::Err::to_string(&error))),
        };
        BTreeMap::into_iter(taken).map(typed).collect()
    }
}

/// The scores, and proof that their threshold is the one that the target draws.
fn parse_reference(tensors: &Tensors<'_>, name: &str, target: Target) -> Result<Reference, PackageError> {
    let tensor = format!("scores/{name}");
    let scores = tensors.array(&tensor, &[None])?.into_raw_vec_and_offset().0;
    all_finite(CALIBRATION_FILE, &tensor, &scores)?;
    if !scores.is_sorted() {
        return Err(wrong_values(&tensor, "the scores are not in ascending order".into()));
    }
    let reference = Reference::new(scores, target).map_err(|error| wrong_values(&tensor, error.to_string()))?;
    let tensor = format!("threshold/{name}");
    let threshold = tensors.array(&tensor, &[Some(1)])?[[0]];
    if threshold != reference.threshold() {
        let wanted = reference.threshold();
        let problem = format!("is {threshold}, but its scores and a false-alarm rate of {target} give {wanted}");
        return Err(wrong_values(&tensor, problem));
    }
    Ok(reference)
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
