//! The Mahalanobis family: how far a feature lies from the nearest class, in units of the classes' own spread.
//!
//! `mahalanobis`: `min_k (z - mu_k)^T P (z - mu_k)`, mu_k the class means and P the (pseudo-)inverse of the covariance
//! that all classes share. Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and
//! Adversarial Attacks", NeurIPS 2018, equations 1 and 2 (the sign is turned; no input gradient, last layer only).
//! OpenOOD has this form; pytorch-ood takes half the distance, a scatter not divided by the number of frames, and
//! a ridge of 1e-6 instead of the pseudo-inverse, which ranks alike where the covariance is regular.
//!
//! `relative_mahalanobis`: the same less `(z - mu_0)^T P_0 (z - mu_0)`, the distance to one Gaussian over all ID frames.
//! Ren et al., "A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection", arXiv 2106.09022, equation 3.
//!
//! `mahalanobis_pp`: the first on features divided by their L2 norm. Mueller & Hein, "Mahalanobis++", ICML 2025.
//!
//! With a whitening T, `T^T T = P`, the distance is `min_k ||u - m_k||^2` with `u = T (z - mu_0)` and
//! `m_k = T (mu_k - mu_0)`. Taking mu_0 off first, in f64, keeps the digits that f32 has for what differs.

mod fit;

use ndarray::Array2;

use super::centre::Centre;
use super::metric::{centred, dot, square_distance, unit_scale};
use super::nearest::Nearest;
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::triangle::{Names, Triangle};
use super::wide;
use super::{Model, Score, ScoreError, ScoreName, StateReader};

pub(super) use fit::{fit_raw, fit_unit};

/// The tensors of T.
const WHITENING: Names = Names { entries: "whitening", rest: "whitening_rest", steps: "whitening_steps" };
/// The tensors of the background's T.
const BACKGROUND: Names = Names { entries: "background", rest: "background_rest", steps: "background_steps" };

/// A Gaussian per class, with a covariance in common, and the memory that a frame needs.
#[derive(Debug)]
struct ClassGaussians {
    centre: Centre,
    whitening: Triangle,
    /// m_k, row by row.
    means: Array2<f64>,
    nearest: Nearest,
    /// z less the shift of the centre.
    x: Vec<f64>,
    /// T (z - mu_0).
    u: Vec<f64>,
}

impl ClassGaussians {
    fn read(state: &StateReader<'_>, features: usize) -> Result<Self, ScoreError> {
        let centre = Centre::read(state, "mean", "mean_rest", features)?;
        let whitening = Triangle::read(state, WHITENING, &centre.ahead)?;
        let means = Self::read_means(state, whitening.rows())?;
        let nearest = Nearest::new(means.outer_iter().map(|mean| mean.to_vec()), whitening.rows());
        let (x, u) = (vec![0.0; features], vec![0.0; whitening.rows()]);
        Ok(Self { centre, means, nearest, x, u, whitening })
    }

    fn read_means(state: &StateReader<'_>, columns: usize) -> Result<Array2<f64>, ScoreError> {
        let means = state.matrix("class_means", [None, Some(columns)])?;
        if state.has("class_means_rest") {
            let shape = [Some(means.nrows()), Some(columns)];
            return Ok(wide::join(&means, &state.matrix("class_means_rest", shape)?));
        }
        Ok(means.mapv(f64::from))
    }

    /// Squared distance of `scale * features` to the nearest class; NaN if it is no number.
    fn nearest(&mut self, features: &[f32], scale: f64) -> f64 {
        centred(features, scale, &self.centre.shift, &mut self.x);
        self.whitening.apply(&self.x, &mut self.u);
        let u = self.u.as_slice();
        if !dot(u, u).is_finite() {
            return f64::NAN;
        }
        let means = self.means.as_slice().unwrap_or_default();
        let mean = |class: u32| means.get(class as usize * u.len()..).unwrap_or_default();
        self.nearest.smallest(u, |class| square_distance(u, mean(class)))
    }
}

/// The Gaussian over all ID frames; it shares its mean with the classes' common centre.
#[derive(Debug)]
struct Background {
    whitening: Triangle,
    u: Vec<f64>,
}

/// The scores of raw features.
struct Mahalanobis {
    classes: ClassGaussians,
    place: Option<usize>,
    relative: Option<(usize, Background)>,
}

impl Family for Mahalanobis {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        let nearest = self.classes.nearest(outputs.features, 1.0);
        if let Some(place) = self.place {
            scores[place] = Score(nearest as f32);
        }
        if let Some((place, background)) = &mut self.relative {
            background.whitening.apply(&self.classes.x, &mut background.u);
            scores[*place] = Score((nearest - dot(&background.u, &background.u)) as f32);
        }
    }
}

/// The score of unit features.
struct MahalanobisPp {
    classes: ClassGaussians,
    place: usize,
}

impl Family for MahalanobisPp {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        let nearest = self.classes.nearest(outputs.features, unit_scale(outputs.features));
        scores[self.place] = Score(nearest as f32);
    }
}

/// Builds `mahalanobis` and `relative_mahalanobis`, which share a whitening.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let (place, relative) = (wanted.place(ScoreName::Mahalanobis), wanted.place(ScoreName::RelativeMahalanobis));
    if place.is_none() && relative.is_none() {
        return Ok(None);
    }
    let state = model.fitted.state("mahalanobis")?;
    let classes = ClassGaussians::read(&state, model.features)?;
    let relative = match relative {
        Some(place) => {
            let whitening = Triangle::read(&state, BACKGROUND, &classes.centre.ahead)?;
            Some((place, Background { u: vec![0.0; whitening.rows()], whitening }))
        }
        None => None,
    };
    Ok(Some(Box::new(Mahalanobis { classes, place, relative })))
}

/// Builds `mahalanobis_pp`.
pub(super) fn build_pp(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let Some(place) = wanted.place(ScoreName::MahalanobisPp) else { return Ok(None) };
    let classes = ClassGaussians::read(&model.fitted.state("mahalanobis_pp")?, model.features)?;
    Ok(Some(Box::new(MahalanobisPp { classes, place })))
}

#[cfg(test)]
mod tests;
