//! Real children, by the shell: what cameras do, and what commands do that misbehave.

use std::path::Path;
use std::thread;

use super::*;
use crate::decode::{DecodeError, PixelFormat, decode};

/// Ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell that writes grey frames of 2x2 pixels, four bytes each.
fn config(script: &str) -> PipeConfig {
    let (reopen_min_ms, reopen_max_ms) = (1, 50);
    PipeConfig { reopen_min_ms, reopen_max_ms, ..PipeConfig::new(&["sh", "-c", script], PixelFormat::Grey, (2, 2)) }
}

fn recording(script: &str) -> PipeConfig {
    PipeConfig { live: false, ..config(script) }
}

fn open(config: &PipeConfig) -> Pipe {
    Pipe::open(config, "front").unwrap()
}

fn next(pipe: &mut Pipe) -> Frame {
    pipe.next_frame(&AtomicBool::new(false)).unwrap().expect("a frame")
}

fn text(frame: &Frame) -> String {
    let Content::Raw(raw) = &frame.content else { panic!("{:?}", frame.content) };
    String::from_utf8_lossy(&raw.bytes).into_owned()
}

fn error(config: &PipeConfig) -> String {
    let mut pipe = match Pipe::open(config, "front") {
        Ok(pipe) => pipe,
        Err(error) => return error.to_string(),
    };
    loop {
        match pipe.next_frame(&AtomicBool::new(false)) {
            Ok(frame) => assert!(frame.is_some(), "it ended well"),
            Err(error) => return error.to_string(),
        }
    }
}

#[test]
fn a_command_that_ends_is_lost_and_started_anew_and_frames_are_numbered_on() {
    let mut pipe = open(&config("printf aaaabbbb"));
    let live = pipe.live().unwrap();
    for (index, wanted) in ["aaaa", "bbbb", "aaaa", "bbbb", "aaaa"].iter().enumerate() {
        let before = Instant::now();
        let frame = next(&mut pipe);
        assert_eq!((frame.index, text(&frame).as_str()), (index as u64, *wanted));
        assert!(frame.taken <= Instant::now() && before.duration_since(frame.taken) < PATIENCE);
        assert_eq!(live.condition(), Condition::Streaming);
    }
    assert_eq!(live.dropped(), 0);
}

#[test]
fn a_frame_that_the_end_cuts_off_is_handed_on_and_found_bad() {
    let mut pipe = open(&config("printf aaaabb"));
    assert_eq!(text(&next(&mut pipe)), "aaaa");
    let cut = next(&mut pipe);
    assert_eq!(pipe.live().unwrap().condition(), Condition::Lost);
    let error = decode(cut.content).unwrap_err();
    assert!(matches!(error, DecodeError::Short { bytes: 2, wanted: 4, .. }), "{error}");
    // The next start begins with a frame's first byte again.
    assert_eq!(text(&next(&mut pipe)), "aaaa");
}

#[test]
fn a_command_that_hangs_or_trickles_is_started_anew() {
    for script in ["printf aaaab; exec sleep 600", "printf aaaa; while :; do printf b; sleep 0.3; done"] {
        let mut pipe = open(&PipeConfig { stall_timeout_ms: 100, ..config(script) });
        assert_eq!(text(&next(&mut pipe)), "aaaa", "{script}");
        assert_eq!(text(&next(&mut pipe)), "b", "{script}");
        assert_eq!(text(&next(&mut pipe)), "aaaa", "{script}");
    }
}

#[test]
fn a_silent_command_is_told_before_it_is_lost() {
    let mut pipe = open(&PipeConfig { stall_timeout_ms: 60_000, ..config("printf aaaa; exec sleep 600") });
    next(&mut pipe);
    let (live, stop) = (pipe.live().unwrap(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| assert!(pipe.next_frame(&stop).unwrap().is_none()));
        let since = Instant::now();
        while live.condition() != Condition::Silent && since.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(live.condition(), Condition::Silent);
}

#[test]
fn a_flood_is_read_frame_by_frame_in_memory_of_a_few() {
    let mut pipe = open(&config("exec cat /dev/zero"));
    let counted = allocation_counter::measure(|| {
        for index in 0..10_000 {
            assert_eq!(next(&mut pipe).index, index);
        }
    });
    assert!(counted.bytes_max < 1 << 20, "{counted:?}");
}

#[test]
fn whoever_the_command_started_is_gone_with_it_also_who_will_not_hear() {
    let dir = tempfile::tempdir().unwrap();
    // The second ignores being told to end.
    let script = "sleep 600 & echo $! > first; (trap '' TERM; sleep 600 & wait) & echo $! > second; printf aaaa; wait";
    let mut pipe = open(&PipeConfig { directory: dir.path().into(), ..config(script) });
    next(&mut pipe);
    drop(pipe);
    for name in ["first", "second"] {
        let id = std::fs::read_to_string(dir.path().join(name)).unwrap();
        let since = Instant::now();
        while is_running(id.trim()) {
            assert!(since.elapsed() < PATIENCE, "{name} is still there");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Not as a zombie, which whoever started it has only not looked at yet.
fn is_running(id: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{id}/stat"));
    state.is_ok_and(|state| !state.rsplit(')').next().is_some_and(|after| after.trim_start().starts_with('Z')))
}

#[test]
fn a_command_that_cannot_work_is_an_error_at_the_start() {
    let check = |config: &PipeConfig, wanted: &str| {
        let error = error(config);
        assert!(error.contains(wanted), "{error}\nwanted: {wanted}");
    };
    let missing = PipeConfig { command: vec!["/nobody/here".into()], ..config("") };
    check(&missing, "source: front: /nobody/here cannot be started: No such file");
    let ended = config("echo no camera here >&2; exit 3");
    check(&ended, "source: front: sh ended with exit status: 3 before it wrote anything; it said: no camera here");
    let silent = PipeConfig { start_timeout_ms: 100, ..config("echo waiting >&2; exec sleep 600") };
    check(&silent, "ms, wanted its first byte; it said: waiting");
}

#[test]
fn of_a_recording_every_frame_comes_with_its_time_and_its_end_is_the_end() {
    let mut pipe = open(&PipeConfig { frames_per_second: 10.0, ..recording("printf aaaabbbbccccdd") });
    assert!(pipe.live().is_none());
    let frames: Vec<Frame> = (0..4).map(|_| next(&mut pipe)).collect();
    assert_eq!(frames.iter().map(text).collect::<Vec<_>>(), ["aaaa", "bbbb", "cccc", "dd"]);
    let times: Vec<_> = frames.iter().map(|frame| frame.captured_at).collect();
    assert!(times.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_millis() == 100), "{times:?}");
    assert!(pipe.next_frame(&AtomicBool::new(false)).unwrap().is_none());
}

#[test]
fn a_recording_that_ends_badly_or_hangs_is_an_error() {
    let ended = error(&recording("printf aaaa; echo lost it >&2; exit 1"));
    assert_eq!(ended, "source: front: sh ended with exit status: 1; it said: lost it");
    let silent = error(&PipeConfig { stall_timeout_ms: 100, ..recording("printf aaaa; exec sleep 600") });
    assert!(silent.ends_with("ms, wanted frame 1"), "{silent}");
}

#[test]
fn a_file_and_a_fifo_are_read_by_cat() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("frames"), "aaaabbbb").unwrap();
    let cat = |name: &str| PipeConfig {
        command: vec!["cat".into(), name.into()],
        directory: dir.path().into(),
        ..recording("")
    };
    assert_eq!(text(&next(&mut open(&cat("frames")))), "aaaa");
    let fifo = dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let mut pipe = open(&PipeConfig { live: true, ..cat("fifo") }.with_writer(&fifo));
    assert_eq!(text(&next(&mut pipe)), "cccc");
}

impl PipeConfig {
    /// Lets somebody write a frame into the FIFO that is read.
    fn with_writer(self, fifo: &Path) -> Self {
        let fifo = fifo.to_path_buf();
        thread::spawn(move || std::fs::write(fifo, "cccc"));
        self
    }
}

#[test]
fn what_a_program_says_on_stdout_is_kept_out_of_the_frames_by_another_descriptor() {
    let script = "{ echo GST_ARGUS: Creating output stream; printf aaaa >&3; } 3>&1 1>&2";
    assert_eq!(text(&next(&mut open(&config(script)))), "aaaa");
}

#[test]
fn pictures_of_a_jpeg_stream_are_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut stream = Vec::new();
    for value in [20, 200] {
        let image = image::RgbImage::from_pixel(8, 8, image::Rgb([value; 3]));
        image::codecs::jpeg::JpegEncoder::new(&mut stream).encode_image(&image).unwrap();
    }
    std::fs::write(dir.path().join("stream.mjpg"), &stream[..stream.len() - 20]).unwrap();
    let command = ["cat", "stream.mjpg"];
    let jpeg = PipeConfig::new(&command, PixelFormat::Mjpg, (8, 8));
    let mut pipe = open(&PipeConfig { directory: dir.path().into(), live: false, ..jpeg });
    assert!(decode(next(&mut pipe).content).unwrap().pixels().all(|pixel| pixel[0].abs_diff(20) <= 2));
    assert!(matches!(decode(next(&mut pipe).content), Err(DecodeError::Mjpeg { .. })));
}
