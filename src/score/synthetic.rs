//! Outputs of a network that does not exist, out of a seed: for measuring what scores cost at any size.
//!
//! Features are those of a rectified layer (about half of them 0), gathered around one prototype per class; the head
//! points at the prototypes. Costs depend on such shapes; qualities measured on it would mean nothing.

use ndarray::{Array1, Array2};

use super::{Fitted, Model, Outputs, Parameters, ScoreName};
use crate::fit::{Fit, FitError};
use crate::package::Head;

/// Locations of the local norms: a map of 7x7.
const LOCATIONS: usize = 49;
/// Features that make a class's prototype.
const PROTOTYPE: usize = 8;

/// A seeded source of frames.
pub struct Synthetic {
    /// Its classifier head.
    pub head: Head,
    prototypes: Vec<Vec<usize>>,
    random: fastrand::Rng,
}

/// One frame's outputs.
#[derive(Debug, Clone)]
pub struct SyntheticFrame {
    logits: Vec<f32>,
    features: Vec<f32>,
    local_norms: Vec<f32>,
}

impl SyntheticFrame {
    /// As the scores take them.
    pub fn outputs(&self) -> Outputs<'_> {
        Outputs {
            logits: &self.logits,
            features: &self.features,
            local_norms: Some(&self.local_norms),
            local_logits: None,
        }
    }
}

impl Synthetic {
    /// Of K classes and C features.
    pub fn new(classes: usize, features: usize, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut prototype = |_| (0..PROTOTYPE.min(features)).map(|_| random.usize(..features)).collect::<Vec<_>>();
        let prototypes: Vec<Vec<usize>> = (0..classes).map(&mut prototype).collect();
        let mut weight = Array2::from_shape_simple_fn((classes, features), || noise(&mut random) * 0.02);
        for (mut row, prototype) in weight.rows_mut().into_iter().zip(&prototypes) {
            prototype.iter().for_each(|feature| row[*feature] += 0.8);
        }
        Self { head: Head { weight, bias: Array1::zeros(classes) }, prototypes, random }
    }

    /// Goes on with the frames of another seed, of the same network.
    pub fn reseed(&mut self, seed: u64) {
        self.random = fastrand::Rng::with_seed(seed);
    }

    /// The next frame.
    pub fn frame(&mut self) -> SyntheticFrame {
        let class = self.random.usize(..self.prototypes.len());
        let mut features: Vec<f32> = (0..self.head.weight.ncols()).map(|_| noise(&mut self.random).max(0.0)).collect();
        for feature in &self.prototypes[class] {
            features[*feature] += 2.0;
        }
        let logits = self.head.weight.dot(&Array1::from(features.clone())) + &self.head.bias;
        let local_norms = (0..LOCATIONS).map(|_| 1.0 + noise(&mut self.random).abs()).collect();
        SyntheticFrame { logits: logits.to_vec(), features, local_norms }
    }

    /// What scores are fitted to on so many frames.
    ///
    /// # Errors
    /// Fewer frames than a score needs.
    pub fn fit(&mut self, names: &[ScoreName], parameters: Parameters, frames: usize) -> Result<Fitted, FitError> {
        let head = self.head.clone();
        let (classes, features) = head.weight.dim();
        let mut fit = Fit::new(names, classes, features, Some(&head), parameters);
        for _ in 0..frames {
            fit.add(&self.frame().outputs(), None)?;
        }
        fit.finish("synthetic")
    }

    /// The model that scores are built for.
    pub fn model<'a>(&'a self, fitted: &'a Fitted) -> Model<'a> {
        let (classes, features) = self.head.weight.dim();
        Model { classes, features, local_norms: true, head: Some(&self.head), fitted }
    }
}

/// Roughly normal: the sum of four uniform numbers, scaled to variance 1.
fn noise(random: &mut fastrand::Rng) -> f32 {
    let sum: f32 = (0..4).map(|_| random.f32() - 0.5).sum();
    sum * 3.0_f32.sqrt()
}
