//! The other end of the cameras: a writer of frames, and the controls that break them.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use v4l::control::{Control, Type, Value};
use v4l::device::Device;
use v4l::video::Output;
use v4l::{Format, FourCC};

/// A program that writes frames into a node of v4l2loopback, which is a camera as long as it does.
pub(super) struct Feeder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Feeder {
    /// Comes back when the first frame is in, so that the node is a camera.
    pub(super) fn start(path: &str, fourcc: &str, size: &str, fps: f64, folder: &str) -> Self {
        let (width, height) = size.split_once('x').unwrap();
        let mut device = open_output(path, fourcc, width.parse().unwrap(), height.parse().unwrap());
        let frames = frames(folder);
        write(&mut device, &frames[0]);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || feed(device, fps, &frames, &stopped));
        Self { stop, thread }
    }

    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

/// The files of a folder in the order of their names.
fn frames(folder: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn open_output(path: &str, fourcc: &str, width: u32, height: u32) -> Device {
    let device = open(path);
    let wanted = FourCC::new(fourcc.as_bytes().try_into().unwrap());
    let got = Output::set_format(&device, &Format::new(width, height, wanted)).unwrap();
    assert_eq!((got.fourcc, got.width, got.height), (wanted, width, height), "{path} substitutes another format");
    device
}

fn open(path: &str) -> Device {
    Device::with_path(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Writes whole frames at a steady rate, round and round.
fn feed(mut device: Device, fps: f64, frames: &[Vec<u8>], stop: &AtomicBool) {
    let mut due = Instant::now();
    for frame in frames.iter().cycle().skip(1) {
        due += Duration::from_secs_f64(1.0 / fps);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.load(Ordering::Relaxed) {
            return;
        }
        write(&mut device, frame);
    }
}

fn write(device: &mut Device, frame: &[u8]) {
    assert_eq!(device.write(frame).unwrap(), frame.len(), "the device takes shorter frames");
}

/// Sets a control that is found by its name, as vivid's faults are.
pub(super) fn set(path: &str, name: &str, value: i64) {
    let device = open(path);
    let controls = device.query_controls().unwrap();
    let Some(control) = controls.iter().find(|control| control.name == name) else {
        panic!("{path} has no control {name:?}, but {:?}", controls.iter().map(|c| &c.name).collect::<Vec<_>>());
    };
    let value = if control.typ == Type::Button { Value::None } else { Value::Integer(value) };
    device.set_control(Control { id: control.id, value }).unwrap_or_else(|error| panic!("{name}: {error}"));
}
