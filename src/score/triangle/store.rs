//! Decides how a triangle is kept: in f64, f32 or 16 bits.
//!
//! Rounding entries to 16 bits moves ||T x||^2 by an amount that depends on how far the columns cancel each other, so it
//! is measured, on ID frames of the fit. What is kept is exactly what a frame is multiplied with: class means are made
//! with the rounded matrix, so that the distance of a mean to itself stays 0.

use ndarray::{Array1, Array2};

use super::{Names, SIDE};
use crate::score::State;
use crate::score::wide::with_wide;

/// Columns from which on entries are f32. Below, the matrix takes 1 MB at most in f64 and stays in a processor's cache.
const SINGLE_COLUMNS: usize = 512;

/// Columns from which on 16 bits are tried. Below, the matrix takes 1.2 MB at most in f32.
const HALF_COLUMNS: usize = 768;

/// Largest code of 16 bits.
const CODE_MAX: f32 = 32_767.0;

/// A triangle as it is kept.
#[derive(Debug)]
pub(in crate::score) struct Stored {
    /// The matrix that frames will be multiplied with.
    pub(in crate::score) matrix: Array2<f64>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Double,
    Single,
    Half { steps: Array1<f32> },
}

impl Stored {
    /// Whether it is kept in f64.
    pub(in crate::score) fn is_double(&self) -> bool {
        matches!(self.form, Form::Double)
    }

    /// Adds it to a state.
    pub(in crate::score) fn add_to(&self, state: State, names: Names) -> State {
        let upper = self.matrix.rows().into_iter().enumerate().flat_map(|(i, row)| row.to_vec().split_off(i));
        let entries: Array1<f64> = upper.collect();
        let narrow = || entries.mapv(|entry| entry as f32);
        match &self.form {
            Form::Double => with_wide(state, names.entries, names.rest, &entries),
            Form::Single => state.with_tensor(names.entries, narrow()),
            Form::Half { steps } => state.with_tensor(names.entries, narrow()).with_tensor(names.steps, steps.clone()),
        }
    }
}

/// Chooses the form in which an upper trapezoidal matrix [r, C] is kept. `frames` [n, C] are what it will be multiplied
/// with; 16 bits are taken if they change ||T x||^2 by no more than `tolerance` of itself, in the root mean square over
/// the frames.
pub(in crate::score) fn store(matrix: &Array2<f64>, frames: &Array2<f64>, tolerance: f64) -> Stored {
    if matrix.ncols() < SINGLE_COLUMNS {
        return Stored { matrix: matrix.clone(), form: Form::Double };
    }
    if matrix.ncols() >= HALF_COLUMNS {
        let (half, steps) = rounded(matrix);
        if change(matrix, &half, frames) <= tolerance {
            return Stored { matrix: half, form: Form::Half { steps } };
        }
    }
    Stored { matrix: matrix.mapv(|entry| f64::from(entry as f32)), form: Form::Single }
}

/// The matrix with what stands right of the diagonal squares rounded to 16 bits, and the step of each row.
fn rounded(matrix: &Array2<f64>) -> (Array2<f64>, Array1<f32>) {
    let mut rounded = matrix.mapv(|entry| f64::from(entry as f32));
    let mut steps = Array1::zeros(matrix.nrows());
    for (i, (mut row, step)) in rounded.rows_mut().into_iter().zip(&mut steps).enumerate() {
        let body = (i / SIDE + 1) * SIDE;
        *step = step_of(row.iter().skip(body).fold(0.0, |max, entry| f64::max(max, entry.abs())));
        let width = f64::from(*step);
        row.iter_mut().skip(body).for_each(|entry| *entry = (*entry / width).round() * width);
    }
    (rounded, steps)
}

/// The step for entries up to `largest`, of so few bits that every multiple of it is an f32 exactly.
fn step_of(largest: f64) -> f32 {
    let least = (largest as f32 / CODE_MAX).max(f32::MIN_POSITIVE);
    // 8 of 24 bits stay; rounded up, so that no code exceeds the largest.
    f32::from_bits((least.to_bits() + 0xffff) & !0xffff)
}

/// Root mean square of the relative change of ||T x||^2 over the frames.
fn change(exact: &Array2<f64>, rounded: &Array2<f64>, frames: &Array2<f64>) -> f64 {
    let lengths = |matrix: &Array2<f64>| {
        let products = frames.dot(&matrix.t());
        products.rows().into_iter().map(|row| row.dot(&row)).collect::<Vec<f64>>()
    };
    let pairs = lengths(exact).into_iter().zip(lengths(rounded));
    let changes: Vec<f64> = pairs.filter(|(want, _)| *want > 0.0).map(|(want, got)| got / want - 1.0).collect();
    (changes.iter().map(|change| change * change).sum::<f64>() / changes.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_large_enough_and_their_multiples_are_f32_numbers() {
        for largest in [1e-9, 0.3, 1.0, 7.0, 12_345.6] {
            let step = step_of(largest);
            assert!(f64::from(step) * f64::from(CODE_MAX) >= largest * (1.0 - 1e-7));
            assert!(f64::from(step) * f64::from(CODE_MAX) <= largest * 1.02);
            for code in [1.0, 12_345.0, 32_767.0] {
                assert_eq!(f64::from((f64::from(step) * code) as f32), f64::from(step) * code);
            }
        }
    }
}
