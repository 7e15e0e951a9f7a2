//! A first look at the rows of a large matrix, at four bits a number: what their products with a frame's vector are at
//! most.
//!
//! Four bits hold the bulk of a row's numbers; its few largest are kept beside them in full, so that they do not make the
//! steps wide. The norm of what four bits leave out is kept exactly, and Cauchy-Schwarz on it makes the bound (no
//! approximation). It is wider than that of eight bits, but takes half of the memory traffic.

use oodwatch_dot::four::{self, CODE_MAX, Nibbles, WIDTH};

use super::kernels::{vectorised, wide_maximum};

/// Numbers of a row that are kept in full.
const IN_FULL: usize = 16;

/// A code of 0 to 14 stands for -7 to 7.
const MIDDLE: i32 = CODE_MAX as i32 / 2;

/// Largest magnitude of the query's integers.
const QUERY_MAX: f64 = 127.0;

/// Places that 16 bits tell apart: an index of 16 bits into as many numbers needs no check.
const PLACES: usize = 1 << 16;

/// What 16 products of f32 numbers lose at most, of the lengths of both: half a unit in the last place of the query, of each product and
/// of the sums that it comes through, which are fewer than 16.
const FULL_ERROR: f64 = 1e-6;

/// Rows r_i, and the memory in which `<q, r_i> + bias_i` is bounded.
#[derive(Debug)]
pub(super) struct Coarse {
    /// Row by row, each filled up to whole [`WIDTH`]s.
    codes: Vec<Nibbles>,
    /// The numbers that are kept in full, row by row, and their places.
    large: Vec<[f32; IN_FULL]>,
    places: Vec<[u16; IN_FULL]>,
    bounds: Bounds,
    query: Vec<[i8; WIDTH]>,
    /// The query in its steps.
    scaled: Box<[f32; PLACES]>,
    products: Vec<i32>,
    in_full: Vec<f32>,
    middles: Vec<f64>,
    uppers: Vec<f64>,
}

/// What bounds a row's product with any query: `r = large + step * code + rest`; row by row.
#[derive(Debug, Default)]
struct Bounds {
    step: Vec<f64>,
    /// ||step * code||.
    coded: Vec<f64>,
    /// ||rest||, and what products of the large numbers may lose.
    left_out: Vec<f64>,
    bias: Vec<f64>,
}

impl Coarse {
    /// Whether rows can be so long.
    pub(super) fn takes(columns: usize) -> bool {
        columns <= PLACES
    }

    /// Of rows of `columns` numbers, as many as [`Self::takes`], each with its bias.
    pub(super) fn new(rows: impl Iterator<Item = (Vec<f64>, f64)>, columns: usize) -> Self {
        let (mut codes, mut large, mut places, mut bounds) = (Vec::new(), Vec::new(), Vec::new(), Bounds::default());
        for (row, bias) in rows {
            let (numbers, of_numbers) = bounds.round(&row, &mut codes);
            large.push(numbers);
            places.push(of_numbers);
            bounds.bias.push(bias);
        }
        let count = large.len();
        Self {
            codes,
            large,
            places,
            bounds,
            query: vec![[0; WIDTH]; columns.div_ceil(WIDTH)],
            scaled: Box::new([0.0; PLACES]),
            products: vec![0; count],
            in_full: vec![0.0; count],
            middles: vec![0.0; count],
            uppers: vec![0.0; count],
        }
    }

    /// What `<q, r_i> + bias_i` of each row is at most, not finite where that is not known, and the row of which it is likely the largest. The
    /// query is finite.
    pub(super) fn bound(&mut self, query: &[f64]) -> (&[f64], usize) {
        let max = query.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        let step = max / QUERY_MAX;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let sums = round_query(query, step, inverse, self.query.as_flattened_mut(), self.scaled.as_mut_slice());
        four::products(&self.codes, &self.query, &mut self.products);
        multiply_large(&self.large, &self.places, &self.scaled, &mut self.in_full);
        let total: i32 = self.query.as_flattened().iter().map(|x| i32::from(*x)).sum();
        let (norm, left_out) = (sums.square.sqrt(), sums.left_out.sqrt());
        middles(&self.products, MIDDLE * total, &self.in_full, step, &self.bounds, &mut self.middles);
        uppers(&self.middles, &self.bounds, norm, left_out, &mut self.uppers);
        let largest = wide_maximum(&self.middles);
        let likeliest = self.middles.iter().position(|middle| *middle == largest);
        (&self.uppers, likeliest.unwrap_or(0))
    }
}

impl Bounds {
    /// Adds a row, whose codes are added to `codes`; gives what is kept in full, and its places.
    fn round(&mut self, row: &[f64], codes: &mut Vec<Nibbles>) -> ([f32; IN_FULL], [u16; IN_FULL]) {
        let mut order: Vec<u16> = (0..=u16::MAX).take(row.len()).collect();
        order.sort_by(|a, b| row[usize::from(*b)].abs().total_cmp(&row[usize::from(*a)].abs()));
        let (mut large, mut places) = ([0.0; IN_FULL], [0; IN_FULL]);
        let mut rest = row.to_vec();
        for ((large, kept), place) in large.iter_mut().zip(&mut places).zip(&order) {
            let x = &mut rest[usize::from(*place)];
            (*large, *kept) = (*x as f32, *place);
            *x -= f64::from(*large);
        }
        let largest = rest.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        let step = largest / f64::from(MIDDLE);
        let (mut left_out, mut coded) = (0.0, 0.0);
        let first = codes.len();
        codes.resize(first + row.len().div_ceil(WIDTH), Nibbles::ZERO);
        for (place, x) in rest.iter().enumerate() {
            let code = if step > 0.0 { (x / step).round() } else { 0.0 };
            codes[first + place / WIDTH].set(place % WIDTH, (code as i32 + MIDDLE) as u8);
            left_out += (x - step * code).powi(2);
            coded += (step * code).powi(2);
        }
        let in_full = large.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        self.step.push(step);
        self.coded.push(coded.sqrt());
        self.left_out.push(left_out.sqrt() + FULL_ERROR * in_full);
        (large, places)
    }
}

/// Sums of squares: of a query, and of what its integers leave out.
struct Sums {
    square: f64,
    left_out: f64,
}

vectorised! {
    /// Rounds to multiples of `step`, of which `inverse` is one; gives the query in steps too.
    fn round_query(query: &[f64], step: f64, inverse: f64, rounded: &mut [i8], scaled: &mut [f32]) -> Sums {
        /// Adding it rounds to the nearest integer, which then stands in the low bits.
        const ROUND: f64 = 6_755_399_441_055_744.0;
        let (mut squares, mut left_out) = ([0.0; 8], [0.0; 8]);
        for (place, ((rounded, scaled), x)) in rounded.iter_mut().zip(scaled).zip(query).enumerate() {
            let shifted = x * inverse + ROUND;
            *rounded = shifted.to_bits() as i8;
            *scaled = (x * inverse) as f32;
            let rest = x - step * (shifted - ROUND);
            left_out[place % 8] += rest * rest;
            squares[place % 8] += x * x;
        }
        Sums { square: squares.iter().sum(), left_out: left_out.iter().sum() }
    }

    /// What the numbers that are kept in full add to the products, over partial sums that do not wait for each other.
    fn multiply_large(
        large: &[[f32; IN_FULL]], places: &[[u16; IN_FULL]], query: &[f32; PLACES], products: &mut [f32],
    ) -> () {
        for ((large, places), product) in large.iter().zip(places).zip(products) {
            let mut sums = [0.0_f32; 4];
            for kept in 0..IN_FULL {
                sums[kept % 4] = large[kept].mul_add(query[usize::from(places[kept])], sums[kept % 4]);
            }
            *product = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        }
    }

    /// What codes and large numbers make of each row's `<q, r_i> + bias_i`; `offset` is what codes that stand for 0 add to a product.
    fn middles(
        products: &[i32], offset: i32, in_full: &[f32], step: f64, bounds: &Bounds, middles: &mut [f64],
    ) -> () {
        let rows = products.iter().zip(in_full).zip(&bounds.step).zip(&bounds.bias);
        for ((((product, in_full), of_row), bias), middle) in rows.zip(middles) {
            *middle = step * (f64::from(product.wrapping_sub(offset)) * of_row + f64::from(*in_full)) + bias;
        }
    }

    /// What is at most left out, of a query of this `norm` whose integers leave out so much, added to each row's middle.
    fn uppers(middles: &[f64], bounds: &Bounds, norm: f64, left_out: f64, uppers: &mut [f64]) -> () {
        for (((upper, middle), rest), coded) in uppers.iter_mut().zip(middles).zip(&bounds.left_out).zip(&bounds.coded) {
            *upper = middle + (norm * rest + left_out * coded);
        }
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
