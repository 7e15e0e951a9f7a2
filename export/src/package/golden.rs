//! Golden vectors: synthetic pictures, and what libtorch makes of them in FP32.
//!
//! They are no pictures of a data set, so they owe nothing to anybody and can be shipped, yet they have
//! edges, slopes and texture, so that a wrong weight, channel order or normalisation shows.

use image::{Rgb, RgbImage};
use ndarray::Array4;
use oodwatch::package::{Golden, InputSpec};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::ScoreName;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::ExportError;
use crate::pictures::PictureError;
use crate::trained::Trained;

/// Number of golden pictures.
const COUNT: usize = 8;

/// Decides the golden pictures.
const SEED: u64 = 0x00d;

/// |got - want| <= tolerance * (1 + |want|). Parity with libtorch allows 1e-4, other processors round
/// differently by some 1e-5; wrong weights or inputs differ by far more than both.
const TOLERANCE: f32 = 5e-4;

/// Makes the pictures and runs them through libtorch.
pub(super) fn golden(trained: &Trained) -> Result<Golden, ExportError> {
    let inputs = inputs(&trained.input)?;
    let outputs = trained.outputs(&trained.forward(inputs.view()))?;
    let of_each = |name: &ScoreName| outputs.images().map(|image| name.score(&image).0).collect();
    let scores = ScoreName::ALL.iter().map(|name| (*name, of_each(name))).collect();
    Ok(Golden {
        inputs,
        scores,
        logits: outputs.logits,
        features: outputs.features,
        local_norms: outputs.local_norms,
        local_logits: outputs.local_logits,
        tolerance: TOLERANCE,
    })
}

/// The golden pictures, prepared as the runtime does it: [N, 3, H, W].
pub(super) fn inputs(spec: &InputSpec) -> Result<Array4<f32>, ExportError> {
    let mut preprocessor = Preprocessor::new(spec).map_err(PictureError::from)?;
    let mut values = Vec::new();
    for index in 0..COUNT {
        let picture = picture(index, spec.width, spec.height);
        values.extend_from_slice(preprocessor.run(&picture).map_err(PictureError::from)?);
    }
    let [channels, height, width] = spec.chw();
    Ok(Array4::from_shape_vec((COUNT, channels, height, width), values).map_err(PictureError::from)?)
}

/// Smooth noise, a colour gradient and a checkerboard by turns, each with its own colours.
fn picture(index: usize, width: u32, height: u32) -> RgbImage {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED + index as u64);
    match index % 3 {
        0 => smooth_noise(&mut rng, width, height),
        1 => gradient(&mut rng, width, height),
        _ => checkerboard(&mut rng, width, height),
    }
}

/// Random colours on a coarse grid, blended in between.
fn smooth_noise(rng: &mut ChaCha8Rng, width: u32, height: u32) -> RgbImage {
    const GRID: usize = 5;
    let colours: [[[f32; 3]; GRID]; GRID] = std::array::from_fn(|_| std::array::from_fn(|_| colour(rng)));
    RgbImage::from_fn(width, height, |x, y| {
        let (column, across) = cell(x, width, GRID);
        let (row, down) = cell(y, height, GRID);
        let top = blend(colours[row][column], colours[row][column + 1], across);
        let bottom = blend(colours[row + 1][column], colours[row + 1][column + 1], across);
        bytes(blend(top, bottom, down))
    })
}

/// One colour in the upper left corner, another in the lower right.
fn gradient(rng: &mut ChaCha8Rng, width: u32, height: u32) -> RgbImage {
    let (from, to) = (colour(rng), colour(rng));
    RgbImage::from_fn(width, height, |x, y| bytes(blend(from, to, (x + y) as f32 / (width + height) as f32)))
}

/// Squares of two colours, an eighth of the picture wide.
fn checkerboard(rng: &mut ChaCha8Rng, width: u32, height: u32) -> RgbImage {
    let colours = [colour(rng), colour(rng)];
    RgbImage::from_fn(width, height, |x, y| bytes(colours[((8 * x / width + 8 * y / height) % 2) as usize]))
}

/// The grid cell that a pixel lies in, and how far into it, in [0, 1).
fn cell(at: u32, extent: u32, grid: usize) -> (usize, f32) {
    let position = at as f32 / extent as f32 * (grid - 1) as f32;
    (position as usize, position.fract())
}

fn colour(rng: &mut ChaCha8Rng) -> [f32; 3] {
    std::array::from_fn(|_| rng.random_range(0.0..255.0))
}

fn blend(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|channel| a[channel] + (b[channel] - a[channel]) * share)
}

fn bytes(colour: [f32; 3]) -> Rgb<u8> {
    Rgb(colour.map(|value| value.round() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_pictures_are_the_same_every_time_and_all_different() {
        let pictures = || (0..COUNT).map(|index| picture(index, 32, 24).into_raw()).collect::<Vec<_>>();
        let once = pictures();
        assert_eq!(once, pictures());
        for (index, picture) in once.iter().enumerate() {
            assert!(!once[..index].contains(picture), "{index}");
            assert!(picture.iter().any(|&byte| byte != picture[0]), "{index} is flat");
        }
    }
}
