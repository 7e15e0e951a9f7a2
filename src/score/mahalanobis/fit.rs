//! Fits the Gaussians: means per class, one covariance within all classes, one over all frames.
//!
//! Covariances are biased (divided by the number of frames), as scikit-learn's `EmpiricalCovariance` and so OpenOOD
//! has them. Singular ones are inverted on the directions in which the frames vary, see [`whitening`]; a class that
//! was never met is left out of the minimum.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::{BACKGROUND, WHITENING};
use crate::fit::linear_algebra::whitening;
use crate::fit::{ClassMeans, FitError, Moments, Sample, Statistics};
use crate::score::State;
use crate::score::centre::with_often_zero;
use crate::score::metric::unit_scale;
use crate::score::triangle::store;
use crate::score::wide::with_wide;

/// Within-class variance below this share of the whole is rounding: f32 features leave 2^-48 of it, f64 sums 2^-52.
const SMALLEST_SPREAD: f64 = 1e-13;

/// ID frames on which it is measured whether 16 bits hold a whitening.
const MEASURED_FRAMES: usize = 128;

/// By how much 16 bits may change a distance, in the root mean square: four times that is what scores may differ from
/// their references.
const TOLERANCE: f64 = 2.5e-6;

/// Fits `mahalanobis` and `relative_mahalanobis`.
///
/// # Errors
/// The frames do not vary within their classes.
pub(in crate::score) fn fit_raw(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let frames = centred_frames(statistics, |_| 1.0);
    let Statistics { moments, by_label, sample, .. } = statistics;
    let state = fit_classes("mahalanobis", moments, by_label, &frames, sample)?;
    let covariance = moments.scatter() / moments.count() as f64;
    let background = whitening(covariance.view()).ok_or_else(|| no_spread("mahalanobis", moments))?;
    Ok(store(&background, &frames, TOLERANCE).add_to(state, BACKGROUND))
}

/// Fits `mahalanobis_pp`.
///
/// # Errors
/// The unit features do not vary within their classes.
pub(in crate::score) fn fit_unit(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let frames = centred_frames(statistics, |row| unit_scale(&row.to_vec()));
    let Statistics { unit_moments, unit_by_label, sample, frames: count, .. } = statistics;
    match unit_moments {
        Some(moments) => fit_classes("mahalanobis_pp", moments, unit_by_label, &frames, sample),
        None => Err(FitError::TooFew { score: "mahalanobis_pp", found: 0, needed: *count }),
    }
}

fn fit_classes(
    score: &'static str,
    moments: &mut Moments,
    by_label: &ClassMeans,
    frames: &Array2<f64>,
    sample: &Sample,
) -> Result<State, FitError> {
    let means = by_label.means();
    let within = moments.scatter_within(&by_label.counts, means.view()) / moments.count() as f64;
    let whole = trace(moments.scatter().view()) / moments.count() as f64;
    let varies = trace(within.view()) > SMALLEST_SPREAD * whole;
    let triangle = varies.then(|| whitening(within.view())).flatten().ok_or_else(|| no_spread(score, moments))?;
    let triangle = store(&triangle, frames, TOLERANCE);
    let centre = moments.mean();
    let met = by_label.met();
    let offsets = Array2::from_shape_fn((met.len(), centre.len()), |(row, i)| means[[met[row], i]] - centre[i]);
    let class_means = offsets.dot(&triangle.matrix.t());
    let state = triangle.add_to(with_wide(State::default(), "mean", "mean_rest", &centre), WHITENING);
    Ok(if triangle.is_double() {
        with_wide(state, "class_means", "class_means_rest", &class_means)
    } else {
        with_often_zero(state, sample).with_tensor("class_means", class_means.mapv(|value| value as f32))
    })
}

/// Some frames of the sample, scaled, relative to the middle of them.
fn centred_frames(statistics: &Statistics<'_>, scale: impl Fn(ArrayView1<'_, f32>) -> f64) -> Array2<f64> {
    let sample = &statistics.sample;
    let chosen = sample.choose(MEASURED_FRAMES, statistics.parameters.sample.seed);
    let mut frames = Array2::zeros((chosen.len(), statistics.features));
    for (mut frame, row) in frames.rows_mut().into_iter().zip(chosen) {
        let features = sample.features.row(row);
        frame.assign(&(features.mapv(f64::from) * scale(features)));
    }
    match frames.mean_axis(Axis(0)) {
        Some(mean) => frames - &mean,
        None => frames,
    }
}

fn trace(matrix: ArrayView2<'_, f64>) -> f64 {
    matrix.diag().sum()
}

fn no_spread(score: &'static str, moments: &Moments) -> FitError {
    let problem = format!("the features of its {} frames do not vary within their classes", moments.count());
    FitError::Degenerate { score, problem }
}
