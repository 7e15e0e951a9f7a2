//! Which spoilt pictures are beyond the error limits of `[health]`, whatever they show.

use super::expected::Circumstances;
use super::spoil::{
    CAST, FOG_FROM, FOG_RANGE, LEFT_BLOCKS, RIGHT_BLOCKS, SHADOW_TO, Spoil, UNCOVERED_FROM, WHITE_FROM,
};
use crate::health::Kind;

/// Blocks of a picture.
pub(super) const BLOCKS: f32 = 25.0;
/// What luma may differ from the values that it is made of, by rounding.
const ROUNDING: f32 = 1.0;

/// What a spoilt picture is, and whether that is beyond the limit for an error.
///
/// # Errors
/// Why nothing can be said without a look at the picture.
pub(super) fn beyond(spoil: Spoil, given: &Circumstances<'_>) -> Result<(Kind, bool), &'static str> {
    let health = given.health;
    let white = f32::from(WHITE_FROM) - ROUNDING > health.bright_above;
    let in_shadow = f32::from(SHADOW_TO) + ROUNDING < health.shadow_below;
    let black = health.dark_below > 0.0 && health.covered_share < 1.0;
    Ok(match spoil {
        Spoil::Backlit | Spoil::Blocked if given.is_masked => {
            return Err("the mask may hide what is covered or in shadow");
        }
        Spoil::Defocus => return Err("a dark picture is dark and nothing else, and a very small one may stay sharp"),
        Spoil::DeadChannel => return Err("a picture of little contrast lacks no channel"),
        Spoil::ColorLost => return Err("lost colours are a warning by default, of a camera that showed some before"),
        Spoil::Overexposed => (Kind::Overexposed, white && BLOCKS > health.bright_blocks.error),
        Spoil::Backlit => {
            (Kind::Backlit, white && in_shadow && LEFT_BLOCKS.min(RIGHT_BLOCKS) > health.backlit_blocks.error)
        }
        Spoil::Blocked => {
            let others_are_none = f32::from(UNCOVERED_FROM) - ROUNDING > health.dark_below;
            (Kind::Blocked, black && others_are_none && LEFT_BLOCKS > health.covered_blocks.error)
        }
        Spoil::LowVisibility => {
            let is_lit = f32::from(FOG_FROM) - ROUNDING > health.dark_below;
            (Kind::LowVisibility, is_lit && f32::from(FOG_RANGE) + ROUNDING < 255.0 * health.contrast.error)
        }
        Spoil::ColorCast => {
            (Kind::ColorCast, f32::from(CAST) - ROUNDING > health.cast_from && BLOCKS > health.cast_blocks.error)
        }
    })
}
