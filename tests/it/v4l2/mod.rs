//! The V4L2 source on a real kernel: every format, every fault, and no leak. The cameras are those of the camera lab
//! ([`crate::support::lab`]): `vivid`, which can be broken in many ways, and `v4l2loopback`, which shows what is written to it.
//!
//! No test asserts a time. What a camera's fault leads to is waited for in the program's own verdicts, with a limit that
//! only ends a test which has failed.

mod colors;
mod commands;
mod encode;
mod endurance;
mod exactly;
mod faults;
mod formats;
mod loss;
mod several;

use crate::support::Bench;

/// What the line of a verdict on a frame has, and that of a verdict without one lacks.
const JUDGED: &str = "\"class\":\"";
/// What a verdict has when the deadline passed without a frame.
const FAULT: &str = "\"state\":\"fault\"";
/// Node of vivid's first camera.
const VIVID: &str = "/dev/video0";
/// Node of v4l2loopback.
const LOOPBACK: &str = "/dev/video10";
/// Another, which is a camera only while somebody writes into it.
const EXCLUSIVE: &str = "/dev/video11";

/// Writes the config `NAME.toml` of a camera, with the tiny network. What waits is impatient, for the tests' sake; only a lost
/// camera is left alone for long enough that a verdict tells of it.
fn config(bench: &Bench, name: &str, device: &str, format: &str, size: &str) {
    config_for(bench, name, device, format, size, "package");
}

/// The same with another package.
fn config_for(bench: &Bench, name: &str, device: &str, format: &str, size: &str, package: &str) {
    let (width, height) = size.split_once('x').unwrap();
    let text = format!(
        "[[camera]]
[camera.source.v4l2]
device = \"{device}\"
formats = [\"{format}\"]
width = {width}
height = {height}
frames_per_second = 30.0
stall_timeout_ms = 1000
reopen_min_ms = 200
reopen_max_ms = 400
[model]
package = \"{package}\"
[decide]
deadline_ms = 1500
latch = []
"
    );
    bench.write(&format!("{name}.toml"), &text);
}
