//! Mean and scatter of a stream of vectors, in f64.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// Rows that are gathered before one matrix product adds them to the scatter.
const BLOCK: usize = 128;

/// Count, mean and scatter matrix of the rows seen so far.
///
/// Rows are taken relative to the first one, so that a mean far from zero costs the scatter no digits.
#[derive(Debug, Clone)]
pub struct Moments {
    count: usize,
    origin: Array1<f64>,
    /// Sum of (x - origin).
    sum: Array1<f64>,
    /// Sum of (x - origin)(x - origin)^T of the rows that have left the block.
    scatter: Array2<f64>,
    block: Array2<f64>,
    filled: usize,
}

impl Moments {
    /// Of rows of `dimensions` numbers; nothing seen yet.
    pub fn new(dimensions: usize) -> Self {
        Self {
            count: 0,
            origin: Array1::zeros(dimensions),
            sum: Array1::zeros(dimensions),
            scatter: Array2::zeros((dimensions, dimensions)),
            block: Array2::zeros((BLOCK, dimensions)),
            filled: 0,
        }
    }

    /// Takes in one row.
    pub fn add(&mut self, row: impl ExactSizeIterator<Item = f64> + Clone) {
        if self.count == 0 {
            self.origin.iter_mut().zip(row.clone()).for_each(|(origin, x)| *origin = x);
        }
        let mut place = self.block.row_mut(self.filled);
        for (((place, sum), origin), x) in place.iter_mut().zip(&mut self.sum).zip(&self.origin).zip(row) {
            *place = x - origin;
            *sum += *place;
        }
        self.count += 1;
        self.filled += 1;
        if self.filled == BLOCK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let (rows, _) = self.block.view().split_at(Axis(0), self.filled);
        general_mat_mul(1.0, &rows.t(), &rows, 1.0, &mut self.scatter);
        self.filled = 0;
    }

    /// How many rows there were.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Mean of the rows [D].
    pub fn mean(&self) -> Array1<f64> {
        &self.origin + &(&self.sum / self.count.max(1) as f64)
    }

    /// Scatter about the mean [D, D]: sum of (x - mean)(x - mean)^T. Divided by the count it is the (biased)
    /// covariance.
    pub fn scatter(&mut self) -> Array2<f64> {
        self.flush();
        let shift = &self.sum / self.count.max(1) as f64;
        let mut scatter = self.scatter.clone();
        subtract_outer(&mut scatter, self.count as f64, &shift);
        scatter
    }

    /// Scatter about the means of groups: of `counts[k]` rows each, with the means `means[k]` [K, D]. Within-class
    /// scatter, where the groups are classes.
    pub fn scatter_within(&mut self, counts: &[usize], means: ArrayView2<'_, f64>) -> Array2<f64> {
        self.flush();
        let mut scatter = self.scatter.clone();
        for (count, mean) in counts.iter().zip(means.rows()) {
            if *count > 0 {
                subtract_outer(&mut scatter, *count as f64, &(&mean - &self.origin));
            }
        }
        scatter
    }
}

/// `scatter -= weight x x^T`.
fn subtract_outer(scatter: &mut Array2<f64>, weight: f64, x: &Array1<f64>) {
    for (mut row, a) in scatter.rows_mut().into_iter().zip(x) {
        row.scaled_add(-weight * a, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows far from zero, more than a block of them.
    fn rows() -> Vec<[f64; 3]> {
        (0..300).map(|i| [1e6 + f64::from(i % 7), -1e6 + f64::from(i % 11) * 0.5, f64::from(i % 13)]).collect()
    }

    fn plain_scatter(rows: &[[f64; 3]], mean: impl Fn(usize) -> [f64; 3]) -> Array2<f64> {
        let mut scatter = Array2::zeros((3, 3));
        for (number, row) in rows.iter().enumerate() {
            let mean = mean(number);
            for i in 0..3 {
                for j in 0..3 {
                    scatter[[i, j]] += (row[i] - mean[i]) * (row[j] - mean[j]);
                }
            }
        }
        scatter
    }

    fn mean_of<'a>(rows: impl Iterator<Item = &'a [f64; 3]> + Clone) -> [f64; 3] {
        let count = rows.clone().count() as f64;
        std::array::from_fn(|i| rows.clone().map(|row| row[i]).sum::<f64>() / count)
    }

    fn close(got: &Array2<f64>, want: &Array2<f64>) {
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() <= 1e-6), "{got}\nwanted\n{want}");
    }

    #[test]
    fn the_scatter_of_a_stream_is_that_of_two_passes() {
        let rows = rows();
        let mut moments = Moments::new(3);
        rows.iter().for_each(|row| moments.add(row.iter().copied()));
        let mean = mean_of(rows.iter());
        assert!(moments.mean().iter().zip(mean).all(|(got, want)| (got - want).abs() < 1e-8));
        close(&moments.scatter(), &plain_scatter(&rows, |_| mean));
    }

    #[test]
    fn the_scatter_within_groups_is_that_of_two_passes() {
        let rows = rows();
        let mut moments = Moments::new(3);
        rows.iter().for_each(|row| moments.add(row.iter().copied()));
        let group = |number: usize| number % 2;
        let means: Vec<[f64; 3]> = (0..2)
            .map(|k| mean_of(rows.iter().enumerate().filter(move |(n, _)| group(*n) == k).map(|(_, row)| row)))
            .collect();
        let matrix = Array2::from_shape_fn((3, 3), |(k, i)| if k < 2 { means[k][i] } else { f64::NAN });
        let got = moments.scatter_within(&[150, 150, 0], matrix.view());
        close(&got, &plain_scatter(&rows, |number| means[group(number)]));
    }
}
