//! The run: one thread judges the frames of all cameras, one supervises and speaks where there is nothing to judge, and each
//! camera's source has a thread of its own.
//!
//! Each camera is a lane: a source that reads ahead by a bounded number of frames, a state over time, counts. Files are
//! replayed without drops: a full hand-over makes the source wait. Of a camera the newest frame is judged, and the others are
//! counted as dropped. When no frame of a camera can be judged within the deadline the supervisor speaks of it anyway, so that
//! its listeners can tell silence from death; when a camera stops delivering, it says so at once. It does so, too, when the
//! judging thread hangs in the network or is dead. Between two frames the network can prove itself again ([`Prove`]).
//!
//! The lanes share one network, round robin, a frame at a time. In batches a frame would wait for those of other cameras, and
//! sums round differently with the size of a batch: a verdict would depend on who else was there.
//!
//! ```no_run
//! use std::path::Path;
//! use oodwatch::config::Config;
//! use oodwatch::monitor::{Camera, Limits, Monitor, Orders, Proven, Reporter};
//! use oodwatch::{open, sink::Sinks, source};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load(Path::new("configs/cameras.toml"))?;
//! let opened = open::open_cameras(&config)?;
//! let run_id = Reporter::new_run_id();
//! let mut cameras = Vec::new();
//! for (camera, calibration) in config.camera.iter().zip(opened.of_cameras()) {
//!     cameras.push(Camera::new(source::open_as(&camera.name, &camera.source)?, camera, &config, calibration, &run_id)?);
//! }
//! let network = Proven::new(opened, &config.self_test);
//! let monitor = Monitor { network, sinks: Sinks::open(&config.sink)? };
//! for ended in monitor.run(cameras, Limits::default(), &Orders::default())? {
//!     println!("{}: {} frames judged", ended.camera, ended.summary.judged);
//! }
//! # Ok(())
//! # }
//! ```

mod bell;
mod error;
mod handover;
mod judging;
mod lane;
mod proven;
mod report;
mod self_testing;
mod service;
mod shared;
mod speaker;
mod summary;
mod supervisor;
mod turns;
mod voice;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::decide::LastWord;
use crate::notify::Notifier;
use crate::pipeline::Judged;
use crate::schedule;
use crate::sink::Sinks;
use crate::source::WAIT_SLICE;
use bell::Bell;
pub use error::MonitorError;
use handover::Handover;
pub use judging::Judging;
pub use lane::Camera;
use lane::Lane;
pub use proven::Proven;
pub use report::Reporter;
pub use self_testing::Prove;
use service::Service;
use shared::Shared;
use speaker::Speaker;
pub use summary::{Ended, Summary};
use supervisor::Supervisor;
use voice::Voice;

/// How long the sources and the network may take to notice that they are no longer wanted.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How long the end may take altogether, before a sink is found to hold it up.
const SINK_PATIENCE: Duration = Duration::from_secs(5);

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// After this many frames of each camera, bad ones included.
    pub max_frames: Option<u64>,
    /// After this time.
    pub duration: Option<Duration>,
}

/// What a run is told from outside, at any time and from any thread or signal handler.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// End, with a last word.
    pub stop: Arc<AtomicBool>,
    /// Let go what is latched. The run takes the flag back.
    pub reset: Arc<AtomicBool>,
    /// Run the self-test. The run takes the flag back.
    pub self_test: Arc<AtomicBool>,
}

/// What all cameras of a run share.
pub struct Monitor<J> {
    /// Judges pictures: preprocess, infer, score.
    pub network: J,
    /// Delivers verdicts.
    pub sinks: Sinks,
}

impl<J: Judging> Monitor<J> {
    /// Judges the frames of `cameras` until all of them have ended, a limit is reached, or it is told to stop; says of each, in
    /// their order, how it ended.
    ///
    /// A camera whose source breaks or panics is that camera's failure: the others go on, and of the broken one fault
    /// verdicts are given until the run ends. So is a fault that is latched at the end.
    ///
    /// # Errors
    /// What concerns all cameras: a broken network or sink, a panic of the judging thread, a sink that holds up the end, or a thread
    /// that cannot be started. Threads that hang are left to the end of the process.
    pub fn run(self, cameras: Vec<Camera>, limits: Limits, orders: &Orders) -> Result<Vec<Ended>, MonitorError> {
        self.run_under(None, cameras, limits, orders)
    }

    /// [`Self::run`], of which a service manager is told where there is one.
    ///
    /// # Errors
    /// Those of [`Self::run`]; that the manager cannot be told is none.
    pub fn run_under(
        self,
        manager: Option<Notifier>,
        cameras: Vec<Camera>,
        limits: Limits,
        orders: &Orders,
    ) -> Result<Vec<Ended>, MonitorError> {
        let started = Instant::now();
        let bell = Arc::new(Bell::default());
        let (lanes, voices) = start_sources(cameras, limits, &bell)?;
        let shared = Arc::new(Shared::new(bell, Speaker::new(voices, self.sinks)));
        let (network, theirs) = (self.network, Arc::clone(&shared));
        spawn("judging", move || judging::judge_all(network, lanes, &theirs))?;
        let outcome = supervise(shared, limits, orders.clone(), manager.map(Service::new))?;
        await_end(&outcome, || {
            orders.stop.load(Ordering::Relaxed) || limits.duration.is_some_and(|limit| started.elapsed() >= limit)
        })
    }
}

fn start_sources(
    cameras: Vec<Camera>,
    limits: Limits,
    bell: &Arc<Bell>,
) -> Result<(Vec<Lane>, Vec<Voice>), MonitorError> {
    let beside_others = cameras.len() > 1;
    let start = |(place, camera)| {
        let Camera { source, decoder, health, lens, fitted, judge, machine, drift, board, reporter } = camera;
        let handover = Arc::new(Handover::start(source, limits.max_frames, bell)?);
        let voice = Voice::new(Arc::clone(&handover), (machine, drift, board), reporter, beside_others);
        let judged = Judged::default();
        Ok((Lane { place, handover, decoder, health, lens, fitted, judge, judged, open: true }, voice))
    };
    cameras.into_iter().enumerate().map(start).collect()
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), MonitorError> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop).map_err(MonitorError::Thread)
}

/// In a thread of its own, for a sink may hold it up for ever.
fn supervise(
    shared: Arc<Shared>,
    limits: Limits,
    orders: Orders,
    service: Option<Service>,
) -> Result<Receiver<Result<Vec<Ended>, MonitorError>>, MonitorError> {
    let (sender, outcome) = mpsc::channel();
    let theirs = Arc::clone(&shared);
    let work = move || {
        schedule::go_before_the_others();
        let supervisor = Supervisor::new(&theirs, limits, &orders, service);
        let ended = panic::catch_unwind(AssertUnwindSafe(|| supervisor.run()));
        let ended = ended.unwrap_or_else(|panic| {
            theirs.end();
            let last_words = |speaker: &mut Speaker| speaker.close(Some(LastWord::Panicked), true, true, None);
            theirs.with_speaker(last_words)?;
            Err(judging::panicked(&*panic))
        });
        // Nobody listens where the end was out of patience.
        let _ = sender.send(ended);
    };
    spawn("supervising", work).inspect_err(|_| shared.end())?;
    Ok(outcome)
}

/// Waits for the outcome; once the run `is_over`, not for ever.
fn await_end(
    outcome: &Receiver<Result<Vec<Ended>, MonitorError>>,
    is_over: impl Fn() -> bool,
) -> Result<Vec<Ended>, MonitorError> {
    let mut over_since = None;
    loop {
        match outcome.recv_timeout(WAIT_SLICE) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Disconnected) => return Err(MonitorError::Panicked { message: "twice".into() }),
            Err(RecvTimeoutError::Timeout) if is_over() => {
                let since: Instant = *over_since.get_or_insert_with(Instant::now);
                if since.elapsed() > SINK_PATIENCE {
                    return Err(MonitorError::SinkBlocked { waited_ms: SINK_PATIENCE.as_millis() as u64 });
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(test)]
mod memory_tests;
