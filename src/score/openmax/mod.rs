//! OpenMax: the probability of the unknown, after the largest logits gave up what their distance from the class's mean
//! logits makes improbable.
//!
//! Bendale & Boult, "Towards Open Set Deep Networks", CVPR 2016, algorithms 1 and 2. c_k is the mean logit vector of the
//! ID frames that are labelled *and* predicted as class k, and a Weibull law ([`weibull`]) is fitted to the largest
//! distances of those frames. Of a frame's logits, the i-th largest (i = 1 .. a, a at most `alpha`) has the weight
//! `omega = (a + 1 - i) / a`, and with w_k the law's probability of a distance below `||y - c_k||`
//!
//! `y^_k = y_k (1 - w_k omega_k)`, `v_0 = sum_k y_k w_k omega_k`, score `exp(v_0) / (exp(v_0) + sum_k exp(y^_k))`.
//!
//! Negative logits grow by this; that is the paper's. OpenOOD computes the same (with alpha 3). pytorch-ood departs: it
//! takes frames that were predicted wrongly too, and takes a distance for 0 where no frame of the same batch was
//! predicted as the class.

mod weibull;

use ndarray::{Array1, Array2, ArrayView1};

use self::weibull::Law;
use super::kernels::{exp_inline, has_nan, vectorised, wide_maximum};
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::wide::{join, with_wide};
use super::{Model, OpenmaxParameters, Score, ScoreError, ScoreName, State};
use crate::fit::{FitError, Statistics};

struct Openmax {
    place: usize,
    /// Mean logits [K, K] of each class. A steep law magnifies their rounding, so f32 is not enough.
    centres: Array2<f64>,
    laws: Vec<Law>,
    /// Logits that are revised, at most.
    alpha: usize,
    /// The largest logits with their classes, descending.
    largest: Vec<(f32, usize)>,
    /// The revised logits, last the one of the unknown [K + 1].
    revised: Vec<f64>,
}

/// Builds the score of this folder, if it is wanted.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let Some(place) = wanted.place(ScoreName::Openmax) else { return Ok(None) };
    let (parameters, classes) = (&model.fitted.parameters.openmax, model.classes);
    check(parameters)?;
    let state = model.fitted.state("openmax")?;
    let wide = |name, rest, columns| {
        let shape = [Some(classes), Some(columns)];
        Ok::<_, ScoreError>(join(&state.matrix(name, shape)?, &state.matrix(rest, shape)?))
    };
    let laws = wide("laws", "laws_rest", 3)?;
    let alpha = parameters.alpha.min(classes);
    Ok(Some(Box::new(Openmax {
        place,
        centres: wide("centres", "centres_rest", classes)?,
        laws: laws.rows().into_iter().map(|row| Law::from_numbers([row[0], row[1], row[2]])).collect(),
        alpha,
        largest: Vec::with_capacity(alpha + 1),
        revised: vec![0.0; classes + 1],
    })))
}

fn check(parameters: &OpenmaxParameters) -> Result<(), ScoreError> {
    let wrong = |key, found: usize, wanted| {
        Err(ScoreError::Parameter { score: "openmax", key, found: found.to_string(), wanted })
    };
    match parameters {
        OpenmaxParameters { alpha: 0, .. } => wrong("alpha", 0, "at least 1"),
        OpenmaxParameters { tail: tail @ ..3, .. } => wrong("tail", *tail, "at least 3"),
        _ => Ok(()),
    }
}

impl Family for Openmax {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        let nan = has_nan(outputs.logits);
        scores[self.place] = Score(if nan { f32::NAN } else { self.unknown(outputs.logits) as f32 });
    }
}

impl Openmax {
    /// Probability of the unknown.
    fn unknown(&mut self, logits: &[f32]) -> f64 {
        self.find_largest(logits);
        self.revised.iter_mut().zip(logits).for_each(|(revised, logit)| *revised = f64::from(*logit));
        let count = self.largest.len();
        let mut unknown = 0.0;
        for (rank, (logit, class)) in self.largest.iter().enumerate() {
            let distance = distance(logits, self.centres.row(*class));
            let weight = self.laws[*class].probability(distance) * (count - rank) as f64 / count as f64;
            let given = f64::from(*logit) * weight;
            self.revised[*class] -= given;
            unknown += given;
        }
        self.revised[logits.len()] = unknown;
        (unknown - log_sum_exp(&self.revised)).exp()
    }

    /// Of equal logits, that of the lower class comes first.
    fn find_largest(&mut self, logits: &[f32]) {
        self.largest.clear();
        for (class, logit) in logits.iter().enumerate() {
            let full = self.largest.len() == self.alpha;
            if full && self.largest.last().is_some_and(|(last, _)| logit <= last) {
                continue;
            }
            let place = self.largest.partition_point(|(other, _)| other >= logit);
            self.largest.insert(place, (*logit, class));
            self.largest.truncate(self.alpha);
        }
    }
}

/// `||y - c||_2`.
fn distance(logits: &[f32], centre: ArrayView1<'_, f64>) -> f64 {
    squared_distance(logits, centre.as_slice().unwrap_or_default()).sqrt()
}

vectorised! {
    /// `||y - c||_2^2`.
    fn squared_distance(logits: &[f32], centre: &[f64]) -> f64 {
        let mut sums = [0.0_f64; 16];
        let ((y_chunks, y_rest), (c_chunks, c_rest)) = (logits.as_chunks::<16>(), centre.as_chunks::<16>());
        for (y, c) in y_chunks.iter().zip(c_chunks) {
            for lane in 0..16 {
                let difference = f64::from(y[lane]) - c[lane];
                sums[lane] = difference.mul_add(difference, sums[lane]);
            }
        }
        for (lane, (y, c)) in y_rest.iter().zip(c_rest).enumerate() {
            sums[lane] += (f64::from(*y) - c).powi(2);
        }
        sums.iter().sum()
    }

    /// `sum_k exp(y_k - shift)` of logits in f64.
    fn exp_sum(logits: &[f64], shift: f64) -> f64 {
        let mut sums = [0.0_f64; 16];
        let (chunks, rest) = logits.as_chunks::<16>();
        for chunk in chunks {
            for lane in 0..16 {
                sums[lane] += exp_inline(chunk[lane] - shift);
            }
        }
        for (lane, logit) in rest.iter().enumerate() {
            sums[lane] += exp_inline(logit - shift);
        }
        sums.iter().sum()
    }
}

/// `log sum_k exp(y_k)` of logits in f64.
fn log_sum_exp(logits: &[f64]) -> f64 {
    let max = wide_maximum(logits);
    max + exp_sum(logits, max).ln()
}

/// Mean logits `centres` [K, K], zeros for a class without frames, and the `laws` [K, 3]; with what f32 left of them in
/// `centres_rest` and `laws_rest`.
///
/// # Errors
/// A setting out of range.
pub(super) fn fit(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let parameters = &statistics.parameters.openmax;
    check(parameters)?;
    let centres = statistics.right_logits.means();
    let mut distances = vec![Vec::new(); statistics.classes];
    let sample = &statistics.sample;
    for (logits, label) in sample.logits.rows().into_iter().zip(&sample.labels) {
        if predicted(logits) == Some(*label) {
            distances[*label].push(distance(logits.as_slice().unwrap_or_default(), centres.row(*label)));
        }
    }
    let laws = distances.into_iter().flat_map(|distances| Law::fit(distances, parameters.tail).numbers());
    let laws = Array1::from_iter(laws).into_shape_with_order((statistics.classes, 3)).unwrap_or_default();
    let state = with_wide(State::default(), "centres", "centres_rest", &centres);
    Ok(with_wide(state, "laws", "laws_rest", &laws))
}

/// The class of the largest logit; the lower one of equals.
fn predicted(logits: ArrayView1<'_, f32>) -> Option<usize> {
    let better = |best: Option<(usize, f32)>, (class, logit): (usize, &f32)| match best {
        Some((_, largest)) if largest >= *logit => best,
        _ => Some((class, *logit)),
    };
    logits.iter().enumerate().fold(None, better).map(|(class, _)| class)
}

#[cfg(test)]
mod tests;
