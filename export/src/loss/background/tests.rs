//! L_bg and its gradient against values worked out by hand and finite differences.

use super::*;
use crate::loss::testing::assert_gradient;
use tch::Kind;

const K: i64 = 2;

/// F of pictures of 2x2 locations with two channels, given location by location.
fn feature_map(pictures: &[[[f64; 2]; 4]]) -> Tensor {
    let flat: Vec<f64> = pictures.iter().flatten().flatten().copied().collect();
    let n = pictures.len() as i64;
    Tensor::from_slice(&flat).view([n, 2, 2, 2]).permute([0, 3, 1, 2]).contiguous().set_requires_grad(true)
}

/// With the identity as head, a location's logits are its two features.
fn loss_of(f: &Tensor, bias: [f64; 2], targets: &[i64], rule: BackgroundRule) -> Background {
    term_of(f, bias, targets, &BackgroundConfig::plain(1.0, rule))
}

fn relative(rule: BackgroundRule) -> BackgroundConfig {
    BackgroundConfig { relative: true, ..BackgroundConfig::plain(1.0, rule) }
}

fn term_of(f: &Tensor, bias: [f64; 2], targets: &[i64], term: &BackgroundConfig) -> Background {
    let head = Tensor::eye(K, (Kind::Double, tch::Device::Cpu));
    background_loss(f, &head, &Tensor::from_slice(&bias), &Tensor::from_slice(targets), term)
}

/// Norms 5, 1, 2, 0; the true class 0 wins at the third location alone and ties at the fourth.
const PICTURE: [[f64; 2]; 4] = [[3.0, 4.0], [0.0, 1.0], [2.0, 0.0], [0.0, 0.0]];

#[test]
fn each_rule_gives_the_loss_worked_out_by_hand() {
    for (rule, loss, count) in [
        (BackgroundRule::Rank(1), (5.0 + 1.0) / 2.0, 2),
        (BackgroundRule::Rank(2), 0.0, 0),
        // softmax gives class 0: 0.27, 0.27, 0.88, 0.50
        (BackgroundRule::Confidence(0.5), (5.0 + 1.0) / 2.0, 2),
        (BackgroundRule::Confidence(0.6), (5.0 + 1.0 + 0.0) / 3.0, 3),
        // activations of class 0: 3, 0, 2, 0
        (BackgroundRule::Lowest(0.5), (1.0 + 0.0) / 2.0, 2),
        (BackgroundRule::Lowest(1.0), (5.0 + 1.0 + 2.0 + 0.0) / 4.0, 4),
        (BackgroundRule::All, (5.0 + 1.0 + 2.0 + 0.0) / 4.0, 4),
    ] {
        let found = loss_of(&feature_map(&[PICTURE]), [0.0; 2], &[0], rule);
        assert_eq!(found.count.int64_value(&[]), count, "{rule:?}");
        assert!((found.loss.double_value(&[]) - loss).abs() < 1e-12, "{rule:?}: {:?}", found.loss);
    }
}

#[test]
fn the_mean_is_over_the_locations_of_the_batch_not_over_pictures() {
    // Class 1 is true for the second picture: only its third location (norm 2) is background.
    let found = loss_of(&feature_map(&[PICTURE, PICTURE]), [0.0; 2], &[0, 1], BackgroundRule::Rank(1));
    assert!((found.loss.double_value(&[]) - (5.0 + 1.0 + 2.0) / 3.0).abs() < 1e-12);
    // The other five: 2 and 0 of the first picture, 5, 1 and 0 of the second.
    assert!((found.foreground_norm.double_value(&[]) - (2.0 + 5.0 + 1.0) / 5.0).abs() < 1e-12);
}

#[test]
fn without_background_the_loss_is_zero_and_so_is_its_gradient() {
    let f = feature_map(&[PICTURE]);
    let found = loss_of(&f, [9.0, 0.0], &[0], BackgroundRule::Rank(1));
    assert_eq!(found.count.double_value(&[]), 0.0);
    assert_eq!(found.loss.double_value(&[]), 0.0);
    found.loss.backward();
    assert!(f.grad().defined());
    assert_eq!(f.grad().abs().max().double_value(&[]), 0.0);
}

#[test]
fn a_zero_norm_gets_a_zero_gradient_and_not_nan() {
    let f = feature_map(&[PICTURE]);
    loss_of(&f, [0.0; 2], &[0], BackgroundRule::Lowest(0.5)).loss.backward();
    // d||F||/dF = F / ||F||: (0, 1) at the second location, halved by the mean; the fourth has norm 0.
    let wanted = feature_map(&[[[0.0; 2], [0.0, 0.5], [0.0; 2], [0.0; 2]]]).detach();
    assert_eq!((f.grad() - wanted).abs().max().double_value(&[]), 0.0);
}

#[test]
fn relative_norms_are_those_of_the_pictures_own_foreground() {
    // Background 5 and 1; the picture's foreground has norms 2 and 0.
    let found = term_of(&feature_map(&[PICTURE]), [0.0; 2], &[0], &relative(BackgroundRule::Rank(1)));
    assert!((found.loss.double_value(&[]) - (5.0 + 1.0) / 2.0).abs() < 1e-12);
    assert!((found.norm.double_value(&[]) - (5.0 + 1.0) / 2.0).abs() < 1e-12);
    // Twice the feature map: twice the norms, the same relative norms.
    let found = term_of(&(feature_map(&[PICTURE]) * 2.0), [0.0; 2], &[0], &relative(BackgroundRule::Rank(1)));
    assert!((found.loss.double_value(&[]) - 3.0).abs() < 1e-12);
    assert!((found.norm.double_value(&[]) - 6.0).abs() < 1e-12);
}

#[test]
fn a_picture_without_foreground_is_measured_by_the_batchs_and_a_batch_without_by_one() {
    // All of the second picture is background: 1 at each location, against the first picture's mean foreground of 1.
    let quiet = [[0.0, 1.0]; 4];
    let found = term_of(&feature_map(&[PICTURE, quiet]), [0.0; 2], &[0, 0], &relative(BackgroundRule::Rank(1)));
    assert!((found.loss.double_value(&[]) - (5.0 + 1.0 + 4.0 * 1.0) / 6.0).abs() < 1e-12, "{:?}", found.loss);
    let found = term_of(&feature_map(&[quiet]), [0.0; 2], &[0], &relative(BackgroundRule::Rank(1)));
    assert_eq!(found.loss.double_value(&[]), 1.0);
}

#[test]
fn what_a_norm_has_up_to_the_floor_does_not_count_and_gets_no_gradient() {
    let with = |floor: f64, term: BackgroundConfig| BackgroundConfig { floor, ..term };
    let (rule, f) = (BackgroundRule::Rank(1), feature_map(&[PICTURE]));
    // Background 5 and 1, foreground 2 and 0: relative norms 5 and 1.
    for (floor, loss) in [(0.5, (4.5 + 0.5) / 2.0), (1.0, 4.0 / 2.0), (2.0, 3.0 / 2.0), (6.0, 0.0)] {
        for term in [BackgroundConfig::plain(1.0, rule), relative(rule)] {
            let found = term_of(&f, [0.0; 2], &[0], &with(floor, term));
            assert!((found.loss.double_value(&[]) - loss).abs() < 1e-12, "{floor}: {:?}", found.loss);
            // What is logged is the norm itself.
            assert!((found.norm.double_value(&[]) - (5.0 + 1.0) / 2.0).abs() < 1e-12);
        }
    }
    term_of(&f, [0.0; 2], &[0], &with(2.0, relative(rule))).loss.backward();
    // Of the first location alone: (3, 4) / 5, halved by the mean.
    let wanted = feature_map(&[[[0.3, 0.4], [0.0; 2], [0.0; 2], [0.0; 2]]]).detach();
    assert!((f.grad() - wanted).abs().max().double_value(&[]) < 1e-12);
}

#[test]
fn the_weight_grows_over_its_share_of_the_steps_and_stays() {
    let config = |warmup| BackgroundConfig { warmup, ..BackgroundConfig::plain(0.4, BackgroundRule::All) };
    let weights = |warmup| [0, 1, 2, 9].map(|step| config(warmup).weight(step, 10));
    assert_eq!(weights(0.0), [0.4; 4]);
    assert_eq!(weights(0.2), [0.2, 0.4, 0.4, 0.4]);
    assert_eq!(config(1.0).weight(9, 10), 0.4);
}

#[test]
fn a_config_without_the_newer_settings_is_written_as_before() {
    let text = "lambda = 0.1\n\n[rule]\nlowest = 0.3\n";
    let config: BackgroundConfig = toml::from_str(text).unwrap();
    assert_eq!(toml::to_string_pretty(&config).unwrap(), text);
    let all: BackgroundConfig = toml::from_str("lambda = 0.1\nwarmup = 0.5\nrule = \"all\"").unwrap();
    assert_eq!((all.rule, all.warmup), (BackgroundRule::All, 0.5));
    assert_eq!(toml::from_str::<BackgroundConfig>(&toml::to_string_pretty(&all).unwrap()).unwrap(), all);
}

/// F of 2 pictures, Wc, b and the targets, all of them random.
fn random_batch() -> (Tensor, Tensor, Tensor, Tensor) {
    tch::manual_seed(5);
    let double = (Kind::Double, tch::Device::Cpu);
    let (head, bias) = (Tensor::randn([3, 4], double), Tensor::randn([3], double));
    (Tensor::randn([2, 4, 3, 3], double).relu(), head, bias, Tensor::from_slice(&[2i64, 0]))
}

#[test]
fn the_gradient_agrees_with_finite_differences() {
    let (f, head, bias, targets) = random_batch();
    let flat = f.contiguous().view([-1]);
    for rule in
        [BackgroundRule::Rank(1), BackgroundRule::Confidence(0.4), BackgroundRule::Lowest(0.4), BackgroundRule::All]
    {
        // The whole loss, CE + lambda * L_bg, as a function of F.
        let loss = |f: &Tensor| {
            let logits = f.mean_dim([2i64, 3].as_slice(), false, Kind::Double).linear(&head, Some(&bias));
            let term = background_loss(f, &head, &bias, &targets, &BackgroundConfig::plain(0.3, rule));
            assert!(term.count.double_value(&[]) > 0.0);
            logits.log_softmax(1, Kind::Double).nll_loss(&targets) + term.loss * 0.3
        };
        // Where F is 0 the norm may have a corner.
        assert_gradient(loss, &f, |i| flat.double_value(&[i]) > 0.0, &format!("{rule:?}"));
    }
}

#[test]
fn the_relative_gradient_is_that_of_the_background_and_none_of_the_foreground() {
    let (f, head, bias, targets) = random_batch();
    let rule = BackgroundRule::Lowest(0.4);
    let loss = |f: &Tensor| background_loss(f, &head, &bias, &targets, &relative(rule)).loss;
    let locations = f.permute([0, 2, 3, 1]).reshape([2, -1, 4]);
    let mask = background_mask(&locations, &head, &bias, &targets, rule);
    // [N, H*W] beside each channel: flat positions of F, [N, C, H, W].
    let mask = mask.unsqueeze(1).expand([2, 4, 9], false).contiguous().view([-1]);
    let flat = f.contiguous().view([-1]);
    let background = |i| mask.int64_value(&[i]) == 1;
    assert_gradient(loss, &f, |i| background(i) && flat.double_value(&[i]) > 0.0, "relative");

    let f = f.detach().contiguous().set_requires_grad(true);
    loss(&f).backward();
    let gradient = f.grad().contiguous().view([-1]);
    assert!((0..flat.numel() as i64).all(|i| background(i) || gradient.double_value(&[i]) == 0.0));
}
