use std::collections::BTreeMap;

use ndarray::Array1;

use super::*;
use crate::score::{Fitted, State};

const NAMES: Names = Names { entries: "space", rest: "space_rest", steps: "space_steps" };

fn fitted(state: State) -> Fitted {
    Fitted { states: BTreeMap::from([("vim".to_string(), state)]), ..Fitted::default() }
}

fn trapezoid(rows: usize, columns: usize, entry: impl Fn(usize, usize) -> f64) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| if i <= j { entry(i, j) } else { 0.0 })
}

/// The triangle after its way through a state.
fn read(matrix: &Array2<f64>, tolerance: f64) -> Triangle {
    let frames = Array2::from_shape_fn((20, matrix.ncols()), |(n, i)| ((n * 31 + i) as f64 * 0.7).sin());
    let fitted = fitted(store(matrix, &frames, tolerance).add_to(State::default(), NAMES));
    Triangle::read(&fitted.state("vim").unwrap(), NAMES, &vec![0.0; matrix.ncols()]).unwrap()
}

fn vector(columns: usize) -> Vec<f64> {
    (0..columns).map(|i| (i as f64 * 0.11).cos()).collect()
}

fn product(triangle: &mut Triangle, x: &[f64]) -> Array1<f64> {
    let mut y = vec![f64::NAN; triangle.rows()];
    triangle.apply(x, &mut y);
    Array1::from(y)
}

/// Largest difference of both products to those of the matrix itself.
fn largest_difference(triangle: &mut Triangle, matrix: &Array2<f64>) -> f64 {
    let x = vector(matrix.ncols());
    let difference = product(triangle, &x) - matrix.dot(&Array1::from(x));
    difference.fold(0.0, |max, difference| f64::max(max, difference.abs()))
}

#[test]
fn small_triangles_multiply_as_the_whole_matrix_does_in_f64() {
    for (rows, columns) in [(1, 1), (3, 3), (2, 5), (8, 8), (9, 9), (70, 131), (130, 130)] {
        let matrix = trapezoid(rows, columns, |i, j| ((i * 7 + j) as f64 * 0.37).sin());
        let mut triangle = read(&matrix, 1.0);
        assert_eq!(triangle.rows(), rows);
        // Entries keep 48 bits.
        assert!(largest_difference(&mut triangle, &matrix) <= 1e-12, "{rows}x{columns}");
    }
}

#[test]
fn large_triangles_multiply_as_the_whole_matrix_does_in_f32() {
    for (rows, columns) in [(512, 512), (10, 519), (519, 519)] {
        let matrix = trapezoid(rows, columns, |i, j| ((i * 7 + j) as f64 * 0.37).sin());
        let mut triangle = read(&matrix, 0.0);
        assert!(matches!(&triangle.form, Form::Columns(columns) if matches!(columns.body, Body::Single(_))));
        assert!(largest_difference(&mut triangle, &matrix) <= 1e-5, "{rows}x{columns}");
    }
}

#[test]
fn the_centre_of_features_that_are_zero_is_multiplied_ahead_and_nothing_is_allocated() {
    let matrix = trapezoid(515, 519, |i, j| ((i * 7 + j) as f64 * 0.37).sin());
    let some =
        |wanted: usize| vector(519).iter().enumerate().map(|(i, x)| if i % 3 == wanted { *x } else { 0.0 }).collect();
    let (x, centre): (Vec<f64>, Vec<f64>) = (some(0), some(1));
    let fitted = fitted(store(&matrix, &Array2::ones((1, 519)), 0.0).add_to(State::default(), NAMES));
    let mut triangle = Triangle::read(&fitted.state("vim").unwrap(), NAMES, &centre).unwrap();
    let got = product(&mut triangle, &x);
    let want = matrix.dot(&(Array1::from(x.clone()) - Array1::from(centre)));
    assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() <= 1e-5), "{got} wanted {want}");
    let mut y = vec![0.0; 515];
    assert_eq!(allocation_counter::measure(|| triangle.apply(&x, &mut y)).count_total, 0);
}

#[test]
fn a_strong_diagonal_is_kept_in_16_bits_and_lengths_hardly_change() {
    let matrix = trapezoid(770, 771, |i, j| if i == j { 1.0 } else { 0.01 * ((i * 7 + j) as f64 * 0.37).sin() });
    let mut triangle = read(&matrix, 2e-6);
    assert!(matches!(&triangle.form, Form::Columns(columns) if matches!(columns.body, Body::Half(..))));
    let x = vector(771);
    let (got, want) = (product(&mut triangle, &x), matrix.dot(&Array1::from(x)));
    assert!((got.dot(&got) / want.dot(&want) - 1.0).abs() <= 4e-6);
}

#[test]
fn columns_that_cancel_each_other_are_kept_in_f32() {
    // All frames lie where a row nearly cancels.
    let matrix = trapezoid(8, 800, |_, j| if j % 2 == 0 { 1.0 } else { -1.0 + 1e-7 * j as f64 });
    let state = store(&matrix, &Array2::ones((4, 800)), 2e-6).add_to(State::default(), NAMES);
    assert!(!state.tensors.contains_key(NAMES.steps));
}

#[test]
fn numbers_that_make_no_triangle_are_refused_by_name() {
    let fitted = fitted(State::default().with_tensor("space", Array1::<f32>::zeros(4)));
    let error = Triangle::read(&fitted.state("vim").unwrap(), NAMES, &[0.0; 3]).unwrap_err().to_string();
    for part in ["vim", "\"space\"", "4 numbers", "3 columns"] {
        assert!(error.contains(part), "{part:?} is missing from: {error}");
    }
}
