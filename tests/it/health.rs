//! The health checks on photographs, whole and with the faults of `camera.source.faults`: what they find, and what they find wrongly.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use jiff::Timestamp;
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

/// What is found in each of so many photographs under this script.
fn found(count: usize, script: &str, consecutive_frames: u32) -> Vec<Vec<(Kind, Level)>> {
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
    assert_eq!(all.len(), count);
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

/// What a camera does to a picture.
type Spoil<'a> = &'a dyn Fn(&RgbImage) -> RgbImage;

/// What no fault of the source does to a picture, done by hand.
#[test]
fn every_other_check_of_the_picture_finds_what_it_is_for_in_nearly_every_photograph() {
    if !have(&[Tool::Cifar10]) {
        return;
    }
    let photographs = photographs(PHOTOGRAPHS);
    let each = |photograph: &RgbImage, change: &dyn Fn(u32, [u8; 3]) -> [u8; 3]| {
        RgbImage::from_fn(32, 32, |x, y| Rgb(change(x, photograph.get_pixel(x, y).0)))
    };
    let bright = |value: u8| 240 + value / 17;
    let blurred = |photograph: &RgbImage| {
        let small = imageops::resize(photograph, 2, 2, FilterType::Triangle);
        imageops::resize(&small, 32, 32, FilterType::CatmullRom)
    };
    let spoilt: [(Kind, Spoil<'_>); 7] = [
        (Kind::Overexposed, &|it| each(it, &|_, rgb| rgb.map(bright))),
        (Kind::Backlit, &|it| each(it, &|x, rgb| rgb.map(|value| if x < 14 { value / 20 } else { bright(value) }))),
        (Kind::Blocked, &|it| each(it, &|x, rgb| if x < 14 { [0; 3] } else { rgb.map(|value| value / 2 + 100) })),
        (Kind::LowVisibility, &|it| each(it, &|_, rgb| rgb.map(|value| 195 + value / 25))),
        (Kind::Defocus, &blurred),
        (Kind::DeadChannel, &|it| each(it, &|_, [red, green, _]| [red, green, 0])),
        (Kind::ColorCast, &|it| each(it, &|_, [red, _, blue]| [red / 8, 220, blue / 8])),
    ];
    for (kind, spoil) in spoilt {
        let found =
            photographs.iter().filter(|photograph| look_once(&spoil(photograph)).contains(&(kind, Level::Error)));
        let count = found.count();
        assert!(count >= PHOTOGRAPHS * 95 / 100, "{kind:?}: {count} of {PHOTOGRAPHS}");
    }
}

fn look_once(picture: &RgbImage) -> Vec<(Kind, Level)> {
    let mut health = Health::new(&HealthConfig { consecutive_frames: 1, ..HealthConfig::default() });
    let meta = Meta { index: 0, captured_at: Timestamp::UNIX_EPOCH, age: Duration::ZERO };
    let findings = health.look(&View::of(picture), meta);
    findings.list.iter().map(|finding| (finding.kind, finding.level)).collect()
}
