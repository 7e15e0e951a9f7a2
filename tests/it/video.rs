//! Videos through ffmpeg. The clips are drawn by ffmpeg itself.

use std::path::Path;
use std::process::Command;

use oodwatch::source::find_ffmpeg;

use crate::support::{Bench, Ran, Tool, have};

/// Ten frames a second of a test picture, 64x48 pixels, lossless.
fn clip(bench: &Bench, name: &str, seconds: &str, more: &[&str]) {
    let output = Command::new(find_ffmpeg(Path::new("")))
        .args(["-hide_banner", "-nostdin", "-f", "lavfi", "-i"])
        .arg(format!("testsrc=duration={seconds}:rate=10:size=64x48"))
        .args(more)
        .args(["-c:v", "ffv1"])
        .arg(bench.path(name))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn run(bench: &Bench, video: &str) -> Ran {
    let config = bench.config(&format!("[camera.source.video]\npath = \"{video}\""));
    bench.run(&["run", "--config", config.to_str().unwrap()])
}

#[test]
fn every_frame_of_a_video_is_judged_with_its_own_time() {
    if !have(&[Tool::OnnxRuntime, Tool::Ffmpeg]) {
        return;
    }
    let bench = Bench::new();
    clip(&bench, "clip.mkv", "2", &[]);
    let ran = run(&bench, "clip.mkv").expect(0, &["20 frames captured = 20 judged"]);
    let times: Vec<jiff::Timestamp> =
        ran.verdicts().iter().filter_map(|verdict| verdict.captured_at.as_ref()?.parse().ok()).collect();
    assert_eq!(times.len(), 20);
    assert!(times.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_millis() == 100), "{times:?}");
}

#[test]
fn frames_at_uneven_times_are_neither_doubled_nor_dropped() {
    if !have(&[Tool::OnnxRuntime, Tool::Ffmpeg]) {
        return;
    }
    let bench = Bench::new();
    // Frame n at n^2 / 10 seconds.
    clip(&bench, "clip.mkv", "0.5", &["-vf", "setpts=N*N/10/TB", "-fps_mode", "passthrough"]);
    let ran = run(&bench, "clip.mkv").expect(0, &["5 frames captured = 5 judged"]);
    let times: Vec<jiff::Timestamp> =
        ran.verdicts().iter().filter_map(|verdict| verdict.captured_at.as_ref()?.parse().ok()).collect();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_millis()).collect();
    assert_eq!(gaps, [100, 300, 500, 700]);
}

#[test]
fn max_frames_ends_a_video_early_and_leaves_no_ffmpeg_behind() {
    if !have(&[Tool::OnnxRuntime, Tool::Ffmpeg]) {
        return;
    }
    let bench = Bench::new();
    clip(&bench, "clip.mkv", "60", &[]);
    let clip = bench.path("clip.mkv").display().to_string();
    let config = bench.config(&format!("[camera.source.video]\npath = \"{clip}\""));
    let ran = bench.run(&["run", "--config", config.to_str().unwrap(), "--max-frames", "7"]);
    ran.expect(0, &["7 frames captured = 7 judged"]);
    assert!(!processes().iter().any(|line| line.contains(&clip)), "an ffmpeg is still at work");
}

/// Command lines of all processes.
fn processes() -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok()).collect()
}

#[test]
fn a_video_calibrates_a_package() {
    if !have(&[Tool::OnnxRuntime, Tool::Ffmpeg]) {
        return;
    }
    let bench = Bench::new();
    clip(&bench, "clip.mkv", "3", &[]);
    let arguments =
        "calibrate --model package --from clip.mkv --false-alarm-rate 0.1 --max-frames 25 --score energy --out mine";
    bench.run(&arguments.split(' ').collect::<Vec<_>>()).expect(0, &[]);
    let package = oodwatch::package::Package::open(&bench.path("mine")).unwrap();
    assert_eq!(package.calibration.images, 25);
}

#[test]
fn a_text_named_mp4_is_code_4_with_ffmpegs_own_word() {
    if !have(&[Tool::OnnxRuntime, Tool::Ffmpeg]) {
        return;
    }
    let bench = Bench::new();
    bench.write("clip.mp4", "this is no video");
    run(&bench, "clip.mp4").expect(4, &["clip.mp4: ffmpeg ended with exit status", "Invalid data"]);
}

#[test]
fn a_missing_ffmpeg_is_code_4_and_says_where_to_name_it() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.write("clip.mp4", "never looked at");
    let config = bench.config("[camera.source.video]\npath = \"clip.mp4\"\nffmpeg = \"/nonexistent/ffmpeg\"");
    bench
        .run(&["run", "--config", config.to_str().unwrap()])
        .expect(4, &["ffmpeg cannot be started as /nonexistent/ffmpeg", "OODWATCH_FFMPEG"]);
}
