//! Pseudo-OOD pictures that keep colours or textures of an ID picture and nothing of its object.

use image::{Rgb, RgbImage};
use rand::Rng;
use tch::{Kind, Tensor, no_grad};

/// Cells in a row of the grid whose values, joined by lines, decide the form of blobs.
const BLOB_CELLS: usize = 5;

/// A corner of `share` of the side (at least 2 pixels), mirrored until it fills the picture. An object is mostly in the
/// middle; every neighbourhood of the result is one of the corner's or its mirror's.
pub(super) fn background(picture: &RgbImage, share: f64, rng: &mut impl Rng) -> RgbImage {
    let (width, height) = picture.dimensions();
    let side = |length: u32| ((f64::from(length) * share).round() as u32).clamp(2.min(length), length);
    let (patch_width, patch_height) = (side(width), side(height));
    let left = if rng.random() { 0 } else { width - patch_width };
    let top = if rng.random() { 0 } else { height - patch_height };
    RgbImage::from_fn(width, height, |x, y| {
        *picture.get_pixel(left + mirrored(x, patch_width), top + mirrored(y, patch_height))
    })
}

/// 0, 1, .. length - 1, length - 1, .. 1, 0, 0, 1, ..
fn mirrored(at: u32, length: u32) -> u32 {
    let at = at % (2 * length);
    if at < length { at } else { 2 * length - 1 - at }
}

/// The picture's amplitudes with the phases of white noise, up to rounding and clipping to bytes.
pub(super) fn phase(picture: &RgbImage, rng: &mut impl Rng) -> RgbImage {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let planes: Vec<f32> =
        (0..3).flat_map(|channel| picture.pixels().map(move |pixel| f32::from(pixel.0[channel]))).collect();
    let noise: Vec<f32> = (0..width * height).map(|_| rng.random_range(-1.0..1.0)).collect();
    let shifted = shift_phases(&planes, &noise, [height, width]);
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let at = y as usize * width + x as usize;
        Rgb(std::array::from_fn(|c| shifted[c * width * height + at].round().clamp(0.0, 255.0) as u8))
    })
}

/// Adds the phases of `noise` [H, W] to those of `planes` [3, H, W]: the same to each channel, which keeps how the
/// colours go together (Galerne, Gousseau & Morel, "Random Phase Textures", IEEE TIP 2011). The mean of a plane stays.
fn shift_phases(planes: &[f32], noise: &[f32], [height, width]: [usize; 2]) -> Vec<f32> {
    let size = [height as i64, width as i64];
    no_grad(|| {
        let spectrum = |values: &[f32], shape: &[i64]| {
            Tensor::from_slice(values).reshape(shape).fft_rfft2(None::<&[i64]>, [-2, -1], "backward")
        };
        let turns = spectrum(noise, &[1, size[0], size[1]]);
        // Of length 1 everywhere, so that only phases change; without noise at a frequency nothing changes there.
        let length = turns.abs();
        let turns = (&turns / length.clamp_min(1e-12)).where_self(&length.gt(1e-12), &Tensor::from(1f32));
        let mean = turns.narrow(-2, 0, 1).narrow(-1, 0, 1);
        let _ = mean.detach().fill_(1.0);
        let shifted = (spectrum(planes, &[3, size[0], size[1]]) * turns).fft_irfft2(&size[..], [-2, -1], "backward");
        let mut values = vec![0f32; planes.len()];
        shifted.to_kind(Kind::Float).contiguous().copy_data(&mut values, planes.len());
        values
    })
}

/// Patches of two colours, those of two of its pixels, with sharp edges: where a smooth random surface is high or low.
pub(super) fn blobs(picture: &RgbImage, rng: &mut impl Rng) -> RgbImage {
    let (width, height) = picture.dimensions();
    let mut any_color = || *picture.get_pixel(rng.random_range(0..width), rng.random_range(0..height));
    let colors = [any_color(), any_color()];
    let cells: Vec<f32> = (0..BLOB_CELLS * BLOB_CELLS).map(|_| rng.random_range(-1.0..1.0)).collect();
    RgbImage::from_fn(width, height, |x, y| {
        let at = |pixel: u32, length: u32| (pixel as f32 + 0.5) / length as f32 * (BLOB_CELLS - 1) as f32;
        colors[usize::from(surface(&cells, at(x, width), at(y, height)) > 0.0)]
    })
}

/// The bilinear surface through the cells' values at (x, y), both from 0 to below `BLOB_CELLS - 1`.
fn surface(cells: &[f32], x: f32, y: f32) -> f32 {
    let (column, row) = (x as usize, y as usize);
    let (right, down) = (x - column as f32, y - row as f32);
    let line = |row: usize| {
        let left = row * BLOB_CELLS + column;
        cells[left] * (1.0 - right) + cells[left + 1] * right
    };
    line(row) * (1.0 - down) + line(row + 1) * down
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn noise(width: u32, height: u32, seed: u64) -> RgbImage {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        RgbImage::from_fn(width, height, |_, _| Rgb(std::array::from_fn(|_| rng.random())))
    }

    #[test]
    fn a_background_is_one_corner_mirrored() {
        let picture = RgbImage::from_fn(8, 8, |x, y| Rgb([x as u8, y as u8, 0]));
        let mut corners = BTreeSet::new();
        for seed in 0..40 {
            let spoilt = background(&picture, 0.25, &mut ChaCha8Rng::seed_from_u64(seed));
            let row: Vec<u8> = (0..8).map(|x| spoilt.get_pixel(x, 0).0[0]).collect();
            assert!(row == [0, 1, 1, 0, 0, 1, 1, 0] || row == [6, 7, 7, 6, 6, 7, 7, 6], "{row:?}");
            corners.insert(spoilt.get_pixel(0, 0).0);
        }
        assert_eq!(corners, BTreeSet::from([[0, 0, 0], [0, 6, 0], [6, 0, 0], [6, 6, 0]]));
        // However small the share, a patch has two pixels a side; a picture of one pixel stays as it is.
        assert_eq!(background(&picture, 1e-9, &mut ChaCha8Rng::seed_from_u64(1)).dimensions(), (8, 8));
        let dot = RgbImage::from_pixel(1, 1, Rgb([5; 3]));
        assert_eq!(background(&dot, 0.25, &mut ChaCha8Rng::seed_from_u64(1)), dot);
    }

    #[test]
    fn phases_change_and_amplitudes_do_not() {
        for (height, width) in [(8, 8), (7, 10)] {
            let picture: Vec<f32> = noise(width as u32, 3 * height as u32, 1).pixels().map(|p| p.0[0].into()).collect();
            let turns: Vec<f32> =
                noise(width as u32, height as u32, 2).pixels().map(|p| f32::from(p.0[0]) - 127.0).collect();
            let shifted = shift_phases(&picture, &turns, [height, width]);
            let amplitudes = |values: &[f32]| {
                let shape = [3, height as i64, width as i64];
                Tensor::from_slice(values).reshape(shape).fft_fft2(None::<&[i64]>, [-2, -1], "backward").abs()
            };
            let difference = (amplitudes(&picture) - amplitudes(&shifted)).abs().max().double_value(&[]);
            // Amplitudes are up to 3e4 here; FP32 leaves some 1e-6 of that.
            assert!(difference < 0.1, "max abs diff {difference}");
            let moved: f32 = picture.iter().zip(&shifted).map(|(a, b)| (a - b).abs()).sum();
            assert!(moved / picture.len() as f32 > 10.0, "mean abs change {moved}");
        }
    }

    #[test]
    fn a_flat_picture_stays_flat_without_its_phases() {
        let flat = RgbImage::from_pixel(6, 4, Rgb([200, 100, 0]));
        assert_eq!(phase(&flat, &mut ChaCha8Rng::seed_from_u64(3)), flat);
    }

    #[test]
    fn blobs_are_two_colors_of_the_picture_in_patches() {
        let picture = noise(32, 32, 4);
        let colors: BTreeSet<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
        for seed in 0..20 {
            let spoilt = blobs(&picture, &mut ChaCha8Rng::seed_from_u64(seed));
            let found: BTreeSet<[u8; 3]> = spoilt.pixels().map(|pixel| pixel.0).collect();
            assert!(found.len() <= 2 && found.is_subset(&colors));
            let edges = (1..32).flat_map(|x| (0..32).map(move |y| (x, y)));
            let edges = edges.filter(|&(x, y)| spoilt.get_pixel(x, y) != spoilt.get_pixel(x - 1, y)).count();
            assert!(edges < 32 * 8, "{edges} edges are no patches");
        }
    }
}
