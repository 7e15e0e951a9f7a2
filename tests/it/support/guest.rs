//! What runs inside the camera lab besides the program under test: a writer of frames and a breaker of cameras.
//!
//! The test binary is its own helper there: it is always built, and runs unchanged in the guest. A command of the guest
//! reads `"$GUEST" "ORDER" "ORDER" ...`, where `GUEST` is set by [`super::lab`] to a script that starts this file's
//! one test with the orders in a variable. Orders run one after the other:
//!
//! | order                                        | what it does                                                       |
//! |----------------------------------------------|--------------------------------------------------------------------|
//! | `feed DEVICE FOURCC WxH FPS TIMES FOLDER`    | writes the files of the folder, a frame each, TIMES over; 0: for ever |
//! | `await N FILE TEXT`                          | waits until N more lines of FILE hold TEXT; N may be 0: one ever did |
//! | `set DEVICE NAME = VALUE`                    | sets a control by its name; a button takes any value               |
//! | `echo WORD FILE`                             | writes a word to a file of sysfs                                   |
//! | `sleep MILLISECONDS`                         | waits                                                              |

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use v4l::control::{Control, Type, Value};
use v4l::device::Device;
use v4l::video::Output;
use v4l::{Format, FourCC};

/// Orders are handed over in this variable, a line each.
pub(crate) const ORDERS: &str = "OODWATCH_GUEST_ORDERS";

#[test]
#[ignore = "runs inside the camera lab, started by other tests"]
fn in_the_camera_lab_orders_are_carried_out() {
    let mut guest = Guest::default();
    for order in std::env::var(ORDERS).unwrap_or_default().lines() {
        eprintln!("guest: {order}");
        guest.carry_out(order);
    }
}

/// Remembers how far each file was read.
#[derive(Default)]
struct Guest {
    lines_seen: HashMap<PathBuf, usize>,
}

impl Guest {
    fn carry_out(&mut self, order: &str) {
        match *order.split(' ').collect::<Vec<_>>() {
            ["feed", device, fourcc, size, fps, times, folder] => {
                let (width, height) = size.split_once('x').unwrap();
                let device = open_output(device, fourcc, width.parse().unwrap(), height.parse().unwrap());
                feed(device, fps.parse().unwrap(), times.parse().unwrap(), &frames(folder));
            }
            ["await", count, file, ..] => {
                let text = order.splitn(4, ' ').nth(3).unwrap();
                self.wait_for(count.parse().unwrap(), Path::new(file), text);
            }
            ["set", device, ..] => {
                let (name, value) = order.splitn(3, ' ').nth(2).unwrap().split_once(" = ").unwrap();
                set(device, name, value.parse().unwrap());
            }
            ["echo", word, file] => fs::write(file, word).unwrap_or_else(|error| panic!("{order}: {error}")),
            ["sleep", milliseconds] => thread::sleep(Duration::from_millis(milliseconds.parse().unwrap())),
            _ => panic!("no such order: {order:?}"),
        }
    }

    /// Lines count from the one after the last line that was waited for.
    fn wait_for(&mut self, count: usize, file: &Path, text: &str) {
        let seen = self.lines_seen.entry(file.to_path_buf()).or_default();
        for _ in 0..count {
            *seen += loop {
                let content = fs::read_to_string(file).unwrap_or_default();
                // The last line may still be half written.
                let complete = &content[..content.rfind('\n').map_or(0, |end| end + 1)];
                match complete.lines().skip(*seen).position(|line| line.contains(text)) {
                    Some(lines) => break lines + 1,
                    None => thread::sleep(Duration::from_millis(20)),
                }
            };
        }
    }
}

/// The files of a folder in the order of their names.
fn frames(folder: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A node of v4l2loopback, from its writer's side. Held open, it is a camera.
fn open_output(path: &str, fourcc: &str, width: u32, height: u32) -> Device {
    let device = Device::with_path(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let wanted = FourCC::new(fourcc.as_bytes().try_into().unwrap());
    let got = Output::set_format(&device, &Format::new(width, height, wanted)).unwrap();
    assert_eq!((got.fourcc, got.width, got.height), (wanted, width, height), "{path} substitutes another format");
    device
}

/// Writes whole frames at a steady rate.
fn feed(mut device: Device, fps: f64, times: usize, frames: &[Vec<u8>]) {
    let interval = Duration::from_secs_f64(1.0 / fps);
    let mut due = Instant::now();
    let rounds = if times == 0 { usize::MAX } else { times };
    for frame in (0..rounds).flat_map(|_| frames) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += interval;
        let written = device.write(frame).unwrap();
        assert_eq!(written, frame.len(), "the device takes shorter frames");
    }
}

/// Sets a control that is found by its name, as vivid's faults are.
fn set(path: &str, name: &str, value: i64) {
    let device = Device::with_path(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let controls = device.query_controls().unwrap();
    let Some(control) = controls.iter().find(|control| control.name == name) else {
        panic!("{path} has no control {name:?}, but {:?}", controls.iter().map(|c| &c.name).collect::<Vec<_>>());
    };
    let value = if control.typ == Type::Button { Value::None } else { Value::Integer(value) };
    device.set_control(Control { id: control.id, value }).unwrap_or_else(|error| panic!("{name}: {error}"));
}
