//! Turned and masked pictures against turning the whole picture first, and multiplying afterwards.

use image::{RgbImage, imageops};
use proptest::prelude::*;

use super::raw::tests::{noise, uncompressed};
use super::tests::{picture, spec};
use super::*;
use crate::decode::{Content, Encoding, Matrix, Range, RawLayout, decode};
use crate::view::{Mirror, Polygon, Rotation};

/// Most that a value may be off, of 255. Either way of an RGB picture rounds to bytes after its rows and after its columns, one of them the
/// other way round, and so is within 1 of the truth; the way of a raw frame is within 0.3 of it, and decoding before turning rounds by up
/// to half a step more.
const TOLERANCE: f32 = 2.0;

const TURNS: [(Rotation, Mirror); 12] = {
    let rotations = [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters];
    let mirrors = [Mirror::None, Mirror::Horizontal, Mirror::Vertical];
    let mut turns = [(Rotation::None, Mirror::None); 12];
    let mut index = 0;
    while index < 12 {
        turns[index] = (rotations[index / 3], mirrors[index % 3]);
        index += 1;
    }
    turns
};

fn turned((rotate, mirror): (Rotation, Mirror)) -> ViewConfig {
    ViewConfig { rotate, mirror, ..ViewConfig::default() }
}

/// What a user would see on a screen after turning the picture.
fn upright(image: &RgbImage, (rotation, mirror): (Rotation, Mirror)) -> RgbImage {
    let rotated = match rotation {
        Rotation::None => image.clone(),
        Rotation::Quarter => imageops::rotate90(image),
        Rotation::Half => imageops::rotate180(image),
        Rotation::ThreeQuarters => imageops::rotate270(image),
    };
    match mirror {
        Mirror::None => rotated,
        Mirror::Horizontal => imageops::flip_horizontal(&rotated),
        Mirror::Vertical => imageops::flip_vertical(&rotated),
    }
}

fn input(spec: &InputSpec, view: &ViewConfig, image: &RgbImage) -> Vec<f32> {
    Preprocessor::with_view(spec, view).unwrap().run(image).unwrap().to_vec()
}

fn largest_difference(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    found.iter().zip(wanted).map(|(found, wanted)| (found - wanted).abs()).fold(0.0, f32::max)
}

fn rectangle(left: f64, top: f64, right: f64, bottom: f64) -> Polygon {
    Polygon(vec![[left, top], [right, top], [right, bottom], [left, bottom]])
}

#[test]
fn a_turned_picture_of_the_networks_own_size_is_the_upright_one_exactly() {
    let spec = spec(7, 4, Resize::Stretch);
    for turn in TURNS {
        let (width, height) = turned(turn).turn().swap((7, 4));
        let lying = picture(width, height);
        let wanted = input(&spec, &ViewConfig::default(), &upright(&lying, turn));
        assert_eq!(input(&spec, &turned(turn), &lying), wanted, "{turn:?}");
    }
}

#[test]
fn a_mask_takes_its_share_of_every_value_away() {
    // Values from -1 on: what is masked is 0, the mean, and not the black of a picture.
    let spec = InputSpec { scale: 1.0 / 127.5, mean: [1.0; 3], ..spec(8, 4, Resize::Stretch) };
    let image = picture(50, 37);
    let view = ViewConfig { ignore: vec![rectangle(0.5, 0.0, 0.8125, 0.625)], ..ViewConfig::default() };
    let whole = input(&spec, &ViewConfig::default(), &image);
    let masked = input(&spec, &view, &image);
    let share = |x: usize, y: usize| {
        let across = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.5, 1.0][x];
        1.0 - (1.0 - across) * [1.0, 1.0, 0.5, 0.0][y]
    };
    for (place, (masked, whole)) in masked.iter().zip(&whole).enumerate() {
        assert_eq!(*masked, whole * share(place % 8, place / 8 % 4), "{place}");
    }
}

#[test]
fn what_is_far_enough_behind_the_edge_of_a_mask_changes_nothing() {
    let spec = spec(16, 16, Resize::Stretch);
    let view = ViewConfig { keep: vec![rectangle(0.0, 0.0, 0.5, 1.0)], ..ViewConfig::default() };
    let image = picture(160, 120);
    let mut other = image.clone();
    // The filter of the last pixel that is kept reaches half a pixel of the network past the edge.
    for (_, _, pixel) in other.enumerate_pixels_mut().filter(|(x, ..)| *x >= 85) {
        pixel.0 = pixel.0.map(|value| 255 - value);
    }
    assert_eq!(input(&spec, &view, &image), input(&spec, &view, &other));
}

#[test]
fn a_mask_lies_on_the_upright_picture_and_not_on_what_is_cropped_of_it() {
    // Of 80x40 upright pixels, the middle half is seen; its left half is ignored.
    let spec = spec(4, 4, Resize::CenterCrop);
    let view =
        ViewConfig { rotate: Rotation::Quarter, ignore: vec![rectangle(0.0, 0.0, 0.5, 1.0)], ..ViewConfig::default() };
    let lying = RgbImage::from_pixel(40, 80, image::Rgb([200; 3]));
    let found = input(&spec, &view, &lying);
    assert!(found.chunks(4).all(|row| row == [0.0, 0.0, 200.0, 200.0]), "{found:?}");
}

#[test]
fn a_mask_that_leaves_nothing_of_what_the_network_sees_is_refused() {
    let view = ViewConfig { keep: vec![rectangle(0.0, 0.0, 0.2, 1.0)], ..ViewConfig::default() };
    let mut preprocessor = Preprocessor::with_view(&spec(4, 4, Resize::CenterCrop), &view).unwrap();
    let error = preprocessor.run(&picture(80, 40)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "[camera.view] leaves 0.0 % of what the network sees of a picture of 80x40 pixels, upright; wanted 1 % or more"
    );
    assert!(preprocessor.run(&picture(40, 40)).is_ok());
}

#[test]
fn a_view_takes_no_memory_after_the_first_frame() {
    let layout = RawLayout::new(PixelFormat::Nv12, (64, 48), 0, Encoding::JPEG).unwrap();
    let frame = RawFrame { layout, bytes: noise(layout.frame_bytes(), 5, 0, 255).into() };
    let ignore = vec![rectangle(0.1, 0.2, 0.3, 0.4)];
    let view = ViewConfig { ignore, ..turned((Rotation::Quarter, Mirror::Vertical)) };
    let mut preprocessor = Preprocessor::with_view(&spec(32, 24, Resize::CenterCrop), &view).unwrap();
    preprocessor.run_raw(&frame).unwrap();
    let counted = allocation_counter::measure(|| {
        preprocessor.run_raw(&frame).unwrap();
    });
    assert_eq!(counted.count_total, 0);
}

fn sizes() -> impl Strategy<Value = [(u32, u32); 2]> {
    [(1_u32..120, 1_u32..120), (1_u32..40, 1_u32..40)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn turning_the_networks_pixels_is_turning_the_picture(
        turn in prop::sample::select(TURNS.to_vec()),
        [(width, height), (to_width, to_height)] in sizes(),
        resize in prop::sample::select(vec![Resize::Stretch, Resize::CenterCrop]),
    ) {
        let (spec, lying) = (spec(to_width, to_height, resize), picture(width, height));
        let wanted = input(&spec, &ViewConfig::default(), &upright(&lying, turn));
        let difference = largest_difference(&input(&spec, &turned(turn), &lying), &wanted);
        prop_assert!(difference <= TOLERANCE, "{difference}");
    }

    #[test]
    fn turning_a_raw_frames_pixels_is_decoding_and_turning_the_picture(
        turn in prop::sample::select(TURNS.to_vec()),
        format in prop::sample::select(uncompressed().collect::<Vec<_>>()),
        [(width, height), (to_width, to_height)] in sizes(),
        resize in prop::sample::select(vec![Resize::Stretch, Resize::CenterCrop]),
        range in prop::sample::select(vec![Range::Limited, Range::Full]),
        seed: u32,
    ) {
        let packed = matches!(format, PixelFormat::Yuyv | PixelFormat::Uyvy);
        let width = if packed { width.next_multiple_of(2) } else { width };
        let layout = RawLayout::new(format, (width, height), 0, Encoding { matrix: Matrix::Bt601, range }).unwrap();
        let bytes = noise(layout.frame_bytes(), seed, 0, 255);
        let frame = || RawFrame { layout, bytes: bytes.clone().into() };
        let spec = spec(to_width, to_height, resize);
        let found = Preprocessor::with_view(&spec, &turned(turn)).unwrap().run_raw(&frame()).unwrap().to_vec();
        let wanted = input(&spec, &ViewConfig::default(), &upright(&decode(Content::Raw(frame())).unwrap(), turn));
        let difference = largest_difference(&found, &wanted);
        prop_assert!(difference <= TOLERANCE, "{difference}");
    }

    #[test]
    fn a_turned_and_masked_picture_is_the_turned_one_times_the_mask(
        turn in prop::sample::select(TURNS.to_vec()),
        [(width, height), (to_width, to_height)] in sizes(),
        corners in prop::collection::vec([0.0..=1.0, 0.0..=1.0], 3..6),
    ) {
        let (spec, lying) = (spec(to_width, to_height, Resize::Stretch), picture(width, height));
        let view = ViewConfig { ignore: vec![Polygon(corners)], ..turned(turn) };
        prop_assume!(view.wrong_value().is_none());
        let coverage = view.mask().coverage(Part::WHOLE, (to_width as usize, to_height as usize));
        prop_assume!(coverage.iter().sum::<f32>() >= 0.02 * coverage.len() as f32);
        let whole = input(&spec, &turned(turn), &lying);
        let found = input(&spec, &view, &lying);
        for (place, (found, whole)) in found.iter().zip(&whole).enumerate() {
            prop_assert_eq!(*found, whole * coverage[place % coverage.len()]);
        }
    }
}
