//! The tiny network in plain Rust: its weights, what it computes, and a package around it.
//!
//! Its golden vectors come from here, not from ONNX Runtime: the self-test of every test run holds the two together.

use std::collections::BTreeMap;
use std::path::Path;

use image::RgbImage;
use ndarray::{Array, Array1, Array2, Array4, ArrayView4, s};
use oodwatch::calibrate::{ScoreCalibration, Target};
use oodwatch::decode::DecodeConfig;
use oodwatch::infer::NetworkOutputs;
use oodwatch::package::{
    self, Calibration, Color, DType, Golden, Head, InputSpec, Layout, LocalSpec, Manifest, Measure, OutputSpec, Resize,
    SCHEMA,
};
use oodwatch::score::{Fitted, Model, ScoreName, Scorers};
use oodwatch::view::ViewConfig;

/// Side of the input in pixels.
pub(crate) const SIDE: usize = 8;
/// Channels of the feature map.
pub(crate) const CHANNELS: usize = 4;
/// Target false-alarm rate of the package.
pub(crate) const RATE: f64 = 0.05;
/// Pictures that the package is calibrated on.
pub(crate) const CALIBRATION_PICTURES: u32 = 99;

/// 1x1 convolution from colours to features: red, green, blue, brightness.
pub(crate) const STEM: [[f32; 3]; CHANNELS] =
    [[4.0, -1.0, -1.0], [-1.0, 4.0, -1.0], [-1.0, -1.0, 4.0], [1.0, 1.0, 1.0]];
/// The head: one class per colour.
pub(crate) const HEAD: [[f32; CHANNELS]; 3] = [[2.0, -0.5, -0.5, 0.5], [-0.5, 2.0, -0.5, 0.5], [-0.5, -0.5, 2.0, 0.5]];
/// Its bias.
pub(crate) const HEAD_BIAS: [f32; 3] = [0.1, 0.0, -0.1];

pub(crate) fn manifest() -> Manifest {
    Manifest {
        schema: SCHEMA,
        classes: ["red", "green", "blue"].map(String::from).to_vec(),
        input: InputSpec {
            name: "input".into(),
            dtype: DType::Float32,
            layout: Layout::Nchw,
            width: SIDE as u32,
            height: SIDE as u32,
            resize: Resize::Stretch,
            color: Color::Rgb,
            scale: 1.0 / 255.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        },
        output: OutputSpec { features: CHANNELS, local: Some(LocalSpec { height: SIDE, width: SIDE }) },
        provenance: toml::Table::new(),
        view: ViewConfig::default(),
        decode: DecodeConfig::default(),
        files: BTreeMap::new(),
    }
}

/// What the network makes of a batch [N, 3, 8, 8].
pub(crate) fn forward(batch: ArrayView4<'_, f32>) -> NetworkOutputs {
    let count = batch.shape()[0];
    let map = Array::from_shape_fn((count, CHANNELS, SIDE, SIDE), |(n, c, y, x)| {
        (0..3).map(|i| STEM[c][i] * batch[[n, i, y, x]]).sum::<f32>().max(0.0)
    });
    let features = Array::from_shape_fn((count, CHANNELS), |(n, c)| map.slice(s![n, c, .., ..]).mean().unwrap());
    let head = |k: usize, feature: &dyn Fn(usize) -> f32| {
        HEAD_BIAS[k] + (0..CHANNELS).map(|c| HEAD[k][c] * feature(c)).sum::<f32>()
    };
    NetworkOutputs {
        logits: Array::from_shape_fn((count, HEAD.len()), |(n, k)| head(k, &|c| features[[n, c]])),
        local_norms: Some(Array::from_shape_fn((count, SIDE, SIDE), |(n, y, x)| {
            map.slice(s![n, .., y, x]).iter().map(|value| value * value).sum::<f32>().sqrt()
        })),
        local_logits: Some(Array::from_shape_fn((count, HEAD.len(), SIDE, SIDE), |(n, k, y, x)| {
            head(k, &|c| map[[n, c, y, x]])
        })),
        features,
    }
}

/// An 8x8 picture as the network's input, written out in full.
pub(crate) fn input(image: &RgbImage) -> Array4<f32> {
    Array::from_shape_fn((1, 3, SIDE, SIDE), |(_, c, y, x)| {
        f32::from(image.get_pixel(x as u32, y as u32)[c]) * (1.0 / 255.0)
    })
}

/// The scores that need no fitting.
pub(crate) fn unfitted() -> Vec<ScoreName> {
    ScoreName::PLAIN.iter().copied().filter(|name| !name.needs().fit).collect()
}

fn head() -> Head {
    Head {
        weight: Array2::from_shape_fn((HEAD.len(), CHANNELS), |(k, c)| HEAD[k][c]),
        bias: Array1::from_iter(HEAD_BIAS),
    }
}

/// Scores of everything in `outputs`: per image, in the order of [`unfitted`].
fn scores(outputs: &NetworkOutputs) -> Vec<Vec<f32>> {
    let (head, fitted) = (head(), Fitted::default());
    let mut scorers = Scorers::new(&unfitted(), &Model::new(&manifest(), Some(&head), &fitted)).unwrap();
    outputs.images().map(|image| scorers.score(&image).iter().map(|score| score.0).collect()).collect()
}

/// The score of an 8x8 picture.
pub(crate) fn score(name: ScoreName, image: &RgbImage) -> f32 {
    let place = unfitted().iter().position(|other| *other == name).unwrap();
    scores(&forward(input(image).view()))[0][place]
}

pub(crate) fn calibration() -> Calibration {
    let of_pictures: Vec<Vec<f32>> = (0..CALIBRATION_PICTURES)
        .map(|number| scores(&forward(input(&super::known(number)).view())).remove(0))
        .collect();
    let calibrate = |(place, name): (usize, ScoreName)| {
        let scores = of_pictures.iter().map(|scores| scores[place]).collect();
        let calibrated = ScoreCalibration::new(scores, Target::rate(RATE));
        (name, calibrated.unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    Calibration {
        head: Some(head()),
        fitted: Fitted::default(),
        scores: unfitted().into_iter().enumerate().map(calibrate).collect(),
        fusions: BTreeMap::new(),
        images: CALIBRATION_PICTURES as usize,
        origin: "drawn by the tests".into(),
        precision: "fp32".into(),
        execution_provider: "cpu".into(),
    }
}

pub(crate) fn golden() -> Golden {
    let inputs =
        Array::from_shape_fn((2, 3, SIDE, SIDE), |(n, c, y, x)| ((n * 7 + c * 5 + y * 3 + x) % 11) as f32 / 11.0);
    let outputs = forward(inputs.view());
    let of_images = scores(&outputs);
    let of_name = |(place, name)| (name, of_images.iter().map(|scores| scores[place]).collect());
    Golden {
        scores: unfitted().into_iter().enumerate().map(of_name).collect(),
        inputs: inputs.into(),
        logits: outputs.logits,
        features: outputs.features,
        local_norms: outputs.local_norms,
        local_logits: outputs.local_logits,
        tolerance: 1e-4,
        measure: Measure::Value,
    }
}

/// A good package.
pub(crate) fn write_package(dir: &Path) {
    write_package_of(dir, &super::onnx::tiny());
}

/// A package of another network that computes the same.
pub(crate) fn write_package_of(dir: &Path, onnx: &[u8]) {
    write_package_with(dir, onnx, &golden());
}

/// A package with other golden vectors.
pub(crate) fn write_package_with(dir: &Path, onnx: &[u8], golden: &Golden) {
    package::write(dir, onnx, manifest(), &calibration(), golden).unwrap();
}
