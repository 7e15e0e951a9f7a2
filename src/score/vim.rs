//! `vim` and `residual`: the part of a feature that lies outside the space in which ID features vary.
//!
//! Wang et al., "ViM: Out-Of-Distribution with Virtual-logit Matching", CVPR 2022, equations 4 to 7:
//!
//! - origin `u = -pinv(Wc) b`, where all logits are as small as they get; X = z - u;
//! - R [C, C - D]: the eigenvectors of `X^T X / N` over ID frames (not centred again) with the smallest eigenvalues;
//! - residual: `||R^T X||`; the paper's ablation, and OpenOOD's `residual`;
//! - ViM: `alpha ||R^T X|| - log sum_k exp(y_k)`, alpha the mean largest logit over the mean residual of ID frames.
//!
//! Both references agree with the paper, up to D: see [`VimParameters`](super::VimParameters). Only ||R^T X|| counts,
//! so R^T is kept as the triangle of its QR decomposition. (`||X||^2` less the principal part would read less memory
//! where D < C / 2, but loses digits where it matters: a residual is the small rest of two large numbers.)

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::centre::{Centre, with_often_zero};
use super::metric::{centred, dot};
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::triangle::{Names, Triangle, store};
use super::{Model, Score, ScoreError, ScoreName, State, wide};
use crate::fit::linear_algebra::{least_squares, symmetric_eigen, upper_trapezoid};
use crate::fit::{FitError, Statistics};

/// A mean residual below this share of the mean length of X is rounding, and alpha would be noise.
const SMALLEST_RESIDUAL: f64 = 1e-6;

/// The tensors of R^T.
const SPACE: Names = Names { entries: "space", rest: "space_rest", steps: "space_steps" };

/// ID frames on which it is measured whether 16 bits hold the space.
const MEASURED_FRAMES: usize = 128;

/// By how much 16 bits may change a squared residual, in the root mean square: the residual changes by half of that, and
/// four times so much is what scores may differ from their references.
const TOLERANCE: f64 = 5e-6;

/// The wanted scores, and the memory that a frame needs.
struct Residual {
    origin: Centre,
    space: Triangle,
    alpha: f64,
    residual: Option<usize>,
    vim: Option<usize>,
    x: Vec<f64>,
    outside: Vec<f64>,
}

impl Family for Residual {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        centred(outputs.features, 1.0, &self.origin.shift, &mut self.x);
        self.space.apply(&self.x, &mut self.outside);
        let residual = dot(&self.outside, &self.outside).sqrt();
        if let Some(place) = self.residual {
            scores[place] = Score(residual as f32);
        }
        if let Some(place) = self.vim {
            scores[place] = Score((self.alpha * residual - outputs.log_sum_exp()) as f32);
        }
    }
}

/// Builds the wanted scores of this file.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let (vim, residual) = (wanted.place(ScoreName::Vim), wanted.place(ScoreName::Residual));
    if vim.is_none() && residual.is_none() {
        return Ok(None);
    }
    let state = model.fitted.state("vim")?;
    let origin = Centre::read(&state, "origin", "origin_rest", model.features)?;
    let space = Triangle::read(&state, SPACE, &origin.ahead)?;
    let (x, outside) = (vec![0.0; model.features], vec![0.0; space.rows()]);
    Ok(Some(Box::new(Residual { origin, space, alpha: state.number("alpha")?, residual, vim, x, outside })))
}

/// Fits origin, space and alpha. Alpha's means are taken over the sample of frames.
///
/// # Errors
/// No head, a dimension out of range, or a principal space that leaves no residual.
pub(super) fn fit(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let dimensions = dimensions(statistics)?;
    let degenerate = |problem: String| FitError::Degenerate { score: "vim", problem };
    let origin = origin(statistics)?.ok_or_else(|| degenerate("the head has no pseudo-inverse".into()))?;
    let count = statistics.moments.count() as f64;
    let offset = statistics.mean() - &origin;
    let mut second_moment = statistics.moments.scatter() / count;
    for (mut row, a) in second_moment.rows_mut().into_iter().zip(&offset) {
        row.scaled_add(*a, &offset);
    }
    let (_, vectors) = symmetric_eigen(second_moment.view())
        .ok_or_else(|| degenerate("the features' second moment has no eigenvalues".into()))?;
    let (outside, _) = vectors.view().split_at(Axis(0), statistics.features - dimensions);
    let space = upper_trapezoid(outside).ok_or_else(|| degenerate("the residual space is not finite".into()))?;
    let space = store(&space, &some_frames(statistics, &origin), TOLERANCE);
    let (residual, length) = mean_residual(statistics, &origin, &space.matrix);
    if residual <= SMALLEST_RESIDUAL * length {
        let problem = format!(
            "{} frames have no residual outside a principal space of {dimensions} dimensions; lower vim.dimensions",
            statistics.frames
        );
        return Err(degenerate(problem));
    }
    let state = wide::with_wide(State::default(), "origin", "origin_rest", &origin);
    let state = if space.is_double() { state } else { with_often_zero(state, &statistics.sample) };
    Ok(space.add_to(state, SPACE).with_number("alpha", mean_largest_logit(statistics) / residual))
}

/// D, as it was set or as the paper takes it.
fn dimensions(statistics: &Statistics<'_>) -> Result<usize, ScoreError> {
    let features = statistics.features;
    let usual = match features {
        2048.. => 1000,
        768.. => 512,
        _ => features / 2,
    };
    let dimensions = statistics.parameters.vim.dimensions.unwrap_or(usual);
    if dimensions >= features {
        let found = format!("{dimensions} for {features} features");
        let wanted = "fewer dimensions than there are features";
        return Err(ScoreError::Parameter { score: "vim", key: "dimensions", found, wanted });
    }
    Ok(dimensions)
}

/// u [C]; `None` if the head holds numbers that are not finite.
fn origin(statistics: &Statistics<'_>) -> Result<Option<Array1<f64>>, ScoreError> {
    let lacking = ScoreError::Lacking { score: ScoreName::Vim, lacking: "the classifier head" };
    let head = statistics.head.ok_or(lacking)?;
    let (weight, bias) = (head.weight.mapv(f64::from), head.bias.mapv(|b| -f64::from(b)));
    Ok(least_squares(weight.view(), bias.view()))
}

/// X of some frames of the sample.
fn some_frames(statistics: &Statistics<'_>, origin: &Array1<f64>) -> Array2<f64> {
    let chosen = statistics.sample.choose(MEASURED_FRAMES, statistics.parameters.sample.seed);
    let features = &statistics.sample.features;
    Array2::from_shape_fn((chosen.len(), origin.len()), |(row, i)| f64::from(features[[chosen[row], i]]) - origin[i])
}

/// Mean of ||R^T X|| and of ||X|| over the sample.
fn mean_residual(statistics: &Statistics<'_>, origin: &Array1<f64>, space: &Array2<f64>) -> (f64, f64) {
    let features = &statistics.sample.features;
    let norm = |x: &Array1<f64>| x.dot(x).sqrt();
    let of_row = |row: ArrayView1<'_, f32>| {
        let x = row.mapv(f64::from) - origin;
        (norm(&space.dot(&x)), norm(&x))
    };
    let sums = features.rows().into_iter().map(of_row).fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    let count = features.nrows().max(1) as f64;
    (sums.0 / count, sums.1 / count)
}

fn mean_largest_logit(statistics: &Statistics<'_>) -> f64 {
    let logits = &statistics.sample.logits;
    let largest = logits.rows().into_iter().map(|row| f64::from(row.fold(f32::NEG_INFINITY, |max, y| max.max(*y))));
    largest.sum::<f64>() / logits.nrows().max(1) as f64
}

#[cfg(test)]
mod tests {
    use crate::score::ScoreName::{Residual, Vim};
    use crate::score::testing::{Frames, check_with};
    use crate::score::{Parameters, VimParameters};

    /// Logits y = z_1 + 1 for the only class: u = (-1, 0). X = z - u is (3, 1) and (3, -1): the second moment is
    /// diagonal, 9 and 1, so one principal dimension leaves the second axis. Residuals 1 and 1, mean logit 3.
    const FRAMES: Frames<2, 1> = Frames {
        features: &[[2.0, 1.0], [2.0, -1.0]],
        logits: &[[3.0], [3.0]],
        labels: &[0, 0],
        weight: [[1.0, 0.0]],
        bias: [1.0],
    };

    fn dimensions(dimensions: usize) -> Parameters {
        Parameters { vim: VimParameters { dimensions: Some(dimensions) }, ..Parameters::default() }
    }

    #[test]
    fn the_virtual_logit_is_the_scaled_residual_and_energy_is_taken_from_it() {
        check_with(dimensions(1), Residual, &FRAMES, [5.0, -4.0], [6.0], 4.0);
        check_with(dimensions(1), Vim, &FRAMES, [5.0, -4.0], [6.0], 3.0 * 4.0 - 6.0);
        check_with(Parameters::default(), Residual, &FRAMES, [5.0, -4.0], [6.0], 4.0);
        // No principal space: the residual is the distance from u.
        check_with(dimensions(0), Residual, &FRAMES, [2.0, 4.0], [6.0], 5.0);
    }

    #[test]
    fn a_nan_makes_a_nan_where_it_is_read() {
        check_with(dimensions(1), Residual, &FRAMES, [5.0, f32::NAN], [6.0], f64::NAN);
        check_with(dimensions(1), Residual, &FRAMES, [5.0, -4.0], [f32::NAN], 4.0);
        check_with(dimensions(1), Vim, &FRAMES, [5.0, -4.0], [f32::NAN], f64::NAN);
    }

    #[test]
    fn a_space_that_leaves_no_residual_is_refused_by_name() {
        let error = FRAMES.fit(Vim, dimensions(2)).unwrap_err().to_string();
        assert!(error.contains("vim") && error.contains("dimensions is 2 for 2 features"), "{error}");
        let flat = Frames { features: &[[2.0, 0.0], [5.0, 0.0]], ..FRAMES };
        let error = flat.fit(Vim, dimensions(1)).unwrap_err().to_string();
        assert!(error.contains("vim: 2 frames have no residual"), "{error}");
    }
}
