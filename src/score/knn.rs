//! KNN: distance of the feature's direction to the k-th nearest direction among ID frames.
//!
//! `||n(z) - n(z_(k))||_2` with `n(z) = z / ||z||`. Sun et al., "Out-of-Distribution Detection with Deep Nearest
//! Neighbors", ICML 2022, equation 1. The paper and pytorch-ood take the distance, OpenOOD its square, which ranks
//! alike. The paper's k is 50 for CIFAR-10, 200 for CIFAR-100, 1000 for ImageNet (10 with a bank of 1%).

use ndarray::Array2;

use super::metric::{row, square_distance, unit, unit_scale};
use super::nearest::Screen;
use super::scorers::{Built, Family, Wanted};
use super::{KnnParameters, Model, Outputs, Score, ScoreError, ScoreName, State};
use crate::fit::{FitError, Statistics};

struct Knn {
    /// n(z_i), row by row.
    bank: Array2<f32>,
    screen: Screen,
    k: usize,
    place: usize,
    /// n(z).
    direction: Vec<f64>,
    distances: Vec<f64>,
}

impl Family for Knn {
    fn score(&mut self, outputs: &Outputs<'_>, scores: &mut [Score]) {
        scores[self.place] = Score(self.distance(outputs.features) as f32);
    }
}

impl Knn {
    fn distance(&mut self, features: &[f32]) -> f64 {
        unit(features, &mut self.direction);
        self.distances.clear();
        let candidates = self.screen.candidates(&self.direction, self.k);
        self.distances
            .extend(candidates.iter().map(|index| square_distance(row(&self.bank, *index as usize), &self.direction)));
        let (_, square, _) = self.distances.select_nth_unstable_by(self.k - 1, f64::total_cmp);
        square.sqrt()
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
    let distances = Vec::with_capacity(bank.nrows());
    let direction = vec![0.0; model.features];
    let screen = Screen::for_distances(bank.outer_iter().map(|row| row.mapv(f64::from).to_vec()), model.features);
    Ok(Some(Box::new(Knn { bank, screen, k, place, direction, distances })))
}

/// Fits the bank: directions of a seeded choice of frames.
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
    Ok(State::default().with_tensor("bank", bank))
}

fn check(settings: &KnnParameters) -> Result<&KnnParameters, ScoreError> {
    let wrong =
        |key, found: usize, wanted| Err(ScoreError::Parameter { score: "knn", key, found: found.to_string(), wanted });
    match settings {
        KnnParameters { k: 0, .. } => wrong("k", 0, "at least 1"),
        KnnParameters { k, bank } if bank < k => wrong("bank", *bank, "at least as many frames as k"),
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
        Parameters { knn: KnnParameters { k, bank: 10 }, ..Parameters::default() }
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
    fn fewer_frames_than_k_and_a_bank_smaller_than_k_are_refused_by_name() {
        let error = FRAMES.fit(Knn, neighbours(4)).unwrap_err().to_string();
        assert!(error.contains("knn needs at least 4 frames, found 3"), "{error}");
        let error = FRAMES.fit(Knn, neighbours(11)).unwrap_err().to_string();
        assert!(error.contains("its setting bank is 10"), "{error}");
    }
}
