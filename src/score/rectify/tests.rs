use ndarray::{Array1, Array2, array};
use proptest::prelude::*;

use crate::package::Head;
use crate::score::{Fitted, Model, OnLogits, Outputs, ScoreName, Scorers, State, VraForm};

const ENERGIES: [ScoreName; 6] = [
    ScoreName::React(OnLogits::Energy),
    ScoreName::AshP(OnLogits::Energy),
    ScoreName::AshB(OnLogits::Energy),
    ScoreName::AshS(OnLogits::Energy),
    ScoreName::Scale(OnLogits::Energy),
    ScoreName::Vra(OnLogits::Energy),
];

/// ReAct at 2; VRA between 1 and 3; ASH and SCALE keep half.
fn fitted(form: VraForm) -> Fitted {
    let mut fitted = Fitted::default();
    let parameters = &mut fitted.parameters;
    for ash in [&mut parameters.ash_p, &mut parameters.ash_b, &mut parameters.ash_s] {
        ash.prune = 0.5;
    }
    parameters.scale.quantile = 0.5;
    parameters.vra.form = form;
    fitted.states.insert("react".into(), State::default().with_number("clip", 2.0));
    fitted.states.insert("vra".into(), State::default().with_number("low", 1.0).with_number("high", 3.0));
    fitted
}

/// Scores of one frame whose logits are the head's.
fn scores(names: &[ScoreName], fitted: &Fitted, head: &Head, features: &[f32]) -> Vec<f64> {
    let logits: Vec<f32> = plain_logits(head, features.iter().map(|z| f64::from(*z))).map(|y| y as f32).collect();
    of_outputs(names, fitted, head, features, &logits)
}

fn of_outputs(names: &[ScoreName], fitted: &Fitted, head: &Head, features: &[f32], logits: &[f32]) -> Vec<f64> {
    let (classes, features_count) = head.weight.dim();
    let model = Model { classes, features: features_count, local_norms: false, head: Some(head), fitted };
    let outputs = Outputs { logits, features, local_norms: None, local_logits: None };
    let mut scorers = Scorers::new(names, &model).unwrap();
    scorers.score(&outputs);
    scorers.score(&outputs).iter().map(|score| f64::from(score.0)).collect()
}

/// `W z + b` by a plain loop.
fn plain_logits(head: &Head, features: impl Iterator<Item = f64> + Clone) -> impl Iterator<Item = f64> {
    let product = move |(row, bias): (ndarray::ArrayView1<'_, f32>, &f32)| {
        row.iter().zip(features.clone()).map(|(w, z)| f64::from(*w) * z).sum::<f64>() + f64::from(*bias)
    };
    head.weight.rows().into_iter().zip(&head.bias).map(product)
}

/// What the papers' formulas make of the features, rectifiers in the order of [`ENERGIES`].
fn plain_rectified(features: &[f32], kept: usize, form: VraForm) -> [Vec<f64>; 6] {
    let z: Vec<f64> = features.iter().map(|z| f64::from(*z)).collect();
    let mut order: Vec<usize> = (0..z.len()).collect();
    order.sort_by(|a, b| z[*b].total_cmp(&z[*a]));
    let keeps = |c: usize| order[..kept].contains(&c);
    let total: f64 = z.iter().sum();
    let kept_sum: f64 = order[..kept].iter().map(|c| z[*c]).sum();
    let sharpening = if kept_sum == 0.0 { 1.0 } else { (total / kept_sum).exp() };
    let map = |f: &dyn Fn(usize, f64) -> f64| z.iter().enumerate().map(|(c, z)| f(c, *z)).collect::<Vec<f64>>();
    let below = if form == VraForm::Zero { 0.0 } else { 1.0 };
    [
        map(&|_, z| z.min(2.0)),
        map(&|c, z| if keeps(c) { z } else { 0.0 }),
        map(&|c, _| if keeps(c) { total / kept as f64 } else { 0.0 }),
        map(&|c, z| if keeps(c) { sharpening * z } else { 0.0 }),
        map(&|_, z| sharpening * z),
        map(&|_, z| if z < 1.0 { below } else { z.min(3.0) }),
    ]
}

fn plain_energy(head: &Head, features: &[f64]) -> f64 {
    -plain_logits(head, features.iter().copied()).map(f64::exp).sum::<f64>().ln()
}

#[test]
fn energies_of_four_features_and_one_class_are_those_worked_out_by_hand() {
    // With one class the energy is -(w z' + b): here the sum of z' with weights 1, 10, 100, 1000, less one half.
    let head = Head { weight: array![[1.0, 10.0, 100.0, 1000.0]], bias: array![-0.5] };
    let got = scores(&ENERGIES, &fitted(VraForm::Zero), &head, &[0.5, 4.0, 1.5, 2.0]);
    // Sum 8; the two largest, 4 and 2, sum to 6.
    let e = (8.0_f64 / 6.0).exp();
    let wanted = [
        0.5 + 20.0 + 150.0 + 2000.0,
        40.0 + 2000.0,
        4.0 * 10.0 + 4.0 * 1000.0,
        e * 2040.0,
        e * (0.5 + 40.0 + 150.0 + 2000.0),
        30.0 + 150.0 + 2000.0,
    ];
    for ((name, got), wanted) in ENERGIES.iter().zip(got).zip(wanted) {
        assert!((got + wanted - 0.5).abs() <= 1e-6 * wanted, "{name}: {got}, wanted {}", 0.5 - wanted);
    }
    let clipped = scores(&ENERGIES[5..], &fitted(VraForm::Clip), &head, &[0.5, 4.0, 1.5, 2.0]);
    assert!((clipped[0] + 2181.0 - 0.5).abs() < 1e-3, "{clipped:?}");
}

#[test]
fn every_rectifier_composes_with_every_score_on_its_logits() {
    let head = Head { weight: array![[1.0, 0.0], [0.0, 1.0]], bias: array![0.0, 0.0] };
    // ReAct makes (2, 1) of (5, 1).
    let names = OnLogits::ALL.map(ScoreName::React);
    let got = scores(&names, &fitted(VraForm::Zero), &head, &[5.0, 1.0]);
    let p = 1.0 / (1.0 + (-1.0_f64).exp());
    let wanted = [-(2.0_f64.exp() + 1.0_f64.exp()).ln(), -p, -2.0, 2.0 * (p * (1.0 - p)).powf(0.1)];
    assert!(got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-6), "{got:?}, wanted {wanted:?}");
}

#[test]
fn a_nan_anywhere_makes_nan_scores_and_zeros_make_the_energy_of_the_bias() {
    let head = Head { weight: array![[1.0, 2.0], [3.0, 4.0]], bias: array![0.0, 0.0] };
    let fitted = fitted(VraForm::Zero);
    for (features, logits) in [([f32::NAN, 1.0], [1.0, 2.0]), ([1.0, 1.0], [1.0, f32::NAN])] {
        assert!(of_outputs(&ENERGIES, &fitted, &head, &features, &logits).iter().all(|score| score.is_nan()));
    }
    for score in scores(&ENERGIES, &fitted, &head, &[0.0, 0.0]) {
        assert!((score + 2.0_f64.ln()).abs() < 1e-7, "{score}");
    }
}

/// A head beyond the size that is multiplied anew.
fn wide_head(random: &mut fastrand::Rng) -> Head {
    let mut number = || random.f32() - 0.5;
    Head {
        weight: Array2::from_shape_simple_fn((150, 160), &mut number),
        bias: Array1::from_shape_simple_fn(150, number),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Features from 0 (a third of them exactly) to `largest`, so that each way to a product is taken. Tolerance: the
    /// network's logits are rounded to f32, 6e-8 of at most 500.
    #[test]
    fn a_wide_head_gives_the_energies_of_a_plain_loop(seed in any::<u64>(), largest in 0.5_f32..20.0, clip in any::<bool>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let head = wide_head(&mut random);
        let features: Vec<f32> = (0..160).map(|_| (random.f32() * 1.5 - 0.5).max(0.0) * largest).collect();
        let form = if clip { VraForm::Clip } else { VraForm::Zero };
        let got = scores(&ENERGIES, &fitted(form), &head, &features);
        for ((name, got), rectified) in ENERGIES.iter().zip(got).zip(plain_rectified(&features, 80, form)) {
            let want = plain_energy(&head, &rectified);
            prop_assert!((got - want).abs() <= 1e-6 * (want.abs() + 10.0), "{}: {}, wanted {}", name, got, want);
        }
    }
}
