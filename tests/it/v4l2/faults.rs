//! Faults in which the camera stays: damaged buffers, refused calls, gaps, and a sequence number that wraps.

use super::{FAULT, JUDGED, VIVID, config};
use crate::support::lab::{Lab, Watched};
use crate::support::{Bench, Tool, have};

/// Watches vivid's camera while orders are carried out, then ends the run by SIGTERM. None where there is no lab.
fn watch(orders: &[&str]) -> Option<Watched> {
    if !have(&[Tool::OnnxRuntime]) {
        return None;
    }
    let lab = Lab::new()?.vivid(1);
    let bench = Bench::new();
    config(&bench, "camera", VIVID, "YUYV", "320x180");
    let judged = format!("await 5 camera {JUDGED}");
    let mut all = vec!["run camera camera.toml", &judged];
    all.extend(orders);
    // What the fault was, frames come again afterwards.
    all.extend([judged.as_str(), "end camera"]);
    lab.carry_out(&bench, &all);
    let watched = lab.watched("camera");
    watched.ran.expect_code(0);
    Some(watched)
}

fn set(control: &str) -> String {
    format!("set {VIVID} {control}")
}

#[test]
fn buffers_that_the_driver_flags_as_damaged_are_dropped_and_counted() {
    let inject = set("Inject V4L2_BUF_FLAG_ERROR = 1");
    let judged = format!("await 3 camera {JUDGED}");
    let Some(watched) = watch(&[&inject, &judged, &inject, &judged, &inject, &judged]) else { return };
    assert!(watched.counts.dropped >= 3, "{:?}", watched.counts);
}

#[test]
fn a_refused_queue_call_does_not_end_the_stream() {
    let inject = set("Inject VIDIOC_QBUF Error = 1");
    let judged = format!("await 3 camera {JUDGED}");
    watch(&[&inject, &judged, &inject, &judged]);
}

#[test]
fn refused_calls_at_reopening_are_tried_again() {
    watch(&[
        &set("Inject VIDIOC_REQBUFS Error = 1"),
        &set("Inject VIDIOC_STREAMON Error = 1"),
        &set("Inject Fatal Streaming Error = 1"),
        "await 1 camera \"camera_lost\"",
    ]);
}

#[test]
fn a_fatal_streaming_error_is_told_and_the_stream_made_anew() {
    watch(&[&set("Inject Fatal Streaming Error = 1"), "await 1 camera \"camera_lost\""]);
}

#[test]
fn frames_that_the_driver_drops_are_counted_by_their_sequence_numbers() {
    let lossy = set("Percentage of Dropped Buffers = 50");
    let judged = format!("await 15 camera {JUDGED}");
    let Some(watched) = watch(&[&lossy, &judged, &set("Percentage of Dropped Buffers = 0")]) else { return };
    assert!(watched.counts.dropped >= 3, "{:?}", watched.counts);
}

#[test]
fn a_camera_that_drops_everything_is_silent_then_a_fault_then_back() {
    let fault = format!("await 1 camera {FAULT}");
    let orders = [&set("Percentage of Dropped Buffers = 100"), "await 1 camera \"camera_silent\"", &fault];
    watch(&[orders[0], orders[1], orders[2], &set("Percentage of Dropped Buffers = 0")]);
}

#[test]
fn a_sequence_number_that_wraps_is_no_gap_of_four_billion_frames() {
    let bench_and_lab = || have(&[Tool::OnnxRuntime]).then(Lab::new).flatten();
    let Some(lab) = bench_and_lab() else { return };
    let (lab, bench) = (lab.vivid(1), Bench::new());
    config(&bench, "camera", VIVID, "YUYV", "320x180");
    // vivid then starts to count 128 frames before the end.
    let wrap = set("Wrap Sequence Number = 1");
    let past_the_end = format!("await 150 camera {JUDGED}");
    lab.carry_out(&bench, &[&wrap, "run camera camera.toml", &past_the_end, "end camera"]);
    let counts = lab.watched("camera").counts;
    assert!(counts.captured < 10_000, "{counts:?}");
}
