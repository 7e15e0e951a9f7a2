//! Synthetic pictures, decided by a seed: the golden inputs of packages.
//!
//! They are no pictures of a data set, so they owe nothing to anybody and can be shipped, yet they have
//! edges, slopes and texture, so that a wrong weight, channel order or normalisation shows.

use image::{Rgb, RgbImage};
use ndarray::Array4;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::package::InputSpec;
use crate::preprocess::{PreprocessError, Preprocessor};

/// Decides the pictures.
const SEED: u64 = 0x00d;

/// The first `count` pictures in the network's own size, prepared as the runtime does it: [count, 3, H, W].
///
/// # Errors
/// An input of no pixels.
pub fn inputs(spec: &InputSpec, count: usize) -> Result<Array4<f32>, PreprocessError> {
    let mut preprocessor = Preprocessor::new(spec)?;
    let [channels, height, width] = spec.chw();
    let mut inputs = Array4::zeros((count, channels, height, width));
    for (index, mut input) in inputs.outer_iter_mut().enumerate() {
        let prepared = preprocessor.run(&picture(index, spec.width, spec.height))?;
        input.iter_mut().zip(prepared).for_each(|(value, prepared)| *value = *prepared);
    }
    Ok(inputs)
}

/// Smooth noise, a colour gradient and a checkerboard by turns, each with its own colours.
pub fn picture(index: usize, width: u32, height: u32) -> RgbImage {
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
    fn pictures_are_the_same_every_time_and_all_different() {
        let pictures = || (0..8).map(|index| picture(index, 32, 24).into_raw()).collect::<Vec<_>>();
        let once = pictures();
        assert_eq!(once, pictures());
        for (index, picture) in once.iter().enumerate() {
            assert!(!once[..index].contains(picture), "{index}");
            assert!(picture.iter().any(|&byte| byte != picture[0]), "{index} is flat");
        }
    }
}
