//! The rows among which the k nearest are.

use oodwatch_dot::eight::{self, Codes, WIDTH};

use super::bounds::{Bounds, CODE_MAX, Rounded, bound, round_to};
use super::finer::Finer;
use crate::score::kernels::vectorised;
use crate::score::metric::dot;

/// Columns from which on rows are looked at more closely before they are read in full; fewer are read as fast.
const FINER_COLUMNS: usize = 256;

/// Rows of which the largest lower bound stands for all.
const GROUP: usize = 16;

/// Rows r_i, of which those with the largest `<q, r_i> + bias_i` are wanted, q being a frame's vector.
#[derive(Debug)]
pub(in crate::score) struct Screen {
    /// Row by row, each filled up with zeros to whole [`WIDTH`]s.
    codes: Vec<Codes>,
    bounds: Bounds,
    finer: Option<Finer>,
    /// The query, rounded to as many bits as a 32-bit sum of products leaves room for.
    query: Vec<[i16; WIDTH]>,
    query_max: f64,
    products: Vec<i32>,
    uppers: Vec<f64>,
    lowers: Vec<f64>,
    /// The largest of each group of lower bounds.
    peaks: Vec<f64>,
    candidates: Vec<u32>,
}

/// Whether a value that is at most `upper` can reach a threshold. Of one that is not known to be finite nothing is known.
pub(super) fn reaches(upper: f64, threshold: f64) -> bool {
    upper >= threshold || !upper.is_finite()
}

impl Screen {
    /// For the largest inner products `<q, r_i>`, of rows of `columns` numbers.
    pub(in crate::score) fn for_products<R: AsRef<[f64]>>(rows: impl Iterator<Item = R>, columns: usize) -> Self {
        Self::new(rows, columns, |_| 0.0, None)
    }

    /// For the smallest Euclidean distances: ||q - r||^2 / 2 falls as `<q, r> - ||r||^2 / 2` grows.
    pub(in crate::score) fn for_distances<R: AsRef<[f64]>>(rows: impl Iterator<Item = R>, columns: usize) -> Self {
        Self::new(rows, columns, half_square, (columns >= FINER_COLUMNS).then(Finer::default))
    }

    /// As [`Self::for_distances`], where the one nearest row is wanted: eight bits leave few others.
    pub(super) fn for_nearest<R: AsRef<[f64]>>(rows: impl Iterator<Item = R>, columns: usize) -> Self {
        Self::new(rows, columns, half_square, None)
    }

    fn new<R: AsRef<[f64]>>(
        rows: impl Iterator<Item = R>,
        columns: usize,
        bias: impl Fn(f64) -> f64,
        mut finer: Option<Finer>,
    ) -> Self {
        let (mut codes, mut bounds) = (Vec::new(), Bounds::default());
        for row in rows {
            bounds.add(row.as_ref(), &bias, &mut codes, finer.as_mut());
        }
        let count = bounds.bias.len();
        // A code of -128 would still fit.
        let query_max = f64::from(i32::MAX) / ((CODE_MAX + 1.0) * columns.max(1) as f64);
        Self {
            codes,
            bounds,
            finer,
            query: vec![[0; WIDTH]; columns.div_ceil(WIDTH)],
            query_max: query_max.min(eight::QUERY_MAX.into()).floor(),
            products: vec![0; count],
            uppers: vec![0.0; count],
            lowers: vec![0.0; count],
            peaks: vec![0.0; count.div_ceil(GROUP)],
            candidates: Vec::with_capacity(count),
        }
    }

    /// Number of rows.
    pub(in crate::score) fn len(&self) -> usize {
        self.bounds.bias.len()
    }

    /// What is added to each row's product.
    pub(super) fn biases(&self) -> impl Iterator<Item = f64> {
        self.bounds.bias.iter().copied()
    }

    /// Rows among which the k nearest are, in ascending order; hardly more than k as a rule, all rows where there are no
    /// more than k or the query is not finite.
    pub(in crate::score) fn candidates(&mut self, query: &[f64], k: usize) -> &[u32] {
        self.candidates.clear();
        let rounded = self.round(query);
        if self.len() <= k || k == 0 || !rounded.norm.is_finite() {
            self.candidates.extend(0..self.len() as u32);
            return &self.candidates;
        }
        eight::products(&self.codes, &self.query, &mut self.products);
        bound(&self.products, &self.bounds, &rounded, &mut self.uppers, &mut self.lowers);
        let threshold = self.threshold(k);
        pick(&mut self.candidates, &self.uppers, |_, upper| upper >= threshold);
        if let Some(finer) = &mut self.finer
            && self.candidates.len() > k
        {
            let (bounds, products) = (&self.bounds, &self.products);
            finer.narrow(&mut self.candidates, k, &self.query, |row, finer, left_out| {
                let row = row as usize;
                bounds.around(row, f64::from(products[row]) + finer, left_out, &rounded)
            });
        }
        &self.candidates
    }

    /// A value that at least k rows reach: the k-th largest lower bound, or hardly less. Of many rows the k-th largest is taken of each
    /// group's largest, which are themselves lower bounds.
    fn threshold(&mut self, k: usize) -> f64 {
        if self.peaks.len() < 4 * k {
            return kth_largest(&mut self.lowers, k);
        }
        find_peaks(&self.lowers, &mut self.peaks);
        kth_largest(&mut self.peaks, k)
    }

    /// Makes candidates of those rows of which `possible` says so, given what their value is at most.
    pub(super) fn choose(&mut self, uppers: &[f64], possible: impl Fn(usize, f64) -> bool) {
        pick(&mut self.candidates, uppers, possible);
    }

    /// Those of the candidates that eight bits leave possible, with a value of at least `threshold`.
    pub(super) fn narrow(&mut self, query: &[f64], threshold: f64) -> &[u32] {
        if self.candidates.len() > 1 {
            let rounded = self.round(query);
            eight::products_of(&self.codes, &self.candidates, &self.query, &mut self.products);
            let (bounds, mut products) = (&self.bounds, self.products.iter());
            self.candidates.retain(|row| {
                let product = products.next().copied().unwrap_or_default();
                let row = *row as usize;
                let (middle, slack) = bounds.around(row, f64::from(product), bounds.left_out[row], &rounded);
                reaches(middle + slack, threshold)
            });
        }
        &self.candidates
    }

    /// Rounds the query to integers.
    fn round(&mut self, query: &[f64]) -> Rounded {
        let max = query.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        let step = max / self.query_max;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let left_out = round_to(query, step, inverse, self.query.as_flattened_mut()).sqrt();
        Rounded { step, norm: dot(query, query).sqrt() + left_out, left_out }
    }
}

/// Picks those rows of which `possible` says so, given what their value is at most. Each is written to the next free place, but only
/// those move on: no branch that could be mispredicted.
fn pick(candidates: &mut Vec<u32>, uppers: &[f64], possible: impl Fn(usize, f64) -> bool) {
    candidates.resize(uppers.len(), 0);
    let mut count = 0;
    for (row, upper) in uppers.iter().enumerate() {
        if let Some(next) = candidates.get_mut(count) {
            *next = row as u32;
        }
        count += usize::from(possible(row, *upper));
    }
    candidates.truncate(count);
}

fn half_square(norm: f64) -> f64 {
    -norm * norm / 2.0
}

vectorised! {
    /// The largest of each [`GROUP`] of numbers.
    fn find_peaks(numbers: &[f64], peaks: &mut [f64]) -> () {
        let (groups, rest) = numbers.as_chunks::<GROUP>();
        for (group, peak) in groups.iter().chain(std::iter::once(&last(rest))).zip(peaks) {
            let mut lanes = [f64::NEG_INFINITY; 4];
            for place in 0..GROUP {
                let lane = &mut lanes[place % 4];
                *lane = if group[place] > *lane { group[place] } else { *lane };
            }
            *peak = lanes.into_iter().fold(f64::NEG_INFINITY, f64::max);
        }
    }
}

/// A group that is not full, filled up.
#[inline(always)]
fn last(rest: &[f64]) -> [f64; GROUP] {
    std::array::from_fn(|place| rest.get(place).copied().unwrap_or(f64::NEG_INFINITY))
}

/// The k-th largest of at least k numbers, which are reordered.
pub(super) fn kth_largest(numbers: &mut [f64], k: usize) -> f64 {
    if k == 1 {
        return numbers.iter().fold(f64::NEG_INFINITY, |max, number| max.max(*number));
    }
    let place = numbers.len() - k;
    *numbers.select_nth_unstable_by(place, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::random_rows;
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
            let wanted = scan(&rows, k, |row| -square_distance(row, &query));
            for finer in [None, Some(Finer::default())] {
                let candidates = Screen::new(rows.iter(), columns, half_square, finer).candidates(&query, k).to_vec();
                prop_assert!(wanted.iter().all(|row| candidates.contains(row)));
            }
        }
    }

    #[test]
    fn of_many_rows_a_threshold_by_groups_misses_none_of_the_k_nearest_and_leaves_few_others() {
        let rows = random_rows(1000, 40, 11);
        for (seed, k) in [(1, 1), (2, 5), (3, 15)] {
            let query = random_rows(1, 40, seed).remove(0);
            let mut screen = Screen::for_distances(rows.iter(), 40);
            let candidates = screen.candidates(&query, k).to_vec();
            let wanted = scan(&rows, k, |row| -square_distance(row, &query));
            assert!(wanted.iter().all(|row| candidates.contains(row)), "{k}");
            assert!(candidates.len() < 4 * k + 20, "{} for {k}", candidates.len());
        }
        // The last group is not full.
        let mut peaks = [0.0; 2];
        find_peaks(&[&[-3.0; GROUP][..], &[-5.0, -4.0]].concat(), &mut peaks);
        assert_eq!(peaks, [-3.0, -4.0]);
    }

    #[test]
    fn most_rows_are_never_looked_at_in_full() {
        let rows = random_rows(500, 64, 7);
        let query = random_rows(1, 64, 8).remove(0);
        let found = Screen::for_nearest(rows.iter(), 64).candidates(&query, 1).len();
        assert!(found < 50, "{found} of 500");
    }

    #[test]
    fn where_rows_lie_about_as_far_eight_more_bits_leave_hardly_more_than_k_and_nothing_is_allocated() {
        // Half of the numbers are 0, as of a rectified feature; all directions lie about as far from each other.
        let mut random = fastrand::Rng::with_seed(5);
        let mut row = || (0..512).map(|_| f64::max(random.f64() - 0.5, 0.0)).collect::<Vec<f64>>();
        let rows: Vec<Vec<f64>> = (0..500).map(|_| row()).collect();
        let query = row();
        let mut screen = Screen::for_distances(rows.iter(), 512);
        let found = screen.candidates(&query, 20).len();
        let in_eight = Screen { finer: None, ..Screen::for_distances(rows.iter(), 512) }.candidates(&query, 20).len();
        assert!(found <= 21 && in_eight > 30, "{found}, in eight bits {in_eight}");
        let wanted = scan(&rows, 20, |row| -square_distance(row, &query));
        assert!(wanted.iter().all(|row| screen.candidates(&query, 20).contains(row)));
        let mut again = 0;
        let allocated = allocation_counter::measure(|| again = screen.candidates(&query, 20).len());
        assert_eq!((again, allocated.count_total), (found, 0));
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
