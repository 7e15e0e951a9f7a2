//! Faults in which the camera goes: unplugged, unbound, plugged in elsewhere, a writer that dies, a frame that stands still.

use std::fs;

use oodwatch::verdict::State;

use super::encode::encode;
use super::{FAULT, JUDGED, LOOPBACK, VIVID, config};
use crate::support::lab::{Lab, Watched};
use crate::support::{Bench, Tool, have, known};

/// Watches a camera while orders are carried out, between frames before and frames after.
fn watch(lab: Option<Lab>, bench: &Bench, device: &str, before: &[&str], orders: &[&str]) -> Option<Watched> {
    if !have(&[Tool::OnnxRuntime]) {
        return None;
    }
    let lab = lab?;
    config(bench, "camera", device, "YUYV", if device == LOOPBACK { "64x48" } else { "320x180" });
    let judged = format!("await 5 camera {JUDGED}");
    let mut all = before.to_vec();
    all.extend(["run camera camera.toml", &judged]);
    all.extend(orders);
    all.extend([judged.as_str(), "end camera"]);
    lab.carry_out(bench, &all);
    let watched = lab.watched("camera");
    watched.ran.expect_code(0);
    Some(watched)
}

fn vivid(cameras: usize) -> Option<Lab> {
    Lab::new().map(|lab| lab.vivid(cameras))
}

fn write_frames(bench: &Bench) {
    fs::create_dir(bench.path("frames")).unwrap();
    for number in 0..10 {
        let picture = image::imageops::resize(&known(number), 64, 48, image::imageops::FilterType::Nearest);
        fs::write(bench.path(&format!("frames/{number}")), encode("YUYV", &picture)).unwrap();
    }
}

const LOST: &str = "await 1 camera \"camera_lost\"";
const UNBIND: &str = "write /sys/bus/platform/drivers/vivid/unbind vivid.0";
const BIND: &str = "write /sys/bus/platform/drivers/vivid/bind vivid.0";

#[test]
fn a_disconnected_camera_is_told_and_opened_again() {
    let disconnect = format!("set {VIVID} Disconnect = 1");
    let judged = format!("await 3 camera {JUDGED}");
    watch(vivid(1), &Bench::new(), VIVID, &[], &[&disconnect, LOST, &judged, &disconnect, LOST]);
}

#[test]
fn a_camera_whose_driver_is_unbound_is_a_fault_until_it_is_bound_again() {
    let fault = format!("await 1 camera {FAULT}");
    let Some(watched) = watch(vivid(1), &Bench::new(), VIVID, &[], &[UNBIND, LOST, &fault, BIND]) else { return };
    assert!(watched.verdicts.iter().all(|verdict| verdict.frame.is_some() || !verdict.safe));
}

#[test]
fn a_camera_that_comes_back_under_another_number_is_found_by_its_stable_name() {
    let name = "/dev/v4l/by-id/usb-test-camera";
    let link = |number: usize| format!("link /dev/video{number} {name}");
    let disconnect = format!("set {VIVID} Disconnect = 1");
    let (before, after) = (link(0), link(1));
    // The link is changed first: nothing has to notice that until the camera is lost.
    let Some(watched) = watch(vivid(2), &Bench::new(), name, &[&before], &[&after, &disconnect, LOST]) else { return };
    let log = &watched.ran.stderr;
    assert!(log.contains(name), "{log}");
}

#[test]
fn a_writer_that_dies_is_silence_then_a_fault_and_its_return_ends_it() {
    let bench = Bench::new();
    write_frames(&bench);
    let feed = format!("feed {LOOPBACK} YUYV 64x48 30 frames");
    let starve = format!("starve {LOOPBACK}");
    let fault = format!("await 1 camera {FAULT}");
    let lab = Lab::new().map(Lab::loopback);
    watch(lab, &bench, LOOPBACK, &[&feed], &[&starve, "await 1 camera \"camera_silent\"", &fault, &feed]);
}

#[test]
fn a_camera_that_delivers_the_same_buffer_for_ever_is_frozen_and_a_fault() {
    let bench = Bench::new();
    write_frames(&bench);
    let feed = format!("feed {LOOPBACK} YUYV 64x48 30 frames");
    let keep = format!("set {LOOPBACK} sustain_framerate = 1");
    let starve = format!("starve {LOOPBACK}");
    let fault = format!("await 1 camera {FAULT}");
    let lab = Lab::new().map(Lab::loopback);
    let orders = [starve.as_str(), "await 1 camera \"camera_frozen\"", &fault, &feed];
    watch(lab, &bench, LOOPBACK, &[&feed, &keep], &orders);
}

#[test]
fn an_old_frame_that_a_driver_hands_out_at_every_opening_is_never_judged() {
    let bench = Bench::new();
    write_frames(&bench);
    let feed = format!("feed {LOOPBACK} YUYV 64x48 30 frames");
    // With this, v4l2loopback keeps the last frame of a dead writer and gives it the time of the opening.
    let keep = format!("set {LOOPBACK} keep_format = 1");
    let starve = format!("starve {LOOPBACK}");
    let faults = format!("await 3 camera {FAULT}");
    let lab = Lab::new().map(Lab::loopback);
    let Some(watched) = watch(lab, &bench, LOOPBACK, &[&feed, &keep], &[&starve, &faults, &feed]) else { return };
    let silent = watched.verdicts.iter().skip_while(|verdict| verdict.state != State::Fault);
    let faults = silent.take_while(|verdict| verdict.frame.is_none()).filter(|v| v.state == State::Fault).count();
    assert!(faults >= 3, "a frame was judged after {faults} faults");
}

#[test]
fn reopening_leaves_no_thread_and_no_file_behind() {
    let disconnect = format!("set {VIVID} Disconnect = 1");
    // One frame may have been on the network and one waiting for it when the supervisor told that the camera was lost.
    let judged = format!("await 3 camera {JUDGED}");
    let mut orders = vec!["measure camera"];
    for _ in 0..40 {
        orders.extend([disconnect.as_str(), LOST, &judged]);
    }
    orders.push("measure camera");
    let Some(watched) = watch(vivid(1), &Bench::new(), VIVID, &[], &orders) else { return };
    let [before, after] = watched.measured[..] else { panic!("{:?}", watched.measured) };
    assert_eq!((before.threads, before.files), (after.threads, after.files));
}
