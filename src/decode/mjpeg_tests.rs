//! Frames as cameras send them, whole and broken.

use image::codecs::jpeg::JpegEncoder;
use proptest::prelude::*;

use super::*;
use crate::decode::{Content, Encoding, PixelFormat, RawFrame, decode};

const SIZE_PX: (u32, u32) = (48, 32);

/// A smooth picture with some colour.
fn picture() -> RgbImage {
    RgbImage::from_fn(SIZE_PX.0, SIZE_PX.1, |x, y| image::Rgb([4 * x as u8 + 20, 6 * y as u8 + 30, 200 - 3 * x as u8]))
}

fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(image).unwrap();
    bytes
}

/// The frame with every DHT segment cut out, as UVC cameras send it.
fn without_tables(bytes: &[u8]) -> Vec<u8> {
    let (mut kept, mut at) = (bytes[..2].to_vec(), 2);
    while let Some(segment) = Segment::at(bytes, at) {
        if segment.marker == SOS {
            break;
        }
        if segment.marker != DHT {
            kept.extend_from_slice(&bytes[at..segment.end]);
        }
        at = segment.end;
    }
    kept.extend_from_slice(&bytes[at..]);
    kept
}

fn decode_frame(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    let layout = RawLayout::new(PixelFormat::Mjpg, SIZE_PX, 0, Encoding::JPEG).unwrap();
    decode(Content::Raw(RawFrame { layout, bytes: bytes.to_vec().into() }))
}

fn problem_of(bytes: &[u8]) -> String {
    match decode_frame(bytes) {
        Err(DecodeError::Mjpeg { problem, .. }) => problem,
        other => panic!("wanted a damaged frame, found {other:?}"),
    }
}

#[test]
fn a_frame_without_huffman_tables_is_the_picture_that_it_is_with_them() {
    let whole = jpeg(&picture());
    let bare = without_tables(&whole);
    assert!(bare.len() + 400 < whole.len(), "the tables were not there to be cut out");
    assert_eq!(decode_frame(&bare).unwrap(), decode_frame(&whole).unwrap());
}

#[test]
fn filling_behind_the_end_is_ignored() {
    let mut bytes = jpeg(&picture());
    let wanted = decode_frame(&bytes).unwrap();
    bytes.extend([0; 5000]);
    assert_eq!(decode_frame(&bytes).unwrap(), wanted);
}

#[test]
fn a_picture_of_another_size_is_damaged() {
    assert_eq!(problem_of(&jpeg(&RgbImage::new(64, 32))), "it is 64x32 pixels");
}

#[test]
fn a_frame_of_one_byte_or_of_zeroes_is_damaged() {
    assert_eq!(problem_of(&[0xff]), "it starts with [ff], wanted [ff, d8]");
    assert_eq!(problem_of(&[0; 3000]), "it starts with [00, 00, 00, 00], wanted [ff, d8]");
    assert_eq!(problem_of(&[]), "it starts with [], wanted [ff, d8]");
}

#[test]
fn a_frame_that_was_cut_short_is_damaged_wherever_it_was_cut() {
    let whole = jpeg(&picture());
    for length in 0..whole.len() {
        problem_of(&whole[..length]);
    }
}

#[test]
fn grey_pictures_are_spread_over_the_channels() {
    let grey = image::GrayImage::from_fn(SIZE_PX.0, SIZE_PX.1, |x, _| image::Luma([4 * x as u8]));
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(&grey).unwrap();
    let decoded = decode_frame(&bytes).unwrap();
    assert!(decoded.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_bytes_come_there_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(decode_frame(&[[0xff, 0xd8].as_slice(), &bytes].concat()).is_err());
    }

    #[test]
    fn whatever_is_overwritten_there_is_no_panic(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..20),
        bare: bool,
    ) {
        let whole = jpeg(&picture());
        let mut bytes = if bare { without_tables(&whole) } else { whole };
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        // A value that is off is no damage that a decoder could notice; the size is right in any case.
        if let Ok(image) = decode_frame(&bytes) {
            prop_assert_eq!(image.dimensions(), SIZE_PX);
        }
    }
}
