//! Measurements held to plain ones, point by point.

use proptest::prelude::*;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::decode::{Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout};
use crate::view::{Mask, Polygon, ViewConfig};

/// What lies between the layout's black and white, stretched to 0 to 255 and rounded.
fn stretched(value: u8, range: Range) -> i32 {
    match range {
        Range::Full => i32::from(value),
        Range::Limited => (f64::from(value.clamp(16, 235) - 16) * 255.0 / 219.0).round() as i32,
    }
}

/// Brightness of a pixel as detail is measured in, luma, red, green and blue.
fn pixel(frame: &RawFrame, x: usize, y: usize) -> (i32, [i32; 4]) {
    let (layout, bytes) = (&frame.layout, &frame.bytes);
    let (stride, height, range) = (layout.stride_bytes(), layout.height_px() as usize, layout.encoding().range);
    let (row, pair, plane) = (y * stride, x / 2, height * stride);
    let quarter = plane + y / 2 * (stride / 2) + pair;
    let (luma, cb, cr) = match layout.format() {
        PixelFormat::Yuyv => (row + 2 * x, row + 4 * pair + 1, row + 4 * pair + 3),
        PixelFormat::Uyvy => (row + 2 * x + 1, row + 4 * pair, row + 4 * pair + 2),
        PixelFormat::Nv12 => (row + x, plane + y / 2 * stride + 2 * pair, plane + y / 2 * stride + 2 * pair + 1),
        PixelFormat::Nv21 => (row + x, plane + y / 2 * stride + 2 * pair + 1, plane + y / 2 * stride + 2 * pair),
        PixelFormat::Yu12 => (row + x, quarter, quarter + plane / 4),
        PixelFormat::Grey => {
            let luma = stretched(bytes[row + x], range);
            return (luma, [luma; 4]);
        }
        PixelFormat::Rgb3 | PixelFormat::Bgr3 => {
            let mut rgb = [0, 1, 2].map(|channel| stretched(bytes[row + 3 * x + channel], range));
            if layout.format() == PixelFormat::Bgr3 {
                rgb.reverse();
            }
            let [red, green, blue] = rgb;
            return (green, [(77 * red + 150 * green + 29 * blue + 128) >> 8, red, green, blue]);
        }
        PixelFormat::Mjpg => unreachable!("a compressed frame has no pixels"),
    };
    let luma = stretched(bytes[luma], range);
    let (cb, cr) = (i32::from(bytes[cb]) - 128, i32::from(bytes[cr]) - 128);
    let [red, green, blue] = [359 * cr, -88 * cb - 183 * cr, 454 * cb].map(|added| (luma + (added >> 8)).clamp(0, 255));
    (luma, [luma, red, green, blue])
}

/// What a picture measures: its blocks, points by luma, ranges, and the sum of how far colours spread.
fn plainly(frame: &RawFrame, points: &Points, dark_below: u32) -> (Vec<Block>, Vec<u32>, [[u8; 2]; 3], u64) {
    let mut blocks = vec![Block::default(); BLOCKS];
    let (mut lumas, mut ranges, mut colors) = (vec![0; 256], [[u8::MAX, u8::MIN]; 3], 0);
    for row in points.rows() {
        for (column, &x) in points.columns().iter().enumerate().filter(|(column, _)| row.counting[*column] != 0) {
            let near = |right: usize, down: usize| pixel(frame, x + right - 1, row.y + down - 1).0;
            let sides = near(1, 0) + near(0, 1) + near(2, 1) + near(1, 2);
            let corners = near(0, 0) + near(2, 0) + near(0, 2) + near(2, 2);
            let [luma, rgb @ ..] = pixel(frame, x, row.y).1.map(|value| value as u32);
            let block = &mut blocks[row.blocks * SIDE_BLOCKS + column * SIDE_BLOCKS / points.columns().len()];
            block.points += 1.0;
            block.luma += luma;
            block.dark += u32::from(luma < dark_below);
            block.noise += (corners - 2 * sides + 4 * near(1, 1)).unsigned_abs();
            block.laplacian += u64::from((sides - 4 * near(1, 1)).unsigned_abs().pow(2));
            lumas[luma as usize] += 1;
            for ((sum, range), value) in block.rgb.iter_mut().zip(&mut ranges).zip(rgb) {
                *sum += value;
                *range = [range[0].min(value as u8), range[1].max(value as u8)];
            }
            colors += u64::from(rgb.into_iter().max().unwrap() - rgb.into_iter().min().unwrap());
        }
    }
    (blocks, lumas, ranges, colors)
}

/// A frame of random bytes, smooth in parts so that blocks differ.
fn frame(format: PixelFormat, size_px: (u32, u32), padding: u32, range: Range, seed: u64) -> RawFrame {
    let encoding = Encoding { matrix: Matrix::Bt601, range };
    let tight = RawLayout::new(format, size_px, 0, encoding).unwrap().stride_bytes() as u32;
    let layout = RawLayout::new(format, size_px, tight + padding, encoding).unwrap();
    let mut bytes = vec![0; layout.frame_bytes()];
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for part in bytes.chunks_mut(997) {
        let shift = random.next_u32() % 8;
        random.fill_bytes(part);
        part.iter_mut().for_each(|byte| *byte >>= shift);
    }
    RawFrame { layout, bytes: bytes.into() }
}

const FORMATS: [PixelFormat; 8] = [
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::Nv21,
    PixelFormat::Yu12,
    PixelFormat::Rgb3,
    PixelFormat::Bgr3,
    PixelFormat::Grey,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rows_of_points_add_up_to_what_single_points_do(
        format in proptest::sample::select(FORMATS.to_vec()),
        (width, height) in (17_u32..320, 17_u32..320),
        half_padding in 0_u32..20,
        limited: bool,
        masked: bool,
        dark_below in 0_u32..=256,
        seed: u64,
    ) {
        let range = if limited { Range::Limited } else { Range::Full };
        // Where pixels share chroma, sides are even.
        let whole = matches!(format, PixelFormat::Rgb3 | PixelFormat::Bgr3 | PixelFormat::Grey);
        let size_px = if whole { (width, height) } else { (width.next_multiple_of(2), height.next_multiple_of(2)) };
        let frame = frame(format, size_px, 2 * half_padding, range, seed);
        let third = ViewConfig { ignore: vec![Polygon(vec![[0.1, 0.2], [0.7, 0.1], [0.4, 0.9]])], ..ViewConfig::default() };
        let mut points = Points::new(if masked { third.lying_mask() } else { Mask::default() });
        let mut measured = Measured::new();
        prop_assert!(measured.take(&View::of_raw(&frame).unwrap(), &mut points, dark_below as f32));
        let (blocks, lumas, ranges, colors) = plainly(&frame, &points, dark_below);
        prop_assert_eq!(&measured.blocks[..], &blocks[..]);
        prop_assert_eq!((0..256).map(|luma| measured.whole.points_of(luma)).collect::<Vec<_>>(), lumas);
        prop_assert_eq!(measured.whole.ranges(), ranges);
        prop_assert_eq!((measured.colors, measured.points as f32), (colors, blocks.iter().map(|block| block.points).sum()));
    }

    /// Also one that leaves every sum of neighbours as it was.
    #[test]
    fn a_brightness_that_changes_by_one_step_changes_the_hash(
        format in proptest::sample::select(FORMATS.to_vec()), row in 0_usize..46, column in 0_usize..62,
        (right, down) in (0_usize..3, 0_usize..3), seed: u64,
    ) {
        let mut frame = frame(format, (64, 48), 0, Range::Full, seed);
        let mut points = Points::new(Mask::default());
        let mut hash = |frame: &RawFrame| {
            let mut measured = Measured::new();
            assert!(measured.take(&View::of_raw(frame).unwrap(), &mut points, 10.0));
            measured.hash
        };
        let before = hash(&frame);
        let (x, y) = (column + right, row + down);
        let place = |x: usize| match frame.layout.format() {
            PixelFormat::Yuyv => y * 128 + 2 * x,
            PixelFormat::Uyvy => y * 128 + 2 * x + 1,
            PixelFormat::Rgb3 | PixelFormat::Bgr3 => y * 192 + 3 * x + 1,
            _ => y * 64 + x,
        };
        let (place, other) = (place(x), place((x + 2) % 64));
        let mut bytes = frame.bytes.to_vec();
        bytes[place] ^= 1;
        bytes.swap(place, other);
        let changed = bytes[place] != frame.bytes[place] || bytes[other] != frame.bytes[other];
        frame.bytes = bytes.into();
        prop_assert_eq!(hash(&frame) != before, changed);
    }
}
