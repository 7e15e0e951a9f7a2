//! Commands that write frames, as cameras and as recordings.

use std::fs;
use std::process::Command;

use image::RgbImage;
use oodwatch::verdict::{Reason, State};

use crate::support::running::Running;
use crate::support::{Bench, Tool, have, known, strange};

/// A config of a command that writes frames of 8x8 pixels.
fn config(bench: &Bench, command: &str, more: &str) -> String {
    let table = format!(
        "name = \"front\"\n[camera.source.pipe]\ncommand = {command}\nformat = \"RGB3\"\nwidth = 8\nheight = 8\n{more}"
    );
    bench.config(&table).display().to_string()
}

fn write_frames(bench: &Bench, name: &str, pictures: impl Iterator<Item = RgbImage>) {
    let bytes: Vec<u8> = pictures.flat_map(RgbImage::into_raw).collect();
    fs::write(bench.path(name), bytes).unwrap();
}

#[test]
fn every_frame_of_a_recording_is_judged_as_the_same_pictures_in_a_folder_are() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let look = |number: u32| if number < 30 { known(number) } else { strange(number) };
    write_frames(&bench, "frames.raw", (0..40).map(look));
    bench.pictures("pictures", 0, 40, look);
    let piped = config(&bench, "[\"cat\", \"frames.raw\"]", "live = false");
    let piped =
        bench.run(&["run", "--config", &piped]).expect(0, &["40 frames captured = 40 judged + 0 dropped + 0 bad"]);
    let folder = bench.config("[camera.source.images]\npath = \"pictures\"").display().to_string();
    let folder = bench.run(&["run", "--config", &folder]).expect(0, &["40 frames captured = 40 judged"]);
    let seen = |ran: &crate::support::Ran| {
        ran.verdicts().iter().map(|verdict| (verdict.frame, verdict.flag, verdict.class.clone())).collect::<Vec<_>>()
    };
    assert_eq!(seen(&piped), seen(&folder));
    assert!(piped.verdicts().iter().any(|verdict| verdict.flag == Some(true)));
}

#[test]
fn a_frame_that_the_end_cuts_off_is_bad_and_counted() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    write_frames(&bench, "frames.raw", (0..6).map(known));
    let config = config(&bench, "[\"head\", \"-c\", \"1100\", \"frames.raw\"]", "live = false");
    let ran = bench.run(&["run", "--config", &config]);
    ran.expect(0, &["6 frames captured = 5 judged + 0 dropped + 1 bad", "140 bytes, RGB3 8x8 needs 192"]);
}

#[test]
fn a_command_that_dies_is_a_lost_camera_until_it_is_back_and_it_is_gone_at_the_end() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    write_frames(&bench, "frame.raw", (7..8).map(known));
    let script = "echo $$ > id; echo here I am >&2; while :; do cat frame.raw; sleep 0.05; done";
    let more = "frames_per_second = 20.0\nreopen_min_ms = 300\nstall_timeout_ms = 60000";
    let config = config(&bench, &format!("[\"sh\", \"-c\", \"{script}\"]"), more);
    let running = Running::start(bench.program(&["run", "--config", &config]));
    let good = |verdict: &oodwatch::verdict::Verdict| verdict.state == State::Nominal && verdict.frame.is_some();
    running.await_verdict("nominal", good);
    let id = || fs::read_to_string(bench.path("id")).unwrap().trim().to_string();
    let first = id();
    kill(&format!("-{first}"));
    running.await_verdict("about a lost camera", |verdict| verdict.reasons.contains(&Reason::CameraLost));
    running.await_verdict("nominal again", good);
    let second = id();
    assert_ne!(first, second);
    running.signal("TERM");
    let ran = running.end().expect(
        0,
        &[
            "source: front: sh: here I am",
            "source: front: sh ended with signal: 9 (SIGKILL); it is started anew; it said: here I am",
            "source: front: frames flow again",
        ],
    );
    let counts = ran.stderr.lines().last().unwrap();
    assert!(counts.contains("0 bad") || counts.contains("1 bad"), "{counts}");
    assert!(!std::path::Path::new(&format!("/proc/{second}")).exists(), "the command is still there");
}

fn kill(whom: &str) {
    assert!(Command::new("kill").args(["-s", "KILL", "--", whom]).status().unwrap().success());
}

#[test]
fn a_flood_is_judged_by_its_newest_frames_and_every_other_is_counted() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    write_frames(&bench, "frames.raw", (0..500).map(known));
    let config = config(&bench, "[\"sh\", \"-c\", \"while :; do cat frames.raw; done\"]", "");
    let ran =
        bench.run(&["run", "--config", &config, "--max-frames", "20000"]).expect(0, &["20000 frames captured = "]);
    let last = ran.verdicts().into_iter().last().unwrap();
    assert!(last.dropped > 0, "{last:?}");
}

#[test]
fn check_says_what_comes_and_how_fast_and_run_and_check_refuse_what_cannot_work() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    write_frames(&bench, "frame.raw", (7..8).map(known));
    let script = |wait: &str| format!("[\"sh\", \"-c\", \"while :; do cat frame.raw; sleep {wait}; done\"]");
    let works = config(&bench, &script("0.2"), "frames_per_second = 1000.0");
    let ran =
        bench.run(&["check", "--config", &works]).expect(0, &["is this command's format, width, height and stride"]);
    assert!(ran.stdout.contains("ok  source   front: sh writes RGB3 8x8, the first after "), "{}", ran.stdout);
    for (command, wanted) in [
        ("[\"/nobody/here\"]", "source: front: /nobody/here cannot be started: No such file"),
        ("[\"sh\", \"-c\", \"echo no sensor >&2; exit 1\"]", "sh ended with exit status: 1"),
        ("[\"sleep\", \"600\"]", "sleep: nothing for "),
    ] {
        let config = config(&bench, command, "start_timeout_ms = 200");
        for subcommand in ["check", "run"] {
            bench.run(&[subcommand, "--config", &config]).expect(4, &[wanted]);
        }
    }
}

#[test]
fn what_no_command_could_do_is_code_2_by_name() {
    let bench = Bench::new();
    for (command, line, wanted) in [
        ("[]", "", "camera.source.pipe.command is empty, wanted a program and its arguments"),
        ("[\"\"]", "", "camera.source.pipe.command is [\"\"], wanted a program"),
        (
            "[\"a\"]",
            "stride_bytes = 5",
            "camera.source.pipe.stride_bytes is 5, wanted 0, or at least the bytes of a row",
        ),
        ("[\"a\"]", "frames_per_second = 0.0", "camera.source.pipe.frames_per_second is 0, wanted 0.001 to 10000"),
        ("[\"a\"]", "start_timeout_ms = 0", "camera.source.pipe.start_timeout_ms is 0, wanted 1 to 3600000"),
        ("[\"a\"]", "reopen_max_ms = 9", "camera.source.pipe.reopen_max_ms is 9, wanted reopen_min_ms to 3600000"),
        ("\"cat\"", "", "invalid type: string"),
        ("[\"a\"]", "color_matrix = \"driver\"", "unknown variant `driver`"),
    ] {
        let config = config(&bench, command, line);
        bench.run(&["check", "--config", &config]).expect(2, &[wanted]);
    }
}

#[test]
fn init_records_a_command_and_calibrate_takes_its_view_and_its_config_runs() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    write_frames(&bench, "frames.raw", (0..200).map(known));
    let source = config(&bench, "[\"cat\", \"frames.raw\"]", "live = false");
    let init = ["init", "--source", &source, "--frames", "150", "--model", "package", "--out", "robot"];
    bench.run(&init).expect(0, &["150 frames of 8x8 pixels", "done:"]);
    // The command's own paths are relative to where it was recorded, wherever the monitor runs.
    let run = ["run", "--config", "../robot/oodwatch.toml", "--max-frames", "5"];
    let elsewhere = bench.program(&run).current_dir(bench.path("package")).output().unwrap();
    assert_eq!(crate::support::Ran::from(elsewhere).expect(0, &[]).verdicts().len(), 5);
    let calibrate =
        ["calibrate", "--model", "package", "--config", &source, "--camera", "front", "--from", "robot/footage"];
    let more = ["--false-alarm-rate", "0.05", "--out", "calibrated"];
    bench.run(&[calibrate.as_slice(), &more].concat()).expect(0, &[]);
}

/// GStreamer is nothing that the set-up fetches: `apt-get install gstreamer1.0-tools gstreamer1.0-plugins-base`, and for JPEG
/// `gstreamer1.0-plugins-good`.
#[test]
fn a_gstreamer_pipeline_is_a_camera() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    if Command::new("gst-launch-1.0").arg("--version").output().is_err() {
        eprintln!("passed over: this machine lacks gst-launch-1.0");
        return;
    }
    let bench = Bench::new();
    for (format, caps) in [
        ("NV12", "video/x-raw,format=NV12,width=320,height=240,framerate=30/1"),
        ("YU12", "video/x-raw,format=I420,width=320,height=240,framerate=30/1"),
        ("RGB3", "video/x-raw,format=RGB,width=320,height=240,framerate=30/1"),
        ("MJPG", "video/x-raw,width=320,height=240,framerate=30/1 ! jpegenc"),
    ] {
        let jpeg = || Command::new("gst-inspect-1.0").args(["--exists", "jpegenc"]).status().unwrap().success();
        if format == "MJPG" && !jpeg() {
            eprintln!("passed over: this machine lacks GStreamer's jpegenc");
            continue;
        }
        let pipeline = format!("exec gst-launch-1.0 videotestsrc is-live=true ! {caps} ! fdsink fd=3 3>&1 1>&2");
        let table = format!(
            "name = \"csi\"\n[camera.source.pipe]\ncommand = [\"sh\", \"-c\", \"{pipeline}\"]\nformat = \"{format}\"\n\
             width = 320\nheight = 240"
        );
        let config = bench.config(&table).display().to_string();
        let ran = bench.run(&["check", "--config", &config]).expect(0, &[]);
        assert!(ran.stdout.contains(&format!("writes {format} 320x240, the first after")), "{}", ran.stdout);
        let ran = bench.run(&["run", "--config", &config, "--max-frames", "20"]);
        let ran = ran.expect(0, &["20 frames captured = ", " 0 bad", "source: csi: sh: Setting pipeline to PLAYING"]);
        assert!(ran.verdicts().iter().filter(|verdict| verdict.score.is_some()).count() > 0);
    }
}
