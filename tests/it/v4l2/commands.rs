//! Commands about cameras, where there are some.

use std::path::Path;

use super::{EXCLUSIVE, LOOPBACK, VIVID, config};
use crate::support::lab::Lab;
use crate::support::{Bench, Tool, have};

#[test]
fn the_shipped_config_runs_the_shipped_package_on_the_first_camera_as_it_is() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let command = "\"$OODWATCH\" run --config configs/v4l2.toml --max-frames 10";
    let ran = lab.vivid(1).run(Path::new(env!("CARGO_MANIFEST_DIR")), command);
    // vivid has 640x480 at 25 frames/s at most.
    let ran = ran.expect(0, &["rate is 25.000 frames/s, asked for 30", "0 bad"]);
    assert!(!ran.verdicts().is_empty());
}

#[test]
fn the_list_of_cameras_names_what_can_capture_and_what_it_offers() {
    let Some(lab) = Lab::new() else { return };
    let command = "\"$OODWATCH\" cameras --json && \"$OODWATCH\" cameras >&2";
    let ran = lab.vivid(2).loopback().run(Path::new("/"), command);
    let ran = ran.expect(0, &["/dev/video0  vivid", "YUYV  YUYV 4:2:2", "640x480 at 1.000, 2.000"]);
    let cameras = ran.json().remove(0);
    let cameras = cameras.as_array().unwrap();
    // Nobody writes into the exclusive one: it is no camera.
    let paths: Vec<&str> = cameras.iter().map(|camera| camera["path"].as_str().unwrap()).collect();
    assert_eq!(paths, [VIVID, "/dev/video1", LOOPBACK]);
    let formats = cameras[0]["formats"].as_array().unwrap();
    let understood = |format: &&serde_json::Value| format["understood"] == true;
    let understood: Vec<&str> = formats.iter().filter(understood).map(|f| f["fourcc"].as_str().unwrap()).collect();
    for format in ["YUYV", "UYVY", "NV12", "NV21", "YU12", "RGB3", "BGR3", "GREY"] {
        assert!(understood.contains(&format), "{format} is missing from {understood:?}");
    }
}

#[test]
fn check_asks_a_camera_and_finds_one_that_would_not_do() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let (lab, bench) = (lab.vivid(1).loopback(), Bench::new());
    config(&bench, "good", VIVID, "NV12", "640x480");
    config(&bench, "format", VIVID, "MJPG", "640x480");
    config(&bench, "nobody", EXCLUSIVE, "YUYV", "64x48");
    let check = |name: &str| lab.run(&bench.path(""), &format!("\"$OODWATCH\" check --config {name}.toml"));
    let good = check("good").expect(0, &[]);
    assert!(good.stdout.contains("/dev/video0 (vivid) offers NV12 640x480"), "{}", good.stdout);
    for (name, why) in [("format", "MJPG"), ("nobody", "does not deliver pictures")] {
        let refused = check(name);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(refused.code == Some(4) && said.contains(why), "{:?} {said}", refused.code);
    }
}
