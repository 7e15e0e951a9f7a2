//! Turns what a source delivered into an RGB picture.
//!
//! Files are judged by their content, not by their name, and a picture may only grow to a bounded size: a hostile
//! or broken file costs one counted error, never the process.

use std::io::{self, Cursor};

use image::{DynamicImage, ImageReader, Limits, RgbImage};

/// Longest side of a picture, in pixels.
pub const MAX_SIDE_PX: u32 = 16_384;
/// Most memory that decoding one picture may take, in bytes.
pub const MAX_ALLOC_BYTES: u64 = 512 << 20;

/// A frame as its source delivered it.
#[derive(Debug)]
pub enum Content {
    /// A whole picture file in memory, of any format that the image crate reads.
    Encoded(Vec<u8>),
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
}

/// The picture in a frame; alpha is dropped, greyscale spread over the three channels.
///
/// # Errors
/// A frame that is no picture, is damaged, or exceeds [`MAX_SIDE_PX`] or [`MAX_ALLOC_BYTES`].
pub fn decode(content: Content) -> Result<RgbImage, DecodeError> {
    match content {
        Content::Rgb(image) => Ok(image),
        Content::Encoded(bytes) => decode_file(&bytes).map(DynamicImage::into_rgb8),
        Content::Unreadable(error) => Err(DecodeError::Read(error)),
    }
}

fn decode_file(bytes: &[u8]) -> Result<DynamicImage, DecodeError> {
    let damaged = |source| DecodeError::Damaged { bytes: bytes.len(), source };
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(DecodeError::Read)?;
    if reader.format().is_none() {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(16)]).into_owned();
        return Err(DecodeError::Format { bytes: bytes.len(), start });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE_PX);
    limits.max_image_height = Some(MAX_SIDE_PX);
    limits.max_alloc = Some(MAX_ALLOC_BYTES);
    reader.limits(limits);
    reader.decode().map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let image = RgbImage::from_pixel(width, height, image::Rgb([10, 20, 30]));
        image.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        bytes
    }

    #[test]
    fn a_picture_is_told_by_its_content() {
        let image = decode(Content::Encoded(png(3, 2))).unwrap();
        assert_eq!((image.dimensions(), image.get_pixel(2, 1).0), ((3, 2), [10, 20, 30]));
    }

    #[test]
    fn a_text_is_called_a_text() {
        let error = decode(Content::Encoded(b"hello world, no picture".to_vec())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a picture: 23 bytes starting with \"hello world, no \"; \
             wanted PNG, JPEG, BMP, GIF, PNM, TIFF or WebP"
        );
    }

    #[test]
    fn a_truncated_picture_is_damaged() {
        let mut bytes = png(64, 64);
        bytes.truncate(bytes.len() / 2);
        assert!(matches!(decode(Content::Encoded(bytes)), Err(DecodeError::Damaged { .. })));
    }

    #[test]
    fn a_picture_that_claims_a_huge_size_is_refused_before_memory_is_taken() {
        let mut header = b"P6 60000 60000 255\n".to_vec();
        header.extend([0; 64]);
        assert!(matches!(decode(Content::Encoded(header)), Err(DecodeError::Damaged { .. })));
    }

    #[test]
    fn no_bytes_at_all_are_no_picture() {
        assert!(matches!(decode(Content::Encoded(Vec::new())), Err(DecodeError::Format { bytes: 0, .. })));
    }
}
