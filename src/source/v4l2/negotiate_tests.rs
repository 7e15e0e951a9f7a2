//! Drivers that give something else than was asked for.

use std::path::Path;

use super::super::fake::{SIZE_PX, Shared, opener, world};
use super::super::{ControlValue, V4l2Config};
use super::*;
use crate::decode::LayoutError;

fn config() -> V4l2Config {
    V4l2Config { width: SIZE_PX.0, height: SIZE_PX.1, ..V4l2Config::new(Path::new("/dev/video0")) }
}

fn agree(world: &Shared, config: &V4l2Config) -> Result<Agreed, OpenError> {
    let camera = opener(world)(Path::new("/dev/video0")).unwrap();
    negotiate(camera.as_ref(), config, Mode::SetUp)
}

fn fourccs(codes: &[&[u8; 4]]) -> Vec<FourCc> {
    codes.iter().map(|code| FourCc(**code)).collect()
}

#[test]
fn what_comes_as_asked_is_taken_without_a_word() {
    let agreed = agree(&world(vec![]), &config()).unwrap();
    assert_eq!((agreed.layout.format(), agreed.differences.len()), (PixelFormat::Yuyv, 0));
    assert_eq!(agreed.interval.and_then(Interval::rate), Some(30.0));
}

#[test]
fn the_first_wanted_format_that_the_camera_has_is_taken() {
    let world = world(vec![]);
    world.lock().unwrap().formats = fourccs(&[b"H264", b"GREY", b"YUYV", b"UYVY"]);
    let mut config = config();
    config.formats = vec![PixelFormat::Nv12, PixelFormat::Uyvy, PixelFormat::Yuyv];
    assert_eq!(agree(&world, &config).unwrap().layout.format(), PixelFormat::Uyvy);
}

#[test]
fn a_camera_without_a_wanted_format_says_what_it_has() {
    let world = world(vec![]);
    world.lock().unwrap().formats = fourccs(&[b"H264", b"Y16 "]);
    let error = agree(&world, &V4l2Config { formats: vec![PixelFormat::Nv12], ..config() }).unwrap_err();
    assert_eq!(error.to_string(), "none of the wanted formats (NV12); it has H264, Y16");
}

#[test]
fn whatever_the_driver_changed_is_told_and_refused_where_it_must_be_exact() {
    let world = world(vec![]);
    world.lock().unwrap().max_rate = 5.0;
    let mut config = V4l2Config { width: 640, height: 480, ..config() };
    config.controls.insert("exposure".into(), ControlValue::Number(156));
    let differences = agree(&world, &config).unwrap().differences;
    let wanted = [
        "size is 4x2, asked for 640x480",
        "rate is 5.000 frames/s, asked for 30",
        "control exposure is 150, asked for 156",
    ];
    assert_eq!(differences, wanted);
    config.exact = true;
    let error = agree(&world, &config).unwrap_err().to_string();
    assert!(wanted.iter().all(|difference| error.contains(difference)), "{error}");
}

#[test]
fn what_would_be_changed_is_known_without_setting_anything() {
    let world = world(vec![]);
    world.lock().unwrap().max_rate = 5.0;
    let camera = opener(&world)(Path::new("/dev/video0")).unwrap();
    let mut config = config();
    config.controls.insert("exposure".into(), ControlValue::Number(156));
    let differences = negotiate(camera.as_ref(), &config, Mode::Ask).unwrap().differences;
    assert_eq!(differences, ["the camera lists no rate of 30 frames/s; its highest is 5.000"]);
    assert!(world.lock().unwrap().set.is_empty());
    config.exact = true;
    assert!(matches!(negotiate(camera.as_ref(), &config, Mode::Ask), Err(OpenError::NotExact(_))));
}

#[test]
fn padded_rows_are_taken_over_and_impossible_ones_refused() {
    let world = world(vec![]);
    world.lock().unwrap().padding_bytes = 24;
    assert_eq!(agree(&world, &config()).unwrap().layout.stride_bytes(), 32);
    // A row of RGB3 needs 12 bytes; this driver says 8.
    world.lock().unwrap().padding_bytes = 0;
    world.lock().unwrap().formats = fourccs(&[b"RGB3"]);
    let refused = agree(&world, &config());
    assert!(matches!(refused, Err(OpenError::Layout(LayoutError::Stride { wanted: 12, .. }))));
}

#[test]
fn half_pictures_and_what_is_no_camera_are_refused() {
    let alternating = world(vec![]);
    alternating.lock().unwrap().field = 7;
    assert!(matches!(agree(&alternating, &config()), Err(OpenError::Interlaced { field: 7 })));
    let other = world(vec![]);
    other.lock().unwrap().not_a_camera = true;
    let error = agree(&other, &config()).unwrap_err().to_string();
    assert_eq!(error, "\"Scripted\" does not deliver pictures in one plane: multi-planar capture is not supported");
}

#[test]
fn controls_are_set_by_name_with_switches_and_menus_first() {
    let world = world(vec![]);
    let mut config = config();
    config.controls = [
        ("exposure_time_absolute", ControlValue::Number(50)),
        ("auto_exposure", ControlValue::Name("manual mode".into())),
        ("auto_white_balance", ControlValue::Switch(false)),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .into();
    assert_eq!(agree(&world, &config).unwrap().differences.len(), 0);
    let set = world.lock().unwrap().set.clone();
    assert_eq!(set, [(0x009a_0901, 1), (0x0098_090c, 0), (0x009a_0902, 50)]);
}

#[test]
fn a_control_that_is_not_there_or_a_value_that_it_cannot_take_is_refused_by_name() {
    let with = |name: &str, value| {
        let mut config = config();
        config.controls.insert(name.into(), value);
        agree(&world(vec![]), &config).unwrap_err().to_string()
    };
    assert_eq!(
        with("exposre", ControlValue::Number(1)),
        "has no control \"exposre\"; it has exposure_time_absolute, auto_exposure, white_balance_automatic"
    );
    assert_eq!(
        with("exposure", ControlValue::Number(5001)),
        "control exposure cannot be 5001, wanted 0 to 5000 in steps of 1"
    );
    assert_eq!(
        with("auto_exposure", ControlValue::Name("Sunny".into())),
        "control auto_exposure cannot be \"Sunny\", wanted 0 (\"Auto Mode\"), 1 (\"Manual Mode\")"
    );
    assert_eq!(
        with("auto_white_balance", ControlValue::Name("on".into())),
        "control auto_white_balance cannot be \"on\", wanted true or false"
    );
}
