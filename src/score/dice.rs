//! DICE: the energy of a head of which only the weights that contribute most are left.
//!
//! Sun & Li, "DICE: Leveraging Sparsification for Out-of-Distribution Detection", ECCV 2022, equations 2 to 4. With m the
//! mean ID feature, the contribution of a weight is `V_kc = m_c W_kc`. Weights whose contribution is not above the
//! `sparsity` quantile of all K * C contributions become 0; the score is the energy `-log sum_k exp(y'_k)` of
//! `y' = W' z + b`. pytorch-ood and OpenOOD compute the same.
//!
//! What is left of the head is kept by columns: a tenth of the memory to read, and none for a feature that is 0.

use ndarray::{Array1, Array2, aview1};

use super::kernels::{has_nan, relative_to_largest};
use super::logits::energy;
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::{Model, Score, ScoreError, ScoreName, State, StateReader};
use crate::fit::{FitError, Statistics};
use crate::package::Head;

/// Classes are kept in 16 bits: what a frame reads is what it costs, and an index of 16 bits into as many numbers needs
/// no check.
const MOST_CLASSES: usize = 1 << 16;

/// A head most of whose weights are 0, by columns. Weights stand in groups of 8, the last of a column filled up with
/// weights of 0 for the last [`MOST_CLASSES`], each for another: additions to one and the same would wait for one another.
struct SparseHead {
    /// Of column c, the groups `starts[c]..starts[c + 1]`; C + 1 numbers.
    starts: Vec<usize>,
    /// Class of each weight.
    classes: Vec<[u16; 8]>,
    weights: Vec<[f32; 8]>,
    bias: Vec<f64>,
    /// Columns whose feature is not 0; C places.
    active: Vec<(usize, f32)>,
    /// `W' z + b`; K of the numbers.
    logits: Box<[f64; MOST_CLASSES]>,
}

impl SparseHead {
    /// The weights of `head` that the state lists.
    ///
    /// # Errors
    /// The state is missing or lists what the head does not have.
    fn new(head: &Head, state: StateReader<'_>) -> Result<Self, ScoreError> {
        let (class_count, columns) = head.weight.dim();
        let (counts, listed) = (state.vector("counts", Some(columns))?, state.vector("classes", None)?);
        let wrong = || ScoreError::State {
            score: "dice",
            name: "classes",
            found: format!("a list of {} weights of {class_count} classes", listed.len()),
            wanted: format!("{} weights of at most {MOST_CLASSES} classes", counts.sum()),
        };
        if class_count > MOST_CLASSES || listed.iter().any(|class| *class as usize >= class_count) {
            return Err(wrong());
        }
        let (mut starts, mut classes, mut weights) = (vec![0], Vec::new(), Vec::new());
        let mut rest = listed.as_slice().unwrap_or_default();
        for (column, count) in head.weight.columns().into_iter().zip(&counts) {
            let (of_column, behind) = rest.split_at_checked(*count as usize).ok_or_else(wrong)?;
            for group in of_column.chunks(8) {
                let class = |lane: usize| group.get(lane).map_or(u16::MAX - lane as u16, |class| *class as u16);
                let weight = |lane: usize| group.get(lane).map_or(0.0, |class| column[*class as usize]);
                classes.push(std::array::from_fn(class));
                weights.push(std::array::from_fn(weight));
            }
            starts.push(classes.len());
            rest = behind;
        }
        let logits = vec![0.0; MOST_CLASSES].into_boxed_slice().try_into();
        let (true, Ok(logits)) = (rest.is_empty(), logits) else { return Err(wrong()) };
        let bias = head.bias.iter().map(|bias| f64::from(*bias)).collect();
        Ok(Self { starts, classes, weights, bias, active: vec![(0, 0.0); columns], logits })
    }

    /// `W' z + b` [K].
    fn logits(&mut self, features: &[f32]) -> &[f64] {
        let logits = &mut self.logits;
        logits[..self.bias.len()].copy_from_slice(&self.bias);
        for (column, z) in find_active(features, &mut self.active) {
            let (z, groups) = (f64::from(*z), self.starts[*column]..self.starts[column + 1]);
            for (classes, weights) in self.classes[groups.clone()].iter().zip(&self.weights[groups]) {
                for lane in 0..8 {
                    logits[usize::from(classes[lane])] += z * f64::from(weights[lane]);
                }
            }
        }
        &self.logits[..self.bias.len()]
    }
}

/// The features that are not 0, with their columns. Each is written to the next free place, but only those move on: no
/// branch that could be mispredicted.
fn find_active<'a>(features: &[f32], active: &'a mut [(usize, f32)]) -> &'a [(usize, f32)] {
    let mut count = 0;
    for (column, z) in features.iter().enumerate() {
        if let Some(place) = active.get_mut(count) {
            *place = (column, *z);
        }
        count += usize::from(*z != 0.0);
    }
    active.get(..count).unwrap_or_default()
}

struct Dice {
    place: usize,
    head: SparseHead,
    /// What the logits lack to the largest [K].
    relative: Vec<f32>,
}

/// Builds the score of this file, if it is wanted.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let Some(place) = wanted.place(ScoreName::Dice) else { return Ok(None) };
    let head = SparseHead::new(model.head(ScoreName::Dice)?, model.fitted.state("dice")?)?;
    Ok(Some(Box::new(Dice { place, head, relative: vec![0.0; model.classes] })))
}

impl Family for Dice {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        if has_nan(outputs.features) {
            scores[self.place] = Score(f32::NAN);
            return;
        }
        let largest = relative_to_largest(self.head.logits(outputs.features), &mut self.relative);
        scores[self.place] = Score((energy(&self.relative) - largest) as f32);
    }
}

/// Lists the weights that stay: `counts` [C] per column, and their `classes`, ascending within a column.
///
/// # Errors
/// A setting out of range, or no head.
pub(super) fn fit(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let sparsity = statistics.parameters.dice.sparsity;
    if !(sparsity > 0.0 && sparsity < 1.0) {
        let (found, wanted) = (sparsity.to_string(), "a number between 0 and 1");
        return Err(ScoreError::Parameter { score: "dice", key: "sparsity", found, wanted }.into());
    }
    let lacking = ScoreError::Lacking { score: ScoreName::Dice, lacking: "the classifier head" };
    let head = statistics.head.ok_or(lacking)?;
    let contributions = contributions(&head.weight, &statistics.mean());
    let threshold = quantile(contributions.iter().copied().collect(), sparsity);
    let stays = |column: ndarray::ArrayView1<'_, f64>| -> Vec<f32> {
        column.iter().enumerate().filter(|(_, v)| **v > threshold).map(|(class, _)| class as f32).collect()
    };
    let columns: Vec<Vec<f32>> = contributions.columns().into_iter().map(stays).collect();
    let counts: Array1<f32> = columns.iter().map(|column| column.len() as f32).collect();
    Ok(State::default().with_tensor("counts", counts).with_tensor("classes", aview1(&columns.concat()).to_owned()))
}

/// `V_kc = m_c W_kc` [K, C].
fn contributions(weight: &Array2<f32>, mean: &Array1<f64>) -> Array2<f64> {
    weight.mapv(f64::from) * mean
}

/// Quantile of numbers, linear between neighbours (NumPy's default).
fn quantile(mut numbers: Vec<f64>, quantile: f64) -> f64 {
    let place = numbers.len().saturating_sub(1) as f64 * quantile;
    let rank = place.floor() as usize;
    if rank >= numbers.len() {
        return f64::NAN;
    }
    let (_, low, above) = numbers.select_nth_unstable_by(rank, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*low);
    *low + place.fract() * (high - *low)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::fit::Fit;
    use crate::score::{Fitted, Outputs, Parameters, Scorers};

    /// Fits to `frames`, whose logits do not matter.
    fn fitted(head: &Head, frames: &[Vec<f32>], sparsity: f64) -> Fitted {
        let mut parameters = Parameters::default();
        parameters.dice.sparsity = sparsity;
        let (classes, features) = head.weight.dim();
        let mut fit = Fit::new(&[ScoreName::Dice], classes, features, Some(head), parameters);
        let logits = vec![0.0; classes];
        for features in frames {
            fit.add(&Outputs { logits: &logits, features, local_norms: None, local_logits: None }, None).unwrap();
        }
        fit.finish("here").unwrap()
    }

    fn score(head: &Head, fitted: &Fitted, features: &[f32]) -> f64 {
        let (classes, count) = head.weight.dim();
        let model = Model { classes, features: count, local_norms: false, head: Some(head), fitted };
        let logits = vec![0.0; classes];
        let outputs = Outputs { logits: &logits, features, local_norms: None, local_logits: None };
        f64::from(Scorers::new(&[ScoreName::Dice], &model).unwrap().score(&outputs)[0].0)
    }

    #[test]
    fn the_score_of_two_classes_is_that_worked_out_by_hand() {
        let head = Head { weight: array![[1.0, 2.0, -1.0], [3.0, -2.0, 4.0]], bias: array![0.5, -0.5] };
        // Mean (2, 1, 0.5): contributions (2, 2, -0.5) and (6, -2, 2); the 0.6 quantile of the six is 2.
        let fitted = fitted(&head, &[vec![1.0, 2.0, 0.0], vec![3.0, 0.0, 1.0]], 0.6);
        assert_eq!(fitted.states["dice"].tensors["counts"], array![1.0, 0.0, 0.0].into_dyn());
        // Only the weight 3 stays: logits 0.5 and 3 * 2 - 0.5.
        let want = -(0.5_f64.exp() + 5.5_f64.exp()).ln();
        assert!((score(&head, &fitted, &[2.0, 7.0, 9.0]) - want).abs() < 1e-6);
        assert!(score(&head, &fitted, &[2.0, f32::NAN, 9.0]).is_nan());
    }

    #[test]
    fn one_class_and_zero_features_have_the_energy_of_the_bias() {
        let head = Head { weight: array![[1.0, 2.0]], bias: array![0.25] };
        let fitted = fitted(&head, &[vec![1.0, 1.0]], 0.5);
        assert_eq!(score(&head, &fitted, &[0.0, 0.0]), -0.25);
    }

    #[test]
    fn state_that_lists_other_weights_than_the_head_has_is_refused() {
        let head = Head { weight: array![[1.0, 2.0]], bias: array![0.25] };
        let mut fitted = fitted(&head, &[vec![1.0, 1.0]], 0.5);
        let state = State::default().with_tensor("counts", array![0.0, 1.0]).with_tensor("classes", array![1.0]);
        fitted.states.insert("dice".into(), state);
        let model = Model { classes: 1, features: 2, local_norms: false, head: Some(&head), fitted: &fitted };
        let error = Scorers::new(&[ScoreName::Dice], &model).err().unwrap().to_string();
        assert!(error.contains("dice") && error.contains("of 1 classes"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Tolerance: the logits are rounded to f32, 6e-8 of at most 300.
        #[test]
        fn the_sparse_head_gives_the_energy_of_a_masked_one(seed in any::<u64>(), sparsity in 0.01_f64..0.99) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut number = || random.f32() - 0.5;
            let weight = Array2::from_shape_simple_fn((30, 40), &mut number);
            let head = Head { weight, bias: Array1::from_shape_simple_fn(30, &mut number) };
            let frames: Vec<Vec<f32>> = (0..5).map(|_| (0..40).map(|_| number().max(0.0) * 30.0).collect()).collect();
            let mean: Vec<f64> = (0..40).map(|c| frames.iter().map(|z| f64::from(z[c])).sum::<f64>() / 5.0).collect();
            let contribution = |k: usize, c: usize| mean[c] * f64::from(head.weight[[k, c]]);
            let mut sorted: Vec<f64> = (0..1200).map(|i| contribution(i / 40, i % 40)).collect();
            sorted.sort_by(f64::total_cmp);
            let place = 1199.0 * sparsity;
            let (low, high) = (sorted[place as usize], sorted[place as usize + 1]);
            let threshold = low + place.fract() * (high - low);
            let logit = |k: usize| -> f64 {
                let kept = (0..40).filter(|c| contribution(k, *c) > threshold);
                kept.map(|c| f64::from(head.weight[[k, c]]) * f64::from(frames[0][c])).sum::<f64>() + f64::from(head.bias[k])
            };
            let want = -(0..30).map(|k| logit(k).exp()).sum::<f64>().ln();
            let got = score(&head, &fitted(&head, &frames, sparsity), &frames[0]);
            prop_assert!((got - want).abs() <= 1e-6 * (want.abs() + 10.0), "{} wanted {}", got, want);
        }
    }
}
