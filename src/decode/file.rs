//! Picture files: told by their content, not by their name, and grown to a bounded size only.

use std::io::Cursor;

use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{DecodeError, MAX_ALLOC_BYTES, MAX_SIDE_PX};

/// The picture in a file.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, DecodeError> {
    let damaged = |source| DecodeError::Damaged { bytes: bytes.len(), source };
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(DecodeError::Read)?;
    let format = reader.format();
    if format.is_none() {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(16)]).into_owned();
        return Err(DecodeError::Format { bytes: bytes.len(), start });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE_PX);
    limits.max_image_height = Some(MAX_SIDE_PX);
    limits.max_alloc = Some(MAX_ALLOC_BYTES);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    // What is stored and the RGB that is made of it are there at the same time; the decoder may take what they leave.
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(DecodeError::Empty { width_px: width, height_px: height });
    }
    let rgb = if decoder.color_type() == ColorType::Rgb8 { 0 } else { 3 * u64::from(width) * u64::from(height) };
    limits.reserve(decoder.total_bytes().saturating_add(rgb)).map_err(damaged)?;
    if format == Some(ImageFormat::Gif) {
        // A frame may be larger than the picture. Its pixels are counted with 4 bytes each, and their 1 of an index not at all.
        limits.max_alloc = limits.max_alloc.map(|left| left / 5 * 4);
    }
    decoder.set_limits(limits).map_err(damaged)?;
    DynamicImage::from_decoder(decoder).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::super::Content;
    use super::super::decode;
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

    /// Stored, 16384x16384 grey pixels are 256 MiB; as RGB they are three times as much.
    #[test]
    fn a_grey_picture_that_would_be_too_large_as_rgb_is_refused_before_memory_is_taken() {
        let header = b"P5 16384 16384 255\n".to_vec();
        let counted = allocation_counter::measure(|| {
            let refused = decode(Content::Encoded(header));
            assert!(matches!(refused, Err(DecodeError::Damaged { source: image::ImageError::Limits(_), .. })));
        });
        assert!(counted.bytes_max < 1 << 20, "{counted:?}");
    }

    /// 13x9 pixels with a frame of 65523x2039: 510 MiB of colours, and 127 of indices.
    #[test]
    fn a_frame_that_would_be_too_large_with_its_indices_is_refused_before_memory_is_taken() {
        let gif = include_bytes!("../../fuzz/corpus/picture/found-wide-frame.gif").to_vec();
        let counted = allocation_counter::measure(|| {
            assert!(matches!(decode(Content::Encoded(gif)), Err(DecodeError::Damaged { .. })));
        });
        assert!(counted.bytes_max < 1 << 20, "{counted:?}");
    }

    #[test]
    fn a_picture_without_pixels_is_refused() {
        let error = decode(Content::Encoded(b"P6 5 0 255\n".to_vec())).unwrap_err();
        assert_eq!(error.to_string(), "a picture of 5x0 pixels, wanted at least 1x1");
    }

    #[test]
    fn no_bytes_at_all_are_no_picture() {
        assert!(matches!(decode(Content::Encoded(Vec::new())), Err(DecodeError::Format { bytes: 0, .. })));
    }
}
