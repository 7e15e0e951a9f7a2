//! Known pictures, spoilt on purpose: for every check of the picture's health one way in which it has to notice.

use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::SEED;
use crate::health::Kind;
use crate::source::faults::picture::Noise;
use crate::source::faults::spoil::Spoil;

/// Standard deviation of the noise, where white is 255; half of it is left where the picture is black or white.
const NOISE: f64 = 90.0;

/// The fault of the source that a check is for; none where it is another one, or no fault of the picture.
fn spoils(kind: Kind) -> Option<Spoil> {
    Some(match kind {
        Kind::Blocked => Spoil::Blocked,
        Kind::LowVisibility => Spoil::LowVisibility,
        Kind::Defocus => Spoil::Defocus,
        Kind::Overexposed => Spoil::Overexposed,
        Kind::Backlit => Spoil::Backlit,
        Kind::DeadChannel => Spoil::DeadChannel,
        Kind::ColorLost => Spoil::ColorLost,
        Kind::ColorCast => Spoil::ColorCast,
        Kind::Dark | Kind::Noise | Kind::Frozen | Kind::OutOfOrder | Kind::Late | Kind::RateDrop => return None,
        Kind::ScoreDrift | Kind::ScoreSlack | Kind::BoardThrottled | Kind::BoardHot => return None,
    })
}

/// How a picture is spoilt for a check, in words; none where it is the coming of frames that the check looks at.
pub(super) fn words(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Dark => Some("nearly black"),
        Kind::Noise => Some("noise of standard deviation 90"),
        _ => spoils(kind).map(Spoil::words),
    }
}

/// The spoilt picture; the picture itself where it is the coming of frames that the check looks at.
pub(super) fn spoil(kind: Kind, picture: &RgbImage, number: u64) -> RgbImage {
    let mut picture = picture.clone();
    match kind {
        Kind::Noise => {
            let mut rng = ChaCha8Rng::seed_from_u64(SEED.wrapping_add(number));
            Noise::new(NOISE).add(picture, &mut rng)
        }
        Kind::Dark => {
            picture.iter_mut().for_each(|value| *value /= 100);
            picture
        }
        _ => match spoils(kind) {
            Some(spoil) => spoil.apply(picture),
            None => picture,
        },
    }
}
