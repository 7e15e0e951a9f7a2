//! The run loop: one thread judges the frames of all cameras and speaks; each camera's source has a thread of its own.
//!
//! Each camera is a lane: a source that reads ahead by a bounded number of frames, a state over time, counts. Files are
//! replayed without drops: a full hand-over makes the source wait. Of a camera the newest frame is judged, and the others are
//! counted as dropped. When no frame of a camera can be judged within the deadline the loop speaks of it anyway, so that
//! its listeners can tell silence from death; when a camera stops delivering, it says so at once.
//!
//! The lanes share one network, round robin, a frame at a time. In batches a frame would wait for those of other cameras, and
//! sums round differently with the size of a batch: a verdict would depend on who else was there.
//!
//! ```no_run
//! use std::{path::Path, sync::Arc, time::Instant};
//! use oodwatch::config::Config;
//! use oodwatch::monitor::{Camera, Limits, Monitor, Reporter};
//! use oodwatch::{decide::Decider, decode::Decoder, open, sink::Sinks, source};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load(Path::new("configs/cameras.toml"))?;
//! let opened = open::open_cameras(&config)?;
//! let run_id = Reporter::new_run_id();
//! let mut cameras = Vec::new();
//! for (camera, calibration) in config.camera.iter().zip(opened.of_cameras()) {
//!     cameras.push(Camera {
//!         source: source::open(&camera.source)?,
//!         decoder: Decoder::default(),
//!         fitted: calibration.fitted,
//!         judge: calibration.judge.clone(),
//!         decider: Decider::new(&config.decide, Instant::now()),
//!         reporter: Reporter::new(camera, calibration, &config.decide, &run_id),
//!     });
//! }
//! let monitor = Monitor { pipeline: opened.pipeline, sinks: Sinks::open(&config.sink)? };
//! for ended in monitor.run(cameras, Limits::default(), &Arc::default())? {
//!     println!("{}: {} frames judged", ended.camera, ended.summary.judged);
//! }
//! # Ok(())
//! # }
//! ```

mod bell;
mod handover;
mod lane;
mod report;
mod summary;
mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::infer::InferError;
use crate::pipeline::Pipeline;
use crate::sink::{SinkError, Sinks};
use crate::source::{SourceError, WAIT_SLICE};
use bell::Bell;
pub use lane::Camera;
use lane::Lane;
pub use report::Reporter;
pub use summary::{Ended, Summary};
use turns::Turns;

/// How long the sources may take to notice that they are no longer wanted.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// After this many frames of each camera, bad ones included.
    pub max_frames: Option<u64>,
    /// After this time.
    pub duration: Option<Duration>,
}

/// Why a run ended badly, or a camera's part of it.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The source broke.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source's thread died.
    #[error("source: its thread panicked")]
    SourcePanicked,
    /// The source's thread could not be started.
    #[error("source: its thread cannot be started: {0}")]
    Thread(std::io::Error),
    /// A verdict could not be delivered.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The network failed; on a picture that could be read this is no bad frame but a broken machine.
    #[error("infer: {0}")]
    Infer(#[from] InferError),
    /// Not one frame could be read.
    #[error("source: none of {captured} frames could be read")]
    NothingRead {
        /// Frames that the source delivered.
        captured: u64,
    },
}

/// What all cameras of a run share.
pub struct Monitor {
    /// Preprocess, infer, score.
    pub pipeline: Pipeline,
    /// Delivers verdicts.
    pub sinks: Sinks,
}

impl Monitor {
    /// Judges the frames of `cameras` until all of them have ended, a limit is reached, or `stop` is set; says of each, in
    /// their order, how it ended.
    ///
    /// A camera whose source breaks or panics is that camera's failure: the others go on, and of the broken one fault
    /// verdicts are given until the run ends.
    ///
    /// # Errors
    /// What concerns all cameras: a broken network or sink, or a thread that cannot be started.
    pub fn run(
        mut self,
        cameras: Vec<Camera>,
        limits: Limits,
        stop: &Arc<AtomicBool>,
    ) -> Result<Vec<Ended>, MonitorError> {
        let bell = Arc::new(Bell::default());
        let beside_others = cameras.len() > 1;
        let start = |camera| Lane::start(camera, limits.max_frames, &bell, beside_others);
        let mut lanes = cameras.into_iter().map(start).collect::<Result<Vec<_>, _>>()?;
        let outcome = self.listen(&mut lanes, &bell, limits, stop);
        let stopped = outcome.is_ok() && stop.load(Ordering::Relaxed);
        let closed = self.close(&mut lanes, stopped);
        outcome.and(closed)?;
        Ok(lanes.into_iter().map(Lane::ended).collect())
    }

    fn listen(
        &mut self,
        lanes: &mut [Lane],
        bell: &Bell,
        limits: Limits,
        stop: &AtomicBool,
    ) -> Result<(), MonitorError> {
        let started = Instant::now();
        let mut turns = Turns::new(lanes.len());
        while !stop.load(Ordering::Relaxed)
            && limits.duration.is_none_or(|limit| started.elapsed() < limit)
            && lanes.iter().any(Lane::is_open)
        {
            let heard = bell.rings();
            if !self.serve_next(lanes, &mut turns)? {
                bell.wait(heard, patience(lanes));
            }
            for lane in &mut *lanes {
                lane.keep_talking(&mut self.sinks)?;
            }
        }
        Ok(())
    }

    /// Gives the network to the camera whose turn it is, of those that have something for it. False where none has.
    fn serve_next(&mut self, lanes: &mut [Lane], turns: &mut Turns) -> Result<bool, MonitorError> {
        for place in turns.order() {
            if lanes[place].turn(self)? {
                turns.served(place);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Releases all sources at once, and waits for them together.
    fn close(&mut self, lanes: &mut [Lane], stopped: bool) -> Result<(), MonitorError> {
        lanes.iter().for_each(Lane::release);
        let since = Instant::now();
        while !lanes.iter().all(Lane::is_closed) {
            let out_of_patience = since.elapsed() > END_PATIENCE;
            for lane in lanes.iter_mut().filter(|lane| !lane.is_closed() && (out_of_patience || lane.is_over())) {
                lane.close(stopped, &mut self.sinks)?;
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// How long nobody needs to be spoken of. Bounded, for the flag that stops the run and the sources' conditions ring no bell.
fn patience(lanes: &[Lane]) -> Duration {
    let now = Instant::now();
    let due = lanes.iter().filter_map(Lane::due).map(|due| due.saturating_duration_since(now)).min();
    due.unwrap_or(WAIT_SLICE).min(WAIT_SLICE)
}
