//! What rounding rows and a query to integers leaves known of their products.

use oodwatch_dot::eight::{Codes, WIDTH};

use super::finer::Finer;
use crate::score::kernels::vectorised;

/// Largest magnitude of an eight-bit code, and of a finer one.
pub(super) const CODE_MAX: f64 = 127.0;

/// What bounds a row's product with any query, row by row.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// r is about step * code.
    step: Vec<f64>,
    /// ||r - step * code||.
    pub(super) left_out: Vec<f64>,
    /// ||r||.
    norm: Vec<f64>,
    pub(super) bias: Vec<f64>,
}

/// What rounding made of a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounded {
    pub(super) step: f64,
    /// That of the rounded query is no larger.
    pub(super) norm: f64,
    /// The norm of what rounding left out.
    pub(super) left_out: f64,
}

impl Bounds {
    /// The value of a row by integers, of whose steps the product is and which leave this out, and how far from it the true one can be.
    pub(super) fn around(&self, row: usize, product: f64, left_out: f64, query: &Rounded) -> (f64, f64) {
        around(product, query, self.step[row], left_out, self.norm[row], self.bias[row])
    }

    /// Adds a row, whose codes are added to `codes`, and what they leave of it to `finer`.
    pub(super) fn add(
        &mut self,
        row: &[f64],
        bias: impl Fn(f64) -> f64,
        codes: &mut Vec<Codes>,
        finer: Option<&mut Finer>,
    ) {
        let step = row.iter().fold(0.0_f64, |max, x| max.max(x.abs())) / CODE_MAX;
        let (mut left_out, mut square) = (0.0, 0.0);
        let code = |x: f64| if step > 0.0 { (x / step).round() } else { 0.0 };
        let first = codes.len();
        codes.resize(first + row.len().div_ceil(WIDTH), Codes([0; WIDTH]));
        for (place, x) in codes[first..].iter_mut().flat_map(|codes| &mut codes.0).zip(row) {
            *place = code(*x) as i8;
            left_out += (x - step * code(*x)).powi(2);
            square += x * x;
        }
        if let Some(finer) = finer {
            finer.add(row.iter().map(|x| x - step * code(*x)), step);
        }
        let norm = square.sqrt();
        self.step.push(step);
        self.left_out.push(left_out.sqrt());
        self.norm.push(norm);
        self.bias.push(bias(norm));
    }
}

/// The value of a row, and how far from it the true one can be. With q = q' + dq and r = r' + dr, q' and r' being the integers of both:
/// `<q, r> = <q', r'> + <q', dr> + <dq, r>`.
#[inline(always)]
fn around(product: f64, query: &Rounded, step: f64, left_out: f64, norm: f64, bias: f64) -> (f64, f64) {
    (product * query.step * step + bias, query.norm * left_out + query.left_out * norm)
}

vectorised! {
    /// Rounds to multiples of `step`; gives the sum of the squares of what that leaves out.
    pub(super) fn round_to(query: &[f64], step: f64, inverse: f64, rounded: &mut [i16]) -> f64 {
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

    /// Bounds `<q, r_i> + bias_i` of every row from above and from below.
    pub(super) fn bound(products: &[i32], bounds: &Bounds, query: &Rounded, uppers: &mut [f64], lowers: &mut [f64]) -> () {
        let rows = bounds.step.iter().zip(&bounds.left_out).zip(&bounds.norm).zip(&bounds.bias);
        let results = uppers.iter_mut().zip(lowers);
        for ((product, (((step, left_out), norm), bias)), (upper, lower)) in products.iter().zip(rows).zip(results) {
            let (middle, slack) = around(f64::from(*product), query, *step, *left_out, *norm, *bias);
            (*upper, *lower) = (middle + slack, middle - slack);
        }
    }
}
