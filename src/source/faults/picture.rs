//! What faults do to a frame: to its pixels, or to its bytes.
//!
//! Faults of the picture decode the frame first, whatever it comes in, and go on with pixels; those of the transport act on
//! the bytes as they came. Finished pixels have no bytes to damage: they get those of a JPEG, as a camera would have sent it.

use std::io;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{ImageResult, RgbImage};
use rand::{Rng, RngCore};
use statrs::distribution::{ContinuousCDF, Normal};

use super::script::{Damage, Size};
use crate::decode::{Content, DecodeError, Encoding, MAX_SIDE_PX, PixelFormat, RawFrame, RawLayout, decode};

/// Quality of the JPEG pictures that are made here, of 100.
const JPEG_QUALITY: u8 = 90;
/// Length of the table of normally distributed numbers.
const NOISE_LEVELS: usize = 4096;

/// A frame that is the same, bytes and all.
pub(crate) fn copy(content: &Content) -> Content {
    match content {
        Content::Encoded(bytes) => Content::Encoded(bytes.clone()),
        Content::Raw(RawFrame { layout, bytes }) => {
            Content::Raw(RawFrame { layout: *layout, bytes: bytes.to_vec().into() })
        }
        Content::Rgb(image) => Content::Rgb(image.clone()),
        Content::Unreadable(error) => Content::Unreadable(io::Error::new(error.kind(), error.to_string())),
    }
}

/// The frame's picture after `alter`; a frame that is no picture stays one that is none.
pub(super) fn on_pixels(content: Content, alter: impl FnOnce(RgbImage) -> RgbImage) -> Content {
    match decode(content) {
        Ok(image) => Content::Rgb(alter(image)),
        Err(DecodeError::Read(error)) => Content::Unreadable(error),
        Err(error) => Content::Unreadable(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

/// A black picture of the same size.
pub(crate) fn blacken(mut image: RgbImage) -> RgbImage {
    image.fill(0);
    image
}

/// Normally distributed noise, drawn from a table: a frame of 1080p has six million values.
#[derive(Debug)]
pub(crate) struct Noise {
    levels: Vec<i16>,
}

impl Noise {
    /// Noise of this standard deviation, where white is 255. Values are rounded to whole steps.
    pub(crate) fn new(sigma: f64) -> Self {
        let normal = Normal::standard();
        let quantile = |place: usize| normal.inverse_cdf((place as f64 + 0.5) / NOISE_LEVELS as f64);
        Self { levels: (0..NOISE_LEVELS).map(|place| (sigma * quantile(place)).round() as i16).collect() }
    }

    /// Adds noise to every value; what passes black or white stays there.
    pub(crate) fn add(&self, mut image: RgbImage, rng: &mut impl RngCore) -> RgbImage {
        for two in image.chunks_mut(2) {
            let random = rng.next_u32() as usize;
            for (value, random) in two.iter_mut().zip([random, random >> 16]) {
                *value = (i16::from(*value) + self.levels[random % NOISE_LEVELS]).clamp(0, 255) as u8;
            }
        }
        image
    }
}

/// A frame with damaged bytes.
pub(super) fn corrupt(content: Content, damage: Damage, rng: &mut impl RngCore) -> Content {
    match content {
        Content::Encoded(bytes) => Content::Encoded(damaged(bytes, damage, rng)),
        Content::Raw(RawFrame { layout, bytes }) => {
            Content::Raw(RawFrame { layout, bytes: damaged(bytes.to_vec(), damage, rng).into() })
        }
        Content::Rgb(image) => as_camera_frame(&image, |bytes| damaged(bytes, damage, rng)),
        Content::Unreadable(error) => Content::Unreadable(error),
    }
}

fn damaged(mut bytes: Vec<u8>, damage: Damage, rng: &mut impl RngCore) -> Vec<u8> {
    match damage {
        Damage::Cut { share } => bytes.truncate((share * bytes.len() as f64) as usize),
        Damage::Change { share } => {
            for byte in &mut bytes {
                if rng.random::<f64>() < share {
                    *byte ^= rng.random_range(1..=255);
                }
            }
        }
    }
    bytes
}

/// A frame of another size. A camera's frame keeps what it is said to be, as when a driver changes its size unasked.
pub(super) fn resize(content: Content, size: Size) -> Content {
    match content {
        Content::Raw(RawFrame { layout, .. }) if layout.format() == PixelFormat::Mjpg => {
            match on_pixels(content, |image| resized(image, size)) {
                Content::Rgb(image) => encoded(&image, |bytes| Content::Raw(RawFrame { layout, bytes: bytes.into() })),
                unreadable => unreadable,
            }
        }
        Content::Raw(RawFrame { layout, bytes }) => {
            let (old_width, old_height) = (layout.width_px(), layout.height_px());
            let (width, height) = sides((old_width, old_height), size);
            let pixels = |width, height| u64::from(width) * u64::from(height);
            let length = bytes.len() as u64 * pixels(width, height) / pixels(old_width, old_height);
            let mut bytes = bytes.to_vec();
            bytes.resize(length as usize, 0);
            Content::Raw(RawFrame { layout, bytes: bytes.into() })
        }
        other => on_pixels(other, |image| resized(image, size)),
    }
}

fn resized(image: RgbImage, size: Size) -> RgbImage {
    let (width, height) = sides(image.dimensions(), size);
    imageops::resize(&image, width, height, FilterType::Triangle)
}

fn sides((width, height): (u32, u32), size: Size) -> (u32, u32) {
    let times = |side: u32, factor: f64| ((f64::from(side) * factor).round() as u32).clamp(1, MAX_SIDE_PX);
    match size {
        Size::Factor(factor) => (times(width, factor), times(height, factor)),
        Size::Pixels(width, height) => (width, height),
    }
}

/// A camera's frame, of the picture's JPEG bytes after `alter`: held to be whole, which a file of that kind is not.
fn as_camera_frame(image: &RgbImage, alter: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Content {
    match RawLayout::new(PixelFormat::Mjpg, image.dimensions(), 0, Encoding::JPEG) {
        Ok(layout) => encoded(image, |bytes| Content::Raw(RawFrame { layout, bytes: alter(bytes).into() })),
        Err(error) => Content::Unreadable(io::Error::other(error)),
    }
}

/// A frame made of the picture's JPEG bytes.
fn encoded(image: &RgbImage, frame: impl FnOnce(Vec<u8>) -> Content) -> Content {
    match jpeg(image) {
        Ok(bytes) => frame(bytes),
        Err(error) => Content::Unreadable(io::Error::other(error)),
    }
}

fn jpeg(image: &RgbImage) -> ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(image)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
