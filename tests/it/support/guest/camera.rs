//! The other end of the cameras: a writer of frames, and the controls that break them.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use v4l::control::{Control, Type, Value};
use v4l::device::Device;
use v4l::video::Output;
use v4l::{Format, FourCC};

use super::{ORDERS, TEST};

/// What a writer says when its first frame is in.
const READY: &str = "the first frame is in";

/// A process that writes frames into a node of v4l2loopback, which is a camera as long as it does.
pub(super) struct Feeder {
    process: Child,
}

impl Feeder {
    /// Comes back when the first frame is in, so that the node is a camera.
    pub(super) fn start(what: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", TEST, "--ignored", "--nocapture"]).env(ORDERS, format!("write-frames {what}"));
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines().map(|line| line.unwrap());
        assert!(said.any(|line| line.contains(READY)), "the writer has ended");
        Self { process }
    }

    /// Kills the writer, as a crash does.
    pub(super) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Writes whole frames at a steady rate, round and round, and never ends.
pub(super) fn write_frames(path: &str, fourcc: &str, size: &str, fps: f64, folder: &str) {
    let (width, height) = size.split_once('x').unwrap();
    let mut device = open_output(path, fourcc, width.parse().unwrap(), height.parse().unwrap());
    let mut due = Instant::now();
    for (number, frame) in frames(folder).iter().cycle().enumerate() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += Duration::from_secs_f64(1.0 / fps);
        assert_eq!(device.write(frame).unwrap(), frame.len(), "the device takes shorter frames");
        if number == 0 {
            println!("{READY}");
        }
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
