//! NNGuide: the energy, weighed by how well the nearest ID frames agree with the feature.
//!
//! `-s log sum_k exp(y_k)`, s the mean of the k largest `<n(z), g_i>` over a bank of ID frames, where `n(z) = z / ||z||`
//! and `g_i = (log sum_k exp(y_ik)) n(z_i)`. Park, Jung & Teoh, "Nearest Neighbor Guidance for Out-of-Distribution
//! Detection", ICCV 2023, equations 3 to 5 (the sign is turned). Paper and pytorch-ood agree; OpenOOD differs in
//! defaults only (k = 100, the first percent of the training set as bank).

use ndarray::{Array2, ArrayView1};

use super::kernels::log_sum_exp;
use super::metric::{dot, row, unit, unit_scale};
use super::nearest::Screen;
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::{Model, NnguideParameters, Score, ScoreError, ScoreName, State};
use crate::fit::{FitError, Statistics};

struct Nnguide {
    /// g_i, row by row.
    bank: Array2<f32>,
    screen: Screen,
    k: usize,
    place: usize,
    /// n(z).
    direction: Vec<f64>,
    products: Vec<f64>,
}

impl Family for Nnguide {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        let guidance = self.guidance(outputs.features);
        scores[self.place] = Score((-guidance * outputs.log_sum_exp()) as f32);
    }
}

impl Nnguide {
    /// s.
    fn guidance(&mut self, features: &[f32]) -> f64 {
        unit(features, &mut self.direction);
        self.products.clear();
        let candidates = self.screen.candidates(&self.direction, self.k);
        self.products.extend(candidates.iter().map(|index| dot(row(&self.bank, *index as usize), &self.direction)));
        let k = self.k.min(self.products.len());
        if k < self.products.len() {
            self.products.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
        }
        self.products[..k].iter().sum::<f64>() / k as f64
    }
}

/// Builds `nnguide`.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let Some(place) = wanted.place(ScoreName::Nnguide) else { return Ok(None) };
    let k = check(&model.fitted.parameters.nnguide)?.k;
    let state = model.fitted.state("nnguide")?;
    let bank = state.matrix("bank", [None, Some(model.features)])?;
    if bank.nrows() == 0 {
        return Err(state.wrong("bank", "empty".into(), "at least one row".into()));
    }
    let products = Vec::with_capacity(bank.nrows());
    let direction = vec![0.0; model.features];
    let screen = Screen::for_products(bank.outer_iter().map(|row| row.mapv(f64::from).to_vec()), model.features);
    Ok(Some(Box::new(Nnguide { bank, screen, k, place, direction, products })))
}

/// Fits the bank: a seeded choice of frames, each direction times its energy. With fewer frames than k all count.
///
/// # Errors
/// A setting out of range.
pub(super) fn fit(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let settings = check(&statistics.parameters.nnguide)?;
    let sample = &statistics.sample;
    let chosen = sample.choose(settings.bank, statistics.parameters.sample.seed);
    let mut bank = Array2::zeros((chosen.len(), statistics.features));
    for (mut row, frame) in bank.rows_mut().into_iter().zip(chosen) {
        row.assign(&guide(sample.features.row(frame), sample.logits.row(frame)));
    }
    Ok(State::default().with_tensor("bank", bank))
}

/// g of one frame.
fn guide(features: ArrayView1<'_, f32>, logits: ArrayView1<'_, f32>) -> ndarray::Array1<f32> {
    let scale = log_sum_exp(&logits.to_vec()) * unit_scale(&features.to_vec());
    features.mapv(|value| (f64::from(value) * scale) as f32)
}

fn check(settings: &NnguideParameters) -> Result<&NnguideParameters, ScoreError> {
    for (key, value) in [("k", settings.k), ("bank", settings.bank)] {
        if value == 0 {
            let (found, wanted) = ("0".into(), "at least 1");
            return Err(ScoreError::Parameter { score: "nnguide", key, found, wanted });
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use crate::score::ScoreName::Nnguide;
    use crate::score::testing::{Frames, check, check_with};
    use crate::score::{NnguideParameters, Parameters};

    /// Energies 2 and 3: one logit is its own log-sum-exp.
    const FRAMES: Frames<2, 1> = Frames {
        features: &[[5.0, 0.0], [0.0, 7.0]],
        logits: &[[2.0], [3.0]],
        labels: &[0, 0],
        weight: [[1.0, 1.0]],
        bias: [0.0],
    };

    fn neighbours(k: usize) -> Parameters {
        Parameters { nnguide: NnguideParameters { k, bank: 10 }, ..Parameters::default() }
    }

    #[test]
    fn the_score_is_the_energy_times_the_mean_guided_likeness_of_the_nearest() {
        // Bank (2, 0) and (0, 3); direction (0.6, 0.8): products 1.2 and 2.4.
        check_with(neighbours(1), Nnguide, &FRAMES, [3.0, 4.0], [10.0], -24.0);
        check_with(neighbours(2), Nnguide, &FRAMES, [3.0, 4.0], [10.0], -18.0);
        // Fewer frames than k: all of them.
        check(Nnguide, &FRAMES, [3.0, 4.0], [10.0], -18.0);
    }

    #[test]
    fn a_zero_feature_scores_zero_and_a_nan_scores_nan() {
        check(Nnguide, &FRAMES, [0.0, 0.0], [10.0], 0.0);
        check(Nnguide, &FRAMES, [f32::NAN, 0.0], [10.0], f64::NAN);
        check(Nnguide, &FRAMES, [1.0, 0.0], [f32::NAN], f64::NAN);
    }

    #[test]
    fn no_neighbours_are_refused() {
        let error = FRAMES.fit(Nnguide, neighbours(0)).unwrap_err().to_string();
        assert!(error.contains("nnguide") && error.contains("k is 0"), "{error}");
    }
}
