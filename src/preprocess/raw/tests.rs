//! Raw frames straight to the network's input, against decoding, then resampling.

use proptest::prelude::*;

use crate::decode::{Content, Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout, decode};
use crate::package::{Color, DType, InputSpec, Layout, Resize};
use crate::preprocess::Preprocessor;

/// Most that a value may be off, of 255: decoding and both passes of resampling round by up to half a step each, and excess of up to
/// 0.3 is let through, or is off by less than 0.2; random frames came to 1.45.
const TOLERANCE: f32 = 2.0;

fn spec(width: u32, height: u32, resize: Resize) -> InputSpec {
    InputSpec {
        name: "input".into(),
        dtype: DType::Float32,
        layout: Layout::Nchw,
        width,
        height,
        resize,
        color: Color::Rgb,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
    }
}

pub(in crate::preprocess) fn uncompressed() -> impl Iterator<Item = PixelFormat> {
    PixelFormat::ALL.into_iter().filter(|format| *format != PixelFormat::Mjpg)
}

/// Bytes between two values, the same for the same seed.
pub(in crate::preprocess) fn noise(length: usize, seed: u32, low: u8, high: u8) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        low + ((state >> 11) % (u32::from(high - low) + 1)) as u8
    };
    (0..length).map(next).collect()
}

/// Largest difference, of 255, between the two ways from a frame to the network's input.
fn difference(layout: RawLayout, bytes: &[u8], spec: &InputSpec) -> f32 {
    let frame = || RawFrame { layout, bytes: bytes.to_vec().into() };
    let image = decode(Content::Raw(frame())).unwrap();
    let wanted = Preprocessor::new(spec).unwrap().run(&image).unwrap().to_vec();
    let found = Preprocessor::new(spec).unwrap().run_raw(&frame()).unwrap().to_vec();
    found.iter().zip(&wanted).map(|(found, wanted)| (found - wanted).abs()).fold(0.0, f32::max)
}

fn check(layout: RawLayout, bytes: &[u8], spec: &InputSpec) {
    let difference = difference(layout, bytes, spec);
    let (width, height) = (spec.width, spec.height);
    assert!(
        difference <= TOLERANCE,
        "{layout} {:?} stride {} to {width}x{height}: {difference}",
        layout.encoding(),
        layout.stride_bytes()
    );
}

#[test]
fn every_format_in_every_usual_size_becomes_what_decoding_and_resampling_make_of_it() {
    let encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };
    for format in uncompressed() {
        for (size_px, side) in [((640, 480), 32), ((640, 480), 224), ((160, 120), 224)] {
            let layout = RawLayout::new(format, size_px, 0, encoding).unwrap();
            check(layout, &noise(layout.frame_bytes(), 7, 0, 255), &spec(side, side, Resize::Stretch));
        }
    }
    for (format, size_px) in [(PixelFormat::Nv12, (1280, 720)), (PixelFormat::Yuyv, (1920, 1080))] {
        let layout = RawLayout::new(format, size_px, 0, encoding).unwrap();
        check(layout, &noise(layout.frame_bytes(), 7, 0, 255), &spec(32, 32, Resize::CenterCrop));
    }
}

#[test]
fn large_odd_and_cropped_pictures_become_what_decoding_and_resampling_make_of_them() {
    let encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };
    // More rows between two outputs than fit into one block; windows longer than those that have their own code; crops that begin at odd
    // columns and end within a tile of columns; enlarging one axis alone.
    let cases = [
        ((400, 2160), (24, 24), Resize::Stretch),
        ((1926, 270), (224, 56), Resize::CenterCrop),
        ((1366, 384), (224, 112), Resize::CenterCrop),
        ((722, 206), (50, 112), Resize::CenterCrop),
        ((250, 1000), (224, 100), Resize::Stretch),
        ((1000, 60), (100, 224), Resize::Stretch),
    ];
    for format in [PixelFormat::Yuyv, PixelFormat::Nv21, PixelFormat::Yu12, PixelFormat::Bgr3, PixelFormat::Grey] {
        for (size_px, (width, height), resize) in cases {
            let layout = RawLayout::new(format, size_px, 0, encoding).unwrap();
            check(layout, &noise(layout.frame_bytes(), 11, 0, 255), &spec(width, height, resize));
            check(layout, &noise(layout.frame_bytes(), 11, 100, 150), &spec(width, height, resize));
        }
    }
}

#[test]
fn every_matrix_and_range_becomes_the_same_colours_as_in_decoding() {
    for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Smpte240m, Matrix::Bt2020] {
        for range in [Range::Limited, Range::Full] {
            for format in [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Bgr3, PixelFormat::Grey] {
                let layout = RawLayout::new(format, (96, 64), 0, Encoding { matrix, range }).unwrap();
                check(layout, &noise(layout.frame_bytes(), 3, 0, 255), &spec(32, 32, Resize::Stretch));
                check(layout, &noise(layout.frame_bytes(), 3, 100, 150), &spec(32, 32, Resize::Stretch));
            }
        }
    }
}

#[test]
fn a_frame_of_the_networks_own_size_only_changes_its_colours() {
    let encoding = Encoding { matrix: Matrix::Bt709, range: Range::Full };
    for format in uncompressed() {
        let layout = RawLayout::new(format, (32, 32), 0, encoding).unwrap();
        let bytes = noise(layout.frame_bytes(), 1, 0, 255);
        // Decoding rounds; nothing else may differ, but for the error of excess, which is below 0.2 where there is any.
        let difference = difference(layout, &bytes, &spec(32, 32, Resize::Stretch));
        assert!(difference <= 0.7, "{layout}: {difference}");
    }
}

#[test]
fn colours_come_in_the_networks_order_and_normalised() {
    let layout =
        RawLayout::new(PixelFormat::Rgb3, (2, 1), 0, Encoding { range: Range::Full, ..Encoding::JPEG }).unwrap();
    let frame = RawFrame { layout, bytes: vec![10, 20, 30, 40, 50, 60].into() };
    let bgr =
        InputSpec { color: Color::Bgr, mean: [1.0, 2.0, 3.0], std: [1.0, 1.0, 0.5], ..spec(2, 1, Resize::Stretch) };
    let mut preprocessor = Preprocessor::new(&bgr).unwrap();
    let found = preprocessor.run_raw(&frame).unwrap();
    for (found, wanted) in found.iter().zip([29.0, 59.0, 18.0, 48.0, 14.0, 74.0]) {
        assert!((found - wanted).abs() < 1e-3, "{found}, wanted {wanted}");
    }
}

#[test]
fn layouts_may_change_from_frame_to_frame_and_no_frame_shows_in_the_next() {
    let frame = |format, size_px, seed| {
        let layout = RawLayout::new(format, size_px, 0, Encoding::JPEG).unwrap();
        RawFrame { layout, bytes: noise(layout.frame_bytes(), seed, 0, 255).into() }
    };
    let mut preprocessor = Preprocessor::new(&spec(32, 32, Resize::CenterCrop)).unwrap();
    let first = preprocessor.run_raw(&frame(PixelFormat::Nv12, (90, 70), 1)).unwrap().to_vec();
    preprocessor.run_raw(&frame(PixelFormat::Nv12, (90, 70), 2)).unwrap();
    assert_eq!(preprocessor.run_raw(&frame(PixelFormat::Nv12, (90, 70), 1)).unwrap(), first);
    preprocessor.run_raw(&frame(PixelFormat::Yuyv, (20, 16), 3)).unwrap();
    assert_eq!(preprocessor.run_raw(&frame(PixelFormat::Nv12, (90, 70), 1)).unwrap(), first);
}

#[test]
fn frames_of_one_layout_take_no_memory_after_the_first() {
    let layout = RawLayout::new(PixelFormat::Yuyv, (640, 480), 0, Encoding::JPEG).unwrap();
    let frame = RawFrame { layout, bytes: noise(layout.frame_bytes(), 5, 0, 255).into() };
    let mut preprocessor = Preprocessor::new(&spec(32, 32, Resize::Stretch)).unwrap();
    preprocessor.run_raw(&frame).unwrap();
    let counted = allocation_counter::measure(|| {
        preprocessor.run_raw(&frame).unwrap();
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_short_or_compressed_frame_is_refused() {
    let mut preprocessor = Preprocessor::new(&spec(32, 32, Resize::Stretch)).unwrap();
    let mut refusal = |format| {
        let layout = RawLayout::new(format, (640, 480), 0, Encoding::JPEG).unwrap();
        preprocessor.run_raw(&RawFrame { layout, bytes: vec![0; 4096].into() }).unwrap_err().to_string()
    };
    assert_eq!(refusal(PixelFormat::Yuyv), "4096 bytes, YUYV 640x480 needs 614400");
    assert_eq!(refusal(PixelFormat::Mjpg), "MJPG frame cannot be resampled as it is; it has to be decoded first");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_size_stride_crop_and_content_is_within_rounding_of_decoding_and_resampling(
        format in proptest::sample::select(uncompressed().collect::<Vec<_>>()),
        (width, height) in (1u32..140, 1u32..100),
        (to_width, to_height) in (1u32..40, 1u32..40),
        padding in 0u32..40,
        seed: u32,
        (low, high) in proptest::sample::select(vec![(0, 255), (100, 150), (0, 40), (200, 255)]),
        resize in proptest::sample::select(vec![Resize::Stretch, Resize::CenterCrop]),
        matrix in proptest::sample::select(vec![Matrix::Bt601, Matrix::Bt709]),
        range in proptest::sample::select(vec![Range::Limited, Range::Full]),
    ) {
        let packed = matches!(format, PixelFormat::Yuyv | PixelFormat::Uyvy);
        let width = if packed { width.next_multiple_of(2) } else { width };
        let encoding = Encoding { matrix, range };
        let tight = RawLayout::new(format, (width, height), 0, encoding).unwrap().stride_bytes() as u32;
        let padding = if format == PixelFormat::Yu12 { padding / 2 * 2 } else { padding };
        let layout = RawLayout::new(format, (width, height), tight + padding, encoding).unwrap();
        check(layout, &noise(layout.frame_bytes(), seed, low, high), &spec(to_width, to_height, resize));
    }
}
