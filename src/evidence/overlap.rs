//! Whether the known footage is that of the calibration, on which a threshold looks better than it is.
//!
//! A package keeps no pictures and no hashes of them, but it keeps the scores of its calibration frames. The same picture has the
//! same score, up to rounding; of another picture it is a coincidence, and how often that happens shows among the
//! calibration's own scores. What is found this way is certain enough to refuse; that nothing is found proves nothing.

use serde::Serialize;

use crate::calibrate::{Criterion, ScoreCalibration};

/// Relative difference up to which two scores are of one picture: a few roundings of 24 bits.
const ROUNDING: f32 = 2e-6;
/// Share of frames with a score of the calibration from which on the footage is the calibration's.
const REFUSED_FROM: f64 = 0.5;
/// Share of the calibration's scores with a near neighbour up to which a coincidence is rare.
const RARE: f64 = 0.2;

/// What can be told about the footage and the calibration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Shares of frames with a score of the calibration, as found, and as chance alone would give it.
    Compared {
        /// Of the frames here.
        found: f64,
        /// Of the calibration's frames among each other.
        by_chance: f64,
    },
    /// Nothing can be said.
    CannotTell {
        /// Why not.
        why: &'static str,
    },
}

impl Overlap {
    /// Compares scores with those that set the thresholds.
    pub(super) fn of(scores: &[f32], criterion: &Criterion, calibration: &ScoreCalibration) -> Self {
        if matches!(criterion, Criterion::Fusion(_)) {
            return Self::CannotTell { why: "a fusion is made of ranks, which many pictures share" };
        }
        let known = calibration.all.scores();
        let by_chance = known.windows(2).filter(|pair| near(pair[0], pair[1])).count() as f64 / known.len() as f64;
        if by_chance > RARE {
            return Self::CannotTell { why: "too many pictures have the same score" };
        }
        let found = scores.iter().filter(|score| is_among(known, **score)).count() as f64 / scores.len().max(1) as f64;
        Self::Compared { found, by_chance }
    }

    /// Whether these are the pictures of the calibration.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Compared { found, .. } if *found >= REFUSED_FROM)
    }
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= ROUNDING * (1.0 + a.abs())
}

/// Whether an ascending list has nearly this number.
fn is_among(sorted: &[f32], score: f32) -> bool {
    let place = sorted.partition_point(|known| *known < score);
    let neighbours = sorted[place.saturating_sub(1)..].iter().take(2);
    neighbours.into_iter().any(|known| near(*known, score))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::Target;

    fn scores(seed: u64, count: usize) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| random.f32() * 20.0 - 15.0).collect()
    }

    fn overlap(known: Vec<f32>, scores: &[f32]) -> Overlap {
        let calibration = ScoreCalibration::new(known, Target::rate(0.05)).unwrap();
        Overlap::of(scores, &Criterion::default(), &calibration)
    }

    #[test]
    fn the_calibrations_own_pictures_are_recognised_though_rounded_and_others_are_not() {
        let known = scores(1, 2000);
        let rounded: Vec<f32> = known.iter().map(|score| score * (1.0 + 5e-7)).collect();
        assert!(overlap(known.clone(), &rounded).is_refused());
        let others = overlap(known.clone(), &scores(2, 2000));
        assert!(!others.is_refused(), "{others:?}");
        let mostly_others = [&scores(2, 600)[..], &known[..400]].concat();
        let Overlap::Compared { found, by_chance } = overlap(known, &mostly_others) else { panic!("not compared") };
        assert!(found > 0.39 && found < 0.45 && by_chance < 0.02, "{found} {by_chance}");
    }

    #[test]
    fn where_scores_tie_nothing_is_concluded() {
        let known: Vec<f32> = (0..2000).map(|place| (place % 40) as f32).collect();
        let found = overlap(known.clone(), &known);
        assert!(matches!(found, Overlap::CannotTell { .. }) && !found.is_refused());
    }
}
