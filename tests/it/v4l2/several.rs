//! Two cameras on one network, one of which is pulled out and comes back.

use oodwatch::verdict::Reason;

use super::{FAULT, JUDGED};
use crate::support::lab::Lab;
use crate::support::{Bench, Tool, have};

/// The name of the camera that is pulled out: a link that leads nowhere meanwhile.
const PULLED: &str = "/dev/v4l/by-id/usb-test-camera";

fn config(bench: &Bench) {
    let camera = |name, device| {
        format!(
            "[[camera]]
name = \"{name}\"
[camera.source.v4l2]
device = \"{device}\"
formats = [\"YUYV\"]
width = 320
height = 180
frames_per_second = 30.0
stall_timeout_ms = 1000
reopen_min_ms = 100
reopen_max_ms = 200
"
        )
    };
    let cameras = camera("front", PULLED) + &camera("rear", "/dev/video1");
    bench.write(
        "cameras.toml",
        &format!("{cameras}[model]\npackage = \"package\"\n[decide]\ndeadline_ms = 1500\nlatch = []\n"),
    );
}

#[test]
fn a_camera_that_is_pulled_out_is_told_while_the_other_is_judged_and_comes_back() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let (lab, bench) = (lab.vivid(2), Bench::new());
    config(&bench);
    let of = |count: usize, camera: &str, what: &str| format!("await {count} cameras \"camera\":\"{camera}\" & {what}");
    lab.carry_out(
        &bench,
        &[
            &format!("link /dev/video0 {PULLED}"),
            "run cameras cameras.toml",
            &of(5, "front", JUDGED),
            &of(5, "rear", JUDGED),
            &format!("link /dev/nothing {PULLED}"),
            "set /dev/video0 Disconnect = 1",
            &of(1, "front", "\"camera_lost\""),
            &of(1, "front", FAULT),
            &of(20, "rear", JUDGED),
            &format!("link /dev/video0 {PULLED}"),
            &of(5, "front", JUDGED),
            &of(5, "rear", JUDGED),
            "end cameras",
        ],
    );
    let watched = lab.watched("cameras");
    watched.ran.expect_code(0);
    for camera in ["front", "rear"] {
        let verdicts: Vec<_> = watched.verdicts.iter().filter(|verdict| verdict.camera == camera).collect();
        assert!(verdicts.iter().map(|verdict| verdict.alive).eq(1..=verdicts.len() as u64));
        assert_eq!(verdicts.last().unwrap().reasons, [Reason::Stopped]);
        let log = &watched.ran.stderr;
        assert!(log.contains(&format!("camera {camera}: ")), "{log}");
    }
}
