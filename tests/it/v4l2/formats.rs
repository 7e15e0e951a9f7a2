//! Real pictures, fed byte for byte in every format that v4l2loopback knows, are what the shipped network gets to see.

use std::fs;
use std::path::Path;

use super::encode::{SIDE, encode, jpeg, real_pictures, resized, seen, seen_jpeg, without_huffman_tables};
use super::exactly;
use super::{JUDGED, LOOPBACK, config, config_for};
use crate::support::lab::Lab;
use crate::support::{Bench, Tool, have};

/// Pictures that are fed.
const PICTURES: usize = 6;
/// How far a score may be off: of JPEG, a single step of 8 bits here and there, where rounding could go either way; of other formats the
/// error of what clamping takes, in the few pixels that it takes anything from. The pictures' own scores are 0.2 and more apart.
const TOLERANCE: f32 = 0.02;

/// The package whose network looks at every pixel's place; the tiny one only averages.
pub(super) fn shipped() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cifar10-resnet20").display().to_string()
}

/// Writes frames, and what is to be seen in JPEGs.
fn write_frames(bench: &Bench, name: &str, fourcc: &str, frame: impl Fn(Vec<u8>) -> Vec<u8>) {
    for folder in ["frames", "seen"] {
        fs::create_dir_all(bench.path(&format!("{folder}/{name}"))).unwrap();
    }
    for (number, picture) in real_pictures(PICTURES).iter().enumerate() {
        fs::write(bench.path(&format!("frames/{name}/{number}")), frame(encode(fourcc, picture))).unwrap();
        if fourcc == "MJPG" {
            seen_jpeg(picture).save(bench.path(&format!("seen/{name}/{number}.png"))).unwrap();
        }
    }
}

/// The scores of the pictures that are to be seen.
fn expected(bench: &Bench, name: &str, fourcc: &str) -> Vec<f32> {
    if fourcc != "MJPG" {
        return exactly::energies(
            &real_pictures(PICTURES).iter().map(|picture| seen(fourcc, picture)).collect::<Vec<_>>(),
        );
    }
    let ran = bench.run(&["score", "--model", &shipped(), "--score", "energy", &format!("seen/{name}")]);
    ran.expect(0, &[]).json().iter().map(|line| line["score"].as_f64().unwrap() as f32).collect()
}

/// Feeds each named set of frames and holds every verdict against the scores of the pictures.
fn check(sets: &[(&str, &str)], frame: impl Fn(Vec<u8>) -> Vec<u8>) {
    let Some(lab) = Lab::new() else { return };
    let bench = Bench::new();
    let mut orders = Vec::new();
    for (name, fourcc) in sets {
        write_frames(&bench, name, fourcc, &frame);
        config_for(&bench, name, LOOPBACK, fourcc, &format!("{SIDE}x{SIDE}"), &shipped());
        orders.extend([
            format!("feed {LOOPBACK} {fourcc} {SIDE}x{SIDE} 30 frames/{name}"),
            format!("run {name} {name}.toml"),
            format!("await {} {name} {JUDGED}", 3 * PICTURES),
            format!("end {name}"),
            format!("starve {LOOPBACK}"),
        ]);
    }
    let lab = lab.loopback();
    lab.carry_out(&bench, &orders.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, fourcc) in sets {
        let watched = lab.watched(name);
        let expected = expected(&bench, name, fourcc);
        assert_eq!((watched.ran.code, watched.counts.bad), (Some(0), 0), "{}", watched.ran.stderr);
        let mut found: Vec<usize> = Vec::new();
        for score in watched.verdicts.iter().filter_map(|verdict| verdict.score) {
            let off = |picture: &usize| (expected[*picture] - score).abs();
            let nearest = (0..expected.len()).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap();
            assert!(off(&nearest) <= TOLERANCE, "{name}: {score} is none of {expected:?}");
            found.push(nearest);
        }
        found.sort_unstable();
        found.dedup();
        assert!(found.len() >= PICTURES / 2, "{name}: only pictures {found:?} were seen");
    }
}

#[test]
fn real_pictures_in_every_format_are_judged_as_the_pictures_themselves() {
    if have(&[Tool::OnnxRuntime, Tool::Cifar10]) {
        let formats = ["YUYV", "UYVY", "NV12", "YU12", "RGB3", "BGR3", "GREY", "MJPG"];
        check(&formats.map(|fourcc| (fourcc, fourcc)), |frame| frame);
    }
}

#[test]
fn jpegs_without_huffman_tables_are_judged_like_those_with_them() {
    if have(&[Tool::OnnxRuntime, Tool::Cifar10]) {
        check(&[("tableless", "MJPG")], |frame| {
            let stripped = without_huffman_tables(&frame);
            assert!(stripped.len() < frame.len());
            stripped
        });
    }
}

#[test]
fn broken_jpegs_are_counted_one_by_one_and_the_good_ones_between_them_judged() {
    if !have(&[Tool::OnnxRuntime, Tool::Cifar10]) {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let bench = Bench::new();
    config(&bench, "camera", LOOPBACK, "MJPG", "64x64");
    let picture = &real_pictures(1)[0];
    let good = jpeg(picture);
    let frames = [
        good.clone(),
        good[..good.len() / 2].to_vec(),
        vec![0xFF],
        vec![0; good.len()],
        jpeg(&resized(picture, 48, 32)),
        b"not a picture at all".to_vec(),
    ];
    fs::create_dir(bench.path("frames")).unwrap();
    for (number, frame) in frames.iter().enumerate() {
        fs::write(bench.path(&format!("frames/{number}")), frame).unwrap();
    }
    let lab = lab.loopback();
    let feed = format!("feed {LOOPBACK} MJPG 64x64 20 frames");
    lab.carry_out(&bench, &[&feed, "run camera camera.toml", &format!("await 10 camera {JUDGED}"), "end camera"]);
    let watched = lab.watched("camera");
    let counts = watched.counts;
    assert_eq!(watched.ran.code, Some(0));
    // Five of six are bad, whichever were dropped on a busy machine.
    assert!(counts.bad >= 3 * counts.judged, "{counts:?}");
    assert!(watched.verdicts.iter().any(|verdict| verdict.reasons.contains(&oodwatch::verdict::Reason::BadFrame)));
}
