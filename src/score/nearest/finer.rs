//! What eight bits leave of rows, in eight more: a closer look at the few rows that the first one leaves possible.
//!
//! Where all rows lie about as far from a query, as features of many columns do, the bound of eight bits leaves several times
//! as many as are wanted, and each of them would be read in full.

use oodwatch_dot::eight::{self, Codes, WIDTH};

use super::bounds::CODE_MAX;
use super::screen::kth_largest;

/// Steps of finer codes in one step of the row's.
const STEPS: f64 = 256.0;

/// The finer codes, and the memory in which candidates are compared.
#[derive(Debug, Default)]
pub(super) struct Finer {
    /// Row by row, as the codes that they belong to.
    codes: Vec<Codes>,
    /// The norm of what is left of each row.
    left_out: Vec<f64>,
    products: Vec<i32>,
    uppers: Vec<f64>,
    lowers: Vec<f64>,
}

impl Finer {
    /// Adds a row, of which codes of `step` leave this.
    pub(super) fn add(&mut self, rest: impl ExactSizeIterator<Item = f64>, step: f64) {
        let finer_step = step / STEPS;
        let mut square = 0.0;
        let first = self.codes.len();
        self.codes.resize(first + rest.len().div_ceil(WIDTH), Codes([0; WIDTH]));
        for (place, rest) in self.codes[first..].iter_mut().flat_map(|codes| &mut codes.0).zip(rest) {
            let code = if finer_step > 0.0 { (rest / finer_step).round().clamp(-CODE_MAX, CODE_MAX) } else { 0.0 };
            *place = code as i8;
            square += (rest - finer_step * code).powi(2);
        }
        self.left_out.push(square.sqrt());
        self.products.push(0);
        self.uppers.push(0.0);
        self.lowers.push(0.0);
    }

    /// Leaves those of more than k candidates among which the k with the largest values are. `around` gives the value of a row, and how far
    /// from it the true one can be, by what finer codes add to the row's product, in its steps, and by the norm of what they leave out.
    pub(super) fn narrow(
        &mut self,
        candidates: &mut Vec<u32>,
        k: usize,
        query: &[[i16; WIDTH]],
        around: impl Fn(u32, f64, f64) -> (f64, f64),
    ) {
        eight::products_of(&self.codes, candidates, query, &mut self.products);
        let results = self.uppers.iter_mut().zip(&mut self.lowers);
        for ((row, product), (upper, lower)) in candidates.iter().zip(&self.products).zip(results) {
            let (middle, slack) = around(*row, f64::from(*product) / STEPS, self.left_out[*row as usize]);
            (*upper, *lower) = (middle + slack, middle - slack);
        }
        let threshold = kth_largest(&mut self.lowers[..candidates.len()], k);
        let mut uppers = self.uppers.iter();
        candidates.retain(|_| uppers.next().is_some_and(|upper| *upper >= threshold));
    }
}
