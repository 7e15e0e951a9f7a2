//! Pseudo-OOD pictures made of parts of ID pictures: tiles out of place, halves and means of two classes.

use image::{GenericImage as _, GenericImageView as _, Rgb, RgbImage};
use rand::Rng;

/// `tiles` x `tiles` tiles of equal size, none of which stays in its place; what is left over at the right and at the
/// bottom of a picture that they do not divide stays.
pub(super) fn jigsaw(picture: &RgbImage, tiles: u32, rng: &mut impl Rng) -> RgbImage {
    let (width, height) = (picture.width() / tiles, picture.height() / tiles);
    let corner = |tile: usize| (tile as u32 % tiles * width, tile as u32 / tiles * height);
    let mut spoilt = picture.clone();
    for (to, from) in one_cycle((tiles * tiles) as usize, rng).into_iter().enumerate() {
        let ((x, y), (to_x, to_y)) = (corner(from), corner(to));
        let tile = picture.view(x, y, width, height);
        // The tile lies inside the picture, so copying it cannot fail.
        let _ = spoilt.copy_from(&*tile, to_x, to_y);
    }
    spoilt
}

/// A random permutation in which no element stays (Sattolo, Inform. Process. Lett. 1986: one cycle through all).
fn one_cycle(count: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, rng.random_range(0..last));
    }
    order
}

/// The left, right, upper or lower half of `own`; the rest is that of `other` at the same place.
pub(super) fn halves(own: &RgbImage, other: &RgbImage, rng: &mut impl Rng) -> RgbImage {
    let (width, height) = own.dimensions();
    let (upright, first) = (rng.random::<bool>(), rng.random::<bool>());
    RgbImage::from_fn(width, height, |x, y| {
        let in_first = if upright { x < width / 2 } else { y < height / 2 };
        *if in_first == first { own } else { other }.get_pixel(x, y)
    })
}

/// The mean of two pictures.
pub(super) fn blend(own: &RgbImage, other: &RgbImage) -> RgbImage {
    RgbImage::from_fn(own.width(), own.height(), |x, y| {
        let (a, b) = (own.get_pixel(x, y).0, other.get_pixel(x, y).0);
        Rgb(std::array::from_fn(|c| a[c].midpoint(b[c])))
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Every pixel says where it is.
    fn numbered(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 7]))
    }

    #[test]
    fn a_jigsaw_keeps_every_tile_whole_and_none_in_its_place() {
        for (tiles, seed) in (2..=4).flat_map(|tiles| (0..50).map(move |seed| (tiles, seed))) {
            let picture = numbered(12, 24);
            let spoilt = jigsaw(&picture, tiles, &mut ChaCha8Rng::seed_from_u64(seed));
            let (width, height) = (12 / tiles, 24 / tiles);
            let mut seen = std::collections::BTreeSet::new();
            for (x, y, pixel) in spoilt.enumerate_pixels() {
                let [from_x, from_y] = [u32::from(pixel.0[0]), u32::from(pixel.0[1])];
                assert_eq!((from_x % width, from_y % height), (x % width, y % height));
                assert_ne!((from_x / width, from_y / height), (x / width, y / height));
                seen.insert((from_x, from_y));
            }
            assert_eq!(seen.len(), 12 * 24);
        }
    }

    #[test]
    fn the_rest_of_a_side_that_tiles_do_not_divide_stays() {
        let spoilt = jigsaw(&numbered(9, 8), 4, &mut ChaCha8Rng::seed_from_u64(1));
        assert!((0..8).all(|y| spoilt.get_pixel(8, y).0 == [8, y as u8, 7]));
    }

    #[test]
    fn halves_are_one_half_of_each_and_every_cut_comes() {
        let (own, other) = (RgbImage::from_pixel(4, 4, Rgb([1; 3])), RgbImage::from_pixel(4, 4, Rgb([2; 3])));
        let mut cuts = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let spoilt = halves(&own, &other, &mut ChaCha8Rng::seed_from_u64(seed));
            assert_eq!(spoilt.pixels().filter(|pixel| pixel.0 == [1; 3]).count(), 8);
            cuts.insert(spoilt.into_raw());
        }
        assert_eq!(cuts.len(), 4);
    }

    #[test]
    fn a_blend_is_the_mean_of_both() {
        let (own, other) =
            (RgbImage::from_pixel(1, 1, Rgb([255, 10, 0])), RgbImage::from_pixel(1, 1, Rgb([255, 20, 1])));
        assert_eq!(blend(&own, &other).get_pixel(0, 0).0, [255, 15, 0]);
    }
}
