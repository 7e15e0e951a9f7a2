//! Turns what a source delivered into an RGB picture: a picture file, or a frame of a camera in its driver's format.
//!
//! A picture may only grow to a bounded size: a hostile or broken file, or a camera's broken frame, costs one counted
//! error, never the process.

mod color;
mod file;
mod mjpeg;
mod raw;
#[cfg(test)]
mod reference;
mod rgb;
mod scaled;
mod yuv;

use std::fmt;
use std::io;

use image::{DynamicImage, RgbImage};
use serde::{Deserialize, Serialize};

use crate::view::ViewConfig;
use scaled::Scaled;

pub use color::{Encoding, Matrix, Range};
pub use raw::{LayoutError, PixelFormat, RawFrame, RawLayout};

/// Longest side of a picture, in pixels.
pub const MAX_SIDE_PX: u32 = 16_384;
/// Most memory that decoding one picture may take, in bytes: as it is stored, as RGB, and what its decoder needs besides.
pub const MAX_ALLOC_BYTES: u64 = 512 << 20;

/// `[camera.decode]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecodeConfig {
    /// Whether JPEG pictures are decoded to a smaller size, as far as enough is left for the network.
    pub scaled: bool,
}

impl DecodeConfig {
    /// Whether it changes nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for DecodeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.scaled { "JPEG pictures smaller, as far as the network allows" } else { "whole pictures" })
    }
}

/// A frame as its source delivered it.
#[derive(Debug)]
pub enum Content {
    /// A whole picture file in memory, of any format that the image crate reads.
    Encoded(Vec<u8>),
    /// A frame in a camera's format.
    Raw(RawFrame),
    /// Finished pixels.
    Rgb(RgbImage),
    /// The source knew that there is a frame but could not read it.
    Unreadable(io::Error),
}

/// Why a frame is no picture. Such a frame is counted as bad, and the run goes on.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// The bytes are no picture of a known format.
    #[error("not a picture: {bytes} bytes starting with {start:?}; wanted PNG, JPEG, BMP, GIF, PNM, TIFF or WebP")]
    Format {
        /// Length of the file.
        bytes: usize,
        /// Its first bytes, as text.
        start: String,
    },
    /// The picture is damaged, truncated or too large.
    #[error("damaged picture of {bytes} bytes: {source}")]
    Damaged {
        /// Length of the file.
        bytes: usize,
        /// The decoder's word on it.
        source: image::ImageError,
    },
    /// A well-formed picture without a single pixel.
    #[error("a picture of {width_px}x{height_px} pixels, wanted at least 1x1")]
    Empty {
        /// Width in pixels.
        width_px: u32,
        /// Height in pixels.
        height_px: u32,
    },
    /// A camera's frame is shorter than its format needs.
    #[error("{bytes} bytes, {layout} needs {wanted}")]
    Short {
        /// Length of the frame.
        bytes: usize,
        /// Format and size.
        layout: RawLayout,
        /// Length that they need.
        wanted: usize,
    },
    /// A camera's compressed frame is damaged, truncated, or a picture of another size.
    #[error("damaged {layout} frame of {bytes} bytes: {problem}")]
    Mjpeg {
        /// Length of the frame.
        bytes: usize,
        /// Format and size.
        layout: RawLayout,
        /// What is wrong with it.
        problem: String,
    },
}

/// What a frame shows, in the form that preprocessing takes it.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'p> {
    /// Finished pixels.
    Rgb(&'p RgbImage),
    /// A camera's uncompressed frame, as long as its layout needs: preprocessing reads it as it is.
    Raw(&'p RawFrame),
}

impl<'p> From<&'p RgbImage> for Picture<'p> {
    fn from(image: &'p RgbImage) -> Self {
        Self::Rgb(image)
    }
}

/// Decodes frame after frame into one picture, which is reused as long as the size stays the same.
#[derive(Debug, Default)]
pub struct Decoder {
    image: RgbImage,
    /// The raw frame that is lent at the moment.
    raw: Option<RawFrame>,
    mjpeg: mjpeg::Scratch,
    scaled: Option<Scaled>,
}

impl Decoder {
    /// One whose [`Self::picture`] makes JPEG pictures smaller while it decodes them, where `config` has it so, by 2, 4 or 8: as far as
    /// whole pixels become whole pixels and no less is left than a network with an input of `input_px`, width and height, needs of a
    /// picture in this view.
    pub fn new(config: DecodeConfig, input_px: (u32, u32), view: &ViewConfig) -> Self {
        let scaled = config.scaled.then(|| Scaled::new(view.turn().swap(input_px)));
        Self { scaled, ..Self::default() }
    }

    /// The picture in a frame; alpha is dropped, greyscale spread over the three channels.
    ///
    /// # Errors
    /// A frame that is no picture, is damaged, or exceeds [`MAX_SIDE_PX`] or [`MAX_ALLOC_BYTES`].
    pub fn decode(&mut self, content: Content) -> Result<&RgbImage, DecodeError> {
        match content {
            Content::Rgb(image) => self.image = image,
            Content::Encoded(bytes) => self.image = file::decode(&bytes).map(DynamicImage::into_rgb8)?,
            Content::Unreadable(error) => return Err(DecodeError::Read(error)),
            Content::Raw(frame) => self.decode_raw(&frame)?,
        }
        Ok(&self.image)
    }

    /// What a frame shows, decoded only where preprocessing cannot read it as it is; valid until the next call. An uncompressed
    /// frame of a camera is checked for its length and kept. Of JPEG pictures it may be a smaller picture ([`Self::new`]).
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn picture(&mut self, content: Content) -> Result<Picture<'_>, DecodeError> {
        self.let_go();
        match content {
            Content::Raw(frame) if frame.layout.format() != PixelFormat::Mjpg => {
                frame.layout.frame(&frame.bytes)?;
                Ok(Picture::Raw(self.raw.insert(frame)))
            }
            other if self.decode_scaled(&other)? => {
                let smaller = self.scaled.as_ref().and_then(Scaled::frame);
                Ok(smaller.map_or(Picture::Rgb(&self.image), Picture::Raw))
            }
            other => self.decode(other).map(Picture::Rgb),
        }
    }

    /// Lets go of a camera's frame, which has been judged: its memory goes home, and the next frame may have it.
    pub fn let_go(&mut self) {
        self.raw = None;
    }

    /// Decodes a JPEG picture to a smaller one; false where none is wanted or there is none.
    fn decode_scaled(&mut self, content: &Content) -> Result<bool, DecodeError> {
        let Some(scaled) = &mut self.scaled else { return Ok(false) };
        match content {
            Content::Raw(RawFrame { layout, bytes }) => self.mjpeg.decode_scaled(bytes, layout, scaled),
            // Of a file that is damaged, a full decoder has the last word.
            Content::Encoded(bytes) => Ok(scaled.decode(bytes).unwrap_or(false)),
            Content::Rgb(_) | Content::Unreadable(_) => Ok(false),
        }
    }

    fn decode_raw(&mut self, RawFrame { layout, bytes }: &RawFrame) -> Result<(), DecodeError> {
        let size_px = (layout.width_px(), layout.height_px());
        if self.image.dimensions() != size_px {
            self.image = RgbImage::new(size_px.0, size_px.1);
        }
        match layout.format() {
            PixelFormat::Mjpg => self.mjpeg.decode(bytes, layout, &mut self.image),
            PixelFormat::Rgb3 | PixelFormat::Bgr3 | PixelFormat::Grey => rgb::decode(bytes, layout, &mut self.image),
            PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::Yu12 => {
                yuv::decode(bytes, layout, &mut self.image)
            }
        }
    }
}

/// The picture in one frame, for those who decode now and then; [`Decoder`] is for those who decode all the time.
///
/// # Errors
/// As [`Decoder::decode`].
pub fn decode(content: Content) -> Result<RgbImage, DecodeError> {
    let mut decoder = Decoder::default();
    decoder.decode(content)?;
    Ok(decoder.image)
}
