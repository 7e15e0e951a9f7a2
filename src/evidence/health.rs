//! The health checks, exercised: each on known pictures that are spoilt for it, and all of them on the footage as it is.

use std::time::Duration;

use image::RgbImage;
use jiff::Timestamp;
use serde::Serialize;

use super::footage::{Seen, Watched};
use super::interval::{Interval, share};
use super::spoilt::{spoil, words};
use crate::decode::decode;
use crate::health::{Finding, Health, HealthConfig, Kind, Level, Limits, Meta, View, measures};
use crate::source::faults::picture;
use crate::view::ViewConfig;

/// Frames per second of the trials.
const FRAMES_PER_SECOND: u64 = 20;
/// Good frames before the spoilt ones: long enough for a rate to be known.
const GOOD_FRAMES: u64 = 100;
/// Spoilt frames beyond those that a check waits for.
const SPOILT_FRAMES: u64 = 20;
/// Good frames to bad ones, where the rate drops.
const SLOWER: u64 = 5;
/// Difference between the channels of a picture that shows colours.
const COLORFUL: f64 = 6.0;

/// What a check says of spoilt pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The check.
    pub kind: Kind,
    /// What was done to the pictures, or to their coming.
    pub spoilt: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was told.
    Told {
        /// The worst of it.
        level: Level,
        /// With which spoilt frame first, from 1.
        with_frame: u64,
        /// In how many of the frames from there on.
        share: f64,
    },
    /// It was not, though it should have been.
    NotTold,
    /// It could not be.
    NotApplicable {
        /// Why not.
        why: &'static str,
    },
}

/// What was wrongly told of the footage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FalseFinding {
    /// The check.
    pub kind: Kind,
    /// Frames with a warning.
    pub warnings: usize,
    /// Frames with an error.
    pub errors: usize,
}

/// The checks on the footage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checks {
    /// Pictures of the footage that were spoilt.
    pub pictures: usize,
    /// Every check once.
    pub trials: Vec<Trial>,
    /// What was told of the footage as it is.
    pub on_known: Vec<FalseFinding>,
    /// Share of its frames that were called unhealthy.
    pub unhealthy: Interval,
}

/// Exercises every check on pictures of known footage.
pub(super) fn exercise(config: &HealthConfig, view: &ViewConfig, known: &Watched, tick: &dyn Fn(&str)) -> Checks {
    let pictures: Vec<RgbImage> = known.kept.iter().filter_map(|content| decode(picture::copy(content)).ok()).collect();
    let is_measured = pictures.iter().all(|picture| measures(view, picture));
    let trial = |kind: Kind| {
        tick("health");
        let outcome = match not_applicable(config, kind, &pictures, is_measured) {
            Some(why) => Outcome::NotApplicable { why },
            None => excused(kind, view, try_out(config, view, kind, &pictures)),
        };
        Trial { kind, spoilt: words(kind).unwrap_or_else(|| words_of_coming(kind)), outcome }
    };
    let unhealthy = known.seen.iter().filter(|seen| has(seen, |finding| finding.level == Level::Error)).count();
    Checks {
        trials: Kind::ALL.map(trial).into(),
        on_known: Kind::ALL.into_iter().filter_map(|kind| false_finding(kind, &known.seen)).collect(),
        unhealthy: share(unhealthy as f64, known.seen.len() as f64),
        pictures: pictures.len(),
    }
}

fn has(seen: &Seen, wanted: impl Fn(&Finding) -> bool) -> bool {
    seen.findings.iter().any(wanted)
}

fn false_finding(kind: Kind, seen: &[Seen]) -> Option<FalseFinding> {
    let count = |level| seen.iter().filter(|seen| has(seen, |one| one.kind == kind && one.level == level)).count();
    let (warnings, errors) = (count(Level::Warn), count(Level::Error));
    (warnings + errors > 0).then_some(FalseFinding { kind, warnings, errors })
}

fn not_applicable(config: &HealthConfig, kind: Kind, pictures: &[RgbImage], is_measured: bool) -> Option<&'static str> {
    let of_picture = words(kind).is_some() || kind == Kind::Frozen;
    let of_color = matches!(kind, Kind::DeadChannel | Kind::ColorLost);
    if matches!(kind, Kind::ScoreDrift | Kind::ScoreSlack) {
        Some("about an hour of p-values, not about pictures: docs/RECALIBRATE.md")
    } else if !kind.is_of_picture() {
        Some("about the board of the robot, not about pictures: docs/JETSON.md")
    } else if !config.enabled || is_switched_off(config, kind) {
        Some("switched off in [health]")
    } else if pictures.is_empty() {
        Some("no picture of the footage was kept")
    } else if of_picture && !is_measured {
        Some("the pictures, or what the mask leaves of them, are too small to be measured")
    } else if of_color && !pictures.iter().take(GOOD_FRAMES as usize).any(is_colorful) {
        Some("the footage shows no colours")
    } else {
        None
    }
}

/// A mask may hide the part of the pictures that was spoilt.
fn excused(kind: Kind, view: &ViewConfig, outcome: Outcome) -> Outcome {
    let of_a_part = matches!(kind, Kind::Blocked | Kind::Backlit);
    match outcome {
        Outcome::NotTold if of_a_part && !view.mask().is_none() => {
            Outcome::NotApplicable { why: "the mask may hide what is covered or in shadow" }
        }
        outcome => outcome,
    }
}

fn is_colorful(picture: &RgbImage) -> bool {
    let spread = |[red, green, blue]: [u8; 3]| f64::from(red.max(green).max(blue) - red.min(green).min(blue));
    let sum: f64 = picture.pixels().map(|pixel| spread(pixel.0)).sum();
    sum > COLORFUL * f64::from(picture.width()) * f64::from(picture.height())
}

/// Whether no reading is ever beyond the limit.
fn is_switched_off(config: &HealthConfig, kind: Kind) -> bool {
    const BLOCKS: f32 = 25.0;
    let above = |limits: Limits, most: f32| limits.warn >= most;
    let below = |limits: Limits| limits.warn <= 0.0;
    match kind {
        Kind::Frozen => above(config.frozen_s, f32::INFINITY),
        Kind::OutOfOrder => false,
        Kind::Late => above(config.late_ms, f32::INFINITY),
        Kind::RateDrop => below(config.rate_share),
        Kind::Dark => above(config.dark_blocks, BLOCKS),
        Kind::Blocked => above(config.covered_blocks, BLOCKS),
        Kind::LowVisibility => below(config.contrast),
        Kind::Defocus => below(config.sharpness),
        Kind::Overexposed => above(config.bright_blocks, BLOCKS),
        Kind::Backlit => above(config.backlit_blocks, BLOCKS),
        Kind::Noise => above(config.noise, f32::INFINITY),
        Kind::DeadChannel => below(config.channel_range),
        Kind::ColorLost => below(config.colorfulness),
        Kind::ColorCast => above(config.cast_blocks, BLOCKS),
        Kind::ScoreDrift | Kind::ScoreSlack | Kind::BoardThrottled | Kind::BoardHot => false,
    }
}

fn words_of_coming(kind: Kind) -> &'static str {
    match kind {
        Kind::Frozen => "one picture again and again",
        Kind::OutOfOrder => "numbers and times run backwards",
        Kind::Late => "twice as old as the limit",
        Kind::ScoreDrift => "stranger for hours than those of the calibration",
        Kind::ScoreSlack => "more alike for hours than those of the calibration",
        Kind::BoardThrottled => "the board holds itself back",
        Kind::BoardHot => "the board is about to switch itself off",
        _ => "a fifth of the rate",
    }
}

/// Good frames, then spoilt ones, through checks that have seen nothing before.
fn try_out(config: &HealthConfig, view: &ViewConfig, kind: Kind, pictures: &[RgbImage]) -> Outcome {
    let mut health = Health::new(config).with_view(view);
    let mut look = |number: u64, picture: &RgbImage, meta: Meta| {
        let spoilt = number >= GOOD_FRAMES;
        let told = match spoilt {
            true => health.look(&View::of(&spoil(kind, picture, number)), meta),
            false => health.look(&View::of(picture), meta),
        };
        told.level(kind).filter(|_| spoilt)
    };
    let spoilt_frames = SPOILT_FRAMES + u64::from(config.consecutive_frames) + frames_until(config, kind);
    let told: Vec<Option<Level>> = (0..GOOD_FRAMES + spoilt_frames)
        .map(|number| {
            let stands_still = kind == Kind::Frozen && number >= GOOD_FRAMES;
            let place = if stands_still { GOOD_FRAMES } else { number } % pictures.len() as u64;
            look(number, &pictures[place as usize], coming(config, kind, number))
        })
        .skip(GOOD_FRAMES as usize)
        .collect();
    let Some(first) = told.iter().position(Option::is_some) else { return Outcome::NotTold };
    let rest = &told[first..];
    Outcome::Told {
        level: rest.iter().flatten().max().copied().unwrap_or(Level::Warn),
        with_frame: first as u64 + 1,
        share: rest.iter().flatten().count() as f64 / rest.len() as f64,
    }
}

/// Frames that a check waits for by itself.
fn frames_until(config: &HealthConfig, kind: Kind) -> u64 {
    match kind {
        Kind::Frozen => {
            let limit_s = if config.frozen_s.error.is_finite() { config.frozen_s.error } else { config.frozen_s.warn };
            (f64::from(limit_s) * FRAMES_PER_SECOND as f64).ceil() as u64
        }
        // Its rate is that of the last 32.
        Kind::RateDrop => 32,
        _ => 0,
    }
}

/// Number, time and age of a frame.
fn coming(config: &HealthConfig, kind: Kind, number: u64) -> Meta {
    let spoilt = number.saturating_sub(GOOD_FRAMES - 1);
    let (index, steps, age_ms) = match kind {
        Kind::OutOfOrder => (GOOD_FRAMES + number - 2 * spoilt, GOOD_FRAMES + number - 2 * spoilt, 0.0),
        Kind::RateDrop => (number, number + (SLOWER - 1) * spoilt, 0.0),
        Kind::Late if spoilt > 0 => {
            let limits = config.late_ms;
            (number, number, 2.0 * if limits.error.is_finite() { limits.error } else { limits.warn })
        }
        _ => (number, number, 0.0),
    };
    let since_start = Duration::from_millis(1000 * steps / FRAMES_PER_SECOND);
    Meta {
        index,
        captured_at: Timestamp::UNIX_EPOCH.saturating_add(since_start).unwrap_or(Timestamp::UNIX_EPOCH),
        age: Duration::try_from_secs_f32(age_ms / 1000.0).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Polygon;

    /// A coloured scene with edges, a little different each time.
    fn scenes(side_px: u32) -> Vec<RgbImage> {
        let scene = |number: u32| {
            RgbImage::from_fn(side_px, side_px, |x, y| {
                let (x, y) = (256 * x / side_px, 256 * y / side_px);
                let stripe = ((x + 9 * number) / 24).is_multiple_of(2) && (60..200).contains(&y);
                if stripe {
                    image::Rgb([230, 220, 190])
                } else {
                    image::Rgb([(40 + x / 3) as u8, (40 + y / 4) as u8, 150])
                }
            })
        };
        (0..8).map(scene).collect()
    }

    #[test]
    fn every_check_tells_of_the_pictures_that_are_spoilt_for_it() {
        for side_px in [32, 48] {
            let pictures = scenes(side_px);
            for kind in Kind::ALL.into_iter().filter(|kind| kind.is_of_picture()) {
                let config = HealthConfig::default();
                assert_eq!(not_applicable(&config, kind, &pictures, true), None, "{kind:?}");
                let found = try_out(&config, &ViewConfig::default(), kind, &pictures);
                let Outcome::Told { level, share, .. } = found else { panic!("{side_px} px: {kind:?}: {found:?}") };
                let warns_alone = matches!(kind, Kind::OutOfOrder | Kind::ColorLost);
                assert_eq!(level == Level::Error, !warns_alone, "{kind:?}");
                assert!(share > 0.9, "{kind:?}: {share}");
            }
        }
    }

    #[test]
    fn what_cannot_be_told_says_why() {
        let off: HealthConfig =
            toml::from_str("noise = { warn = inf, error = inf }\nsharpness = { warn = 0, error = 0 }").unwrap();
        for kind in [Kind::Noise, Kind::Defocus] {
            assert_eq!(not_applicable(&off, kind, &scenes(32), true), Some("switched off in [health]"));
        }
        let config = HealthConfig::default();
        for kind in [Kind::ScoreDrift, Kind::ScoreSlack] {
            assert!(not_applicable(&config, kind, &scenes(32), true).unwrap().contains("p-values"));
        }
        assert!(not_applicable(&config, Kind::BoardHot, &scenes(32), true).unwrap().contains("board"));
        assert!(not_applicable(&config, Kind::Dark, &scenes(8), false).unwrap().contains("too small"));
        assert_eq!(not_applicable(&config, Kind::Late, &scenes(8), false), None);
        let grey: Vec<RgbImage> = scenes(32).iter().map(|scene| spoil(Kind::ColorLost, scene, 0)).collect();
        assert!(not_applicable(&config, Kind::ColorLost, &grey, true).unwrap().contains("no colours"));
    }

    #[test]
    fn what_a_mask_hides_need_not_be_told() {
        let right = Polygon(vec![[0.8, 0.0], [1.0, 0.0], [1.0, 1.0], [0.8, 1.0]]);
        let view = ViewConfig { keep: vec![right], ..ViewConfig::default() };
        let (config, pictures) = (HealthConfig::default(), scenes(32));
        let tried = |view: &ViewConfig, kind| excused(kind, view, try_out(&config, view, kind, &pictures));
        assert!(measures(&view, &pictures[0]));
        for kind in [Kind::Blocked, Kind::Backlit] {
            assert!(matches!(tried(&view, kind), Outcome::NotApplicable { .. }), "{kind:?}");
            assert!(matches!(tried(&ViewConfig::default(), kind), Outcome::Told { .. }), "{kind:?}");
        }
        assert!(matches!(tried(&view, Kind::Dark), Outcome::Told { .. }));
        assert_eq!(excused(Kind::Dark, &view, Outcome::NotTold), Outcome::NotTold);
    }
}
