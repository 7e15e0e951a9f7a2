//! Which rows of a matrix lie nearest to a frame's vector, found without reading the matrix.
//!
//! Rows are rounded, and the norm of what rounding leaves out is kept exactly. A pass over the rounded rows bounds every
//! row's product with the query from both sides (Cauchy-Schwarz on what was left out, no approximation); only rows whose
//! upper bound reaches the k-th largest lower bound can be among the k nearest, and those few are left to be looked at in
//! full. The answer is that of a full scan, from a quarter of the memory traffic or less.
//!
//! Of the k nearest ([`Screen`]) all rows are looked at in eight bits, and of long rows those that eight bits leave possible
//! in eight more ([`finer`]). Of the one nearest ([`Nearest`]) many rows are looked at in four bits first.

mod bounds;
mod finer;
mod screen;

pub(super) use self::screen::Screen;

use self::screen::reaches;
use super::coarse::Coarse;
use super::metric::dot;

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
        let screen = Screen::for_nearest(rows.clone(), columns);
        let coarse = (screen.len() * columns >= COARSE_NUMBERS && Coarse::takes(columns))
            .then(|| Coarse::new(rows.map(|row| row.as_ref().to_vec()).zip(screen.biases()), columns));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::score::metric::square_distance;

    pub(super) fn random_rows(count: usize, columns: usize, seed: u64) -> Vec<Vec<f64>> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut row = || (0..columns).map(|i| (random.f64() - 0.3) / (1.0 + i as f64)).collect();
        (0..count).map(|_| row()).collect()
    }

    proptest! {
        #[test]
        fn the_smallest_distance_is_that_of_a_full_scan(count in 1..60_usize, columns in 1..90_usize, seed in 0..u64::MAX) {
            let rows = random_rows(count, columns, seed);
            let query = random_rows(1, columns, !seed).remove(0);
            let distance = |row: u32| square_distance(&rows[row as usize], &query);
            let want = (0..count as u32).map(distance).fold(f64::INFINITY, f64::min);
            let mut nearest = Nearest::new(rows.iter(), columns);
            prop_assert_eq!(nearest.smallest(&query, distance), want);
            let biases = nearest.screen.biases();
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
        let biases = nearest.screen.biases();
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
        let biases = nearest.screen.biases();
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
}
