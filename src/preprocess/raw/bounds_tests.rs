//! Which columns can exceed the gamut, against every pixel of them.

use super::*;
use crate::decode::{Encoding, Matrix, PixelFormat, Range, RawLayout};
use crate::package::Resize;
use crate::preprocess::raw::filter::Axis;
use crate::preprocess::raw::tests::uncompressed;
use crate::preprocess::raw::vertical::Rows;
use crate::preprocess::raw::{color, planes};
use crate::preprocess::tests::spec;

const ENCODING: Encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };
/// Widths that fill no chunk, some chunks, and some chunks and a part, with and without whole tiles of each plane.
const WIDTHS_PX: [u32; 7] = [2, 30, 64, 66, 94, 1920, 2050];

/// The channels of every chunk that the first block of rows can exceed.
fn exceeded(format: PixelFormat, width_px: u32, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let layout = RawLayout::new(format, (width_px, 8), 0, ENCODING).unwrap();
    let mut bytes = vec![120; layout.frame_bytes()];
    change(&mut bytes);
    let across = Axis::new(0.0, f64::from(width_px), 1, width_px as usize);
    let planes = planes::of(format);
    let mut lines: Vec<_> =
        planes.iter().map(|plane| Lines::new(*plane, &layout, &across, 0..width_px as usize)).collect();
    let Rows::Ramps(segments) = Rows::new(&Axis::new(0.0, 8.0, 1, 8)) else { panic!("8 rows shrink to 1") };
    let mut rest = &bytes[..];
    for lines in &mut lines {
        let (plane, behind) = rest.split_at(lines.length_bytes());
        lines.add(&segments[0][0], true, plane);
        rest = behind;
    }
    let gains = color::channels(&layout, &spec(1, 1, Resize::Stretch)).map(|channel| channel.gains);
    let mut bounds = Bounds::new(gains, planes, width_px as usize);
    bounds.judge(&lines);
    bounds.exceeded().to_vec()
}

#[test]
fn calm_columns_exceed_nothing_at_any_width() {
    for format in uncompressed() {
        for width_px in WIDTHS_PX {
            let found = exceeded(format, width_px, |_| ());
            assert_eq!(found, vec![0; (width_px as usize).div_ceil(COLUMNS)], "{format} {width_px}");
        }
    }
}

#[test]
fn a_single_black_or_white_byte_is_found_in_its_chunk_and_in_no_other() {
    for format in uncompressed() {
        // A pixel's first byte: luma, or chroma that two pixels share, or one of three colours.
        let bytes_per_pixel = match format {
            PixelFormat::Yuyv | PixelFormat::Uyvy => 2,
            PixelFormat::Rgb3 | PixelFormat::Bgr3 => 3,
            _ => 1,
        };
        for width_px in WIDTHS_PX {
            for column in [0, 31, 63, 64, width_px as usize - 2, width_px as usize - 1] {
                if column >= width_px as usize {
                    continue;
                }
                for value in [0, 255] {
                    let found = exceeded(format, width_px, |bytes| bytes[column * bytes_per_pixel] = value);
                    for (chunk, channels) in found.iter().enumerate() {
                        let wanted = chunk == column / COLUMNS;
                        assert_eq!(*channels != 0, wanted, "{format} {width_px} {column} {value} chunk {chunk}");
                    }
                }
            }
        }
    }
}

#[test]
fn chroma_marks_the_channels_that_it_reaches() {
    // In the middle of luma, red alone follows from Cr, blue alone from Cb; green from both, and less.
    let nv12 = |place: usize, value| exceeded(PixelFormat::Nv12, 64, |bytes| bytes[64 * 8 + place] = value)[0];
    assert_eq!([nv12(0, 255), nv12(1, 255)], [0b100, 0b001]);
}
