//! Cameras that are none, and configs that no camera could follow.

use crate::support::{Bench, Tool, have};

fn config(bench: &Bench, device: &str, more: &str) -> String {
    bench.config(&format!("[camera.source.v4l2]\ndevice = \"{device}\"\n{more}")).display().to_string()
}

#[test]
fn a_camera_that_is_not_there_is_code_4_and_check_finds_it_first() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let config = config(&bench, "/dev/v4l/by-id/nobody", "");
    for command in ["check", "run"] {
        let said = "source: /dev/v4l/by-id/nobody: cannot be opened: No such file";
        bench.run(&[command, "--config", &config]).expect(4, &[said]);
    }
}

#[test]
fn a_device_that_is_no_camera_is_code_4() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let config = config(&bench, "/dev/null", "");
    for command in ["check", "run"] {
        let said = "source: /dev/null: is no video device, or does not answer: Inappropriate ioctl";
        bench.run(&[command, "--config", &config]).expect(4, &[said]);
    }
}

#[test]
fn what_no_camera_could_do_is_code_2_by_name() {
    let bench = Bench::new();
    for (line, wanted) in [
        ("buffers = 1", "camera.source.v4l2.buffers is 1, wanted 2 to 32"),
        ("width = 0", "camera.source.v4l2.width is 0, wanted 1 to 16384"),
        ("formats = []", "camera.source.v4l2.formats is 0 formats, wanted at least one"),
        ("frames_per_second = -1.0", "camera.source.v4l2.frames_per_second is -1, wanted 0 to 10000"),
        ("frames_per_second = nan", "camera.source.v4l2.frames_per_second is NaN, wanted 0 to 10000"),
        ("stall_timeout_ms = 0", "camera.source.v4l2.stall_timeout_ms is 0, wanted 1 to 3600000"),
        ("reopen_max_ms = 99", "camera.source.v4l2.reopen_max_ms is 99, wanted reopen_min_ms to 3600000"),
        ("formats = [\"H264\"]", "unknown variant `H264`, expected one of `YUYV`"),
        ("exposure = 5", "unknown field `exposure`"),
    ] {
        let config = config(&bench, "/dev/video0", line);
        bench.run(&["check", "--config", &config]).expect(2, &[wanted]);
    }
}
