//! The table of `oodwatch::source::faults` against a real monitor: every fault that it promises anything of, on cameras of one run.
//! No ONNX Runtime is needed.

use std::fs;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use oodwatch::decide::{DecideConfig, Decider, Machine};
use oodwatch::decode::Decoder;
use oodwatch::drift::{Drift, DriftConfig};
use oodwatch::health::{Health, HealthConfig, Kind};
use oodwatch::monitor::{Camera, Limits, Monitor, Orders};
use oodwatch::pipeline::{FittedScores, Lens};
use oodwatch::sink::Sinks;
use oodwatch::source::faults::{Circumstances, Expectation, FaultConfig, Sign, taken_ns};
use oodwatch::source::{self, SourceConfig};
use oodwatch::verdict::{Reason, Verdict};

use crate::support::breaking::{Network, Then, judge, reporter};

/// A fault and the sign that has to be among those that tell of it.
const FAULTS: [(&str, &str, Sign); 13] = [
    ("freeze", "", Sign::Finding(Kind::Frozen)),
    ("black", "", Sign::Finding(Kind::Dark)),
    ("noise", "sigma = 80", Sign::Finding(Kind::Noise)),
    ("overexposed", "", Sign::Finding(Kind::Overexposed)),
    ("backlit", "", Sign::Finding(Kind::Backlit)),
    ("blocked", "", Sign::Finding(Kind::Blocked)),
    ("low_visibility", "", Sign::Finding(Kind::LowVisibility)),
    ("color_cast", "", Sign::Finding(Kind::ColorCast)),
    ("corrupt", "keep = 0", Sign::Reason(Reason::NoFrameWithinDeadline)),
    ("corrupt", "keep = 0\nfor_frames = 20", Sign::Reason(Reason::BadFrame)),
    ("timestamp_jump", "milliseconds = -30000", Sign::Reason(Reason::FrameTooOld)),
    ("stall", "", Sign::Reason(Reason::CameraSilent)),
    ("unplug", "", Sign::Reason(Reason::CameraLost)),
];
const FRAMES_PER_SECOND: u32 = 10;
const SIDE_PX: u32 = 32;
/// The first frame that has the fault.
const BEGINS: u64 = 15;
/// Long enough for a machine that does other things too.
const DEADLINE_MS: u64 = 6_000;
/// Ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A striped thing that moves before a background of soft colours.
fn scene(number: u32) -> RgbImage {
    let at = 2 + number % 12;
    RgbImage::from_fn(SIDE_PX, SIDE_PX, |x, y| {
        let (within, stripe) = ((at..at + 16).contains(&x) && (8..24).contains(&y), (x - at.min(x)) / 2 % 2 == 0);
        match (within, stripe) {
            (false, _) => Rgb([40 + 4 * x as u8, 40 + 4 * y as u8, 150]),
            (true, true) => Rgb([230, 220, 200]),
            (true, false) => Rgb([30, 40, 60]),
        }
    })
}

/// Two minutes of footage in a folder: a few pictures and a list that repeats them.
fn footage() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let name = |number: u32| dir.path().join(format!("{:02}.png", number % 24));
    (0..24).for_each(|number| scene(number).save(name(number)).unwrap());
    let list: String = (0..120 * FRAMES_PER_SECOND).map(|number| format!("{}\n", name(number).display())).collect();
    fs::write(dir.path().join("list.txt"), list).unwrap();
    dir
}

fn source_of(kind: &str, parameters: &str, dir: &tempfile::TempDir) -> SourceConfig {
    let list = dir.path().join("list.txt").display().to_string();
    let text = format!(
        "[faults.source.images]\npath = {list:?}\nframes_per_second = {FRAMES_PER_SECOND}\nrealtime = true\n\
         [[faults.script]]\nkind = {kind:?}\nfrom_frame = {BEGINS}\n{parameters}\n"
    );
    toml::from_str(&text).unwrap()
}

/// What the cameras were told, by camera.
fn verdicts(path: &std::path::Path) -> Vec<Vec<Verdict>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let all: Vec<Verdict> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |camera: usize| all.iter().filter(|verdict| verdict.camera == camera.to_string()).cloned().collect();
    (0..FAULTS.len()).map(of).collect()
}

/// Runs all cameras until `enough` has been said.
fn run(sources: &[SourceConfig], decide: &DecideConfig, enough: impl Fn(&[Vec<Verdict>]) -> bool) -> Vec<Vec<Verdict>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let camera = |(place, config): (usize, &SourceConfig)| Camera {
        source: source::open(config).unwrap(),
        decoder: Decoder::default(),
        health: Health::new(&HealthConfig::default()),
        lens: Lens::default(),
        fitted: FittedScores::default(),
        judge: judge(),
        machine: Machine::new(Decider::new(decide, Instant::now()), decide),
        drift: Drift::new(&DriftConfig::default()),
        board: Default::default(),
        reporter: reporter(&place.to_string(), decide.deadline_ms),
    };
    let cameras = sources.iter().enumerate().map(camera).collect();
    let sinks = Sinks::to("paper", Box::new(file.reopen().unwrap()));
    let monitor = Monitor { network: Network::new(Then::GoOn, &Default::default()), sinks };
    let orders = Orders::default();
    thread::scope(|scope| {
        let running = scope.spawn(|| monitor.run(cameras, Limits::default(), &orders));
        let since = Instant::now();
        while !running.is_finished() && !enough(&verdicts(file.path())) && since.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(50));
        }
        orders.stop.store(true, Ordering::Relaxed);
        running.join().unwrap().unwrap();
    });
    verdicts(file.path())
}

#[test]
fn every_fault_that_is_promised_to_be_told_is_told_by_its_sign_and_in_time() {
    let dir = footage();
    let decide = DecideConfig { deadline_ms: DEADLINE_MS, ..DecideConfig::default() };
    let sources: Vec<_> = FAULTS.iter().map(|(kind, parameters, _)| source_of(kind, parameters, &dir)).collect();
    let interval = Duration::from_secs(1) / FRAMES_PER_SECOND;
    let expected = |source: &SourceConfig| {
        let SourceConfig::Faults(faults) = source else { panic!("no script") };
        let health = &HealthConfig::default();
        let given = Circumstances { health, decide: &decide, source, interval, is_measured: true, is_masked: false };
        let fault: &FaultConfig = &faults.script[0];
        fault.expectation(&given).unwrap()
    };
    let expected: Vec<Expectation> = sources.iter().map(expected).collect();
    // Of the first verdicts on frames, which come before the fault.
    let began =
        |verdicts: &[Verdict]| taken_ns(BEGINS, verdicts.iter().find(|verdict| verdict.frame.is_some())?, interval);
    let told = |place: usize, verdicts: &[Verdict]| expected[place].told(began(verdicts)?, verdicts);
    let all =
        run(&sources, &decide, |all| all.iter().enumerate().all(|(place, verdicts)| told(place, verdicts).is_some()));
    for (place, ((kind, parameters, wanted), verdicts)) in FAULTS.iter().zip(&all).enumerate() {
        let Expectation::Told { by, within } = &expected[place] else { panic!("{kind}: {:?}", expected[place]) };
        assert!(by.contains(wanted), "{kind} {parameters}");
        let (sign, after) = told(place, verdicts).unwrap_or_else(|| panic!("{kind} {parameters} is not told"));
        assert!(by.contains(&sign) && after <= *within, "{kind} {parameters}: {sign:?} after {after:?} of {within:?}");
        let before = verdicts.iter().filter(|verdict| verdict.frame.is_some_and(|frame| frame < BEGINS));
        let signs_before = before.filter(|verdict| by.iter().any(|sign| sign.is_in(verdict))).count();
        assert_eq!(signs_before, 0, "{kind} {parameters}: told before it began");
        assert!(verdicts.iter().any(|verdict| verdict.safe), "{kind} {parameters}: never safe");
    }
}
