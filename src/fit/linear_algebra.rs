//! Matrix decompositions that fitting needs, in f64: what covariances become before a frame can be held against them.
//!
//! Every decomposition is `faer`'s; this file says which part of it is kept, and what happens to directions in which
//! the ID frames do not vary at all.

use faer::{Mat, Side};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

/// Eigenvalues below this share of the largest one, times the dimension, count as 0: 2^-23, the spacing of f32 at 1.
///
/// References take `scipy.linalg.pinvh` of a covariance of f32 features, whose cut-off this is. The f64 rule (2^-52)
/// would keep the rounding noise of the f32 features as directions and divide by it.
const SMALLEST_SHARE: f64 = f32::EPSILON as f64;

/// Singular values below this share of the largest one count as 0: the default of `numpy.linalg.pinv`.
const SMALLEST_SINGULAR_SHARE: f64 = 1e-15;

/// Eigenvalues of a symmetric matrix [D], ascending, and its eigenvectors [D, D] as rows in the same order.
///
/// `None` if the matrix holds numbers that are not finite.
pub(crate) fn symmetric_eigen(matrix: ArrayView2<'_, f64>) -> Option<(Array1<f64>, Array2<f64>)> {
    let eigen = to_faer(matrix)?.self_adjoint_eigen(Side::Lower).ok()?;
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    let count = values.nrows();
    Some((Array1::from_shape_fn(count, |i| values[i]), Array2::from_shape_fn((count, count), |(i, j)| vectors[(j, i)])))
}

/// An upper trapezoidal matrix T [r, D] with `T^T T = pinv(covariance)`, r its rank: ||T (a - b)|| is the Mahalanobis
/// distance of a and b.
///
/// Directions whose variance is below D * 2^-23 of the largest one are left out, as pseudo-inverses do: along them
/// the ID frames are constant (a feature that is always 0, or the copy of another one), and nothing is measured.
/// `None` if the covariance is 0 or not finite.
pub(crate) fn whitening(covariance: ArrayView2<'_, f64>) -> Option<Array2<f64>> {
    let (values, mut vectors) = symmetric_eigen(covariance)?;
    let largest = *values.last()?;
    let cut = largest * values.len() as f64 * SMALLEST_SHARE;
    if largest <= 0.0 {
        return None;
    }
    let first = values.iter().position(|value| *value > cut)?;
    for (mut vector, value) in vectors.rows_mut().into_iter().zip(&values).skip(first) {
        vector /= value.sqrt();
    }
    upper_trapezoid(vectors.view().split_at(Axis(0), first).1)
}

/// The factor R of `rows = Q R`, upper trapezoidal [min(r, D), D]: ||R x|| = ||rows x|| for every x, and about half of
/// R is zeros that need not be stored or multiplied. `None` if a number is not finite.
pub(crate) fn upper_trapezoid(rows: ArrayView2<'_, f64>) -> Option<Array2<f64>> {
    let qr = to_faer(rows)?.qr();
    let factor = qr.thin_R();
    let shape = (factor.nrows(), factor.ncols());
    Some(Array2::from_shape_fn(shape, |(i, j)| if i <= j { factor[(i, j)] } else { 0.0 }))
}

/// `pinv(matrix) b`: the shortest x for which ||matrix x - b|| is smallest. `None` if a number is not finite.
pub(crate) fn least_squares(matrix: ArrayView2<'_, f64>, b: ArrayView1<'_, f64>) -> Option<Array1<f64>> {
    let svd = to_faer(matrix)?.thin_svd().ok()?;
    let (left, values, right) = (svd.U(), svd.S().column_vector(), svd.V());
    let cut = (0..values.nrows()).fold(0.0, |max: f64, i| max.max(values[i])) * SMALLEST_SINGULAR_SHARE;
    let mut solution = Array1::zeros(matrix.ncols());
    for i in (0..values.nrows()).filter(|i| values[*i] > cut) {
        let along: f64 = b.iter().enumerate().map(|(row, b)| left[(row, i)] * b).sum();
        solution.iter_mut().enumerate().for_each(|(row, x)| *x += right[(row, i)] * along / values[i]);
    }
    Some(solution)
}

fn to_faer(matrix: ArrayView2<'_, f64>) -> Option<Mat<f64>> {
    let finite = matrix.iter().all(|value| value.is_finite());
    finite.then(|| Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[[i, j]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn close(got: &Array2<f64>, want: &Array2<f64>) {
        assert_eq!(got.shape(), want.shape());
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() <= 1e-12), "{got}\nwanted\n{want}");
    }

    #[test]
    fn eigenvectors_are_rows_in_the_order_of_ascending_eigenvalues() {
        let (values, vectors) = symmetric_eigen(array![[2.0, 1.0], [1.0, 2.0]].view()).unwrap();
        assert!((values[0] - 1.0).abs() < 1e-14 && (values[1] - 3.0).abs() < 1e-14);
        let root = 0.5_f64.sqrt();
        close(&vectors.mapv(f64::abs), &array![[root, root], [root, root]]);
        assert!(vectors[[0, 0]] * vectors[[0, 1]] < 0.0 && vectors[[1, 0]] * vectors[[1, 1]] > 0.0);
    }

    #[test]
    fn whitening_is_a_triangle_whose_square_is_the_inverse() {
        let covariance = array![[4.0, 2.0, 0.0], [2.0, 3.0, 1.0], [0.0, 1.0, 2.0]];
        let triangle = whitening(covariance.view()).unwrap();
        assert_eq!((triangle[[1, 0]], triangle[[2, 0]], triangle[[2, 1]]), (0.0, 0.0, 0.0));
        close(&triangle.t().dot(&triangle).dot(&covariance), &Array2::eye(3));
    }

    #[test]
    fn directions_without_variance_are_left_out() {
        // The second feature is constant, the third a copy of the first: pinv has 1/4 * 1/2 * 1/2 in the corners.
        let covariance = array![[4.0, 0.0, 4.0], [0.0, 0.0, 0.0], [4.0, 0.0, 4.0]];
        let triangle = whitening(covariance.view()).unwrap();
        assert_eq!(triangle.nrows(), 1);
        let corner = 1.0 / 16.0;
        close(&triangle.t().dot(&triangle), &array![[corner, 0.0, corner], [0.0, 0.0, 0.0], [corner, 0.0, corner]]);
        assert!(whitening(Array2::zeros((3, 3)).view()).is_none());
        assert!(whitening(array![[f64::NAN]].view()).is_none());
    }

    #[test]
    fn the_least_squares_solution_is_the_shortest_one() {
        // One equation x + y = 2 twice: of all solutions (1, 1) is the shortest.
        let solution = least_squares(array![[1.0, 1.0], [1.0, 1.0]].view(), array![2.0, 2.0].view()).unwrap();
        assert!(solution.iter().all(|x| (x - 1.0).abs() < 1e-14), "{solution}");
    }
}
