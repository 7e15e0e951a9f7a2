//! A command that writes frames to its stdout: GStreamer for the CSI cameras of a Jetson, a driver of one's own, `cat` on a FIFO.
//!
//! ```text
//!             start, first byte
//!   Waiting ──────────────────► Running ── whole frames ──►
//!      ▲                           │
//!      └── ended, or no whole frame for stall_timeout_ms; the pause doubles with each failure
//! ```
//!
//! That is a camera (`live`), by the rules of [`super::v4l2`]: the first start has to succeed, and from then on nothing that the
//! command does ends the run. Without `live` it is a recording: read as fast as it is judged, to its end, which has to be a good
//! one.
//!
//! Frames are stamped when their first byte comes; a camera's picture is older by what its own pipeline takes. A frame that is
//! cut off by the end of the command is handed on as it is: decoding finds it bad, and it is counted.

mod check;
mod child;
mod config;
mod error;
mod frames;
mod jpeg;
mod running;
mod stderr;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::reopening::Reopening;
use super::{Condition, FootageClock, Frame, Live, Pool, Source, SourceError, WAIT_SLICE, sleep_until};
use crate::decode::{Content, RawFrame, RawLayout};
use child::Child;
use running::{Came, Running};

pub use check::check;
pub use config::{PipeConfig, PipeMatrix, PipeRange};
pub use error::PipeError;

/// A command that is started anew when it ends or hangs.
pub struct Pipe {
    config: PipeConfig,
    /// Whose frames they are, for the log.
    camera: String,
    program: String,
    layout: RawLayout,
    /// None of a recording.
    live: Option<Arc<Live>>,
    pool: Arc<Pool>,
    running: Option<Running>,
    reopening: Reopening,
    next_index: u64,
    /// Of a recording, from its first frame on.
    clock: Option<FootageClock>,
}

impl Pipe {
    /// Starts the command; of a camera, waits for its first byte.
    ///
    /// # Errors
    /// A program that is not there, or that ends or stays silent before it has written anything.
    pub fn open(config: &PipeConfig, camera: &str) -> Result<Self, SourceError> {
        let refused = |error| SourceError::Pipe { camera: camera.into(), source: Box::new(error) };
        let mut pipe = Self {
            config: config.clone(),
            camera: camera.into(),
            program: config.command.first().cloned().unwrap_or_default(),
            layout: config.layout().map_err(|error| refused(error.into()))?,
            live: config.live.then(Arc::default),
            pool: Arc::default(),
            running: None,
            reopening: Reopening::new(camera, config.reopen_min_ms, config.reopen_max_ms),
            next_index: 0,
            clock: None,
        };
        let mut running = pipe.start().map_err(refused)?;
        if config.live {
            running.await_begin(&pipe.program).map_err(refused)?;
        }
        pipe.running = Some(running);
        Ok(pipe)
    }

    fn start(&self) -> Result<Running, PipeError> {
        let speaker = format!("{}: {}", self.camera, self.program);
        let child = Child::start(&self.config.command, &self.config.directory, speaker)
            .map_err(|source| PipeError::Start { program: self.program.clone(), source })?;
        log::info!("source: {}: {} is to write {}", self.camera, self.program, self.layout);
        Ok(Running::new(child, &self.layout, &self.pool, &self.config))
    }

    fn frame(&mut self, captured_at: Timestamp, taken: Instant, bytes: Vec<u8>) -> Frame {
        let index = self.next_index;
        self.next_index += 1;
        let content = Content::Raw(RawFrame { layout: self.layout, bytes: self.pool.send(bytes) });
        Frame { index, path: self.program.as_str().into(), captured_at, taken, content }
    }
}

/// As a camera.
impl Pipe {
    fn next_live(&mut self, live: &Live, stop: &AtomicBool) -> Option<Frame> {
        // Before the first frame other cameras may have been opened meanwhile.
        if let Some(running) = &mut self.running {
            running.wait_from_now();
        }
        while !stop.load(Ordering::Relaxed) {
            match self.running.take() {
                Some(running) => {
                    if let Some(frame) = self.watch(running, live) {
                        return Some(frame);
                    }
                }
                None => {
                    sleep_until(self.reopening.next_attempt(), stop);
                    if !stop.load(Ordering::Relaxed) {
                        let attempt = self.start();
                        self.running = self.reopening.tried(attempt);
                    }
                }
            }
        }
        None
    }

    /// Takes what the command has within a moment.
    fn watch(&mut self, mut running: Running, live: &Live) -> Option<Frame> {
        let why = match running.next(WAIT_SLICE) {
            Ok(Came::Frame(stamp, bytes)) => {
                self.reopening.frames_flow(live);
                // A command that ends after its first frames is not started all the time either.
                if running.age() >= self.reopening.longest() {
                    self.reopening.start_over();
                }
                self.running = Some(running);
                return Some(self.frame(stamp.wall, stamp.instant, bytes));
            }
            Ok(Came::Nothing(condition)) => {
                if let Some(condition) = condition {
                    live.set_condition(condition);
                }
                self.running = Some(running);
                return None;
            }
            Ok(Came::End) => running.ended(&self.program, "; it is started anew"),
            Ok(Came::Stalled(waited)) => running.silent(&self.program, waited, "a whole frame; it is started anew"),
            Err(source) => PipeError::Read { program: self.program.clone(), source },
        };
        live.set_condition(Condition::Lost);
        let cut_off = running.rest();
        // The pause begins when the command has ended, for which it has a moment.
        drop(running);
        self.reopening.lost(live, &why.to_string());
        cut_off.map(|(stamp, bytes)| self.frame(stamp.wall, stamp.instant, bytes))
    }
}

/// As a recording.
impl Pipe {
    fn next_recorded(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, PipeError> {
        let Some(mut running) = self.running.take() else { return Ok(None) };
        running.wait_from_now();
        while !stop.load(Ordering::Relaxed) {
            match running.next(WAIT_SLICE) {
                Ok(Came::Nothing(_)) => {}
                Ok(Came::Frame(_, bytes)) => {
                    self.running = Some(running);
                    return Ok(Some(self.recorded(bytes)));
                }
                Ok(Came::End) => {
                    // The end is told after what it cut off.
                    let Some((_, bytes)) = running.rest() else {
                        return running.finish(&self.program).map(|()| None);
                    };
                    self.running = Some(running);
                    return Ok(Some(self.recorded(bytes)));
                }
                Ok(Came::Stalled(waited)) => {
                    let wanted = format!("frame {}", self.next_index);
                    return Err(running.silent(&self.program, waited, &wanted));
                }
                Err(source) => return Err(PipeError::Read { program: self.program.clone(), source }),
            }
        }
        Ok(None)
    }

    fn recorded(&mut self, bytes: Vec<u8>) -> Frame {
        let offset = Duration::try_from_secs_f64(self.next_index as f64 / self.config.frames_per_second);
        let clock = self.clock.get_or_insert_with(|| FootageClock::start(false));
        let captured_at = clock.reach(offset.unwrap_or_default(), &AtomicBool::new(false));
        self.frame(captured_at, Instant::now(), bytes)
    }
}

impl Source for Pipe {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        match self.live.clone() {
            Some(live) => Ok(self.next_live(&live, stop)),
            None => self
                .next_recorded(stop)
                .map_err(|error| SourceError::Pipe { camera: self.camera.clone(), source: Box::new(error) }),
        }
    }

    fn live(&self) -> Option<Arc<Live>> {
        self.live.clone()
    }
}
