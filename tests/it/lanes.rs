//! The monitor as a library, on cameras that break in ways which no test could bring about from outside.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use oodwatch::config::Config;
use oodwatch::decode::Content;
use oodwatch::monitor::{Camera, Ended, Limits, Monitor, MonitorError, Orders, Summary};
use oodwatch::open;
use oodwatch::pipeline::Pipeline;
use oodwatch::sink::{FileConfig, SinkConfig, Sinks};
use oodwatch::source::{Frame, Live, Source, SourceError};
use oodwatch::verdict::{Reason, State, Verdict};

use crate::support::{Bench, Tool, have, known};

/// Ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Delivers frames up to a number, then does what the test wants.
struct Scripted {
    next: u64,
    frames: u64,
    then: Then,
    png: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    End,
    Break,
    Panic,
    Hang,
    /// Live, and faster than anybody can judge, until it is stopped.
    Flood,
}

impl Source for Scripted {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        let index = self.next;
        self.next += 1;
        if index >= self.frames {
            match self.then {
                Then::End => return Ok(None),
                Then::Break => return Err(SourceError::Stalled { path: "film".into(), frame: index, waited_ms: 7 }),
                Then::Panic => panic!("as scripted"),
                Then::Hang => loop {
                    thread::park();
                },
                Then::Flood if stop.load(Ordering::Relaxed) => return Ok(None),
                Then::Flood => {}
            }
        }
        Ok(Some(Frame {
            index,
            path: "scripted".into(),
            captured_at: jiff::Timestamp::UNIX_EPOCH,
            taken: Instant::now(),
            content: Content::Encoded(self.png.clone()),
        }))
    }

    fn live(&self) -> Option<Arc<Live>> {
        (self.then == Then::Flood).then(Arc::default)
    }
}

/// A run of scripted cameras, each with a deadline of its own.
struct Scene {
    bench: Bench,
    cameras: Vec<(&'static str, u64, Then, u64)>,
}

impl Scene {
    fn new() -> Self {
        Self { bench: Bench::new(), cameras: Vec::new() }
    }

    fn camera(mut self, name: &'static str, frames: u64, then: Then, deadline_ms: u64) -> Self {
        self.cameras.push((name, frames, then, deadline_ms));
        self
    }

    fn verdicts(&self, camera: &str) -> Vec<Verdict> {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        // The last line may still be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let verdicts = whole.lines().map(|line| serde_json::from_str::<Verdict>(line).unwrap());
        verdicts.filter(|verdict| verdict.camera == camera).collect()
    }

    fn file(&self) -> PathBuf {
        self.bench.path("verdicts.jsonl")
    }

    /// Runs until `enough`, then stops; without that, until it ends by itself.
    fn run(&self, enough: impl Fn() -> bool) -> Result<Vec<Ended>, MonitorError> {
        let orders = Orders::default();
        thread::scope(|scope| {
            let running = scope.spawn(|| self.monitor().run(self.lanes(), Limits::default(), &orders));
            let since = Instant::now();
            while !running.is_finished() && !enough() && since.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(5));
            }
            orders.stop.store(true, Ordering::Relaxed);
            running.join().unwrap()
        })
    }

    fn config(&self) -> Config {
        let package = self.bench.path("package");
        let any = "[[camera]]\n[camera.source.images]\npath = \"-\"";
        let text = format!("{any}\n[model]\npackage = {:?}\n", package.display().to_string());
        Config::load(&self.bench.write("scene.toml", &text)).unwrap()
    }

    fn monitor(&self) -> Monitor<Pipeline> {
        let sink = SinkConfig { stdout: None, file: Some(FileConfig { path: self.file() }) };
        let opened = open::open_cameras(&self.config()).unwrap();
        Monitor { network: opened.pipeline, sinks: Sinks::open(&sink).unwrap() }
    }

    fn lanes(&self) -> Vec<Camera> {
        let config = self.config();
        let opened = open::open_cameras(&config).unwrap();
        let by = &opened.calibrations[0];
        let mut png = Vec::new();
        known(1).write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
        let lane = |(name, frames, then, deadline_ms): &(&str, u64, Then, u64)| {
            let mut config = config.clone();
            (config.decide.deadline_ms, config.decide.startup_ms) = (*deadline_ms, 0);
            // On a busy machine one frame may take longer than the shortest of the deadlines.
            config.decide.latch.clear();
            config.health.enabled = false;
            config.camera[0].name = (*name).into();
            let source = Scripted { next: 0, frames: *frames, then: *then, png: png.clone() };
            Camera::new(Box::new(source), &config.camera[0], &config, by, "run").unwrap()
        };
        self.cameras.iter().map(lane).collect()
    }
}

fn check_counts(ended: &[Ended]) {
    for Ended { camera, summary, .. } in ended {
        let Summary { captured, judged, dropped, bad, .. } = summary;
        assert_eq!(*captured, judged + dropped + bad, "{camera}: {summary:?}");
    }
}

/// Of the cameras that fail: how many frames are judged before, and what is said afterwards.
const WHY: [(&str, usize, Reason); 3] = [
    ("broken", 3, Reason::CameraFailed),
    ("panicked", 0, Reason::CameraFailed),
    ("hung", 2, Reason::NoFrameWithinDeadline),
];

#[test]
fn cameras_that_break_panic_or_hang_are_faults_and_cost_the_others_nothing() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let scene = Scene::new()
        .camera("broken", 3, Then::Break, 50)
        .camera("good", 60, Then::End, 60_000)
        .camera("panicked", 0, Then::Panic, 50)
        .camera("hung", 2, Then::Hang, 50);
    let told = |camera: &str, why: Reason| {
        let verdicts = scene.verdicts(camera);
        verdicts.iter().filter(|verdict| verdict.frame.is_none() && verdict.reasons == [why]).count()
    };
    let all_told = || WHY.iter().all(|(camera, _, why)| told(camera, *why) >= 3);
    let ended = scene.run(|| all_told() && scene.verdicts("good").len() == 60).unwrap();
    check_counts(&ended);

    let [broken, good, panicked, hung] = ended.as_slice() else { panic!("{ended:?}") };
    assert!(matches!(broken.failure, Some(MonitorError::Source(SourceError::Stalled { .. }))), "{broken:?}");
    assert!(matches!(panicked.failure, Some(MonitorError::SourcePanicked)), "{panicked:?}");
    assert!(good.failure.is_none() && hung.failure.is_none());
    assert_eq!((good.summary.judged, good.summary.dropped, good.summary.silent), (60, 0, 0));
    assert!(scene.verdicts("good").iter().filter_map(|verdict| verdict.frame).eq(0..60));

    for (camera, judged, why) in WHY {
        let verdicts = scene.verdicts(camera);
        assert!(verdicts.iter().map(|verdict| verdict.alive).eq(1..=verdicts.len() as u64));
        assert_eq!(verdicts.iter().filter(|verdict| verdict.frame.is_some()).count(), judged);
        let (last, rest) = verdicts.split_last().unwrap();
        assert_eq!((last.state, last.reasons.as_slice()), (State::Fault, &[Reason::Stopped][..]));
        // A busy machine may be silent for a while before.
        let without_frame = rest.iter().filter(|verdict| verdict.frame.is_none());
        for fault in without_frame.skip_while(|verdict| verdict.reasons != [why]) {
            assert_eq!((fault.state, fault.safe, fault.reasons[0]), (State::Fault, false, why));
            assert!(fault.reasons[1..].iter().all(|reason| *reason == Reason::JudgingStalled), "{fault:?}");
        }
    }
}

#[test]
fn a_run_ends_when_no_camera_can_deliver_any_more() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let scene = Scene::new().camera("broken", 3, Then::Break, 60_000).camera("good", 9, Then::End, 60_000);
    let ended = scene.run(|| false).unwrap();
    check_counts(&ended);
    assert!(ended[0].failure.is_some() && ended[1].failure.is_none());
    assert!(ended.iter().all(|ended| !ended.summary.stopped));
    // Finished: nothing is said but of its frames.
    assert!(scene.verdicts("good").iter().map(|verdict| verdict.frame).eq((0..9).map(Some)));
    // Told at once, long before the deadline.
    let last = scene.verdicts("broken").pop().unwrap();
    assert_eq!((last.frame, last.reasons.as_slice()), (None, &[Reason::CameraFailed][..]));
}

#[test]
fn a_camera_alone_that_breaks_ends_the_run_without_another_word() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let scene = Scene::new().camera("broken", 3, Then::Break, 60_000);
    let ended = scene.run(|| false).unwrap();
    assert!(matches!(ended[0].failure, Some(MonitorError::Source(_))), "{ended:?}");
    assert!(scene.verdicts("broken").iter().map(|verdict| verdict.frame).eq((0..3).map(Some)));
}

#[test]
fn a_camera_with_more_frames_than_can_be_judged_takes_no_turn_from_another() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let scene = Scene::new().camera("flood", 0, Then::Flood, 60_000).camera("footage", 50, Then::End, 60_000);
    let ended = scene.run(|| scene.verdicts("footage").len() == 50).unwrap();
    check_counts(&ended);
    let [flood, footage] = ended.as_slice() else { panic!("{ended:?}") };
    assert_eq!((footage.summary.judged, footage.summary.dropped), (50, 0));
    assert!(flood.failure.is_none() && flood.summary.judged > 0 && flood.summary.dropped > 0, "{flood:?}");
}
