//! What is told of streams of which it is known whether they drift.

use super::*;
use statrs::distribution::Normal;

/// Footage of so many blocks of 60 frames, a frame per second.
const BLOCK_FRAMES: usize = 60;

/// p-values of a score x that follows x' = phi x + noise, of mean 0 and standard deviation 1 in the calibration. From the frame
/// `from` on it is `shift` higher and `scale` times as wide.
fn stream(seed: u64, phi: f64, frames: usize, from: usize, (shift, scale): (f64, f64)) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut normal = || {
        // Box & Muller, 1958.
        let (radius, angle) = (1.0 - random.f64(), random.f64());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    };
    let standard = Normal::new(0.0, 1.0).unwrap();
    let mut x = normal();
    let step = |frame: usize| {
        x = phi * x + (1.0 - phi * phi).sqrt() * normal();
        let seen = if frame < from { x } else { shift + scale * x };
        1.0 - standard.cdf(seen)
    };
    (0..frames).map(step).collect()
}

/// The frames at which something new is told, with its kind.
fn told(p_values: &[f64]) -> Vec<(usize, Kind)> {
    let mut drift = Drift::new(&DriftConfig::default());
    let (mut told, mut before) = (Vec::new(), Vec::new());
    for (frame, p_value) in p_values.iter().enumerate() {
        let mut findings = Vec::new();
        drift.see(*p_value, Timestamp::from_second(frame as i64).unwrap(), &mut findings);
        let kinds: Vec<Kind> = findings.iter().map(|finding| finding.kind).collect();
        told.extend(kinds.iter().filter(|kind| !before.contains(*kind)).map(|kind| (frame, *kind)));
        before = kinds;
    }
    told
}

const NEVER: usize = usize::MAX;
const SAME: (f64, f64) = (0.0, 1.0);

/// 100 streams of three hours each: at a shift of 0.15 and once in 10,000 looks, chance has little to say.
#[test]
fn frames_that_are_as_calibrated_are_hardly_ever_said_to_drift_however_much_they_resemble_each_other() {
    for (phi, most) in [(0.0, 0), (0.9, 0), (0.97, 2)] {
        let warned = (0..100).filter(|seed| !told(&stream(*seed, phi, 180 * BLOCK_FRAMES, NEVER, SAME)).is_empty());
        let warned = warned.count();
        assert!(warned <= most, "phi {phi}: {warned} of 100 streams");
    }
}

#[test]
fn frames_that_get_stranger_are_told_within_a_window() {
    for phi in [0.0, 0.9] {
        for seed in 0..20 {
            let from = 60 * BLOCK_FRAMES;
            let told = told(&stream(seed, phi, 130 * BLOCK_FRAMES, from, (1.2, 1.0)));
            let (at, kind) = told[0];
            assert!(kind == Kind::ScoreDrift && at > from && at < from + 63 * BLOCK_FRAMES, "{phi} {seed}: {told:?}");
        }
    }
}

#[test]
fn frames_that_are_all_familiar_or_all_alike_make_thresholds_blunt_and_are_told() {
    for change in [(-1.2, 1.0), (0.0, 0.3)] {
        for seed in 0..20 {
            let told = told(&stream(seed, 0.9, 130 * BLOCK_FRAMES, 0, change));
            assert!(!told.is_empty() && told.iter().all(|(_, kind)| *kind == Kind::ScoreSlack), "{change:?}: {told:?}");
        }
    }
}

#[test]
fn nothing_is_said_of_little_footage_or_where_nobody_wants_it() {
    let strange = stream(1, 0.0, 20 * BLOCK_FRAMES, 0, (3.0, 1.0));
    assert!(told(&strange).is_empty());
    let mut drift = Drift::new(&DriftConfig { window_s: 0.0, ..DriftConfig::default() });
    for (frame, p_value) in stream(1, 0.0, 60 * BLOCK_FRAMES, 0, (3.0, 1.0)).iter().enumerate() {
        let mut findings = Vec::new();
        drift.see(*p_value, Timestamp::from_second(frame as i64).unwrap(), &mut findings);
        assert!(findings.is_empty());
    }
    assert_eq!(drift.reading(), None);
}

#[test]
fn what_was_told_is_taken_back_when_the_scene_is_as_calibrated_again() {
    let mut p_values = stream(3, 0.5, 60 * BLOCK_FRAMES, 0, (1.5, 1.0));
    p_values.extend(stream(4, 0.5, 90 * BLOCK_FRAMES, NEVER, SAME));
    let mut drift = Drift::new(&DriftConfig::default());
    let mut last = Vec::new();
    for (frame, p_value) in p_values.iter().enumerate() {
        last.clear();
        drift.see(*p_value, Timestamp::from_second(frame as i64).unwrap(), &mut last);
        if frame == 60 * BLOCK_FRAMES {
            assert_eq!(last.len(), 1, "told while it lasted");
        }
    }
    assert!(last.is_empty(), "{last:?}");
}

#[test]
fn a_reading_is_that_of_the_last_window_and_its_memory_is_bounded() {
    let mut drift = Drift::new(&DriftConfig::default());
    for (frame, p_value) in stream(5, 0.0, 300 * BLOCK_FRAMES, NEVER, SAME).iter().enumerate() {
        drift.see(*p_value, Timestamp::from_second(frame as i64).unwrap(), &mut Vec::new());
    }
    let reading = drift.reading().unwrap();
    assert_eq!((reading.frames, drift.window.len()), (3_600, BLOCKS));
    assert!((reading.mean - 0.5).abs() < 0.03 && (reading.spread - 0.5).abs() < 0.03, "{reading:?}");
    assert!((reading.tenths.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert_eq!(reading.seconds, 3_599.0);
}

#[test]
fn times_that_stand_still_or_go_back_close_no_block() {
    let mut drift = Drift::new(&DriftConfig::default());
    for second in (0..5_000).rev() {
        drift.see(0.5, Timestamp::from_second(second).unwrap(), &mut Vec::new());
    }
    assert_eq!(drift.reading(), None);
}

#[test]
fn the_defaults_are_sound_and_what_cannot_be_meant_is_named() {
    let wrong = |window_s, shift| DriftConfig { window_s, shift }.wrong_value().map(|(key, ..)| key);
    assert_eq!(DriftConfig::default().wrong_value(), None);
    assert_eq!(
        (wrong(0.0, 0.15), wrong(-1.0, 0.15), wrong(f64::NAN, 0.15)),
        (None, Some("window_s"), Some("window_s"))
    );
    assert_eq!((wrong(60.0, 0.5), wrong(60.0, 0.0)), (Some("shift"), Some("shift")));
}

#[test]
fn p_values_that_are_all_the_same_and_far_off_are_a_drift_though_nothing_varies() {
    assert_eq!(told(&vec![0.01; 30 * BLOCK_FRAMES]).first().map(|(_, kind)| *kind), Some(Kind::ScoreDrift));
    assert_eq!(told(&vec![0.99; 30 * BLOCK_FRAMES]).first().map(|(_, kind)| *kind), Some(Kind::ScoreSlack));
}
