//! A first look at the rows of a large matrix, at four bits a number: what their products with a frame's vector are at
//! most.
//!
//! Four bits hold the bulk of a row's numbers; its few largest are kept beside them in full, so that they do not make the
//! steps wide. The norm of what four bits leave out is kept exactly, and Cauchy-Schwarz on it makes the bound (no
//! approximation). It is wider than that of eight bits, but takes half of the memory traffic.

mod nibble_dot;

use self::nibble_dot::{CODE_MAX, Nibbles, WIDTH};
use super::kernels::vectorised;

/// Numbers of a row that are kept in full.
const IN_FULL: usize = 16;

/// A code of 0 to 14 stands for -7 to 7.
const MIDDLE: i32 = CODE_MAX as i32 / 2;

/// Largest magnitude of the query's integers.
const QUERY_MAX: f64 = 127.0;

/// Rows r_i, and the memory in which `<q, r_i> + bias_i` is bounded.
#[derive(Debug)]
pub(super) struct Coarse {
    /// Row by row, each filled up to whole [`WIDTH`]s.
    codes: Vec<Nibbles>,
    /// The numbers that are kept in full, row by row, with their places.
    large: Vec<[(u32, f32); IN_FULL]>,
    bounds: Vec<RowBounds>,
    query: Vec<[i8; WIDTH]>,
    products: Vec<i32>,
    uppers: Vec<f64>,
}

/// What bounds a row's product with any query: `r = full + step * code + rest`.
#[derive(Debug, Clone, Copy)]
struct RowBounds {
    step: f64,
    /// ||step * code||.
    coded: f64,
    /// ||rest||.
    left_out: f64,
    bias: f64,
}

impl Coarse {
    /// Of rows of `columns` numbers, each with its bias.
    pub(super) fn new(rows: impl Iterator<Item = (Vec<f64>, f64)>, columns: usize) -> Self {
        let (mut codes, mut large, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
        for (row, bias) in rows {
            let (rounded, in_full) = round_row(&row, bias, &mut codes);
            bounds.push(rounded);
            large.push(in_full);
        }
        let count = bounds.len();
        let query = vec![[0; WIDTH]; columns.div_ceil(WIDTH)];
        Self { codes, large, bounds, query, products: vec![0; count], uppers: vec![0.0; count] }
    }

    /// What `<q, r_i> + bias_i` of each row is at most, and the row of which it is likely the largest. The query is finite.
    pub(super) fn bound(&mut self, query: &[f64]) -> (&[f64], usize) {
        let max = query.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        let step = max / QUERY_MAX;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let sums = round_query(query, step, inverse, self.query.as_flattened_mut());
        let (norm, left_out) = (sums.square.sqrt(), sums.left_out.sqrt());
        nibble_dot::products(&self.codes, &self.query, &mut self.products);
        let total: i32 = self.query.as_flattened().iter().map(|x| i32::from(*x)).sum();
        let (mut likeliest, mut largest) = (0, f64::NEG_INFINITY);
        let rows = self.products.iter().zip(&self.bounds).zip(&self.large).zip(&mut self.uppers);
        for (row, (((product, bounds), large), upper)) in rows.enumerate() {
            let coded = f64::from(product - MIDDLE * total) * step * bounds.step;
            let middle = in_full(large, query) + coded + bounds.bias;
            *upper = middle + (norm * bounds.left_out + left_out * bounds.coded);
            if middle > largest {
                (likeliest, largest) = (row, middle);
            }
        }
        (&self.uppers, likeliest)
    }
}

/// What the numbers that are kept in full add to a product, over partial sums that do not wait for each other.
fn in_full(large: &[(u32, f32); IN_FULL], query: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    for four in large.as_chunks::<4>().0 {
        for (sum, (place, x)) in sums.iter_mut().zip(four) {
            *sum += f64::from(*x) * query.get(*place as usize).copied().unwrap_or_default();
        }
    }
    sums.iter().sum()
}

/// Codes of a row, which are added to `codes`; and what is kept in full.
fn round_row(row: &[f64], bias: f64, codes: &mut Vec<Nibbles>) -> (RowBounds, [(u32, f32); IN_FULL]) {
    let mut order: Vec<u32> = (0..row.len() as u32).collect();
    order.sort_by(|a, b| row[*b as usize].abs().total_cmp(&row[*a as usize].abs()));
    let mut in_full = [(0, 0.0); IN_FULL];
    let mut rest = row.to_vec();
    for (kept, place) in in_full.iter_mut().zip(&order) {
        let x = &mut rest[*place as usize];
        *kept = (*place, *x as f32);
        *x -= f64::from(*x as f32);
    }
    let largest = rest.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    let step = largest / f64::from(MIDDLE);
    let (mut left_out, mut coded) = (0.0, 0.0);
    let first = codes.len();
    codes.resize(first + row.len().div_ceil(WIDTH), [0; WIDTH / 2]);
    for (place, x) in rest.iter().enumerate() {
        let code = if step > 0.0 { (x / step).round() } else { 0.0 };
        let byte = &mut codes[first + place / WIDTH][place % (WIDTH / 2)];
        let nibble = (code as i32 + MIDDLE) as u8;
        *byte |= if place % WIDTH < WIDTH / 2 { nibble } else { nibble << 4 };
        left_out += (x - step * code).powi(2);
        coded += (step * code).powi(2);
    }
    (RowBounds { step, coded: coded.sqrt(), left_out: left_out.sqrt(), bias }, in_full)
}

/// Sums of squares: of a query, and of what its integers leave out.
struct Sums {
    square: f64,
    left_out: f64,
}

vectorised! {
    /// Rounds to multiples of `step`.
    fn round_query(query: &[f64], step: f64, inverse: f64, rounded: &mut [i8]) -> Sums {
        /// Adding it rounds to the nearest integer, which then stands in the low bits.
        const ROUND: f64 = 6_755_399_441_055_744.0;
        let (mut squares, mut left_out) = ([0.0; 8], [0.0; 8]);
        for (place, (rounded, x)) in rounded.iter_mut().zip(query).enumerate() {
            let shifted = x * inverse + ROUND;
            *rounded = shifted.to_bits() as i8;
            let rest = x - step * (shifted - ROUND);
            left_out[place % 8] += rest * rest;
            squares[place % 8] += x * x;
        }
        Sums { square: squares.iter().sum(), left_out: left_out.iter().sum() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::score::metric::dot;

    fn random_row(random: &mut fastrand::Rng, columns: usize) -> Vec<f64> {
        (0..columns).map(|_| (random.f64() - 0.3) * if random.u8(..20) == 0 { 9.0 } else { 1.0 }).collect()
    }

    proptest! {
        #[test]
        fn no_product_is_above_its_bound(count in 1..20_usize, columns in 1..200_usize, seed in 0..u64::MAX) {
            let mut random = fastrand::Rng::with_seed(seed);
            let rows: Vec<(Vec<f64>, f64)> =
                (0..count).map(|_| (random_row(&mut random, columns), random.f64())).collect();
            let query = random_row(&mut random, columns);
            let mut coarse = Coarse::new(rows.iter().cloned(), columns);
            let (uppers, likeliest) = coarse.bound(&query);
            prop_assert!(likeliest < count);
            for ((row, bias), upper) in rows.iter().zip(uppers) {
                let value = dot(row, &query) + bias;
                prop_assert!(value <= upper + 1e-9, "{} above {}", value, upper);
                // The error of four bits is some percent of both lengths.
                let lengths = (dot(row, row) * dot(&query, &query)).sqrt();
                prop_assert!(*upper <= value + 0.2 * lengths + 1e-9, "{} far above {}", upper, value);
            }
        }
    }

    #[test]
    fn zero_rows_and_zero_queries_are_bounded_by_their_bias() {
        let mut coarse = Coarse::new([(vec![0.0; 3], 2.0), (vec![1.0, -1.0, 0.5], 1.0)].into_iter(), 3);
        assert_eq!(coarse.bound(&[0.0; 3]), (&[2.0, 1.0][..], 0));
    }
}
