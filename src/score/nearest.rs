//! Which rows of a matrix lie nearest to a frame's vector, found without reading the matrix.
//!
//! Each row is rounded to eight bits, and the norm of what eight bits leave out is kept exactly. A pass over the rounded
//! rows bounds every row's product with the query from both sides (Cauchy-Schwarz on what was left out, no
//! approximation); only rows whose upper bound reaches the k-th largest lower bound can be among the k nearest, and
//! those few are left to be looked at in full. The answer is that of a full scan, from a quarter of the memory traffic.

use oodwatch_dot::eight::{self, Codes, WIDTH};

use super::coarse::Coarse;
use super::kernels::vectorised;
use super::metric::dot;

/// Largest magnitude of an eight-bit code.
const CODE_MAX: f64 = 127.0;

/// Rows r_i, of which those with the largest `<q, r_i> + bias_i` are wanted, q being a frame's vector.
#[derive(Debug)]
pub(super) struct Screen {
    /// Row by row, each filled up with zeros to whole [`WIDTH`]s.
    codes: Vec<Codes>,
    bounds: Vec<RowBounds>,
    /// The query, rounded to as many bits as a 32-bit sum of products leaves room for.
    query: Vec<[i16; WIDTH]>,
    query_max: f64,
    products: Vec<i32>,
    uppers: Vec<f64>,
    lowers: Vec<f64>,
    candidates: Vec<u32>,
}

/// Numbers from which on rows are looked at in four bits first: fewer of them, in eight bits, stay in a processor's cache.
const COARSE_NUMBERS: usize = 1 << 19;

/// Rows of which the one is wanted that is nearest to a frame's vector.
#[derive(Debug)]
pub(super) struct Nearest {
    coarse: Option<Coarse>,
    screen: Screen,
}

impl Nearest {
    /// Of rows of `columns` numbers.
    pub(super) fn new<R: AsRef<[f64]>>(rows: impl Iterator<Item = R> + Clone, columns: usize) -> Self {
        let screen = Screen::for_distances(rows.clone(), columns);
        let coarse = (screen.len() * columns >= COARSE_NUMBERS && Coarse::takes(columns)).then(|| {
            let biases = screen.bounds.iter().map(|row| row.bias);
            Coarse::new(rows.map(|row| row.as_ref().to_vec()).zip(biases), columns)
        });
        Self { coarse, screen }
    }

    /// The smallest squared distance of a finite query to a row, given `exact` distances; infinity of no rows.
    pub(super) fn smallest(&mut self, query: &[f64], exact: impl Fn(u32) -> f64) -> f64 {
        let least = |candidates: &[u32]| candidates.iter().map(|row| exact(*row)).fold(f64::INFINITY, f64::min);
        let Some(coarse) = &mut self.coarse else { return least(self.screen.candidates(query, 1)) };
        let (uppers, likeliest) = coarse.bound(query);
        let nearest = exact(likeliest as u32);
        // ||q - r||^2 = ||q||^2 - 2 (<q, r> - ||r||^2 / 2).
        let threshold = (dot(query, query) - nearest) / 2.0;
        self.screen.choose(uppers, |row, upper| reaches(upper, threshold) && row != likeliest);
        nearest.min(least(self.screen.narrow(query, threshold)))
    }
}

/// Whether a value that is at most `upper` can reach a threshold. Of one that is not known to be finite nothing is known.
fn reaches(upper: f64, threshold: f64) -> bool {
    upper >= threshold || !upper.is_finite()
}

/// What bounds a row's product with any query.
#[derive(Debug, Clone, Copy)]
struct RowBounds {
    /// r is about step * code.
    step: f64,
    /// ||r - step * code||.
    left_out: f64,
    /// ||r||.
    norm: f64,
    bias: f64,
}

impl Screen {
    /// For the largest inner products `<q, r_i>`, of rows of `columns` numbers.
    pub(super) fn for_products<R: AsRef<[f64]>>(rows: impl Iterator<Item = R>, columns: usize) -> Self {
        Self::new(rows, columns, |_| 0.0)
    }

    /// For the smallest Euclidean distances: ||q - r||^2 / 2 falls as `<q, r> - ||r||^2 / 2` grows.
    pub(super) fn for_distances<R: AsRef<[f64]>>(rows: impl Iterator<Item = R>, columns: usize) -> Self {
        Self::new(rows, columns, |norm| -norm * norm / 2.0)
    }

    fn new<R: AsRef<[f64]>>(rows: impl Iterator<Item = R>, columns: usize, bias: impl Fn(f64) -> f64) -> Self {
        let mut codes = Vec::new();
        let bounds: Vec<RowBounds> = rows.map(|row| RowBounds::new(row.as_ref(), &bias, &mut codes)).collect();
        let count = bounds.len();
        let query_max = (f64::from(i32::MAX) / (CODE_MAX * columns.max(1) as f64)).min(eight::QUERY_MAX.into()).floor();
        Self {
            codes,
            bounds,
            query: vec![[0; WIDTH]; columns.div_ceil(WIDTH)],
            query_max,
            products: vec![0; count],
            uppers: vec![0.0; count],
            lowers: vec![0.0; count],
            candidates: Vec::with_capacity(count),
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// Rows among which the k nearest are, in ascending order; hardly more than k as a rule, all rows where there are no
    /// more than k or the query is not finite.
    pub(super) fn candidates(&mut self, query: &[f64], k: usize) -> &[u32] {
        self.candidates.clear();
        let norm = dot(query, query).sqrt();
        if self.len() <= k || k == 0 || !norm.is_finite() {
            self.candidates.extend(0..self.len() as u32);
            return &self.candidates;
        }
        let (step, left_out) = self.round(query);
        eight::products(&self.codes, &self.query, &mut self.products);
        self.bound(step, norm + left_out, left_out);
        let threshold = kth_largest(&mut self.lowers, k);
        let reaching = self.uppers.iter().enumerate().filter(|(_, upper)| **upper >= threshold);
        self.candidates.extend(reaching.map(|(index, _)| index as u32));
        &self.candidates
    }

    /// Makes candidates of those rows of which `possible` says so, given what their value is at most. Each is written to the next free
    /// place, but only those move on: no branch that could be mispredicted.
    fn choose(&mut self, uppers: &[f64], possible: impl Fn(usize, f64) -> bool) {
        self.candidates.resize(uppers.len(), 0);
        let mut count = 0;
        for (row, upper) in uppers.iter().enumerate() {
            if let Some(next) = self.candidates.get_mut(count) {
                *next = row as u32;
            }
            count += usize::from(possible(row, *upper));
        }
        self.candidates.truncate(count);
    }

    /// Those of the candidates that eight bits leave possible, with a value of at least `threshold`.
    fn narrow(&mut self, query: &[f64], threshold: f64) -> &[u32] {
        if self.candidates.len() > 1 {
            let (step, left_out) = self.round(query);
            let norm = dot(query, query).sqrt();
            eight::products_of(&self.codes, &self.candidates, &self.query, &mut self.products);
            let (bounds, mut products) = (&self.bounds, self.products.iter());
            self.candidates.retain(|row| {
                let product = products.next().copied().unwrap_or_default();
                let (middle, slack) = bounds[*row as usize].around(product, step, norm + left_out, left_out);
                reaches(middle + slack, threshold)
            });
        }
        &self.candidates
    }

    /// Rounds the query to integers of `step`; gives the step and the norm of what rounding leaves out.
    fn round(&mut self, query: &[f64]) -> (f64, f64) {
        let max = query.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        let step = max / self.query_max;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        (step, round_to(query, step, inverse, self.query.as_flattened_mut()).sqrt())
    }

    /// Bounds `<q, r_i> + bias_i` of every row. With q = q' + dq and r = r' + dr, q' and r' being the integers of both:
    /// `<q, r> = <q', r'> + <q', dr> + <dq, r>`.
    fn bound(&mut self, step: f64, rounded_norm: f64, left_out: f64) {
        let results = self.uppers.iter_mut().zip(&mut self.lowers);
        for ((product, row), (upper, lower)) in self.products.iter().zip(&self.bounds).zip(results) {
            let (middle, slack) = row.around(*product, step, rounded_norm, left_out);
            (*upper, *lower) = (middle + slack, middle - slack);
        }
    }
}

vectorised! {
    /// Rounds to multiples of `step`; gives the sum of the squares of what that leaves out.
    fn round_to(query: &[f64], step: f64, inverse: f64, rounded: &mut [i16]) -> f64 {
        /// Adding it rounds to the nearest integer, which then stands in the low bits.
        const ROUND: f64 = 6_755_399_441_055_744.0;
        let mut left_out = [0.0; 8];
        for (place, (rounded, x)) in rounded.iter_mut().zip(query).enumerate() {
            let shifted = x * inverse + ROUND;
            *rounded = shifted.to_bits() as i16;
            let rest = x - step * (shifted - ROUND);
            left_out[place % 8] += rest * rest;
        }
        left_out.iter().sum()
    }
}

/// The k-th largest of more than k numbers, which are reordered.
fn kth_largest(numbers: &mut [f64], k: usize) -> f64 {
    if k == 1 {
        return numbers.iter().fold(f64::NEG_INFINITY, |max, number| max.max(*number));
    }
    let place = numbers.len() - k;
    *numbers.select_nth_unstable_by(place, f64::total_cmp).1
}

impl RowBounds {
    /// The value of a row by the integers, and how far from it the true one can be.
    fn around(&self, product: i32, step: f64, rounded_norm: f64, left_out: f64) -> (f64, f64) {
        let middle = f64::from(product) * step * self.step + self.bias;
        (middle, rounded_norm * self.left_out + left_out * self.norm)
    }

    /// Of one row, whose codes are added to `codes`.
    fn new(row: &[f64], bias: impl Fn(f64) -> f64, codes: &mut Vec<Codes>) -> Self {
        let step = row.iter().fold(0.0_f64, |max, x| max.max(x.abs())) / CODE_MAX;
        let (mut left_out, mut square) = (0.0, 0.0);
        let first = codes.len();
        codes.resize(first + row.len().div_ceil(WIDTH), Codes([0; WIDTH]));
        for (place, x) in codes[first..].iter_mut().flat_map(|codes| &mut codes.0).zip(row) {
            let code = if step > 0.0 { (x / step).round() } else { 0.0 };
            *place = code as i8;
            left_out += (x - step * code).powi(2);
            square += x * x;
        }
        let norm = square.sqrt();
        Self { step, left_out: left_out.sqrt(), norm, bias: bias(norm) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::score::metric::square_distance;

    /// The k best rows by a full scan.
    fn scan(rows: &[Vec<f64>], k: usize, value: impl Fn(&[f64]) -> f64) -> Vec<u32> {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        let value = |row: &u32| value(&rows[*row as usize]);
        order.sort_by(|a, b| value(b).total_cmp(&value(a)));
        order.truncate(k);
        order
    }

    fn random_rows(count: usize, columns: usize, seed: u64) -> Vec<Vec<f64>> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut row = || (0..columns).map(|i| (random.f64() - 0.3) / (1.0 + i as f64)).collect();
        (0..count).map(|_| row()).collect()
    }

    proptest! {
        #[test]
        fn the_k_nearest_are_always_among_the_candidates(
            count in 1..60_usize, columns in 1..90_usize, k in 1..8_usize, seed in 0..u64::MAX,
        ) {
            let rows = random_rows(count, columns, seed);
            let query = random_rows(1, columns, !seed).remove(0);
            let mut screen = Screen::for_products(rows.iter(), columns);
            let candidates = screen.candidates(&query, k);
            prop_assert!(scan(&rows, k, |row| dot(row, &query)).iter().all(|row| candidates.contains(row)));
            let mut screen = Screen::for_distances(rows.iter(), columns);
            let candidates = screen.candidates(&query, k);
            let wanted = scan(&rows, k, |row| -square_distance(row, &query));
            prop_assert!(wanted.iter().all(|row| candidates.contains(row)));
        }

        #[test]
        fn the_smallest_distance_is_that_of_a_full_scan(count in 1..60_usize, columns in 1..90_usize, seed in 0..u64::MAX) {
            let rows = random_rows(count, columns, seed);
            let query = random_rows(1, columns, !seed).remove(0);
            let distance = |row: u32| square_distance(&rows[row as usize], &query);
            let want = (0..count as u32).map(distance).fold(f64::INFINITY, f64::min);
            let mut nearest = Nearest::new(rows.iter(), columns);
            prop_assert_eq!(nearest.smallest(&query, distance), want);
            let biases = nearest.screen.bounds.iter().map(|row| row.bias);
            nearest.coarse = Some(Coarse::new(rows.iter().cloned().zip(biases), columns));
            prop_assert_eq!(nearest.smallest(&query, distance), want);
        }
    }

    #[test]
    fn rows_whose_products_f32_does_not_hold_are_looked_at_in_full() {
        let mut rows = random_rows(40, 70, 5);
        rows.iter_mut().flatten().for_each(|x| *x *= 3e38);
        let query = rows[7].iter().map(|x| x * 1.01).collect::<Vec<f64>>();
        let distance = |row: u32| square_distance(&rows[row as usize], &query);
        let mut nearest = Nearest::new(rows.iter(), 70);
        let biases = nearest.screen.bounds.iter().map(|row| row.bias);
        let mut coarse = Coarse::new(rows.iter().cloned().zip(biases), 70);
        assert!(coarse.bound(&query).0.iter().any(|upper| !upper.is_finite()));
        nearest.coarse = Some(coarse);
        assert_eq!(nearest.smallest(&query, distance), distance(7));
    }

    #[test]
    fn a_row_whose_bound_is_no_number_can_still_be_the_nearest() {
        // Of the first row the products are inf and -inf, of the second both -inf.
        let rows = [vec![2e38, 1e38], vec![-2e38, 1e38]];
        let query = [2e38, -1e37];
        let distance = |row: u32| square_distance(&rows[row as usize], &query);
        let mut nearest = Nearest::new(rows.iter(), 2);
        let biases = nearest.screen.bounds.iter().map(|row| row.bias);
        nearest.coarse = Some(Coarse::new(rows.iter().cloned().zip(biases), 2));
        assert_eq!(nearest.smallest(&query, distance), distance(0));
    }

    #[test]
    fn many_large_rows_are_searched_in_four_bits_first_and_nothing_is_allocated() {
        let rows = random_rows(600, 900, 3);
        let query = random_rows(1, 900, 4).remove(0);
        let distance = |row: u32| square_distance(&rows[row as usize], &query);
        let mut nearest = Nearest::new(rows.iter(), 900);
        assert!(nearest.coarse.is_some());
        let want = (0..600).map(distance).fold(f64::INFINITY, f64::min);
        assert_eq!(nearest.smallest(&query, distance), want);
        assert_eq!(allocation_counter::measure(|| assert!(nearest.smallest(&query, distance) == want)).count_total, 0);
    }

    #[test]
    fn most_rows_are_never_looked_at_in_full() {
        let rows = random_rows(500, 64, 7);
        let query = random_rows(1, 64, 8).remove(0);
        let found = Screen::for_distances(rows.iter(), 64).candidates(&query, 1).len();
        assert!(found < 50, "{found} of 500");
    }

    #[test]
    fn zero_rows_zero_queries_and_nan_make_no_trouble() {
        let mut screen = Screen::for_distances([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]].iter(), 2);
        assert_eq!(screen.candidates(&[0.0, 0.0], 1), [0]);
        assert_eq!(screen.candidates(&[f64::NAN, 0.0], 1), [0, 1, 2]);
        assert_eq!(screen.candidates(&[0.0, 0.0], 3), [0, 1, 2]);
        assert_eq!(screen.candidates(&[3.0, 3.0], 1), [1]);
    }
}
