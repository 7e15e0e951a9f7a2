//! The drift of p-values, as a run tells it.

use std::fs;

use image::RgbImage;
use oodwatch::health::{Kind, Level};

use crate::support::{Bench, Ran, Tool, have, known, strange};

/// Footage of 30 s at 10 frames/s, with a window of a minute: a block is a second.
fn watched(look: fn(u32) -> RgbImage) -> Ran {
    let bench = Bench::new();
    bench.pictures("pictures", 100, 300, look);
    let config = bench.config("[camera.source.images]\npath = \"pictures\"\nframes_per_second = 10.0");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[drift]\nwindow_s = 60.0\n")).unwrap();
    bench.run(&["run", "--config", "config.toml"]).expect(0, &["p-values of 290 frames in"])
}

fn drifting(ran: &Ran) -> Vec<Option<u64>> {
    let verdicts = ran.verdicts().into_iter();
    let drifting = verdicts.filter(|verdict| verdict.health.iter().any(|finding| finding.kind == Kind::ScoreDrift));
    drifting.map(|verdict| verdict.frame).collect()
}

#[test]
fn a_scene_that_is_stranger_than_the_calibration_is_warned_of_and_a_replay_finds_the_same() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let ran = watched(strange).expect(0, &["frames are stranger than those of the calibration", "docs/RECALIBRATE.md"]);
    let drifts = drifting(&ran);
    // 20 blocks until it can be told, 3 for which it holds.
    assert_eq!(drifts.first(), Some(&Some(220)));
    assert_eq!(drifts, drifting(&watched(strange)));
    for verdict in ran.verdicts() {
        for finding in verdict.health {
            assert!(finding.level == Level::Warn && finding.value < 0.05 && finding.threshold == 0.35, "{finding:?}");
        }
    }
}

#[test]
fn a_scene_that_is_as_calibrated_is_not_warned_of() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let ran = watched(known);
    assert!(ran.verdicts().iter().all(|verdict| verdict.health.is_empty()), "{}", ran.stderr);
}
