//! What every spoilt picture is, whatever it showed.

use image::Rgb;
use jiff::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

use super::*;
use crate::decide::DecideConfig;
use crate::health::{Health, HealthConfig, Kind, Level, Meta, View};
use crate::source::faults::expected::Circumstances;
use crate::source::faults::promised::beyond;
use crate::source::{ImagesConfig, SourceConfig};

const ALL: [Spoil; 8] = [
    Spoil::Overexposed,
    Spoil::Backlit,
    Spoil::Blocked,
    Spoil::LowVisibility,
    Spoil::Defocus,
    Spoil::DeadChannel,
    Spoil::ColorLost,
    Spoil::ColorCast,
];

/// The errors that are found in one picture.
fn errors(picture: &RgbImage) -> Vec<Kind> {
    let mut health = Health::new(&HealthConfig { consecutive_frames: 1, ..HealthConfig::default() });
    let meta = Meta { index: 0, captured_at: Timestamp::UNIX_EPOCH, age: Duration::ZERO };
    let list = &health.look(&View::of(picture), meta).list;
    list.iter().filter(|finding| finding.level == Level::Error).map(|finding| finding.kind).collect()
}

/// Blocks of random colours, from single pixels to halves of the picture, down to one colour all over.
fn picture() -> impl Strategy<Value = RgbImage> {
    let colors = prop::collection::vec(any::<[u8; 3]>(), 1..40);
    (colors, 17..80_u32, 17..80_u32, 1..40_u32).prop_map(|(colors, width, height, side)| {
        let color = |x: u32, y: u32| colors[((x / side) * 7 + y / side) as usize % colors.len()];
        RgbImage::from_fn(width, height, |x, y| Rgb(color(x, y)))
    })
}

proptest! {
    #[test]
    fn what_is_promised_of_a_spoilt_picture_holds_whatever_it_shows(picture in picture()) {
        let (health, decide) = (HealthConfig::default(), DecideConfig::default());
        let source = SourceConfig::Images(ImagesConfig::new("a".as_ref()));
        let given = Circumstances {
            health: &health,
            decide: &decide,
            source: &source,
            interval: Duration::from_millis(100),
            is_measured: true,
            is_masked: false,
        };
        for spoil in ALL {
            let spoilt = spoil.apply(picture.clone());
            prop_assert_eq!(spoilt.dimensions(), picture.dimensions());
            if let Ok((kind, is_beyond)) = beyond(spoil, &given) {
                prop_assert!(is_beyond && errors(&spoilt).contains(&kind), "{:?}: {:?}", spoil, errors(&spoilt));
            }
        }
    }
}

#[test]
fn colours_are_lost_and_a_channel_is_dead() {
    let picture = RgbImage::from_fn(20, 20, |x, y| Rgb([12 * x as u8, 12 * y as u8, 99]));
    assert!(
        Spoil::ColorLost.apply(picture.clone()).pixels().all(|Rgb([red, green, blue])| red == green && green == blue)
    );
    assert!(Spoil::DeadChannel.apply(picture.clone()).pixels().all(|Rgb([.., blue])| *blue == 0));
    assert!(errors(&Spoil::DeadChannel.apply(picture)).contains(&Kind::DeadChannel));
}

#[test]
fn the_sharpest_picture_has_lost_its_focus() {
    let board = |side_px: u32, square: u32| {
        RgbImage::from_fn(side_px, side_px, |x, y| Rgb([255 * ((x / square + y / square) % 2) as u8; 3]))
    };
    for (side_px, square) in [(64, 1), (64, 32), (300, 7), (300, 150)] {
        let spoilt = Spoil::Defocus.apply(board(side_px, square));
        assert!(errors(&spoilt).contains(&Kind::Defocus), "{side_px} px, squares of {square} px");
    }
}
