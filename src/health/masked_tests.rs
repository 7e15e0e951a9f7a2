//! Pictures of which a mask hides a part, altered there and elsewhere.

use image::RgbImage;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tests::{PICTURES, at_once, findings, map, meta};
use super::*;
use crate::decode::{Encoding, PixelFormat, RawFrame, RawLayout};
use crate::source::faults::picture::blacken;
use crate::view::Polygon;
use crate::view::tests::every_turn;

/// A mask on the camera's own picture.
fn ignoring(left: f64, top: f64, right: f64, bottom: f64) -> ViewConfig {
    let corners = vec![[left, top], [right, top], [right, bottom], [left, bottom]];
    ViewConfig { ignore: vec![Polygon(corners)], ..ViewConfig::default() }
}

fn findings_through(view: &ViewConfig, image: &RgbImage) -> Findings {
    let mut health = Health::new(&at_once()).with_view(view);
    health.look(&View::of(image), meta(0));
    health.findings
}

#[test]
fn what_is_wrong_behind_a_mask_is_not_told_and_what_is_wrong_beside_it_is() {
    let left_third = ignoring(0.0, 0.0, 0.45, 1.0);
    for picture in &*PICTURES {
        let covered = map(picture, |x, _, rgb| if x < 27 { [4, 3, 2] } else { rgb.map(|v| v / 2 + 64) });
        assert_eq!(findings(&covered).level(Kind::Blocked), Some(Level::Error));
        assert_eq!(findings_through(&left_third, &covered).list, []);
        // More than a third of what is left.
        let covered = map(picture, |x, _, rgb| if x > 45 { [4, 3, 2] } else { rgb.map(|v| v / 2 + 64) });
        assert_eq!(findings_through(&left_third, &covered).level(Kind::Blocked), Some(Level::Error));
        let black = blacken(picture.clone());
        assert_eq!(findings_through(&left_third, &black).level(Kind::Dark), Some(Level::Error));
    }
}

#[test]
fn a_picture_that_only_moves_behind_the_mask_is_frozen() {
    let picture = &PICTURES[0];
    let mut health = Health::new(&HealthConfig::default()).with_view(&ignoring(0.0, 0.8, 1.0, 1.0));
    for index in 0..30 {
        // A clock in the corner, as cameras write it into their pictures.
        let ticking = map(picture, |x, y, rgb| if x < 20 && y > 55 { [index as u8 * 7; 3] } else { rgb });
        health.look(&View::of(&ticking), meta(index));
    }
    assert_eq!(health.findings.level(Kind::Frozen), Some(Level::Error));
}

#[test]
fn a_mask_that_leaves_too_little_of_every_block_measures_nothing() {
    let sliver = Polygon(vec![[0.0, 0.0], [1.0, 0.0], [1.0, 0.02], [0.0, 0.02]]);
    let view = ViewConfig { keep: vec![sliver], ..ViewConfig::default() };
    let found = findings_through(&view, &blacken(PICTURES[0].clone()));
    assert_eq!((found.list, found.readings), (vec![], Readings::default()));
    assert!(!measures(&view, &PICTURES[0]) && measures(&ignoring(0.0, 0.0, 0.8, 1.0), &PICTURES[0]));
    assert!(
        !measures(&ViewConfig::default(), &RgbImage::new(16, 64))
            && measures(&ViewConfig::default(), &RgbImage::new(17, 17))
    );
}

#[test]
fn looking_past_a_mask_allocates_nothing_after_the_first_look() {
    let picture = blacken(RgbImage::new(640, 480));
    let mut health = Health::new(&at_once()).with_view(&ignoring(0.1, 0.1, 0.5, 0.9));
    health.look(&View::of(&picture), meta(0));
    let looks = allocation_counter::measure(|| {
        health.look(&View::of(&picture), meta(1));
    });
    assert_eq!(looks.count_total, 0);
}

/// Some bytes of a frame that follow from the pixels that they belong to, and from no others: luma and chroma of a pair from the sum of
/// all four, or two, pixels that share them.
fn camera_bytes(layout: &RawLayout, image: &RgbImage) -> Vec<u8> {
    let pixel = |x: usize, y: usize| image.get_pixel(x as u32, y as u32).0;
    let shared = |x: usize, y: usize, rows: usize, channel: usize| {
        let pixels = (0..rows).flat_map(|down| [pixel(x, y + down), pixel(x + 1, y + down)]);
        pixels.fold(0_u8, |sum, pixel| sum.wrapping_add(pixel[channel]))
    };
    let mut bytes = Vec::with_capacity(layout.frame_bytes());
    for y in 0..64 {
        for x in 0..64 {
            match layout.format() {
                PixelFormat::Yuyv => bytes.extend([pixel(x, y)[1], shared(x / 2 * 2, y, 1, 2 * (x % 2))]),
                PixelFormat::Bgr3 => bytes.extend(pixel(x, y)),
                _ => bytes.push(pixel(x, y)[1]),
            }
        }
    }
    if layout.format() == PixelFormat::Nv12 {
        let pairs = (0..32).flat_map(|y| (0..64).map(move |x| (x / 2 * 2, 2 * y, 2 * (x % 2))));
        bytes.extend(pairs.map(|(x, y, channel)| shared(x, y, 2, channel)));
    }
    bytes
}

proptest! {
    #[test]
    fn nothing_behind_a_mask_changes_a_reading_however_the_camera_hangs(
        number in 0_usize..8,
        (rotate, mirror) in proptest::sample::select(every_turn().collect::<Vec<_>>()),
        corners in proptest::collection::vec([0.0..=1.0, 0.0..=1.0], 3..6),
        format in proptest::sample::select(vec![PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Bgr3]),
        seed: u64,
    ) {
        let view = ViewConfig { rotate, mirror, ignore: vec![Polygon(corners)], ..ViewConfig::default() };
        let mask = view.lying_mask();
        let centre = |pixel: u32| (f64::from(pixel) + 0.5) / 64.0;
        let counts: Vec<_> = (0..64).flat_map(|y| mask.counts(centre(y), (0..64).map(centre))).collect();
        let hidden = |x: u32, y: u32| !counts[(64 * y + x) as usize];
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let other = map(&PICTURES[number], |x, y, rgb| if hidden(x, y) { random.random() } else { rgb });
        prop_assert_eq!(findings_through(&view, &PICTURES[number]), findings_through(&view, &other));

        // Of a raw frame, too, though pixels share chroma there.
        let layout = RawLayout::new(format, (64, 64), 0, Encoding::JPEG).unwrap();
        let read = |image: &RgbImage| {
            let bytes = camera_bytes(&layout, image);
            let mut health = Health::new(&at_once()).with_view(&view);
            health.look(&View::of_raw(&RawFrame { layout, bytes: bytes.into() }).unwrap(), meta(0));
            health.findings
        };
        prop_assert_eq!(read(&PICTURES[number]), read(&other));
    }
}
