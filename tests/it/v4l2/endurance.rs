//! Ten thousand frames of a camera, and nothing that grows.

use std::fs;

use super::encode::encode;
use super::{JUDGED, LOOPBACK, config};
use crate::support::lab::Lab;
use crate::support::{Bench, Tool, have, known};

/// Memory may grow by this much between the first thousand frames and the last: a leak of one 64x48 YUYV frame in ten
/// would be 5.5 MB.
const GROWTH_KB: u64 = 4_096;

#[test]
fn ten_thousand_frames_leave_memory_threads_and_open_files_as_they_were() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let (lab, bench) = (lab.loopback(), Bench::new());
    config(&bench, "camera", LOOPBACK, "YUYV", "64x48");
    fs::create_dir(bench.path("frames")).unwrap();
    for number in 0..50 {
        let picture = image::imageops::resize(&known(number), 64, 48, image::imageops::FilterType::Nearest);
        fs::write(bench.path(&format!("frames/{number:02}")), encode("YUYV", &picture)).unwrap();
    }
    let feed = format!("feed {LOOPBACK} YUYV 64x48 400 frames");
    let (warm, rest) = (format!("await 1000 camera {JUDGED}"), format!("await 9000 camera {JUDGED}"));
    let orders = [&feed, "run camera camera.toml", &warm, "measure camera", &rest, "measure camera", "end camera"];
    lab.carry_out(&bench, &orders);
    let watched = lab.watched("camera");
    let [early, late] = watched.measured[..] else { panic!("{:?}", watched.measured) };
    assert_eq!((early.threads, early.files), (late.threads, late.files));
    assert!(late.memory_kb <= early.memory_kb + GROWTH_KB, "{early:?}, then {late:?}");
    assert!(watched.counts.judged >= 10_000 && watched.counts.bad == 0, "{:?}", watched.counts);
}
