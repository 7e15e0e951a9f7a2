//! The one pass over the frames, and what it leaves for the scores to make their state of.

use ndarray::{Array1, Array2};

use super::sample::Reservoir;
use super::{FitError, Moments, Sample};
use crate::package::Head;
use crate::score::{Fitted, Outputs, Parameters, ScoreName, fit_states};

/// Takes in ID frames for the scores that it was made for.
pub struct Fit<'a> {
    wanted: Vec<ScoreName>,
    classes: usize,
    features: usize,
    head: Option<&'a Head>,
    parameters: Parameters,
    frames: usize,
    unlabelled: usize,
    moments: Moments,
    /// Of L2-normalised features, where `mahalanobis_pp` is wanted.
    unit_moments: Option<Moments>,
    by_label: ClassMeans,
    unit_by_label: ClassMeans,
    /// Only frames whose predicted class is their label.
    right_features: ClassMeans,
    right_logits: ClassMeans,
    softmax_by_prediction: ClassMeans,
    reservoir: Reservoir,
}

/// What a pass over the frames leaves. Label: the true class where it was given, else the predicted one.
pub struct Statistics<'a> {
    /// K.
    pub classes: usize,
    /// C.
    pub features: usize,
    /// The classifier head, where the package has it.
    pub head: Option<&'a Head>,
    /// Settings of the scores.
    pub parameters: &'a Parameters,
    /// How many frames there were.
    pub frames: usize,
    /// Whether every frame came with its true class.
    pub labelled: bool,
    /// Moments of the features.
    pub moments: Moments,
    /// Moments of the features divided by their L2 norm (a zero vector stays zero), where `mahalanobis_pp` asked for them.
    pub unit_moments: Option<Moments>,
    /// Mean features per label.
    pub by_label: ClassMeans,
    /// Mean unit features per label.
    pub unit_by_label: ClassMeans,
    /// Mean features per label, of the frames whose predicted class is their label.
    pub right_features: ClassMeans,
    /// Mean logits per label, of the frames whose predicted class is their label, where `openmax` asked for them.
    pub right_logits: ClassMeans,
    /// Mean softmax per predicted class, where `kl_matching` asked for it.
    pub softmax_by_prediction: ClassMeans,
    /// All frames, or an even, seeded sample where there are more than the settings allow.
    pub sample: Sample,
}

/// Means of vectors per class, in f64.
#[derive(Debug, Clone)]
pub struct ClassMeans {
    /// Vectors per class.
    pub counts: Vec<usize>,
    sums: Array2<f64>,
}

impl ClassMeans {
    fn new(classes: usize, dimensions: usize) -> Self {
        Self { counts: vec![0; classes], sums: Array2::zeros((classes, dimensions)) }
    }

    fn add(&mut self, class: usize, vector: impl Iterator<Item = f64>) {
        self.counts[class] += 1;
        self.sums.row_mut(class).iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }

    /// Mean vector per class [K, D]; zeros for a class that was never met.
    pub fn means(&self) -> Array2<f64> {
        let mut means = self.sums.clone();
        for (mut row, count) in means.rows_mut().into_iter().zip(&self.counts) {
            row /= (*count).max(1) as f64;
        }
        means
    }

    /// The classes that were met, ascending.
    pub fn met(&self) -> Vec<usize> {
        (0..self.counts.len()).filter(|class| self.counts[*class] > 0).collect()
    }
}

/// States that could not be made, by name, and why.
pub type Refused = Vec<(&'static str, FitError)>;

impl<'a> Fit<'a> {
    /// Nothing seen yet. `wanted` are the scores to fit; those that need no fitting cost nothing.
    pub fn new(
        wanted: &[ScoreName],
        classes: usize,
        features: usize,
        head: Option<&'a Head>,
        parameters: Parameters,
    ) -> Self {
        let unit = wanted.contains(&ScoreName::MahalanobisPp);
        // K x K numbers that nobody asked for would be most of the memory.
        let columns = |score: ScoreName| if wanted.contains(&score) { classes } else { 0 };
        let settings = &parameters.sample;
        let capacity = settings.frames.min(settings.numbers / (features + classes).max(1)).max(1);
        Self {
            wanted: wanted.to_vec(),
            classes,
            features,
            head,
            frames: 0,
            unlabelled: 0,
            moments: Moments::new(features),
            unit_moments: unit.then(|| Moments::new(features)),
            by_label: ClassMeans::new(classes, features),
            unit_by_label: ClassMeans::new(classes, features),
            right_features: ClassMeans::new(classes, features),
            right_logits: ClassMeans::new(classes, columns(ScoreName::Openmax)),
            softmax_by_prediction: ClassMeans::new(classes, columns(ScoreName::KlMatching)),
            reservoir: Reservoir::new(capacity, settings.seed),
            parameters,
        }
    }

    /// Takes in one ID frame with its class, where that is known.
    ///
    /// # Errors
    /// Outputs that are not finite or not of the network's sizes, or a class that does not exist.
    pub fn add(&mut self, outputs: &Outputs<'_>, label: Option<usize>) -> Result<(), FitError> {
        let predicted = self.check(outputs, label)?;
        let label = label.unwrap_or_else(|| {
            self.unlabelled += 1;
            predicted
        });
        self.frames += 1;
        let features = || outputs.features.iter().map(|value| f64::from(*value));
        self.moments.add(features());
        self.by_label.add(label, features());
        if let Some(moments) = &mut self.unit_moments {
            let norm = features().map(|value| value * value).sum::<f64>().sqrt();
            let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
            moments.add(features().map(|value| value * scale));
            self.unit_by_label.add(label, features().map(|value| value * scale));
        }
        let logits = || outputs.logits.iter().map(|value| f64::from(*value));
        if predicted == label {
            self.right_features.add(label, features());
            self.right_logits.add(label, logits());
        }
        let sum = outputs.log_sum_exp();
        self.softmax_by_prediction.add(predicted, logits().map(|logit| (logit - sum).exp()));
        self.reservoir.add(outputs.features, outputs.logits, label);
        Ok(())
    }

    /// The predicted class of a frame that can be taken in.
    fn check(&self, outputs: &Outputs<'_>, label: Option<usize>) -> Result<usize, FitError> {
        let frame = self.frames;
        let shape = |found, wanted| Err(FitError::Shape { frame, found, wanted });
        if (outputs.logits.len(), outputs.features.len()) != (self.classes, self.features) {
            let words = |logits, features| format!("{logits} logits and {features} features");
            return shape(words(outputs.logits.len(), outputs.features.len()), words(self.classes, self.features));
        }
        if let Some(label) = label
            && label >= self.classes
        {
            return shape(format!("class {label}"), format!("a class below {}", self.classes));
        }
        match outputs.top_class() {
            Some((predicted, _)) if outputs.is_finite() => Ok(predicted),
            _ => Err(FitError::NotFinite { frame }),
        }
    }

    /// How many frames were taken in.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Makes the state of every wanted score that is fitted.
    ///
    /// # Errors
    /// No frames, or a score that refuses them; [`Self::finish_each`] tells which.
    pub fn finish(self, origin: &str) -> Result<Fitted, FitError> {
        let (fitted, refused) = self.finish_each(origin)?;
        match refused.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(fitted),
        }
    }

    /// As [`Self::finish`], but a score that refuses is left out and reported.
    ///
    /// # Errors
    /// No frames.
    pub fn finish_each(self, origin: &str) -> Result<(Fitted, Refused), FitError> {
        if self.frames == 0 {
            return Err(FitError::TooFew { score: "fitting", found: 0, needed: 1 });
        }
        let mut statistics = Statistics {
            classes: self.classes,
            features: self.features,
            head: self.head,
            parameters: &self.parameters,
            frames: self.frames,
            labelled: self.unlabelled == 0,
            moments: self.moments,
            unit_moments: self.unit_moments,
            by_label: self.by_label,
            unit_by_label: self.unit_by_label,
            right_features: self.right_features,
            right_logits: self.right_logits,
            softmax_by_prediction: self.softmax_by_prediction,
            sample: self.reservoir.into_sample(self.features, self.classes),
        };
        let (states, refused) = fit_states(&self.wanted, &mut statistics);
        let fitted = Fitted { parameters: self.parameters.clone(), states, images: self.frames, origin: origin.into() };
        Ok((fitted, refused))
    }
}

impl Statistics<'_> {
    /// Mean feature [C].
    pub fn mean(&self) -> Array1<f64> {
        self.moments.mean()
    }
}
