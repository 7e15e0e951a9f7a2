//! Known pictures, spoilt on purpose: for every check of the picture's health one way in which it has to notice.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::SEED;
use crate::health::Kind;
use crate::source::faults::picture::Noise;

/// Standard deviation of the noise, where white is 255; half of it is left where the picture is black or white.
const NOISE: f64 = 90.0;
/// The shorter side of a picture that is scaled down and up again.
const BLURRED_SIDE_PX: f64 = 2.0;
/// Share of the width that is covered or in shadow: the first two of five columns of blocks, and a little.
const LEFT: f64 = 0.42;

/// How a picture is spoilt for a check, in words; none where it is the coming of frames that the check looks at.
pub(super) fn words(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Dark => "nearly black",
        Kind::Blocked => "its left part black, the rest lit",
        Kind::LowVisibility => "contrast of 4 %",
        Kind::Defocus => "scaled down to 2 pixels, and up again",
        Kind::Overexposed => "nearly white",
        Kind::Backlit => "its left part in shadow, the rest nearly white",
        Kind::Noise => "noise of standard deviation 90",
        Kind::DeadChannel => "blue is 0",
        Kind::ColorLost => "grey",
        Kind::ColorCast => "green, as where chroma is missing",
        Kind::Frozen | Kind::OutOfOrder | Kind::Late | Kind::RateDrop => return None,
        Kind::ScoreDrift | Kind::ScoreSlack | Kind::BoardThrottled | Kind::BoardHot => return None,
    })
}

/// The spoilt picture; the picture itself where it is the coming of frames that the check looks at.
pub(super) fn spoil(kind: Kind, picture: &RgbImage, number: u64) -> RgbImage {
    match kind {
        Kind::Noise => {
            let mut rng = ChaCha8Rng::seed_from_u64(SEED.wrapping_add(number));
            Noise::new(NOISE).add(picture.clone(), &mut rng)
        }
        Kind::Defocus => blurred(picture),
        Kind::Blocked => halves(picture, |_| [0; 3], |pixel| pixel.map(|value| value / 2 + 100)),
        Kind::Backlit => halves(picture, |pixel| pixel.map(|value| value / 20), |pixel| pixel.map(bright)),
        _ => each(picture, |pixel| spoil_pixel(kind, pixel)),
    }
}

fn bright(value: u8) -> u8 {
    240 + value / 17
}

fn spoil_pixel(kind: Kind, [red, green, blue]: [u8; 3]) -> [u8; 3] {
    match kind {
        Kind::Dark => [red, green, blue].map(|value| value / 100),
        Kind::LowVisibility => [red, green, blue].map(|value| 195 + value / 25),
        Kind::Overexposed => [red, green, blue].map(bright),
        Kind::DeadChannel => [red, green, 0],
        Kind::ColorLost => [green; 3],
        Kind::ColorCast => [red / 8, 220, blue / 8],
        _ => [red, green, blue],
    }
}

fn each(picture: &RgbImage, change: impl Fn([u8; 3]) -> [u8; 3]) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| Rgb(change(picture.get_pixel(x, y).0)))
}

fn halves(picture: &RgbImage, left: impl Fn([u8; 3]) -> [u8; 3], right: impl Fn([u8; 3]) -> [u8; 3]) -> RgbImage {
    let until = f64::from(picture.width()) * LEFT;
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let pixel = picture.get_pixel(x, y).0;
        Rgb(if f64::from(x) < until { left(pixel) } else { right(pixel) })
    })
}

fn blurred(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let factor = BLURRED_SIDE_PX / f64::from(width.min(height));
    let side = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
    let small = imageops::resize(picture, side(width), side(height), FilterType::Triangle);
    imageops::resize(&small, width, height, FilterType::CatmullRom)
}
