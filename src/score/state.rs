//! What fitting leaves behind: named tensors and numbers per score, as `calibration.safetensors` keeps them.

use std::collections::BTreeMap;

use ndarray::{Array, Array1, Array2, ArrayD, Dimension, Ix1, Ix2};

use super::fits::state_of;
use super::{Parameters, ScoreError, ScoreName};

/// The fitted state of all scores, with the settings that it was fitted with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fitted {
    /// Settings of the scores, fitted or not.
    pub parameters: Parameters,
    /// State by the name of the score that it was fitted for (`knn`, `mahalanobis`, ...; rectifiers without what they
    /// are composed with).
    pub states: BTreeMap<String, State>,
    /// How many ID frames it was fitted on.
    pub images: usize,
    /// Where they came from, in words.
    pub origin: String,
}

/// The fitted state of one score.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// Arrays, in f32 as they are read at every frame.
    pub tensors: BTreeMap<String, ArrayD<f32>>,
    /// Single numbers.
    pub numbers: BTreeMap<String, f64>,
}

impl State {
    /// Adds a tensor.
    #[must_use]
    pub fn with_tensor<D: Dimension>(mut self, name: &str, array: Array<f32, D>) -> Self {
        self.tensors.insert(name.into(), array.into_dyn());
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn with_number(mut self, name: &str, number: f64) -> Self {
        self.numbers.insert(name.into(), number);
        self
    }

    /// Size of the tensors in bytes.
    pub fn bytes(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.len() * size_of::<f32>()).sum()
    }
}

/// A score's state, read with errors that name score and tensor.
#[derive(Debug, Clone, Copy)]
pub struct StateReader<'a> {
    score: &'static str,
    state: &'a State,
}

impl Fitted {
    /// The state that was fitted for `score`.
    ///
    /// # Errors
    /// There is none.
    pub fn state(&self, score: &'static str) -> Result<StateReader<'_>, ScoreError> {
        let state = self.states.get(score).ok_or(ScoreError::NotFitted { score })?;
        Ok(StateReader { score, state })
    }
}

impl Fitted {
    /// The name of the state that a score reads; none for a score that is not fitted.
    pub fn state_name(score: ScoreName) -> Option<&'static str> {
        state_of(score)
    }

    /// Whether there is the state that a score reads.
    pub fn serves(&self, score: ScoreName) -> bool {
        state_of(score).is_some_and(|state| self.states.contains_key(state))
    }
}

impl StateReader<'_> {
    /// A tensor of one axis; `None` leaves its length free.
    ///
    /// # Errors
    /// It is missing or has another shape.
    pub fn vector(&self, tensor: &'static str, length: Option<usize>) -> Result<Array1<f32>, ScoreError> {
        self.array::<Ix1>(tensor, &[length])
    }

    /// A tensor of two axes; `None` leaves a length free.
    ///
    /// # Errors
    /// It is missing or has another shape.
    pub fn matrix(&self, tensor: &'static str, shape: [Option<usize>; 2]) -> Result<Array2<f32>, ScoreError> {
        self.array::<Ix2>(tensor, &shape)
    }

    /// A number.
    ///
    /// # Errors
    /// It is missing.
    pub fn number(&self, name: &'static str) -> Result<f64, ScoreError> {
        let missing =
            || ScoreError::State { score: self.score, name, found: "nothing".into(), wanted: "a finite number".into() };
        self.state.numbers.get(name).copied().filter(|number| number.is_finite()).ok_or_else(missing)
    }

    /// Whether there is such a tensor.
    pub(super) fn has(&self, tensor: &str) -> bool {
        self.state.tensors.contains_key(tensor)
    }

    /// The error of a tensor that is not what the score reads.
    pub(super) fn wrong(&self, name: &'static str, found: String, wanted: String) -> ScoreError {
        ScoreError::State { score: self.score, name, found, wanted }
    }

    fn array<D: Dimension>(&self, name: &'static str, shape: &[Option<usize>]) -> Result<Array<f32, D>, ScoreError> {
        let wrong = |found: String| self.wrong(name, found, format!("a tensor of shape {}", words(shape)));
        let tensor = self.state.tensors.get(name).ok_or_else(|| wrong("nothing".into()))?;
        let fits = tensor.ndim() == shape.len()
            && tensor.shape().iter().zip(shape).all(|(have, want)| want.is_none_or(|want| want == *have));
        if !fits {
            return Err(wrong(format!("shape {:?}", tensor.shape())));
        }
        if !tensor.iter().all(|value| value.is_finite()) {
            return Err(wrong("values that are not finite".into()));
        }
        tensor.to_owned().into_dimensionality::<D>().map_err(|error| wrong(error.to_string()))
    }
}

fn words(shape: &[Option<usize>]) -> String {
    let axes: Vec<String> = shape.iter().map(|axis| axis.map_or("any".into(), |length| length.to_string())).collect();
    format!("[{}]", axes.join(", "))
}
