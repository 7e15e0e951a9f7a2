//! KL-matching: how far the softmax is from the nearest class's mean softmax.
//!
//! Hendrycks et al., "Scaling Out-of-Distribution Detection for Real-World Settings", ICML 2022, section 4.2: d_k is the
//! mean softmax of the ID frames predicted as class k (no labels needed), and the score `min_k KL(p || d_k)`,
//!
//! `KL(p || d_k) = sum_j p_j log p_j - sum_j p_j log d_kj`, with 0 log 0 = 0.
//!
//! pytorch-ood and OpenOOD agree. A class that was never predicted has no d_k and is left out. Where d_kj underflows,
//! its logarithm counts as -745, that of the smallest f64 (pytorch-ood: of the order of -1e308; both are hopeless).
//!
//! A table of K * K logarithms is 4 MB at K = 1000, too much to read for a frame. [`Table`] reads the columns of the
//! largest probabilities first, which leaves few classes that can still be the nearest; those are then computed in f64.

mod table;

use ndarray::Axis;

use self::table::Table;
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::wide::{join, with_wide};
use super::{Model, Score, ScoreError, ScoreName, State};
use crate::fit::{FitError, Statistics};

/// Logarithm of the smallest f64 above 0.
const SMALLEST_LOG: f64 = -744.5;

struct KlMatching {
    place: usize,
    table: Table,
}

/// Builds the score of this file, if it is wanted.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let Some(place) = wanted.place(ScoreName::KlMatching) else { return Ok(None) };
    let state = model.fitted.state("kl_matching")?;
    let high = state.matrix("log_means", [None, Some(model.classes)])?;
    let low = state.matrix("log_means_rest", [Some(high.nrows()), Some(model.classes)])?;
    let log_means = join(&high, &low);
    if log_means.is_empty() || log_means.iter().any(|log| *log > 0.0) {
        return Err(ScoreError::State {
            score: "kl_matching",
            name: "log_means",
            found: format!(
                "{} classes, with logarithms up to {:?}",
                log_means.nrows(),
                log_means.iter().copied().reduce(f64::max)
            ),
            wanted: "at least one class, and logarithms of probabilities".into(),
        });
    }
    Ok(Some(Box::new(KlMatching { place, table: Table::new(&log_means) })))
}

impl Family for KlMatching {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        scores[self.place] = Score(self.table.score(outputs.logits, outputs.log_sum_exp()) as f32);
    }
}

/// `log d_kj` of the classes that were predicted, ascending: `log_means` and `log_means_rest` [n, K].
///
/// # Errors
/// There is none.
pub(super) fn fit(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let means = &statistics.softmax_by_prediction;
    let logs = means.means().select(Axis(0), &means.met()).mapv(|mean| mean.ln().clamp(SMALLEST_LOG, 0.0));
    Ok(with_wide(State::default(), "log_means", "log_means_rest", &logs))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fit::Fit;
    use crate::score::{Fitted, Outputs, Parameters, Scorers};

    fn outputs(logits: &[f32]) -> Outputs<'_> {
        Outputs { logits, features: &[], local_norms: None, local_logits: None }
    }

    fn fitted(frames: &[Vec<f32>]) -> Fitted {
        let mut fit = Fit::new(&[ScoreName::KlMatching], frames[0].len(), 0, None, Parameters::default());
        frames.iter().for_each(|logits| fit.add(&outputs(logits), None).unwrap());
        fit.finish("here").unwrap()
    }

    fn score(fitted: &Fitted, logits: &[f32]) -> f64 {
        let model = Model { classes: logits.len(), features: 0, local_norms: false, head: None, fitted };
        f64::from(Scorers::new(&[ScoreName::KlMatching], &model).unwrap().score(&outputs(logits))[0].0)
    }

    fn plain_softmax(logits: &[f32]) -> Vec<f64> {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shares: Vec<f64> = logits.iter().map(|logit| f64::from(logit - max).exp()).collect();
        let sum: f64 = shares.iter().sum();
        shares.iter().map(|share| share / sum).collect()
    }

    /// The definition, class by class.
    fn plain_score(frames: &[Vec<f32>], logits: &[f32]) -> f64 {
        let argmax = |logits: &[f32]| (0..logits.len()).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
        let p = plain_softmax(logits);
        let divergence = |class: usize| {
            let members: Vec<Vec<f64>> =
                frames.iter().filter(|frame| argmax(frame) == class).map(|frame| plain_softmax(frame)).collect();
            let mean = |j: usize| members.iter().map(|member| member[j]).sum::<f64>() / members.len() as f64;
            (!members.is_empty()).then(|| (0..p.len()).map(|j| p[j] * (p[j] / mean(j)).ln()).sum::<f64>())
        };
        (0..p.len()).filter_map(divergence).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn the_score_of_two_classes_is_that_worked_out_by_hand() {
        // Mean softmax (3/4, 1/4) of the first class; the second was never predicted.
        let fitted = fitted(&[vec![3.0_f32.ln(), 0.0], vec![3.0_f32.ln(), 0.0]]);
        let want = 0.5 * (0.5_f64 / 0.75).ln() + 0.5 * (0.5_f64 / 0.25).ln();
        assert!((score(&fitted, &[1.0, 1.0]) - want).abs() < 1e-7);
        assert!(score(&fitted, &[3.0_f32.ln(), 0.0]).abs() < 1e-7);
    }

    #[test]
    fn a_nan_logit_makes_a_nan_score_and_impossible_classes_no_harm() {
        let fitted = fitted(&[vec![5e3, 0.0, -5e3], vec![-1.0, 4.0, 0.0]]);
        assert!(score(&fitted, &[1.0, f32::NAN, 0.0]).is_nan());
        assert!(score(&fitted, &[5e3, 0.0, -5e3]).abs() < 1e-9);
        assert!(score(&fitted, &[-5e3, -5e3, 5e3]).is_finite());
    }

    #[test]
    fn one_class_has_no_divergence() {
        assert_eq!(score(&fitted(&[vec![7.0]]), &[-3.0]), 0.0);
    }

    #[test]
    fn state_that_is_not_of_probabilities_is_refused() {
        let mut fitted = fitted(&[vec![0.0, 1.0]]);
        let logs = ndarray::array![[0.5, -1.0]];
        fitted.states.insert("kl_matching".into(), with_wide(State::default(), "log_means", "log_means_rest", &logs));
        let model = Model { classes: 2, features: 0, local_norms: false, head: None, fitted: &fitted };
        let error = Scorers::new(&[ScoreName::KlMatching], &model).err().unwrap().to_string();
        assert!(error.contains("log_means") && error.contains("0.5"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// From flat to peaked softmax, so that every level of columns is reached. Tolerance: one rounding to f32, and
        /// 1e-14 by the rounding of 90 terms.
        #[test]
        fn reading_columns_by_their_weight_finds_the_smallest_divergence(seed in any::<u64>(), spread in 0.0_f32..12.0) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut logits = |spread: f32| -> Vec<f32> { (0..90).map(|_| (random.f32() - 0.5) * spread).collect() };
            let frames: Vec<Vec<f32>> = (0..200).map(|_| logits(8.0)).collect();
            let (fitted, frame) = (fitted(&frames), logits(spread));
            let (got, want) = (score(&fitted, &frame), plain_score(&frames, &frame));
            prop_assert!((got - want).abs() <= 1e-7 * want + 1e-13, "{} wanted {}", got, want);
        }
    }
}
