//! KNN: distance of the feature's direction to the k-th nearest direction among ID frames.
//!
//! `||n(z) - n(z_(k))||_2` with `n(z) = z / ||z||`. Sun et al., "Out-of-Distribution Detection with Deep Nearest
//! Neighbors", ICML 2022, equation 1. The paper and pytorch-ood take the distance, OpenOOD its square, which ranks
//! alike. The paper's k is 50 for CIFAR-10, 200 for CIFAR-100, 1000 for ImageNet (10 with a bank of 1%).
//!
//! A bank of up to `knn.exact` numbers (50,000 frames of 512 features by default) is searched exactly. A larger one is
//! searched along a graph that fitting has built and the package keeps: see `graph`.

mod graph;

use ndarray::Array2;

use self::graph::Graph;
use super::metric::{row, square_distance, unit, unit_scale};
use super::nearest::Screen;
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::{KnnParameters, Model, Score, ScoreError, ScoreName, State, StateReader};
use crate::fit::{FitError, Statistics};

struct Knn {
    /// n(z_i), row by row.
    bank: Array2<f32>,
    search: Search,
    k: usize,
    place: usize,
    /// n(z).
    direction: Vec<f64>,
    /// Squared distances of what was found.
    squares: Vec<f64>,
}

/// How the bank is searched.
enum Search {
    Exact(Box<Screen>),
    Approximate(Graph),
}

impl Family for Knn {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        scores[self.place] = Score(self.distance(outputs.features) as f32);
    }
}

impl Knn {
    fn distance(&mut self, features: &[f32]) -> f64 {
        unit(features, &mut self.direction);
        let square = |index: u32| square_distance(row(&self.bank, index as usize), &self.direction);
        self.squares.clear();
        match &mut self.search {
            Search::Exact(screen) => {
                let candidates = screen.candidates(&self.direction, self.k).iter();
                self.squares.extend(candidates.map(|index| square(*index)));
            }
            Search::Approximate(graph) => graph.nearest(square, &mut self.squares),
        }
        if self.squares.len() < self.k {
            return f64::NAN;
        }
        self.squares.select_nth_unstable_by(self.k - 1, f64::total_cmp).1.sqrt()
    }
}

/// Builds `knn`.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let Some(place) = wanted.place(ScoreName::Knn) else { return Ok(None) };
    let k = check(&model.fitted.parameters.knn)?.k;
    let state = model.fitted.state("knn")?;
    let bank = state.matrix("bank", [None, Some(model.features)])?;
    if bank.nrows() < k {
        return Err(state.wrong("bank", format!("{} rows", bank.nrows()), format!("at least k = {k}")));
    }
    let search = search(&state, &bank, k)?;
    let (direction, squares) = (vec![0.0; model.features], Vec::with_capacity(bank.nrows()));
    Ok(Some(Box::new(Knn { bank, search, k, place, direction, squares })))
}

/// Along the graph, if the state has one.
fn search(state: &StateReader<'_>, bank: &Array2<f32>, k: usize) -> Result<Search, ScoreError> {
    if state.has(graph::LINKS) {
        return Ok(Search::Approximate(Graph::read(state, bank.nrows(), k)?));
    }
    let rows = bank.outer_iter().map(|row| row.mapv(f64::from).to_vec());
    Ok(Search::Exact(Box::new(Screen::for_distances(rows, bank.ncols()))))
}

/// Fits the bank: directions of a seeded choice of frames; and the graph, where the bank is large.
///
/// # Errors
/// A setting out of range, or fewer frames than k.
pub(super) fn fit(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let settings = check(&statistics.parameters.knn)?;
    let sample = &statistics.sample;
    let chosen = sample.choose(settings.bank, statistics.parameters.sample.seed);
    if chosen.len() < settings.k {
        return Err(FitError::TooFew { score: "knn", found: chosen.len(), needed: settings.k });
    }
    let mut bank = Array2::zeros((chosen.len(), statistics.features));
    for (mut row, frame) in bank.rows_mut().into_iter().zip(chosen) {
        let features = sample.features.row(frame);
        let scale = unit_scale(&features.to_vec());
        row.assign(&features.mapv(|value| (f64::from(value) * scale) as f32));
    }
    let state = State::default();
    let state = if bank.len() > settings.exact { graph::build(state, &bank) } else { state };
    Ok(state.with_tensor("bank", bank))
}

fn check(settings: &KnnParameters) -> Result<&KnnParameters, ScoreError> {
    let wrong =
        |key, found: usize, wanted| Err(ScoreError::Parameter { score: "knn", key, found: found.to_string(), wanted });
    match settings {
        KnnParameters { k: 0, .. } => wrong("k", 0, "at least 1"),
        KnnParameters { k, bank, .. } if bank < k => wrong("bank", *bank, "at least as many frames as k"),
        _ => Ok(settings),
    }
}

#[cfg(test)]
mod tests {
    use crate::score::ScoreName::Knn;
    use crate::score::testing::{Frames, check_with};
    use crate::score::{KnnParameters, Parameters};

    /// Directions (1, 0), (0, 1), (0.6, 0.8).
    const FRAMES: Frames<2, 1> = Frames {
        features: &[[5.0, 0.0], [0.0, 7.0], [3.0, 4.0]],
        logits: &[[1.0]; 3],
        labels: &[0; 3],
        weight: [[1.0, 1.0]],
        bias: [0.0],
    };

    fn neighbours(k: usize) -> Parameters {
        let knn = KnnParameters { k, bank: 10, ..KnnParameters::default() };
        Parameters { knn, ..Parameters::default() }
    }

    #[test]
    fn the_score_is_the_distance_to_the_kth_nearest_direction() {
        let root = f64::sqrt;
        check_with(neighbours(1), Knn, &FRAMES, [2.0, 0.0], [1.0], 0.0);
        // (1, 0) to (0.6, 0.8): 0.16 + 0.64.
        check_with(neighbours(2), Knn, &FRAMES, [2.0, 0.0], [1.0], root(0.8));
        check_with(neighbours(3), Knn, &FRAMES, [2.0, 0.0], [1.0], root(2.0));
        // A zero feature is one away from every direction.
        check_with(neighbours(2), Knn, &FRAMES, [0.0, 0.0], [1.0], 1.0);
        check_with(neighbours(2), Knn, &FRAMES, [f32::NAN, 0.0], [1.0], f64::NAN);
    }

    #[test]
    fn a_bank_beyond_the_exact_size_gives_the_same_distances_where_it_is_searched_whole() {
        let knn = KnnParameters { k: 2, exact: 0, ..KnnParameters::default() };
        let approximate = Parameters { knn, ..Parameters::default() };
        assert!(FRAMES.fit(Knn, approximate.clone()).unwrap().states["knn"].tensors.contains_key("links"));
        check_with(approximate.clone(), Knn, &FRAMES, [2.0, 0.0], [1.0], 0.8_f64.sqrt());
        check_with(approximate, Knn, &FRAMES, [f32::NAN, 0.0], [1.0], f64::NAN);
    }

    #[test]
    fn fewer_frames_than_k_and_a_bank_smaller_than_k_are_refused_by_name() {
        let error = FRAMES.fit(Knn, neighbours(4)).unwrap_err().to_string();
        assert!(error.contains("knn needs at least 4 frames, found 3"), "{error}");
        let error = FRAMES.fit(Knn, neighbours(11)).unwrap_err().to_string();
        assert!(error.contains("its setting bank is 10"), "{error}");
    }
}
