//! The plain reference that decoding is held against: one pixel at a time, in f64, from the definitions.
//!
//! ITU-R BT.601-7 and BT.709-6, with Kr and Kb the weights of red and blue in luma (SMPTE 240M, BT.2020: the same with
//! other weights). Y' and the colour differences Pb, Pr as real numbers; then
//! R = Y + 2 (1 - Kr) Pr, B = Y + 2 (1 - Kb) Pb, G = (Y - Kr R - Kb B) / (1 - Kr - Kb).

use proptest::prelude::*;

use super::{Content, Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout, decode};

/// Most that a decoded value may be off, in steps of 8 bits: rounding to the nearest is off by 0.5, and gains of 21 bits
/// behind the point by less than 0.001.
const TOLERANCE: f64 = 0.501;

const MATRICES: [Matrix; 4] = [Matrix::Bt601, Matrix::Bt709, Matrix::Smpte240m, Matrix::Bt2020];
const RANGES: [Range; 2] = [Range::Limited, Range::Full];

/// Kr and Kb.
fn weights(matrix: Matrix) -> (f64, f64) {
    match matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Smpte240m => (0.212, 0.087),
        Matrix::Bt2020 => (0.2627, 0.0593),
    }
}

fn rgb_from_ycbcr([y, cb, cr]: [u8; 3], encoding: Encoding) -> [f64; 3] {
    let (kr, kb) = weights(encoding.matrix);
    let (y, cb, cr) = (f64::from(y), f64::from(cb), f64::from(cr));
    let (y, pb, pr) = match encoding.range {
        Range::Limited => ((y - 16.0) / 219.0, (cb - 128.0) / 224.0, (cr - 128.0) / 224.0),
        Range::Full => (y / 255.0, (cb - 128.0) / 255.0, (cr - 128.0) / 255.0),
    };
    let red = y + 2.0 * (1.0 - kr) * pr;
    let blue = y + 2.0 * (1.0 - kb) * pb;
    let green = (y - kr * red - kb * blue) / (1.0 - kr - kb);
    [red, green, blue].map(|value| (value * 255.0).clamp(0.0, 255.0))
}

fn stretched(values: [u8; 3], range: Range) -> [f64; 3] {
    values.map(f64::from).map(|value| match range {
        Range::Limited => ((value - 16.0) / 219.0 * 255.0).clamp(0.0, 255.0),
        Range::Full => value,
    })
}

/// The pixel at (x, y) of a frame.
fn pixel(bytes: &[u8], layout: &RawLayout, x: usize, y: usize) -> [f64; 3] {
    let (stride, height) = (layout.stride_bytes(), layout.height_px() as usize);
    let Encoding { range, .. } = layout.encoding();
    let at = |offset: usize| bytes[offset];
    let row = y * stride;
    let pair = row + 4 * (x / 2);
    let chroma = stride * height;
    let chroma_row = chroma + (y / 2) * stride + 2 * (x / 2);
    let half_row = (y / 2) * (stride / 2) + x / 2;
    let half_plane = height.div_ceil(2) * (stride / 2);
    let ycbcr = |y, cb, cr| rgb_from_ycbcr([at(y), at(cb), at(cr)], layout.encoding());
    match layout.format() {
        PixelFormat::Yuyv => ycbcr(row + 2 * x, pair + 1, pair + 3),
        PixelFormat::Uyvy => ycbcr(row + 2 * x + 1, pair, pair + 2),
        PixelFormat::Nv12 => ycbcr(row + x, chroma_row, chroma_row + 1),
        PixelFormat::Nv21 => ycbcr(row + x, chroma_row + 1, chroma_row),
        PixelFormat::Yu12 => ycbcr(row + x, chroma + half_row, chroma + half_plane + half_row),
        PixelFormat::Rgb3 => stretched([at(row + 3 * x), at(row + 3 * x + 1), at(row + 3 * x + 2)], range),
        PixelFormat::Bgr3 => stretched([at(row + 3 * x + 2), at(row + 3 * x + 1), at(row + 3 * x)], range),
        PixelFormat::Grey => stretched([at(row + x); 3], range),
        PixelFormat::Mjpg => panic!("compressed frames have no pixels to point at"),
    }
}

/// Holds every pixel of the decoded frame against the reference.
fn check(layout: RawLayout, bytes: &[u8]) {
    let image = decode(Content::Raw(RawFrame { layout, bytes: bytes.to_vec().into() })).unwrap();
    for (x, y, found) in image.enumerate_pixels() {
        let wanted = pixel(bytes, &layout, x as usize, y as usize);
        for (found, wanted) in found.0.iter().zip(wanted) {
            let off = (f64::from(*found) - wanted).abs();
            assert!(off <= TOLERANCE, "{layout} {:?} ({x}, {y}): {found}, wanted {wanted:.2}", layout.encoding());
        }
    }
}

fn frame_of(layout: &RawLayout, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = |_| {
        // xorshift32: any bytes will do, the same in every run.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    };
    (0..layout.frame_bytes()).map(next).collect()
}

fn uncompressed() -> impl Iterator<Item = PixelFormat> {
    PixelFormat::ALL.into_iter().filter(|format| *format != PixelFormat::Mjpg)
}

#[test]
fn every_format_matrix_and_range_agrees_with_the_plain_reference() {
    for format in uncompressed() {
        for matrix in MATRICES {
            for range in RANGES {
                // Wide enough for the vector code and its remainder.
                let layout = RawLayout::new(format, (134, 6), 0, Encoding { matrix, range }).unwrap();
                check(layout, &frame_of(&layout, 7));
            }
        }
    }
}

/// Every value of luma beside a few of chroma, extremes included.
#[test]
fn every_luma_agrees_with_the_plain_reference() {
    for matrix in MATRICES {
        for range in RANGES {
            let layout = RawLayout::new(PixelFormat::Yuyv, (512, 1), 0, Encoding { matrix, range }).unwrap();
            for (cb, cr) in [(0, 0), (255, 255), (0, 255), (255, 0), (128, 128), (16, 240), (77, 131)] {
                let bytes: Vec<u8> = (0..=255).flat_map(|y| [y, cb, y, cr]).collect();
                check(layout, &bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn padded_rows_and_odd_sizes_agree_with_the_plain_reference(
        format in proptest::sample::select(uncompressed().collect::<Vec<_>>()),
        (width, height) in (1u32..70, 1u32..9),
        padding in 0u32..40,
        seed: u32,
        range in proptest::sample::select(&RANGES[..]),
    ) {
        let encoding = Encoding { matrix: Matrix::Bt709, range };
        let packed = matches!(format, PixelFormat::Yuyv | PixelFormat::Uyvy);
        let width = if packed { width.next_multiple_of(2) } else { width };
        let tight = RawLayout::new(format, (width, height), 0, encoding).unwrap();
        let padding = if format == PixelFormat::Yu12 { padding / 2 * 2 } else { padding };
        let stride = tight.stride_bytes() as u32 + padding;
        let layout = RawLayout::new(format, (width, height), stride, encoding).unwrap();
        check(layout, &frame_of(&layout, seed));
    }

    #[test]
    fn a_frame_of_any_other_length_is_an_error_or_a_picture_and_never_a_panic(
        format in proptest::sample::select(PixelFormat::ALL.to_vec()),
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };
        let layout = RawLayout::new(format, (16, 9), 0, encoding).unwrap();
        let enough = format != PixelFormat::Mjpg && bytes.len() >= layout.frame_bytes();
        let decoded = decode(Content::Raw(RawFrame { layout, bytes: bytes.into() }));
        prop_assert_eq!(decoded.is_ok(), enough);
    }
}
