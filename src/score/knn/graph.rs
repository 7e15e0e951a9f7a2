//! An approximate search of a large bank: a walk along a graph that links each row with rows near it.
//!
//! The graph is the lowest layer of a hierarchical navigable small world (Malkov & Yashunin, "Efficient and robust
//! approximate nearest neighbor search using Hierarchical Navigable Small World graphs", TPAMI 2020), which the crate
//! `hnsw_rs` builds once, when the score is fitted. The package keeps it: the same package finds the same rows on every
//! start and every machine, and a start does not wait for it to be built. The walk is ours: it allocates nothing. In the
//! place of the upper layers it starts from the nearest of some rows that lie evenly over the bank.
//!
//! What it finds is in the bank, so a distance is never too small; a missed neighbour makes it a little too large, for
//! the frames that set the threshold as for any other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hnsw_rs::prelude::{DistL2, Hnsw};
use ndarray::Array2;

use crate::score::{ScoreError, State, StateReader};

/// The tensor of links [rows, width]: row numbers, filled up with -1. f32 holds them up to 2^24.
pub(super) const LINKS: &str = "links";

/// Links per row in the upper layers; twice as many in the lowest one, which is the one kept.
const CONNECTIONS: usize = 16;
/// Rows that are looked at for each row that is linked. More make a better graph and a longer fit.
const BUILD_BREADTH: usize = 200;
/// Layers while the graph is built.
const LAYERS: usize = 16;
/// Rows that a walk keeps, per neighbour that is wanted, and at least. More find more and take longer.
const BREADTH: usize = 4;
const LEAST_BREADTH: usize = 128;
/// Rows from which a walk may start, per square root of the bank's size.
const STARTS: f64 = 4.0;

/// A graph, and the memory of a walk.
pub(super) struct Graph {
    /// Links of all rows, row after row.
    links: Vec<u32>,
    /// Where a row's links begin; one more than there are rows.
    begins: Vec<usize>,
    /// Every so manieth row may be a start.
    stride: usize,
    breadth: usize,
    /// The number of the walk that met a row last.
    met: Vec<u32>,
    walk: u32,
    /// Rows whose links were not followed yet, nearest first.
    open: BinaryHeap<Reverse<Ranked>>,
    /// The nearest rows so far, farthest first.
    found: BinaryHeap<Ranked>,
}

/// A row and its squared distance, in the order of the distance.
#[derive(Debug, Clone, Copy)]
struct Ranked(f64, u32);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

/// Adds the links between the rows of a bank to a state.
pub(super) fn build(state: State, bank: &Array2<f32>) -> State {
    let hnsw = Hnsw::<f32, DistL2>::new(CONNECTIONS, bank.nrows(), LAYERS, BUILD_BREADTH, DistL2 {});
    for (index, row) in bank.outer_iter().enumerate() {
        // One after the other: inserting in parallel gives another graph each time.
        hnsw.insert((&row.to_vec(), index));
    }
    let mut links = Array2::from_elem((bank.nrows(), 2 * CONNECTIONS), -1.0);
    for point in hnsw.get_point_indexation() {
        let lowest = point.get_neighborhood_id().into_iter().next().unwrap_or_default();
        for (place, neighbour) in links.row_mut(point.get_origin_id()).iter_mut().zip(lowest) {
            *place = neighbour.get_origin_id() as f32;
        }
    }
    state.with_tensor(LINKS, links)
}

impl Graph {
    /// The graph over a bank of `rows`, for walks to the k nearest.
    ///
    /// # Errors
    /// The links are missing, or one goes beyond the bank.
    pub(super) fn read(state: &StateReader<'_>, rows: usize, k: usize) -> Result<Self, ScoreError> {
        let table = state.matrix(LINKS, [Some(rows), None])?;
        let (mut links, mut begins) = (Vec::new(), vec![0]);
        for row in table.outer_iter() {
            for link in row.iter().take_while(|link| **link >= 0.0) {
                if *link as usize >= rows {
                    return Err(state.wrong(LINKS, format!("a link to row {link}"), format!("rows below {rows}")));
                }
                links.push(*link as u32);
            }
            begins.push(links.len());
        }
        let starts = (STARTS * (rows as f64).sqrt()) as usize;
        let breadth = (BREADTH * k).max(LEAST_BREADTH).min(rows);
        Ok(Self {
            links,
            begins,
            stride: (rows / starts.max(1)).max(1),
            breadth,
            met: vec![0; rows],
            walk: 0,
            open: BinaryHeap::with_capacity(rows),
            found: BinaryHeap::with_capacity(breadth + 1),
        })
    }

    /// Adds the smallest squared distances that a walk finds; `square` gives that of a row.
    pub(super) fn nearest(&mut self, square: impl Fn(u32) -> f64, squares: &mut Vec<f64>) {
        self.open.clear();
        self.found.clear();
        self.walk = self.walk.wrapping_add(1);
        if self.walk == 0 {
            self.met.fill(0);
            self.walk = 1;
        }
        for row in (0..self.met.len()).step_by(self.stride) {
            self.meet(row as u32, &square);
        }
        while let Some(Reverse(Ranked(distance, row))) = self.open.pop() {
            if self.found.len() == self.breadth && self.found.peek().is_some_and(|farthest| distance > farthest.0) {
                break;
            }
            for link in self.begins[row as usize]..self.begins[row as usize + 1] {
                self.meet(self.links[link], &square);
            }
        }
        squares.extend(self.found.iter().map(|ranked| ranked.0));
    }

    /// Takes in a row, if this walk has not met it and it is among the nearest so far.
    fn meet(&mut self, row: u32, square: impl Fn(u32) -> f64) {
        if std::mem::replace(&mut self.met[row as usize], self.walk) == self.walk {
            return;
        }
        let ranked = Ranked(square(row), row);
        if self.found.len() == self.breadth {
            if self.found.peek().is_none_or(|farthest| ranked >= *farthest) {
                return;
            }
            self.found.pop();
        }
        self.found.push(ranked);
        self.open.push(Reverse(ranked));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::score::Fitted;
    use crate::score::metric::{row, square_distance};

    /// Rows about 40 centres, as features of 40 classes are.
    fn clustered(count: usize, columns: usize, seed: u64) -> Array2<f32> {
        let mut centres = fastrand::Rng::with_seed(1);
        let centres: Vec<f32> = (0..40 * columns).map(|_| centres.f32()).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut classes: Vec<usize> = (0..count).map(|i| i % 40).collect();
        random.shuffle(&mut classes);
        Array2::from_shape_fn((count, columns), |(i, j)| centres[classes[i] * columns + j] + 0.3 * random.f32())
    }

    fn graph(state: &State, rows: usize, k: usize) -> Graph {
        let states = BTreeMap::from([("knn".to_string(), state.clone())]);
        Graph::read(&Fitted { states, ..Fitted::default() }.state("knn").unwrap(), rows, k).unwrap()
    }

    /// Share of the k nearest rows that the walk finds, over 50 queries.
    fn recall(bank: &Array2<f32>, graph: &mut Graph, k: usize) -> f64 {
        let queries = clustered(50, bank.ncols(), 99).mapv(f64::from);
        let mut right = 0;
        for query in queries.outer_iter() {
            let query = query.to_vec();
            let square = |index: u32| square_distance(row(bank, index as usize), &query);
            let mut all: Vec<f64> = (0..bank.nrows() as u32).map(square).collect();
            all.sort_by(f64::total_cmp);
            let mut found = Vec::new();
            graph.nearest(square, &mut found);
            right += found.iter().filter(|distance| **distance <= all[k - 1]).count();
        }
        right as f64 / (50 * k) as f64
    }

    #[test]
    fn a_walk_finds_at_least_95_of_100_nearest_rows() {
        let bank = clustered(3_000, 16, 5);
        let state = build(State::default(), &bank);
        let found = recall(&bank, &mut graph(&state, 3_000, 20), 20);
        assert!(found >= 0.95, "recall {found}");
    }

    #[test]
    fn the_same_bank_gets_the_same_links() {
        let bank = clustered(300, 8, 5);
        assert_eq!(build(State::default(), &bank), build(State::default(), &bank));
    }

    #[test]
    fn links_out_of_the_bank_are_refused() {
        let state = State::default().with_tensor(LINKS, ndarray::array![[1.0_f32, -1.0], [7.0, -1.0]]);
        let states = BTreeMap::from([("knn".to_string(), state)]);
        let fitted = Fitted { states, ..Fitted::default() };
        let error = Graph::read(&fitted.state("knn").unwrap(), 2, 1).err().unwrap().to_string();
        assert!(error.contains("knn") && error.contains("row 7"), "{error}");
    }
}
