//! Pictures, whole and then altered as broken cameras alter them. tests/it/health.rs does the same with photographs.

use std::sync::LazyLock;

use image::{Rgb, RgbImage, imageops};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::decode::{Content, Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout, decode};
use crate::source::faults::picture::{Noise, blacken};

/// Eight scenes of 64x64 pixels: slow changes of light and colour, with edges in half of the places, and smooth ones in the other.
static PICTURES: LazyLock<Vec<RgbImage>> = LazyLock::new(|| {
    let value = |number: u32, x: u32, y: u32, channel: u32| {
        let (shift, turn) = (f64::from(channel), f64::from(number));
        let slow = 40.0 * (f64::from(x) * (0.1 + 0.01 * turn) + shift).sin()
            + 30.0 * (f64::from(y) * 0.08 + turn - shift).cos();
        let edges = (x / 16 + y / 16 + number).is_multiple_of(2) && (x / 3 + y / 4).is_multiple_of(2);
        (110.0 + slow + if edges { 40.0 } else { 0.0 }) as u8
    };
    (0..8)
        .map(|number| RgbImage::from_fn(64, 64, |x, y| Rgb([0, 1, 2].map(|channel| value(number, x, y, channel)))))
        .collect()
});

/// Frames of thirty a second that are looked at as they come.
fn meta(index: u64) -> Meta {
    Meta { index, captured_at: Timestamp::UNIX_EPOCH + Duration::from_millis(33 * index), age: Duration::ZERO }
}

fn at_once() -> HealthConfig {
    HealthConfig { consecutive_frames: 1, ..HealthConfig::default() }
}

fn findings(image: &RgbImage) -> Findings {
    let mut health = Health::new(&at_once());
    health.look(&View::of(image), meta(0));
    health.findings
}

/// Every picture, altered, has this wrong with it, and nothing else but what `also` allows.
#[track_caller]
fn check(alter: impl Fn(&RgbImage) -> RgbImage, wanted: (Kind, Level), also: &[Kind]) {
    for (number, picture) in PICTURES.iter().enumerate() {
        let found = findings(&alter(picture));
        assert_eq!(found.level(wanted.0), Some(wanted.1), "picture {number}: {found:?}");
        let other = |finding: &&Finding| finding.kind != wanted.0 && !also.contains(&finding.kind);
        assert_eq!(found.list.iter().find(other), None, "picture {number}");
    }
}

fn map(picture: &RgbImage, change: impl Fn(u32, u32, [u8; 3]) -> [u8; 3]) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| Rgb(change(x, y, picture.get_pixel(x, y).0)))
}

#[test]
fn nothing_is_wrong_with_a_good_picture() {
    for (number, picture) in PICTURES.iter().enumerate() {
        assert_eq!(findings(picture).list, [], "picture {number}");
    }
}

#[test]
fn a_black_picture_is_dark_and_that_says_it_all() {
    check(|picture| blacken(picture.clone()), (Kind::Dark, Level::Error), &[]);
}

#[test]
fn a_white_picture_is_over_exposed() {
    let white = |picture: &RgbImage| map(picture, |_, _, rgb| rgb.map(|value| value.saturating_add(240)));
    check(white, (Kind::Overexposed, Level::Error), &[Kind::LowVisibility, Kind::ColorLost, Kind::Defocus]);
}

#[test]
fn half_in_shadow_and_half_in_light_is_backlit() {
    let backlit = |picture: &RgbImage| map(picture, |x, _, rgb| rgb.map(|value| if x < 32 { value / 16 } else { 250 }));
    check(backlit, (Kind::Backlit, Level::Error), &[Kind::Dark, Kind::Blocked]);
}

#[test]
fn noise_is_found_and_its_strength_told() {
    let noisy = |picture: &RgbImage| Noise::new(60.0).add(picture.clone(), &mut ChaCha8Rng::seed_from_u64(1));
    check(noisy, (Kind::Noise, Level::Error), &[]);
    let grey = RgbImage::from_pixel(200, 200, Rgb([128; 3]));
    let read = |sigma| findings(&Noise::new(sigma).add(grey.clone(), &mut ChaCha8Rng::seed_from_u64(2))).readings.noise;
    // The smoothest fifth of the blocks lies a little below the mean of all.
    for sigma in [5.0, 10.0, 20.0, 30.0] {
        let share = f64::from(read(sigma)) / sigma;
        assert!((0.9..=1.02).contains(&share), "{sigma}: {share}");
    }
}

#[test]
fn a_picture_out_of_focus_has_no_detail() {
    check(|picture| imageops::blur(picture, 8.0), (Kind::Defocus, Level::Error), &[Kind::LowVisibility]);
}

#[test]
fn fog_takes_the_contrast() {
    let fog = |picture: &RgbImage| map(picture, |_, _, rgb| rgb.map(|value| 190 + value / 25));
    check(fog, (Kind::LowVisibility, Level::Error), &[Kind::Defocus, Kind::ColorLost]);
}

#[test]
fn something_black_before_the_lens_blocks_a_part() {
    let covered =
        |picture: &RgbImage| map(picture, |x, _, rgb| if x < 27 { [4, 3, 2] } else { rgb.map(|v| v / 2 + 64) });
    check(covered, (Kind::Blocked, Level::Error), &[]);
}

#[test]
fn a_black_part_of_a_night_is_not_covered() {
    let night = |picture: &RgbImage| map(picture, |x, _, rgb| if x < 27 { [4, 3, 2] } else { rgb.map(|v| v / 8) });
    for picture in &*PICTURES {
        assert_eq!(findings(&night(picture)).level(Kind::Blocked), None);
    }
}

#[test]
fn a_dead_channel_is_found_whatever_it_is_stuck_at() {
    for (channel, stuck) in [(0, 0), (1, 128), (2, 255)] {
        for picture in &*PICTURES {
            let dead = map(picture, |_, _, mut rgb| {
                rgb[channel] = stuck;
                rgb
            });
            let found = findings(&dead);
            assert_eq!(found.level(Kind::DeadChannel), Some(Level::Error), "{channel}: {found:?}");
        }
    }
}

#[test]
fn missing_chroma_makes_a_green_or_magenta_picture() {
    let layout = RawLayout::new(PixelFormat::Nv12, (64, 64), 0, Encoding::JPEG).unwrap();
    for (chroma, wanted) in [(0, Some(Level::Error)), (255, Some(Level::Error)), (128, None)] {
        for picture in &*PICTURES {
            let mut bytes = vec![chroma; layout.frame_bytes()];
            for (luma, pixel) in bytes.iter_mut().zip(picture.pixels()) {
                *luma = pixel.0[1] / 2 + 64;
            }
            let frame = RawFrame { layout, bytes: bytes.into() };
            let mut health = Health::new(&at_once());
            let found = health.look(&View::of_raw(&frame).unwrap(), meta(0));
            assert_eq!(found.level(Kind::ColorCast), wanted, "{chroma}: {:?}", found.readings);
        }
    }
}

#[test]
fn colour_is_missed_by_a_camera_that_had_it_and_by_no_other() {
    let picture = &PICTURES[0];
    let grey = map(picture, |_, _, [_, green, _]| [green; 3]);
    let mut health = Health::new(&at_once());
    for (index, (image, wanted)) in [(&grey, None), (picture, None), (&grey, Some(Level::Warn))].into_iter().enumerate()
    {
        assert_eq!(health.look(&View::of(image), meta(index as u64)).level(Kind::ColorLost), wanted, "{index}");
    }
}

#[test]
fn a_picture_that_stands_still_is_frozen_and_one_with_the_least_noise_is_not() {
    let picture = &PICTURES[0];
    let mut health = Health::new(&HealthConfig::default());
    let levels: Vec<_> =
        (0..30).map(|index| health.look(&View::of(picture), meta(index)).level(Kind::Frozen)).collect();
    // 8 * 33 ms are above 0.25 s and 16 * 33 ms above 0.5 s; either has to hold for three frames.
    assert_eq!(levels.iter().position(Option::is_some), Some(10));
    assert_eq!(levels.iter().position(|level| *level == Some(Level::Error)), Some(18));
    let mut health = Health::new(&HealthConfig::default());
    for index in 0..30 {
        let noisy = Noise::new(0.5).add(picture.clone(), &mut ChaCha8Rng::seed_from_u64(index));
        assert_eq!(health.look(&View::of(&noisy), meta(index)).list, []);
    }
}

#[test]
fn what_comes_late_or_out_of_order_is_told() {
    let picture = &PICTURES[0];
    let mut health = Health::new(&at_once());
    let late = Meta { age: Duration::from_millis(300), ..meta(7) };
    assert_eq!(health.look(&View::of(picture), late).level(Kind::Late), Some(Level::Warn));
    let earlier = health.look(&View::of(&imageops::rotate180(picture)), meta(6));
    assert_eq!((earlier.level(Kind::OutOfOrder), earlier.level(Kind::Late)), (Some(Level::Warn), None));
}

#[test]
fn a_finding_has_to_hold_for_some_frames_and_ends_with_the_first_good_one() {
    let good = &PICTURES[0];
    let black = blacken(good.clone());
    let mut health = Health::new(&HealthConfig::default());
    let frames = [&black, &black, good, &black, &black, &black, good];
    let told: Vec<bool> = (0..)
        .zip(frames)
        .map(|(index, image)| health.look(&View::of(image), meta(index)).level(Kind::Dark).is_some())
        .collect();
    assert_eq!(told, [false, false, false, false, false, true, false]);
}

#[test]
fn a_picture_that_is_too_small_is_not_measured_and_neither_is_any_when_switched_off() {
    let tiny = RgbImage::new(16, 300);
    assert_eq!((findings(&tiny).list, findings(&tiny).readings), (vec![], Readings::default()));
    let mut health = Health::new(&HealthConfig { enabled: false, ..at_once() });
    assert_eq!(health.look(&View::of(&RgbImage::new(99, 99)), meta(0)).list, []);
}

/// Every raw format gives what its decoded picture gives, up to rounding and the difference between luma and green.
#[test]
fn a_raw_frame_measures_what_its_picture_measures() {
    for format in PixelFormat::ALL.into_iter().filter(|format| *format != PixelFormat::Mjpg) {
        for range in [Range::Limited, Range::Full] {
            let layout = RawLayout::new(format, (64, 48), 200, Encoding { matrix: Matrix::Bt601, range }).unwrap();
            // Nearly grey, in any order of channels, with a dark and a bright end.
            let bytes: Vec<u8> = (0..layout.frame_bytes()).map(|place| 120 + (place / 200 % 16) as u8).collect();
            let frame = RawFrame { layout, bytes: bytes.clone().into() };
            let mut health = Health::new(&at_once());
            let raw = health.look(&View::of_raw(&frame).unwrap(), meta(0)).readings;
            let decoded = findings(&decode(Content::Raw(RawFrame { layout, bytes: bytes.into() })).unwrap()).readings;
            assert!((raw.brightness - decoded.brightness).abs() < 1.5, "{format} {range}: {raw:?} {decoded:?}");
            assert!((raw.contrast - decoded.contrast).abs() < 0.02, "{format} {range}: {raw:?} {decoded:?}");
            assert_eq!((raw.dark_blocks, raw.bright_blocks), (decoded.dark_blocks, decoded.bright_blocks));
            assert_eq!(raw.colorfulness.is_some(), format != PixelFormat::Grey);
        }
    }
}

#[test]
fn compressed_and_short_frames_are_no_views() {
    for (format, length) in [(PixelFormat::Mjpg, 5_000), (PixelFormat::Yuyv, 100)] {
        let layout = RawLayout::new(format, (32, 32), 0, Encoding::JPEG).unwrap();
        assert!(View::of_raw(&RawFrame { layout, bytes: vec![0; length].into() }).is_none());
    }
}

#[test]
fn looking_allocates_nothing() {
    let picture = blacken(RgbImage::new(640, 480));
    let mut health = Health::new(&at_once());
    let looks = allocation_counter::measure(|| {
        for index in 0..100 {
            health.look(&View::of(&picture), meta(index));
        }
    });
    assert_eq!(looks.count_total, 0);
}

fn scaled(picture: &RgbImage, factor: f64) -> RgbImage {
    map(picture, |_, _, rgb| rgb.map(|value| (f64::from(value) * factor).min(255.0) as u8))
}

proptest! {
    #[test]
    fn a_brighter_picture_has_no_more_dark_blocks_and_no_fewer_bright_ones(number in 0_usize..8, low in 0.0..4.0, more in 0.0..4.0) {
        let picture = &PICTURES[number];
        let [dim, bright] = [low, low + more].map(|factor| findings(&scaled(picture, factor)).readings);
        prop_assert!(bright.dark_blocks <= dim.dark_blocks && bright.bright_blocks >= dim.bright_blocks);
        prop_assert!(bright.brightness >= dim.brightness);
    }

    #[test]
    fn every_size_and_content_gives_readings_that_are_numbers(width in 1_u32..200, height in 1_u32..200, seed: u64, least: u8) {
        let mut state = seed;
        let image = RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Rgb([(state >> 56) as u8, (state >> 48) as u8, (state >> 40) as u8].map(|value| value.max(least)))
        });
        let Readings { brightness, contrast, sharpness, noise, .. } = findings(&image).readings;
        prop_assert!([brightness, contrast, sharpness, noise].iter().all(|value| value.is_finite() && *value >= 0.0));
        prop_assert!(brightness <= 255.0 && contrast <= 1.0);
    }
}
