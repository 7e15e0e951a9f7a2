//! The rows of the table, and what is in none of them.

use super::*;
use crate::source::{ImagesConfig, PipeConfig, V4l2Config, VideoConfig};

const DEADLINE_S: f64 = 2.0;

fn source(name: &str) -> SourceConfig {
    match name {
        "images" => SourceConfig::Images(ImagesConfig::new("a".as_ref())),
        "pipe" => SourceConfig::Pipe(PipeConfig::new(&["a"], PixelFormat::Nv12, (640, 480))),
        "video" => SourceConfig::Video(VideoConfig::new("a".as_ref())),
        "mjpg" => {
            SourceConfig::V4l2(V4l2Config { formats: vec![PixelFormat::Mjpg], ..V4l2Config::new("/dev/a".as_ref()) })
        }
        _ => SourceConfig::V4l2(V4l2Config::new("/dev/a".as_ref())),
    }
}

/// What is promised of a fault from frame 9 on, at ten frames a second: the signs, and seconds beyond the deadline.
fn promised(name: &str, health: &HealthConfig, fault: &str) -> Result<(Vec<Sign>, f64), &'static str> {
    promised_of([true, false], name, health, fault)
}

/// The same of pictures in which something is measured or not, and that have a mask or not.
fn promised_of(
    [is_measured, is_masked]: [bool; 2],
    name: &str,
    health: &HealthConfig,
    fault: &str,
) -> Result<(Vec<Sign>, f64), &'static str> {
    let fault: FaultConfig = toml::from_str(&format!("from_frame = 9\n{fault}")).unwrap();
    let decide = DecideConfig { deadline_ms: 2_000, ..DecideConfig::default() };
    let interval = Duration::from_millis(100);
    let source = &source(name);
    let given = Circumstances { health, decide: &decide, source, interval, is_measured, is_masked };
    match fault.expectation(&given).unwrap() {
        Expectation::Told { by, within } => Ok((by, (within - MARGIN).as_secs_f64() - DEADLINE_S)),
        Expectation::NotPromised { why } => Err(why),
    }
}

#[track_caller]
fn check(name: &str, fault: &str, sign: Sign, onset_s: f64) {
    let (by, found_s) = promised(name, &HealthConfig::default(), fault).unwrap();
    assert_eq!(by[0], sign, "{fault}");
    assert!((found_s - onset_s).abs() < 1e-6, "{fault}: {found_s} s, wanted {onset_s}");
}

#[track_caller]
fn refuse(name: &str, fault: &str, wanted: &str) {
    let why = promised(name, &HealthConfig::default(), fault).unwrap_err();
    assert!(why.contains(wanted), "{fault}: {why}");
}

#[test]
fn every_kind_has_its_sign_and_its_time() {
    let finding = Sign::Finding;
    // Half a second, up to a frame more, and the third in a row.
    check("images", "kind = \"freeze\"", finding(Kind::Frozen), 0.5 + 0.1 + 0.2);
    check("video", "kind = \"black\"", finding(Kind::Dark), 0.2);
    check("v4l2", "kind = \"noise\"\nsigma = 60", finding(Kind::Noise), 0.2);
    check("v4l2", "kind = \"overexposed\"", finding(Kind::Overexposed), 0.2);
    check("images", "kind = \"backlit\"", finding(Kind::Backlit), 0.2);
    check("video", "kind = \"blocked\"", finding(Kind::Blocked), 0.2);
    check("pipe", "kind = \"low_visibility\"", finding(Kind::LowVisibility), 0.2);
    check("mjpg", "kind = \"color_cast\"", finding(Kind::ColorCast), 0.2);
    check("images", "kind = \"timestamp_jump\"\nmilliseconds = -1500", finding(Kind::Late), 0.2);
    for (source, fault, reason) in [
        ("images", "kind = \"corrupt\"\nkeep = 0", Reason::BadFrame),
        ("video", "kind = \"corrupt\"\nkeep = 0.9", Reason::BadFrame),
        ("v4l2", "kind = \"corrupt\"\nkeep = 0.9", Reason::BadFrame),
        ("mjpg", "kind = \"corrupt\"\ndamage = 0.5", Reason::BadFrame),
        ("v4l2", "kind = \"wrong_size\"\nfactor = 0.5", Reason::BadFrame),
        ("images", "kind = \"timestamp_jump\"\nmilliseconds = -5000", Reason::FrameTooOld),
        ("v4l2", "kind = \"stall\"", Reason::CameraSilent),
        ("images", "kind = \"unplug\"", Reason::CameraSilent),
    ] {
        check(source, fault, Sign::Reason(reason), 0.0);
    }
}

#[test]
fn what_cannot_be_told_is_not_promised() {
    refuse("images", "kind = \"corrupt\"\nkeep = 0.5", "JPEG file");
    refuse("images", "kind = \"corrupt\"\ndamage = 0.4", "what still decodes");
    refuse("v4l2", "kind = \"corrupt\"\ndamage = 0.9", "another picture");
    refuse("video", "kind = \"wrong_size\"\nfactor = 0.5", "footage");
    refuse("v4l2", "kind = \"wrong_size\"\nfactor = 2", "longer");
    refuse("images", "kind = \"timestamp_jump\"\nmilliseconds = 5000", "future");
    refuse("images", "kind = \"timestamp_jump\"\nmilliseconds = -900", "error limit");
    refuse("images", "kind = \"noise\"\nsigma = 50", "error limit");
    refuse("images", "kind = \"defocus\"", "dark picture");
    refuse("images", "kind = \"dead_channel\"", "little contrast");
    refuse("images", "kind = \"color_lost\"", "warning");
    refuse("images", "kind = \"rate_drop\"\nkeep_every = 2", "learned");
    for fault in ["kind = \"blocked\"", "kind = \"backlit\""] {
        let behind = |is_masked| promised_of([true, is_masked], "v4l2", &HealthConfig::default(), fault);
        assert!(behind(true).unwrap_err().contains("mask") && behind(false).is_ok(), "{fault}");
    }
}

#[test]
fn of_pictures_in_which_nothing_is_measured_only_their_coming_is_promised_to_be_told() {
    let health = HealthConfig::default();
    for fault in [
        "kind = \"freeze\"",
        "kind = \"black\"",
        "kind = \"noise\"\nsigma = 60",
        "kind = \"overexposed\"",
        "kind = \"low_visibility\"",
        "kind = \"color_cast\"",
    ] {
        let of = |is_masked| promised_of([false, is_masked], "v4l2", &health, fault).unwrap_err();
        assert!(of(true).contains("mask leaves too little") && of(false).contains("so small"), "{fault}");
    }
    for fault in ["kind = \"stall\"", "kind = \"timestamp_jump\"\nmilliseconds = -1500"] {
        assert!(promised_of([false, true], "v4l2", &health, fault).is_ok(), "{fault}");
    }
}

#[test]
fn a_fault_that_is_over_before_it_can_be_seen_is_not_promised() {
    for fault in [
        "kind = \"black\"\nfor_frames = 2",
        "kind = \"freeze\"\nfor_s = 0.8",
        "kind = \"stall\"\nfor_frames = 6",
        "kind = \"unplug\"\nfor_frames = 1",
    ] {
        refuse("images", fault, "too soon");
    }
    assert!(promised("images", &HealthConfig::default(), "kind = \"black\"\nfor_frames = 3").is_ok());
    assert!(promised("images", &HealthConfig::default(), "kind = \"corrupt\"\nkeep = 0\nfor_frames = 1").is_ok());
}

#[test]
fn checks_that_are_switched_off_promise_nothing() {
    let health = |text: &str| toml::from_str::<HealthConfig>(text).unwrap();
    let why = |text: &str, fault: &str| promised("images", &health(text), fault).unwrap_err();
    assert!(why("enabled = false", "kind = \"black\"").contains("not enabled"));
    assert!(why("frozen_s = { warn = 1, error = inf }", "kind = \"freeze\"").contains("error limit"));
    for (limit, fault) in [
        ("dark_blocks = { warn = 10, error = 25 }", "black"),
        ("bright_above = 240", "overexposed"),
        ("bright_blocks = { warn = 15, error = 25 }", "overexposed"),
        ("shadow_below = 10", "backlit"),
        ("backlit_blocks = { warn = 4, error = 10 }", "backlit"),
        ("covered_blocks = { warn = 5, error = 10 }", "blocked"),
        ("dark_below = 0", "blocked"),
        ("contrast = { warn = 0.1, error = 0.04 }", "low_visibility"),
        ("cast_from = 190", "color_cast"),
    ] {
        assert!(why(limit, &format!("kind = {fault:?}")).contains("error limit"), "{limit}: {fault}");
    }
}

#[test]
fn a_fault_without_what_it_needs_is_refused_by_name() {
    let fault: FaultConfig = toml::from_str("kind = \"noise\"\nfrom_frame = 0").unwrap();
    let (health, decide) = (HealthConfig::default(), DecideConfig::default());
    let interval = Duration::from_millis(100);
    let source = &source("images");
    let given =
        Circumstances { health: &health, decide: &decide, source, interval, is_measured: true, is_masked: false };
    assert!(fault.expectation(&given).unwrap_err().to_string().contains("faults.script[1].sigma is missing"));
}
