//! Latched faults, `oodwatch reset`, and ends that something holds up, with the real program.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use oodwatch::source::find_ffmpeg;
use oodwatch::verdict::{Reason, State, Verdict};
use rustix::fs::{OFlags, fcntl_setfl};

use crate::support::running::{PATIENCE, Running, signal};
use crate::support::{Bench, Ran, Tool, have, known, network, onnx};

/// The program at work in this folder, as its config says.
fn start(bench: &Bench) -> Running {
    Running::start(bench.program(&["run", "--config", "config.toml", "--pid-file", "pid"]))
}

fn configure(bench: &Bench, source: &str, decide: &str) {
    let config = bench.config(source);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("deadline_ms = 60000", decide)).unwrap();
}

#[test]
fn a_latched_fault_outlives_good_frames_ends_by_reset_and_is_code_6_when_the_run_ends_in_it() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    let latching = "deadline_ms = 2000\nstartup_ms = 60000\nlatch = [\"no_frame_within_deadline\"]";
    configure(&bench, "[camera.source.images]\npath = \"-\"", latching);
    let mut running = start(&bench);

    running.show("pictures/0000.png");
    let latched = [Reason::Latched, Reason::NoFrameWithinDeadline];
    let silent = running.await_verdict("latched", |verdict| verdict.reasons == latched);
    assert_eq!((silent.state, silent.frame), (State::Fault, None));
    running.show("pictures/0000.png");
    let judged = running.await_verdict("on a frame", |verdict| verdict.frame.is_some());
    assert_eq!((judged.state, judged.safe), (State::Fault, false));
    assert!(judged.reasons.starts_with(&latched), "{judged:?}");

    let told = bench.run(&["reset", "--pid-file", "pid"]).expect(0, &["told process"]);
    assert!(told.stderr.contains(&running.child.id().to_string()) && told.stdout.is_empty());
    let (mut safe, since) = (false, Instant::now());
    while !safe {
        assert!(since.elapsed() < PATIENCE, "it stays latched");
        running.show("pictures/0000.png");
        safe = running.await_verdict("on a frame", |verdict| verdict.frame.is_some()).safe;
        if !safe {
            // It was latched again before the picture came, or the order is still on its way.
            bench.run(&["reset", "--pid", &running.child.id().to_string()]).expect(0, &[]);
        }
    }
    running.await_verdict("latched again", |verdict| verdict.reasons == latched);
    let said = ["was latched: no_frame_within_deadline", "ended in a latched fault: no_frame_within_deadline"];
    running.signal("TERM");
    running.end().expect(6, &said).expect(6, &["stopped by a signal"]);
    assert!(!bench.path("pid").exists());
}

#[test]
fn nobody_is_told_to_reset_who_does_not_wait_for_it() {
    let bench = Bench::new();
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let pid = other.id().to_string();
    bench.run(&["reset", "--pid", &pid]).expect(2, &["does not listen for SIGUSR1", "nothing was sent"]);
    assert!(other.try_wait().unwrap().is_none(), "it still runs");
    // A pid file of a process that is gone, whose pid another has now.
    bench.write("pid", &format!("{pid}\n1\n"));
    bench.run(&["reset", "--pid-file", "pid"]).expect(2, &["is not running"]);
    other.kill().unwrap();
    other.wait().unwrap();
    bench.run(&["reset", "--pid", &pid]).expect(2, &["is not running"]);
    bench.run(&["reset", "--pid-file", "missing"]).expect(1, &["missing: No such file"]);
    bench.run(&["reset"]).expect(2, &["--pid"]);
}

/// A pipe without room for another byte.
fn full_pipe() -> (io::PipeReader, io::PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    fcntl_setfl(writer.as_fd(), OFlags::NONBLOCK).unwrap();
    while writer.write(&[b' '; 4096]).is_ok() {}
    while writer.write(b" ").is_ok() {}
    fcntl_setfl(writer.as_fd(), OFlags::empty()).unwrap();
    (reader, writer)
}

#[test]
fn a_stdout_that_nobody_reads_does_not_hold_up_the_end_for_ever() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 3, known);
    configure(&bench, "[camera.source.images]\npath = \"pictures\"", "deadline_ms = 200\nstartup_ms = 0");
    let (reader, writer) = full_pipe();
    let arguments = ["run", "--config", "config.toml", "--pid-file", "pid"];
    let child = bench.program(&arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let since = Instant::now();
    // The signals are waited for from before it is there.
    while !bench.path("pid").exists() && since.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
    signal("TERM", child.id());
    Ran::from(child.wait_with_output().unwrap()).expect(1, &["sink: a verdict was not taken"]);
    drop(reader);
}

/// No test can interrupt ONNX Runtime; a loop that never ends can keep it.
#[test]
fn a_network_that_hangs_is_told_and_neither_it_nor_its_library_hold_up_the_end() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    network::write_package_of(&bench.path("stuck"), &onnx::stuck_on_white());
    bench.pictures("pictures", 0, 1, known);
    bench.pictures("pictures", 1, 1, |_| image::RgbImage::from_pixel(8, 8, image::Rgb([255; 3])));
    configure(&bench, "[camera.source.images]\npath = \"-\"", "deadline_ms = 2000");
    let text = fs::read_to_string(bench.path("config.toml")).unwrap();
    bench.write("config.toml", &text.replace("\"package\"", "\"stuck\""));
    let mut running = start(&bench);
    running.show("pictures/0000.png");
    assert!(running.await_verdict("on a frame", |verdict| verdict.frame.is_some()).safe);
    running.show("pictures/0001.png");
    let latched = [Reason::Latched, Reason::JudgingStalled];
    let stalled = running.await_verdict("latched", |verdict| verdict.reasons.starts_with(&latched));
    assert_eq!((stalled.state, stalled.frame), (State::Fault, None));
    running.signal("TERM");
    let last = running.await_verdict("the last", |verdict| verdict.reasons.contains(&Reason::Stopped));
    assert_eq!(last.reasons, [latched[0], latched[1], Reason::Stopped]);
    let said = ["one frame is still being judged", "2 frames captured = 1 judged + 1 dropped + 0 bad"];
    running.end().expect(6, &said);
}

/// A film of a minute, of which ffmpeg is stopped in the middle as a hanging machine would stop it.
#[test]
fn a_source_that_hangs_is_a_fault_and_is_nominal_by_a_judged_frame_when_it_goes_on() {
    if !have(&[Tool::OnnxRuntime, Tool::Ffmpeg]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    let drawn = Command::new(find_ffmpeg(Path::new("")))
        .args(["-hide_banner", "-nostdin", "-loop", "1", "-framerate", "10", "-i"])
        .arg(bench.path("pictures/0000.png"))
        .args(["-t", "60", "-vf", "scale=160:120:flags=neighbor", "-c:v", "ffv1"])
        .arg(bench.path("film.mkv"))
        .output()
        .unwrap();
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let source = "[camera.source.video]\npath = \"film.mkv\"\nrealtime = true\nstall_timeout_ms = 600000";
    configure(&bench, source, "deadline_ms = 2000\nlatch = []");
    let running = start(&bench);
    running.await_verdict("nominal", |verdict| verdict.safe);
    let ffmpeg = child_of(running.child.id());
    signal("STOP", ffmpeg);
    let silent = |verdict: &Verdict| verdict.state == State::Fault && verdict.frame.is_none();
    let fault = running.await_verdict("a fault", silent);
    assert!(fault.reasons.contains(&Reason::NoFrameWithinDeadline), "{fault:?}");
    let again = running.await_verdict("a fault again", silent);
    assert!(again.alive > fault.alive);
    signal("CONT", ffmpeg);
    let nominal = running.await_verdict("nominal again", |verdict| verdict.safe);
    assert!(nominal.frame.is_some() && nominal.age_ms.unwrap() <= 2000.0);
    running.signal("TERM");
    running.end().expect(0, &["stopped by a signal"]);
}

/// The ffmpeg that a program has started.
fn child_of(pid: u32) -> u32 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    // A thread may have ended meanwhile.
    let children = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    let children: String = children.collect();
    children.split_whitespace().next().expect("a child").parse().unwrap()
}
