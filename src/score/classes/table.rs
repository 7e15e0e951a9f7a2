//! The classes' mean softmax, and which is nearest.

use ndarray::Array2;

use crate::score::kernels::{add_rows, softmax, vectorised};

/// Columns are read down to this probability, then, as long as too many classes are left, to the next.
const LEVELS: [f64; 4] = [0.02, 0.002, 0.0002, 0.0];

/// So many classes that can still be the nearest are worth their K logarithms each; more are worth more columns.
const FEW: usize = 12;

/// Which value in a column is largest, and by how much.
#[derive(Debug, Clone, Copy, Default)]
struct Peak {
    row: u32,
    /// The second largest value.
    second: f64,
    /// The largest less the second.
    excess: f64,
}

/// `log d_kj` of n classes, and the memory in which a frame is compared with them.
pub(super) struct Table {
    classes: usize,
    /// [n, K] row by row.
    exact: Vec<f64>,
    /// The same, rounded up, by columns [K, n].
    above: Vec<f32>,
    /// Per column.
    peaks: Vec<Peak>,
    /// p [K].
    probabilities: Vec<f64>,
    picked: Vec<(u32, f64)>,
    /// Per class an upper bound of `sum_j p_j log d_kj` over the columns read so far [n].
    read: Vec<f64>,
    /// Per class, what its own peaks could add in the columns not read.
    excess: Vec<f64>,
}

impl Table {
    pub(super) fn new(log_means: &Array2<f64>) -> Self {
        let (count, classes) = log_means.dim();
        Self {
            classes,
            exact: log_means.iter().copied().collect(),
            above: log_means.t().iter().map(|log| rounded_up(*log)).collect(),
            peaks: log_means.columns().into_iter().map(|column| peak(column.iter().copied())).collect(),
            probabilities: vec![0.0; classes],
            picked: Vec::with_capacity(classes),
            read: vec![0.0; count],
            excess: vec![0.0; count],
        }
    }

    /// `min_k KL(softmax(y) || d_k)` of logits whose log-sum-exp is given.
    pub(super) fn score(&mut self, logits: &[f32], log_sum_exp: f64) -> f64 {
        if !log_sum_exp.is_finite() {
            return f64::NAN;
        }
        softmax(logits, log_sum_exp, &mut self.probabilities);
        mean_log_probability(&self.probabilities, logits, log_sum_exp) - self.best_match()
    }

    /// `max_k sum_j p_j log d_kj`.
    ///
    /// The sum over the columns read, plus what the largest values of the others give, is an upper bound of the sum over
    /// all: a class whose bound is below the exact sum of another is out.
    fn best_match(&mut self) -> f64 {
        self.read.fill(0.0);
        let (mut best, mut ceiling) = (f64::NEG_INFINITY, f64::INFINITY);
        for level in LEVELS {
            self.read_columns(level, ceiling);
            ceiling = level;
            let rest = self.bound_of_rest(level);
            best = best.max(self.exact(self.most_likely()));
            let may_be_better = |row: usize| self.read[row] + self.excess[row] + rest > best;
            let left = (0..self.read.len()).filter(|row| may_be_better(*row)).count();
            if left <= FEW || level == 0.0 {
                let better = (0..self.read.len()).filter(|row| may_be_better(*row));
                return better.map(|row| self.exact(row)).fold(best, f64::max);
            }
        }
        best
    }

    /// Reads the columns with `floor <= p_j < ceiling`.
    fn read_columns(&mut self, floor: f64, ceiling: f64) {
        self.picked.clear();
        let numbered = (0_u32..).zip(self.probabilities.iter().copied());
        self.picked.extend(numbered.filter(|(_, p)| *p >= floor && *p < ceiling && *p > 0.0));
        add_rows(&self.above, &self.picked, &mut self.read);
    }

    /// What the columns with `p_j < level` can give to any class; what a class can gain by its own peaks goes to
    /// `excess`.
    fn bound_of_rest(&mut self, level: f64) -> f64 {
        self.excess.fill(0.0);
        let mut rest = 0.0;
        for (p, peak) in self.probabilities.iter().zip(&self.peaks).filter(|(p, _)| **p < level) {
            rest += p * peak.second;
            self.excess[peak.row as usize] += p * peak.excess;
        }
        rest
    }

    /// The class with the largest bound so far.
    fn most_likely(&self) -> usize {
        let bounds = self.read.iter().zip(&self.excess).map(|(read, excess)| read + excess);
        bounds.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(row, _)| row)
    }

    /// `sum_j p_j log d_kj` of one class.
    fn exact(&self, row: usize) -> f64 {
        wide_dot(&self.exact[row * self.classes..(row + 1) * self.classes], &self.probabilities)
    }
}

vectorised! {
    /// `sum_j p_j log p_j`, where `log p_j = y_j - log_sum_exp`; 0 log 0 = 0.
    fn mean_log_probability(probabilities: &[f64], logits: &[f32], log_sum_exp: f64) -> f64 {
        let mut sums = [0.0_f64; 16];
        let ((p_chunks, p_rest), (y_chunks, y_rest)) = (probabilities.as_chunks::<16>(), logits.as_chunks::<16>());
        for (p, y) in p_chunks.iter().zip(y_chunks) {
            for lane in 0..16 {
                let log = f64::from(y[lane]) - log_sum_exp;
                sums[lane] += if p[lane] > 0.0 { p[lane] * log } else { 0.0 };
            }
        }
        for (lane, (p, y)) in p_rest.iter().zip(y_rest).enumerate() {
            sums[lane] += if *p > 0.0 { p * (f64::from(*y) - log_sum_exp) } else { 0.0 };
        }
        sums.iter().sum()
    }

    /// `sum_i a_i b_i` in f64.
    fn wide_dot(a: &[f64], b: &[f64]) -> f64 {
        let mut sums = [0.0_f64; 16];
        let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for lane in 0..16 {
                sums[lane] = a[lane].mul_add(b[lane], sums[lane]);
            }
        }
        for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
            sums[lane] += a * b;
        }
        sums.iter().sum()
    }
}

/// The nearest f32 that is not below.
fn rounded_up(value: f64) -> f32 {
    let nearest = value as f32;
    if f64::from(nearest) < value { nearest.next_up() } else { nearest }
}

fn peak(column: impl Iterator<Item = f64>) -> Peak {
    let (mut row, mut first, mut second) = (0, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for (place, value) in (0_u32..).zip(column) {
        if value > first {
            (row, second, first) = (place, first, value);
        } else if value > second {
            second = value;
        }
    }
    // With one class there is no second, and the first is every class's.
    let second = if second.is_finite() { second } else { first };
    Peak { row, second, excess: first - second }
}
