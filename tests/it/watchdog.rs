//! The monitor as a library, with a network that hangs, panics or fails on order. No ONNX Runtime is needed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use oodwatch::decide::{DecideConfig, Decider, Machine};
use oodwatch::decode::Decoder;
use oodwatch::drift::{Drift, DriftConfig};
use oodwatch::health::{Health, HealthConfig};
use oodwatch::monitor::{Camera, Ended, Limits, Monitor, MonitorError, Orders};
use oodwatch::pipeline::{FittedScores, Lens};
use oodwatch::sink::Sinks;
use oodwatch::verdict::{Reason, State, Verdict};

use crate::support::breaking::{GOOD, Gate, Network, Then, Ticking, judge, reporter};

/// Ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const CAMERAS: [&str; 2] = ["front", "rear"];

/// A file that panics, once, when it is to hold some text.
struct Paper {
    file: File,
    panic_at: Option<&'static str>,
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let hit = |text: &&str| String::from_utf8_lossy(bytes).contains(*text);
        if let Some(text) = self.panic_at.take_if(|text| hit(&*text)) {
            panic!("as scripted, at {text}");
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A run of two cameras on a network that breaks.
struct Scene {
    dir: tempfile::TempDir,
    then: Then,
    panic_at: Option<&'static str>,
    decide: DecideConfig,
    gate: Arc<Gate>,
    orders: Orders,
}

impl Scene {
    fn new(then: Then, deadline_ms: u64) -> Self {
        let decide = DecideConfig { deadline_ms, startup_ms: 0, ..DecideConfig::default() };
        let (gate, orders) = (Arc::default(), Orders::default());
        Self { dir: tempfile::tempdir().unwrap(), then, panic_at: None, decide, gate, orders }
    }

    fn verdicts(&self, camera: &str) -> Vec<Verdict> {
        let text = fs::read_to_string(self.dir.path().join("verdicts")).unwrap_or_default();
        // The last line may still be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let verdicts = whole.lines().map(|line| serde_json::from_str::<Verdict>(line).unwrap());
        verdicts.filter(|verdict| verdict.camera == camera).collect()
    }

    /// Whether that was said of every camera.
    fn said(&self, what: impl Fn(&Verdict) -> bool) -> bool {
        CAMERAS.iter().all(|camera| self.verdicts(camera).iter().any(&what))
    }

    /// Runs until `enough`, then stops; without that, until it ends by itself.
    fn run(&self, enough: impl Fn() -> bool) -> Result<Vec<Ended>, MonitorError> {
        let file = File::create(self.dir.path().join("verdicts")).unwrap();
        let sinks = Sinks::to("paper", Box::new(Paper { file, panic_at: self.panic_at }));
        let monitor = Monitor { network: Network::new(self.then, &self.gate), sinks };
        thread::scope(|scope| {
            let running = scope.spawn(|| monitor.run(self.cameras(), Limits::default(), &self.orders));
            let since = Instant::now();
            while !running.is_finished() && !enough() && since.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(10));
            }
            self.orders.stop.store(true, Ordering::Relaxed);
            running.join().unwrap()
        })
    }

    fn cameras(&self) -> Vec<Camera> {
        let camera = |name: &str| Camera {
            source: Box::new(Ticking::new()),
            decoder: Decoder::default(),
            // One picture again and again is a frozen camera.
            health: Health::new(&HealthConfig { enabled: false, ..HealthConfig::default() }),
            lens: Lens::default(),
            fitted: FittedScores::default(),
            judge: judge(),
            machine: Machine::new(Decider::new(&self.decide, Instant::now()), &self.decide),
            drift: Drift::new(&DriftConfig::default()),
            board: Default::default(),
            reporter: reporter(name, self.decide.deadline_ms),
        };
        CAMERAS.into_iter().map(camera).collect()
    }
}

/// What holds for every run: nothing is lost, `alive` counts on, safe is nominal, and every frame has an age.
fn check(scene: &Scene, ended: &[Ended]) {
    for Ended { summary, .. } in ended {
        assert_eq!(summary.captured, summary.judged + summary.dropped + summary.bad, "{summary:?}");
    }
    for verdicts in CAMERAS.map(|camera| scene.verdicts(camera)) {
        assert!(verdicts.iter().map(|verdict| verdict.alive).eq(1..=verdicts.len() as u64));
        for verdict in verdicts {
            assert_eq!(verdict.safe, verdict.state == State::Nominal);
            assert_eq!(verdict.reasons.is_empty(), verdict.safe);
            assert_eq!(verdict.frame.is_some(), verdict.age_ms.is_some());
        }
    }
}

fn stalled(verdict: &Verdict) -> bool {
    verdict.reasons.contains(&Reason::JudgingStalled)
}

#[test]
fn a_network_that_hangs_is_a_fault_of_every_camera_until_it_comes_back() {
    let mut scene = Scene::new(Then::Hang, 300);
    scene.decide.latch.clear();
    let came_back = || {
        if scene.said(stalled) {
            scene.gate.open();
        }
        let recovered = |camera: &&str| {
            let verdicts = scene.verdicts(camera);
            verdicts.iter().skip_while(|verdict| !stalled(verdict)).any(|verdict| verdict.safe)
        };
        CAMERAS.iter().all(recovered)
    };
    let ended = scene.run(came_back).unwrap();
    check(&scene, &ended);
    for (ended, camera) in ended.iter().zip(CAMERAS) {
        assert!(ended.failure.is_none() && ended.summary.silent > 0, "{ended:?}");
        let verdicts = scene.verdicts(camera);
        for verdict in verdicts.iter().filter(|verdict| stalled(verdict)) {
            assert_eq!((verdict.state, verdict.frame), (State::Fault, None));
            assert_eq!(verdict.reasons, [Reason::NoFrameWithinDeadline, Reason::JudgingStalled]);
        }
        assert!(verdicts.iter().any(|verdict| verdict.safe));
        assert_eq!(verdicts.last().unwrap().reasons, [Reason::Stopped]);
    }
}

#[test]
fn a_stall_is_latched_beyond_good_frames_and_ends_by_a_reset() {
    let scene = Scene::new(Then::Hang, 1_000);
    let latched =
        |verdict: &Verdict| verdict.frame.is_some() && verdict.reasons == [Reason::Latched, Reason::JudgingStalled];
    let safe_again = || {
        if scene.said(stalled) {
            scene.gate.open();
        }
        if scene.said(latched) {
            scene.orders.reset.store(true, Ordering::Relaxed);
        }
        let last_is_safe = |camera: &&str| scene.verdicts(camera).last().is_some_and(|verdict| verdict.safe);
        scene.said(latched) && CAMERAS.iter().all(last_is_safe)
    };
    let ended = scene.run(safe_again).unwrap();
    check(&scene, &ended);
    for (ended, camera) in ended.iter().zip(CAMERAS) {
        assert!(ended.failure.is_none(), "{ended:?}");
        let verdicts = scene.verdicts(camera);
        let first = verdicts.iter().position(stalled).unwrap();
        let reset = first + verdicts[first..].iter().position(|verdict| !stalled(verdict)).unwrap();
        // From the stall to the reset nothing is safe, however good the frames.
        assert!(verdicts[first..reset].iter().all(|verdict| verdict.state == State::Fault));
        assert!(verdicts[first..reset].iter().any(latched));
    }
}

#[test]
fn a_run_that_is_stopped_in_a_latched_fault_ends_badly() {
    let scene = Scene::new(Then::Hang, 300);
    let latched = || {
        if scene.said(stalled) {
            scene.gate.open();
        }
        scene.said(|verdict| stalled(verdict) && verdict.frame.is_some())
    };
    let ended = scene.run(latched).unwrap();
    check(&scene, &ended);
    for (ended, camera) in ended.iter().zip(CAMERAS) {
        let Some(MonitorError::Latched { reasons }) = &ended.failure else { panic!("{ended:?}") };
        assert_eq!(reasons[..], [Reason::JudgingStalled]);
        let last = scene.verdicts(camera).pop().unwrap();
        assert_eq!(last.reasons, [Reason::Latched, Reason::JudgingStalled, Reason::Stopped]);
    }
}

#[test]
fn a_run_ends_with_a_last_word_while_the_network_hangs_and_nothing_follows_it() {
    let scene = Scene::new(Then::Hang, 60_000);
    let ended = scene.run(|| scene.gate.reached.load(Ordering::Relaxed)).unwrap();
    check(&scene, &ended);
    assert!(ended.iter().all(|ended| ended.summary.stopped && ended.failure.is_none()), "{ended:?}");
    assert_eq!(ended.iter().filter(|ended| ended.left_behind).count(), 1, "one has a frame in the network");
    assert_eq!(ended.iter().map(|ended| ended.summary.judged).sum::<u64>(), GOOD);
    let said = CAMERAS.map(|camera| scene.verdicts(camera));
    assert!(said.iter().all(|verdicts| verdicts.last().unwrap().reasons == [Reason::Stopped]));
    scene.gate.open();
    let since = Instant::now();
    while !scene.gate.passed.load(Ordering::Relaxed) && since.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
    }
    // Time for the thread that comes back to say what it must not.
    thread::sleep(Duration::from_millis(100));
    assert_eq!(said, CAMERAS.map(|camera| scene.verdicts(camera)));
}

#[test]
fn a_panic_of_the_judging_thread_is_the_last_word_on_every_camera() {
    let scene = Scene::new(Then::Panic, 60_000);
    let error = scene.run(|| false).unwrap_err();
    assert!(matches!(&error, MonitorError::Panicked { message } if message == "as scripted"), "{error}");
    check(&scene, &[]);
    for camera in CAMERAS {
        let last = scene.verdicts(camera).pop().unwrap();
        assert_eq!((last.state, last.reasons), (State::Fault, vec![Reason::Panicked]));
    }
}

#[test]
fn a_panic_of_the_supervising_thread_is_the_last_word_on_every_camera() {
    let mut scene = Scene::new(Then::Hang, 300);
    scene.panic_at = Some("judging_stalled");
    let error = scene.run(|| false).unwrap_err();
    assert!(matches!(&error, MonitorError::Panicked { message } if message.ends_with("at judging_stalled")), "{error}");
    for camera in CAMERAS {
        let last = scene.verdicts(camera).pop().unwrap();
        assert_eq!(last.state, State::Fault);
        assert!(last.reasons.contains(&Reason::Panicked), "{last:?}");
    }
}

#[test]
fn a_network_that_fails_is_the_last_word_on_every_camera() {
    let scene = Scene::new(Then::Fail, 60_000);
    assert!(matches!(scene.run(|| false), Err(MonitorError::Infer(_))));
    check(&scene, &[]);
    for camera in CAMERAS {
        let last = scene.verdicts(camera).pop().unwrap();
        assert_eq!((last.state, last.reasons), (State::Fault, vec![Reason::JudgingFailed]));
    }
}

#[test]
fn a_self_test_on_demand_that_passes_changes_nothing() {
    let scene = Scene::new(Then::Hang, 60_000);
    scene.gate.open();
    scene.orders.self_test.store(true, Ordering::Relaxed);
    let proved = || scene.gate.proved.load(Ordering::Relaxed);
    let ended = scene.run(|| proved() == 3 && scene.said(|verdict| verdict.safe)).unwrap();
    check(&scene, &ended);
    assert_eq!(proved(), 3, "once for each golden input");
    let mut verdicts = CAMERAS.into_iter().flat_map(|camera| scene.verdicts(camera));
    assert!(verdicts.all(|verdict| verdict.safe || verdict.reasons == [Reason::Stopped]));
}

#[test]
fn a_self_test_that_fails_is_a_latched_fault_of_every_camera_until_a_reset() {
    let scene = Scene::new(Then::Deviate, 60_000);
    let latched = [Reason::Latched, Reason::SelfTestFailed];
    let failed = |verdict: &Verdict| verdict.reasons == latched && verdict.state == State::Fault;
    let safe_again = || {
        if scene.said(|verdict| verdict.safe) && scene.gate.proved.load(Ordering::Relaxed) == 0 {
            scene.orders.self_test.store(true, Ordering::Relaxed);
        }
        // Said at once, and of the frames that follow.
        if scene.said(|verdict| failed(verdict) && verdict.frame.is_some()) {
            scene.orders.reset.store(true, Ordering::Relaxed);
        }
        CAMERAS.iter().all(|camera| {
            let verdicts = scene.verdicts(camera);
            verdicts.iter().skip_while(|verdict| !failed(verdict)).any(|verdict| verdict.safe)
        })
    };
    let ended = scene.run(safe_again).unwrap();
    check(&scene, &ended);
    assert!(scene.said(|verdict| failed(verdict) && verdict.frame.is_none()));
}

#[test]
fn a_self_test_that_is_due_is_run_again_and_again_and_frames_are_judged_between() {
    let scene = Scene::new(Then::Prove, 60_000);
    let ended =
        scene.run(|| scene.gate.proved.load(Ordering::Relaxed) >= 9 && scene.said(|verdict| verdict.safe)).unwrap();
    check(&scene, &ended);
    assert!(CAMERAS.iter().all(|camera| scene.verdicts(camera).iter().any(|verdict| verdict.safe)));
}
