//! The energy classifier's loss and gradients, when the term begins, and that a resumed one goes on alike.

use super::super::testing::assert_gradient;
use super::*;
use crate::model::Precision;

#[test]
fn the_loss_is_the_value_worked_out_by_hand() {
    let row = |values: &[f64]| Tensor::from_slice(values).view([1, -1]);
    // s of the real picture: log(2 e^1 + 0 e^9) = log 2 + 1, a negative weight counting as 0; of the outlier: log 2.
    let (real, outlier) = (row(&[1.0, 9.0]), row(&[0.0, 5.0]));
    let [w, a, c] = [&[2.0, -3.0][..], &[0.5], &[0.1]].map(Tensor::from_slice::<f64>);
    let found = energy_classifier_loss(&real, &outlier, &w, &a, &c).double_value(&[]);
    let softplus = |x: f64| x.exp().ln_1p();
    let (real, outlier) = (0.5 * (2f64.ln() + 1.0) + 0.1, 0.5 * 2f64.ln() + 0.1);
    let wanted = (softplus(-real) + softplus(outlier)) / 2.0;
    assert!((found - wanted).abs() < 1e-12, "{found} != {wanted}");
}

#[test]
fn gradients_of_logits_outliers_and_classifier_agree_with_finite_differences() {
    let real = Tensor::from_slice(&[0.3f64, -0.4, 1.2, 2.0, 0.1, -3.0]).view([2, 3]);
    let outliers = Tensor::from_slice(&[0.2f64, 0.5, -0.7]).view([1, 3]);
    let [w, a, c] = [&[1.0, 0.7, 1.4][..], &[0.8], &[-0.3]].map(Tensor::from_slice::<f64>);
    let all = |_| true;
    assert_gradient(|x| energy_classifier_loss(x, &outliers, &w, &a, &c), &real, all, "real");
    assert_gradient(|x| energy_classifier_loss(&real, x, &w, &a, &c), &outliers, all, "outliers");
    assert_gradient(|x| energy_classifier_loss(&real, &outliers, x, &a, &c), &w, all, "w");
    assert_gradient(|x| energy_classifier_loss(&real, &outliers, &w, x, &c), &a, all, "a");
    assert_gradient(|x| energy_classifier_loss(&real, &outliers, &w, &a, x), &c, all, "c");
}

fn net() -> Net {
    Net::new("resnet20", 2, Precision::Fp32, 1).unwrap()
}

/// A batch of two pictures, one of each class, whose features depend on `step`.
fn batch(net: &Net, step: usize) -> (Forward, Tensor) {
    let features: Vec<f32> = (0..128).map(|i| ((i * 31 + step * 17) % 23) as f32 / 10.0).collect();
    let features = Tensor::from_slice(&features).view([2, 64]);
    let logits = features.linear(net.head_weight(), Some(net.head_bias()));
    let map = features.unsqueeze(-1).unsqueeze(-1);
    (Forward { feature_map: map, features, logits }, Tensor::from_slice(&[0i64, 1]))
}

fn term(net: &Net) -> VirtualOutliers {
    let config = VirtualOutliersConfig { queue: 3, samples: 20, start_epoch: 2, ..VirtualOutliersConfig::default() };
    VirtualOutliers::new(config, net, 7, 0.9, 5e-4)
}

/// Loss of one step, after which w, a and c have moved.
fn step(term: &mut VirtualOutliers, net: &Net, step: usize) -> Option<f64> {
    let (out, targets) = batch(net, step);
    let loss = term.loss(net, &out, &targets, Moment { epoch: 1 + step / 2, step, steps: 10 }).unwrap();
    let value = loss.as_ref().map(|loss| loss.double_value(&[]));
    loss.iter().for_each(Tensor::backward);
    term.step(0.1);
    value
}

#[test]
fn the_term_begins_with_its_epoch_and_full_queues_at_chance() {
    let net = net();
    let mut term = term(&net);
    // Two steps an epoch: the second epoch begins with step 2, where the third feature of each class comes in.
    let losses: Vec<_> = (0..4).map(|i| step(&mut term, &net, i)).collect();
    assert_eq!(losses[..2], [None, None]);
    assert!((losses[2].unwrap() - 2f64.ln()).abs() < 1e-6);
    assert_ne!(losses[3], losses[2]);
    assert!(term.params.at(1).double_value(&[0]) != 0.0, "the classifier has not moved");
}

#[test]
fn a_resumed_term_goes_on_with_the_same_losses_and_state() {
    let net = net();
    let mut whole = term(&net);
    for i in 0..4 {
        step(&mut whole, &net, i);
    }
    let state = whole.export();
    let mut resumed = term(&net);
    resumed.load(|name| state.iter().find(|s| s.0 == name).map(|s| (s.1.as_slice(), s.2.as_slice()))).unwrap();
    assert_eq!(resumed.export(), state);
    // The head's gradients add up in `net` and play no part here.
    for i in 4..7 {
        assert_eq!(step(&mut whole, &net, i), step(&mut resumed, &net, i));
    }
    assert_eq!(resumed.export(), whole.export());
    let text = resumed.load(|_| None).unwrap_err().to_string();
    assert!(text.contains("energy.weight"), "{text}");
}
