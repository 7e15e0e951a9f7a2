//! Picture files of all formats: what is decoded has the size in its header, and survives being written as PNG.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};
use oodwatch::decode::{Content, DecodeError, MAX_ALLOC_BYTES, MAX_SIDE_PX, decode};

use super::within;

/// Larger ones cost time and find nothing new.
const MAX_PIXELS: u64 = 1 << 20;

/// Decodes `input`.
pub fn run(input: &[u8]) {
    let content = || Content::Encoded(input.to_vec());
    let reader = ImageReader::new(Cursor::new(input)).with_guessed_format().expect("memory can be read");
    let Some(format) = reader.format() else {
        assert!(matches!(decode(content()), Err(DecodeError::Format { .. })));
        return;
    };
    let size_px = reader.into_dimensions().unwrap_or_default();
    let (width, height) = size_px;
    if width <= MAX_SIDE_PX && height <= MAX_SIDE_PX && u64::from(width) * u64::from(height) > MAX_PIXELS {
        return;
    }
    // The input itself, and the decoder's own state.
    let most = MAX_ALLOC_BYTES as usize + 4 * input.len() + (1 << 20);
    let Ok(image) = within(most, || decode(content())) else { return };
    assert!(!image.is_empty(), "{format:?}");
    assert_eq!(image.dimensions(), size_px, "{format:?}");
    let mut png = Vec::new();
    image.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).expect("a picture can be written");
    assert!(decode(Content::Encoded(png)).expect("what was written can be read") == image, "{format:?}");
}
