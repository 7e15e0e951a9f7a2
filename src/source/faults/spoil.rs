//! Pictures as a camera would show them that is covered, out of focus, blinded or has lost its colours: for each check of
//! [`crate::health`] that no other fault is for, one way in which it has to notice.

use image::RgbImage;
use image::imageops::{self, FilterType};

/// Share of the width that is covered or in shadow: the first two of five columns of blocks, and a little.
const LEFT: f64 = 0.42;
/// The shorter side of a picture that is scaled down and up again.
const BLURRED_SIDE_PX: f64 = 2.0;

/// Least brightness of a picture that is nearly white.
pub(super) const WHITE_FROM: u8 = 240;
/// Greatest brightness of what lies in shadow.
pub(super) const SHADOW_TO: u8 = 12;
/// Blocks of five columns of five that are covered or in shadow, and that are surely neither.
pub(super) const LEFT_BLOCKS: f32 = 10.0;
pub(super) const RIGHT_BLOCKS: f32 = 10.0;
/// Brightness of fog: from here, and so much more where something is bright.
pub(super) const FOG_FROM: u8 = 195;
pub(super) const FOG_RANGE: u8 = 10;
/// How far green is above red and blue in a picture with a cast, at least.
pub(super) const CAST: u8 = GREEN - u8::MAX / 8;
const GREEN: u8 = 220;
/// Least brightness of what is not covered where something is.
pub(super) const UNCOVERED_FROM: u8 = 100;

/// What spoils a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoil {
    Overexposed,
    Backlit,
    Blocked,
    LowVisibility,
    Defocus,
    DeadChannel,
    ColorLost,
    ColorCast,
}

impl Spoil {
    /// How a picture is spoilt, in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Overexposed => "nearly white",
            Self::Backlit => "its left part in shadow, the rest nearly white",
            Self::Blocked => "its left part black, the rest lit",
            Self::LowVisibility => "contrast of 4 %",
            Self::Defocus => "scaled down to 2 pixels, and up again",
            Self::DeadChannel => "blue is 0",
            Self::ColorLost => "grey",
            Self::ColorCast => "green, as where chroma is missing",
        }
    }

    /// The spoilt picture, of the same size.
    pub(crate) fn apply(self, mut image: RgbImage) -> RgbImage {
        match self {
            Self::Defocus => return blurred(&image),
            Self::Blocked => halves(&mut image, |_| [0; 3], |rgb| rgb.map(|value| value / 2 + UNCOVERED_FROM)),
            Self::Backlit => halves(&mut image, |rgb| rgb.map(|value| value / 20), |rgb| rgb.map(bright)),
            Self::Overexposed => each(&mut image, |rgb| rgb.map(bright)),
            Self::LowVisibility => each(&mut image, |rgb| rgb.map(|value| FOG_FROM + value / 25)),
            Self::DeadChannel => each(&mut image, |[red, green, _]| [red, green, 0]),
            Self::ColorLost => each(&mut image, |[_, green, _]| [green; 3]),
            Self::ColorCast => each(&mut image, |[red, _, blue]| [red / 8, GREEN, blue / 8]),
        }
        image
    }
}

fn bright(value: u8) -> u8 {
    WHITE_FROM + value / 17
}

fn each(image: &mut RgbImage, change: impl Fn([u8; 3]) -> [u8; 3]) {
    for pixel in image.pixels_mut() {
        pixel.0 = change(pixel.0);
    }
}

fn halves(image: &mut RgbImage, left: impl Fn([u8; 3]) -> [u8; 3], right: impl Fn([u8; 3]) -> [u8; 3]) {
    let until = (f64::from(image.width()) * LEFT).ceil() as usize;
    for row in image.rows_mut() {
        for (x, pixel) in row.enumerate() {
            pixel.0 = if x < until { left(pixel.0) } else { right(pixel.0) };
        }
    }
}

fn blurred(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let factor = BLURRED_SIDE_PX / f64::from(width.min(height));
    let side = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
    let small = imageops::resize(image, side(width), side(height), FilterType::Triangle);
    imageops::resize(&small, width, height, FilterType::CatmullRom)
}

#[cfg(test)]
#[path = "spoil_tests.rs"]
mod tests;
