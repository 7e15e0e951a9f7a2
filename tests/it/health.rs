//! The health checks on photographs, whole and with the faults of `camera.source.faults`: what they find, and what they find wrongly.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use image::{Rgb, RgbImage};
use oodwatch::decode::decode;
use oodwatch::health::{Findings, Health, HealthConfig, Kind, Level, Meta, View};
use oodwatch::source::{self, SourceConfig};

use crate::support::{Bench, Tool, cifar10, have};

/// Photographs that most tests look at: of 32x32 pixels, no two of one scene.
const PHOTOGRAPHS: usize = 400;

fn photographs(count: usize) -> Vec<RgbImage> {
    let photograph = |record: &[u8]| {
        let value = |x, y, channel: usize| record[1 + 1024 * channel + 32 * y as usize + x as usize];
        RgbImage::from_fn(32, 32, |x, y| Rgb([0, 1, 2].map(|channel| value(x, y, channel))))
    };
    fs::read(cifar10()).unwrap().chunks_exact(3073).take(count).map(photograph).collect()
}

/// What is found in each of so many photographs under this script, which takes none away.
fn found(count: usize, script: &str, consecutive_frames: u32) -> Vec<Vec<(Kind, Level)>> {
    let all = found_of(count, script, consecutive_frames);
    assert_eq!(all.len(), count);
    all
}

/// What is found in each frame of so many photographs that comes under this script.
fn found_of(count: usize, script: &str, consecutive_frames: u32) -> Vec<Vec<(Kind, Level)>> {
    let bench = Bench::new();
    fs::create_dir(bench.path("pictures")).unwrap();
    for (number, photograph) in photographs(count).iter().enumerate() {
        photograph.save(bench.path(&format!("pictures/{number:04}.png"))).unwrap();
    }
    let path = bench.path("pictures").display().to_string();
    let source = format!("[faults]\nseed = 1\n[faults.source.images]\npath = {path:?}\nframes_per_second = 30.0\n");
    let config: SourceConfig = toml::from_str(&format!("{source}{script}")).unwrap();

    let mut source = source::open(&config).unwrap();
    let mut health = Health::new(&HealthConfig { consecutive_frames, ..HealthConfig::default() });
    let list = |findings: &Findings| findings.list.iter().map(|finding| (finding.kind, finding.level)).collect();
    let mut all = Vec::new();
    while let Some(frame) = source.next_frame(&AtomicBool::new(false)).unwrap() {
        // Reading and decoding are slow on a busy machine, which is not what is asked here.
        let meta = Meta { age: Duration::ZERO, ..Meta::of(&frame) };
        all.push(list(health.look(&View::of(&decode(frame.content).unwrap()), meta)));
    }
    all
}

/// Photographs with this finding, at this level or worse.
fn count(all: &[Vec<(Kind, Level)>], kind: Kind, least: Level) -> usize {
    all.iter().filter(|list| list.iter().any(|(found, level)| *found == kind && *level >= least)).count()
}

/// No fault but one from the first frame on.
fn always(fault: &str) -> String {
    format!("[[faults.script]]\nfrom_frame = 0\n{fault}")
}

const NONE: &str = "[[faults.script]]\nkind = \"black\"\nfrom_frame = 1000000";

#[test]
fn photographs_are_healthy_with_few_exceptions_and_a_stream_of_them_without() {
    if !have(&[Tool::Cifar10]) {
        return;
    }
    let single = found(PHOTOGRAPHS, NONE, 1);
    // Grey photographs among coloured ones, black or white backgrounds: of all 10,000 see docs/HEALTH.md.
    let errors = single.iter().filter(|list| list.iter().any(|(_, level)| *level == Level::Error)).count();
    let any = single.iter().filter(|list| !list.is_empty()).count();
    assert!(errors <= PHOTOGRAPHS / 50 && any <= PHOTOGRAPHS / 20, "{errors} errors, {any} findings");
    assert!(found(PHOTOGRAPHS, NONE, 3).iter().all(Vec::is_empty));
}

#[test]
fn every_fault_of_the_picture_is_found_in_nearly_every_photograph() {
    if !have(&[Tool::Cifar10]) {
        return;
    }
    let black = found(PHOTOGRAPHS, &always("kind = \"black\""), 1);
    assert_eq!(count(&black, Kind::Dark, Level::Error), PHOTOGRAPHS);
    let noise = found(PHOTOGRAPHS, &always("kind = \"noise\"\nsigma = 40"), 1);
    // Those with white backgrounds have less room for it.
    assert!(count(&noise, Kind::Noise, Level::Warn) >= PHOTOGRAPHS * 95 / 100);
    let frozen = found(PHOTOGRAPHS, &always("kind = \"freeze\""), 3);
    // 0.5 s at 30 frames a second, for three of them.
    assert_eq!(count(&frozen, Kind::Frozen, Level::Error), PHOTOGRAPHS - 18);
    let jump =
        found(PHOTOGRAPHS, "[[faults.script]]\nkind = \"timestamp_jump\"\nfrom_frame = 100\nmilliseconds = -5000", 1);
    assert_eq!(count(&jump, Kind::OutOfOrder, Level::Warn), 1);
}

#[test]
fn an_enlarged_picture_has_lost_its_focus() {
    if !have(&[Tool::Cifar10]) {
        return;
    }
    let enlarged = found(40, &always("kind = \"wrong_size\"\nfactor = 8"), 1);
    assert!(count(&enlarged, Kind::Defocus, Level::Warn) >= 36, "{enlarged:?}");
}

/// Everything that needs one look at a picture of its own.
#[test]
fn what_spoils_a_picture_is_found_by_the_check_that_is_for_it_in_nearly_every_photograph() {
    if !have(&[Tool::Cifar10]) {
        return;
    }
    for (fault, kind) in [
        ("overexposed", Kind::Overexposed),
        ("backlit", Kind::Backlit),
        ("blocked", Kind::Blocked),
        ("low_visibility", Kind::LowVisibility),
        ("defocus", Kind::Defocus),
        ("dead_channel", Kind::DeadChannel),
        ("color_cast", Kind::ColorCast),
    ] {
        let found = found(PHOTOGRAPHS, &always(&format!("kind = {fault:?}")), 1);
        let count = count(&found, kind, Level::Error);
        assert!(count >= PHOTOGRAPHS * 95 / 100, "{fault}: {count} of {PHOTOGRAPHS}");
    }
}

#[test]
fn lost_colours_are_a_warning_once_the_camera_has_shown_some() {
    if !have(&[Tool::Cifar10]) {
        return;
    }
    let at_once = found(PHOTOGRAPHS, &always("kind = \"color_lost\""), 1);
    assert_eq!(count(&at_once, Kind::ColorLost, Level::Warn), 0);
    let later = found(PHOTOGRAPHS, "[[faults.script]]\nkind = \"color_lost\"\nfrom_frame = 100", 1);
    let (before, after) = later.split_at(100);
    // Grey photographs among coloured ones before, pictures that are dark and nothing else after.
    assert!(count(before, Kind::ColorLost, Level::Warn) <= 5);
    assert!(count(after, Kind::ColorLost, Level::Warn) >= after.len() * 95 / 100);
    assert_eq!(count(&later, Kind::ColorLost, Level::Error), 0);
}

#[test]
fn a_rate_that_drops_is_told_once_the_newest_frames_show_it() {
    if !have(&[Tool::Cifar10]) {
        return;
    }
    let script = "[[faults.script]]\nkind = \"rate_drop\"\nfrom_frame = 100\nkeep_every = 4";
    let found = found_of(PHOTOGRAPHS, script, 1);
    assert_eq!(found.len(), 100 + 300 / 4);
    let (before, after) = found.split_at(100);
    assert_eq!(count(before, Kind::RateDrop, Level::Warn) + count(&found, Kind::OutOfOrder, Level::Warn), 0);
    // The first comes as usual; then 11 of the last 32 intervals, four times as long, make less than half the rate.
    let first = after.iter().position(|list| list.contains(&(Kind::RateDrop, Level::Error))).unwrap();
    assert_eq!(first, 11);
    assert_eq!(count(&after[first..], Kind::RateDrop, Level::Error), after.len() - first);
}
