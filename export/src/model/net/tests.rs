use serde::Deserialize;
use tch::{Kind, Tensor, no_grad};

use super::*;

/// What `tests/networks/make.py` wrote.
#[derive(Deserialize)]
struct Golden {
    side: usize,
    classes: usize,
    pictures: usize,
    networks: std::collections::BTreeMap<String, Network>,
}

/// Features are the first of each picture's.
#[derive(Deserialize)]
struct Network {
    weights: Vec<(String, Vec<usize>)>,
    features: Vec<f32>,
    logits: Vec<f32>,
}

/// `uniform` of make.py: numbers in [0, 1) that depend on seed and position.
fn uniform(seed: usize, count: usize) -> Vec<f32> {
    let hash = |at: usize| {
        let mut x = (at as u32).wrapping_add((seed as u32).wrapping_mul(0x9E37_79B9));
        x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
        x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
        x ^ (x >> 16)
    };
    (0..count).map(|at| (hash(at) >> 8) as f32 / (1 << 24) as f32).collect()
}

/// `values` of make.py.
fn values(seed: usize, name: &str, shape: &[usize]) -> Vec<f32> {
    let field = name.rsplit('.').next().unwrap();
    let fan_in: usize = shape[1..].iter().product();
    let bound = (6.0 / fan_in as f64).sqrt() as f32;
    let value = |u: f32| match field {
        "weight" if shape.len() > 1 => (u * 2.0 - 1.0) * bound,
        "weight" | "running_var" => u + 0.5,
        _ => (u - 0.5) * 0.4,
    };
    uniform(seed, shape.iter().product()).into_iter().map(value).collect()
}

fn largest_difference(found: &Tensor, wanted: &[f32]) -> f64 {
    let wanted = Tensor::from_slice(wanted).view([-1]);
    let scale = wanted.abs().max().double_value(&[]);
    (found.contiguous().view([-1]) - wanted).abs().max().double_value(&[]) / scale
}

#[test]
fn networks_have_the_names_the_shapes_and_the_results_of_the_originals() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/networks/golden.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(golden.networks.len(), 5);
    for (arch, wanted) in golden.networks {
        let net = Net::new(&arch, golden.classes, Precision::Fp32, 1).unwrap();
        assert_eq!(net.params.shapes(), wanted.weights, "{arch}");

        let made = wanted.weights.iter().enumerate();
        let made: std::collections::BTreeMap<_, _> =
            made.map(|(seed, (name, shape))| (name.as_str(), (shape, values(seed, name, shape)))).collect();
        net.params.load(|name| made.get(name).map(|(shape, values)| (shape.as_slice(), values.as_slice()))).unwrap();
        let count = golden.pictures * 3 * golden.side * golden.side;
        let pixels = uniform(wanted.weights.len(), count);
        let shape = [golden.pictures as i64, 3, golden.side as i64, golden.side as i64];
        let out = no_grad(|| net.forward(&(Tensor::from_slice(&pixels).view(shape) * 4.0 - 2.0), false));

        let kept = (wanted.features.len() / golden.pictures) as i64;
        // Sums in another order than PyTorch's: relative to the largest value, max abs diff <= 1e-4.
        for (what, difference) in [
            ("features", largest_difference(&out.features.narrow(1, 0, kept), &wanted.features)),
            ("logits", largest_difference(&out.logits, &wanted.logits)),
        ] {
            assert!(difference < 1e-4, "{arch}: {what} differ by {difference}");
        }
    }
}

#[test]
fn resnet20_has_the_papers_number_of_weights() {
    let net = Net::new("resnet20", 10, Precision::Fp32, 1).unwrap();
    let weights: usize = net.params.trainable().map(|(_, t)| t.numel()).sum();
    // 0.27 M in table 6 of the paper; exactly this many with option A.
    assert_eq!(weights, 269_722);
}

#[test]
fn logits_are_the_head_applied_to_the_mean_of_the_feature_map() {
    for (arch, side, map) in [("resnet20", 32, [2, 64, 8, 8]), ("efficientnet_lite0", 96, [2, 1280, 3, 3])] {
        let net = Net::new(arch, 10, Precision::Fp32, 1).unwrap();
        let x = Tensor::randn([2, 3, side, side], tch::kind::FLOAT_CPU);
        let out = no_grad(|| net.forward(&x, false));
        assert_eq!(out.feature_map.size(), map);
        let head = net.head_weight().unsqueeze(-1).unsqueeze(-1);
        let local = out.feature_map.conv2d(&head, Some(net.head_bias()), [1, 1], [0, 0], [1, 1], 1);
        let mean = local.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        let diff = (mean - &out.logits).abs().max().double_value(&[]);
        assert!(diff < 1e-5, "{arch}: max abs diff {diff}");
    }
}

#[test]
fn kept_statistics_neither_move_nor_change_what_is_computed() {
    let mut net = Net::new("efficientnet_lite0", 3, Precision::Fp32, 1).unwrap();
    let x = Tensor::randn([4, 3, 32, 32], tch::kind::FLOAT_CPU);
    let mean = |net: &Net| net.params.iter().find(|(name, ..)| *name == "_bn0.running_mean").unwrap().2.copy();
    let before = mean(&net);
    net.keep_statistics = true;
    let trained = net.forward(&x, true).logits;
    assert_eq!(trained, no_grad(|| net.forward(&x, false)).logits);
    assert_eq!(mean(&net), before);
    trained.sum(Kind::Float).backward();
    assert!(net.params.trainable().all(|(_, weight)| weight.grad().defined()), "a weight without gradient");

    net.keep_statistics = false;
    let _ = net.forward(&x, true);
    assert_ne!(mean(&net), before);
}

#[test]
fn the_shortcut_keeps_every_second_pixel_and_centres_the_channels() {
    let x = Tensor::arange(2 * 4, tch::kind::FLOAT_CPU).reshape([1, 2, 2, 2]);
    let y = zero_padded(&x, 2, 4);
    assert_eq!(crate::model::values_of(&y), [0.0, 0.0, 4.0, 0.0]);
}
