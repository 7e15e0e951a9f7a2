//! What the shipped network says of pictures that were rounded nowhere on their way, computed in f64 from the definitions.
//!
//! The program resamples a camera's uncompressed frames without rounding, while pictures are rounded to bytes after their rows and after
//! their columns, as Pillow does: steps of 1 of 255 that move the scores of pictures as small as these by up to 0.2.

use ndarray::Array4;
use oodwatch::infer::{Network, NetworkOptions};
use oodwatch::package::{InputSpec, Package};

use super::encode::SIDE;
use super::formats::shipped;

/// Energy of pictures of [`SIDE`] pixels a side, which are halved: red, green and blue from 0 to 255.
pub(super) fn energies(pictures: &[Vec<[f64; 3]>]) -> Vec<f32> {
    let package = Package::open(shipped().as_ref()).unwrap();
    let mut network = Network::open(&package, &NetworkOptions::default()).unwrap();
    let energy = |picture: &Vec<[f64; 3]>| {
        let logits = network.run(input(picture, &package.manifest.input).view()).unwrap().logits;
        -logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln() as f32
    };
    pictures.iter().map(energy).collect()
}

fn input(picture: &[[f64; 3]], spec: &InputSpec) -> Array4<f32> {
    let side = SIDE as usize;
    assert_eq!((2 * spec.width, 2 * spec.height), (SIDE, SIDE));
    Array4::from_shape_fn((1, 3, side / 2, side / 2), |(_, channel, y, x)| {
        let (mut sum, mut total) = (0.0, 0.0);
        for (row, down) in halved(y, side) {
            for (column, across) in halved(x, side) {
                sum += down * across * picture[row * side + column][channel];
                total += down * across;
            }
        }
        let value = sum / total * f64::from(spec.scale);
        ((value - f64::from(spec.mean[channel])) / f64::from(spec.std[channel])) as f32
    })
}

/// The pixels of an output, and the weights of the triangle filter that is as wide as the outputs of either side.
fn halved(output: usize, side: usize) -> impl Iterator<Item = (usize, f64)> {
    let centre = (2 * output + 1) as f64;
    let near = (2 * output).saturating_sub(1)..(2 * output + 3).min(side);
    near.map(move |pixel| (pixel, 1.0 - (pixel as f64 + 0.5 - centre).abs() / 2.0))
}
