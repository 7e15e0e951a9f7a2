//! Every fault of [`crate::source::faults`] on known footage, through the monitor as it is run: told, by what, and how soon.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::footage::{Watched, config_of};
use super::replay::Replay;
use super::watching::{Measured, Watching};
use super::{Bench, EvidenceError, SEED};
use crate::decode::{Content, Picture, decode};
use crate::health;
use crate::monitor::{Camera, Judging, Limits, Monitor, Orders};
use crate::pipeline::{FittedScores, Judged, Lens, Pipeline, PipelineError};
use crate::sink::Sinks;
use crate::source::faults::{Circumstances, Expectation, FaultConfig, FaultKind, Faults, FaultsConfig, picture};
use crate::verdict::Verdict;

/// Good footage before a fault, in seconds and in frames.
const GOOD_S: f64 = 1.0;
const GOOD_FRAMES: u64 = 5;
/// Frames that are damaged: the verdict on the next good one tells.
const DAMAGED_FRAMES: u64 = 10;

/// A fault that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct FaultRun {
    /// What was done.
    pub kind: FaultKind,
    /// How much of it, as in a script.
    pub parameters: String,
    /// What the monitor has to say of it.
    pub expectation: Expectation,
    /// Whether it did, in time; none where nothing is promised.
    pub held: Option<bool>,
    /// What differs from run to run, for it depends on the time.
    pub measured: Measured,
}

/// The network of all runs.
#[derive(Clone)]
pub(super) struct SharedPipeline(pub(super) Arc<Mutex<Pipeline>>);

impl Judging for SharedPipeline {
    fn judge_into(
        &mut self,
        fitted: FittedScores,
        lens: Lens,
        picture: Picture<'_>,
        judged: &mut Judged,
    ) -> Result<(), PipelineError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).judge_into(fitted, lens, picture, judged)
    }
}

/// What verdicts are written on.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    /// The verdicts that are written whole, and are taken off.
    fn take(&self) -> Vec<Verdict> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let whole: Vec<u8> = text.drain(..end).collect();
        whole.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is tried, at this deadline. A lower rate is not: which rate is too low is learned for longer than these runs take, and the
/// health checks are tried on one by themselves.
fn faults(deadline_ms: u64) -> Vec<FaultConfig> {
    let back_ms = -i64::try_from(deadline_ms + 1_000).unwrap_or(i64::MAX);
    let of = FaultConfig::of;
    let corrupt = || FaultConfig { for_frames: Some(DAMAGED_FRAMES), ..of(FaultKind::Corrupt) };
    vec![
        of(FaultKind::Freeze),
        of(FaultKind::Black),
        FaultConfig { sigma: Some(90.0), ..of(FaultKind::Noise) },
        FaultConfig { keep: Some(0.0), ..corrupt() },
        FaultConfig { keep: Some(0.5), ..corrupt() },
        FaultConfig { damage: Some(0.5), ..corrupt() },
        FaultConfig { factor: Some(0.5), ..of(FaultKind::WrongSize) },
        FaultConfig { milliseconds: Some(back_ms), ..of(FaultKind::TimestampJump) },
        FaultConfig { milliseconds: Some(60_000), ..of(FaultKind::TimestampJump) },
        of(FaultKind::Overexposed),
        of(FaultKind::Backlit),
        of(FaultKind::Blocked),
        of(FaultKind::LowVisibility),
        of(FaultKind::Defocus),
        of(FaultKind::DeadChannel),
        of(FaultKind::ColorLost),
        of(FaultKind::ColorCast),
        of(FaultKind::Stall),
        of(FaultKind::Unplug),
    ]
}

/// Tries every fault on the known footage, one after the other.
///
/// # Errors
/// A network that fails, or threads that cannot be started.
pub(super) fn inject(bench: &Bench<'_>, known: &Watched) -> Result<Vec<FaultRun>, EvidenceError> {
    let frames: Vec<Content> = known.kept.iter().map(picture::copy).collect();
    let first = known.kept.iter().find_map(|frame| decode(picture::copy(frame)).ok());
    let rate = known.footage.frames_per_second;
    let stage = Stage {
        bench,
        frames: Arc::new(frames),
        interval: Duration::from_secs_f64(1.0 / rate),
        begins: ((GOOD_S * rate).ceil() as u64).max(GOOD_FRAMES),
    };
    let source = config_of(&known.footage.path, rate, true);
    let given = Circumstances {
        health: &bench.config.health,
        decide: &bench.config.decide,
        source: &source,
        interval: stage.interval,
        is_measured: first.is_some_and(|image| health::measures(&bench.camera.view, &image)),
        is_masked: !bench.camera.view.mask().is_none(),
    };
    let run = |fault: FaultConfig| {
        (bench.tick)(&format!("fault {}", name(fault.kind)));
        log::info!(
            "evidence: playing the fault {}; what the log says of frames until the next line is its doing",
            name(fault.kind)
        );
        let fault = FaultConfig { from_frame: Some(stage.begins), ..fault };
        let expectation = fault.expectation(&given).map_err(crate::source::SourceError::from)?;
        let config = FaultsConfig { source: Box::new(source.clone()), seed: SEED, script: vec![fault.clone()] };
        let measured = stage.run(&config, &expectation)?;
        let held = match &expectation {
            Expectation::Told { within, .. } => {
                Some(measured.told_after_s.is_some_and(|after_s| after_s <= within.as_secs_f64()))
            }
            Expectation::NotPromised { .. } => None,
        };
        Ok(FaultRun { kind: fault.kind, parameters: parameters(&fault), expectation, held, measured })
    };
    faults(bench.config.decide.deadline_ms).into_iter().map(run).collect()
}

/// What all runs have in common.
struct Stage<'b> {
    bench: &'b Bench<'b>,
    frames: Arc<Vec<Content>>,
    interval: Duration,
    /// The first frame with the fault.
    begins: u64,
}

impl Stage<'_> {
    fn run(&self, config: &FaultsConfig, expectation: &Expectation) -> Result<Measured, EvidenceError> {
        let bench = self.bench;
        let replay = Replay::new(&self.frames, self.interval);
        let source = Faults::around(Box::new(replay), config)?;
        let camera = Camera::new(Box::new(source), bench.camera, bench.config, bench.by, "evidence")?;
        let (paper, orders) = (Paper::default(), Orders::default());
        let sinks = Sinks::to("evidence", Box::new(paper.clone()));
        let monitor = Monitor { network: bench.pipeline.clone(), sinks };
        thread::scope(|scope| {
            let running = scope.spawn(|| monitor.run(vec![camera], Limits::default(), &orders));
            let mut watch = Watching::new(self.begins, self.interval, expectation);
            let since = Instant::now();
            while !running.is_finished() && !watch.is_over(since.elapsed()) {
                watch.hear(paper.take());
                thread::sleep(Duration::from_millis(10));
            }
            orders.stop.store(true, Ordering::Relaxed);
            let ended = running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            ended.map(|_| watch.measured())
        })
        .map_err(EvidenceError::from)
    }
}

/// The name of a kind, as in a script.
pub(super) fn name(kind: FaultKind) -> String {
    toml::Value::try_from(kind).ok().and_then(|name| name.as_str().map(str::to_string)).unwrap_or_default()
}

/// What a script says of a fault besides its kind and its beginning.
fn parameters(fault: &FaultConfig) -> String {
    let all = toml::Table::try_from(fault).unwrap_or_default();
    let own = all.iter().filter(|(key, _)| !["kind", "from_frame"].contains(&key.as_str()));
    own.map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_fault_is_tried_and_all_that_can_be_promised_on_footage_is() {
        let tried = faults(1_000);
        for kind in [
            FaultKind::Freeze,
            FaultKind::Black,
            FaultKind::Noise,
            FaultKind::Corrupt,
            FaultKind::Stall,
            FaultKind::Unplug,
            FaultKind::TimestampJump,
            FaultKind::WrongSize,
            FaultKind::Overexposed,
            FaultKind::Backlit,
            FaultKind::Blocked,
            FaultKind::LowVisibility,
            FaultKind::Defocus,
            FaultKind::DeadChannel,
            FaultKind::ColorLost,
            FaultKind::ColorCast,
        ] {
            assert!(tried.iter().any(|fault| fault.kind == kind), "{kind:?}");
        }
        let config: crate::health::HealthConfig = toml::from_str("").unwrap();
        let (decide, source) = (crate::decide::DecideConfig::default(), config_of("a.png".as_ref(), 30.0, true));
        let interval = Duration::from_secs(1) / 30;
        let given = Circumstances {
            health: &config,
            decide: &decide,
            source: &source,
            interval,
            is_measured: true,
            is_masked: false,
        };
        let promised = |fault: &&FaultConfig| matches!(fault.expectation(&given), Ok(Expectation::Told { .. }));
        // Not: a cut JPEG, another size, a time in the future; defocus, a dead channel, lost colours.
        assert_eq!(tried.iter().filter(promised).count(), tried.len() - 6);
    }

    #[test]
    fn a_fault_is_named_as_in_a_script() {
        let fault = &faults(1_000)[3];
        assert_eq!((name(fault.kind), parameters(fault)), ("corrupt".into(), "for_frames = 10, keep = 0.0".into()));
    }
}
