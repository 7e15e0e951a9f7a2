//! A camera by V4L2: opened, watched, and opened again when it is lost, so that frames resume by themselves.
//!
//! ```text
//!             open, negotiate, start
//!   Waiting ─────────────────────────► Running ── fresh frames ──►
//!      ▲                                  │
//!      └── error, or nothing fresh for stall_timeout_ms; the pause doubles with each failure
//! ```
//!
//! The first opening has to succeed: a camera that is not there when the monitor starts is a wrong set-up. From then on
//! nothing that a camera does ends the run. Frames are copied out of the driver's buffers; those that are damaged,
//! repeated or older than the stream are dropped here, and with those that the driver dropped they are counted in [`Live`].

mod capture;
mod clock;
mod color;
mod config;
mod controls;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod negotiate;
mod running;
mod sequence;
#[cfg(test)]
mod tests;

use oodwatch_v4l2::Interval;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::reopening::Reopening;
use super::{Condition, Frame, Live, Pool, Source, SourceError, sleep_until};
use crate::decode::{Content, RawFrame};
use capture::{Kernel, Opener};
use clock::Now;
use negotiate::{Agreed, Mode, negotiate};
use running::{Came, Running};
use sequence::Sequence;

pub use config::{ColorMatrix, ColorRange, ControlValue, Timestamps, V4l2Config};
pub use error::OpenError;

/// A camera that is opened again when it is lost.
pub struct V4l2 {
    config: V4l2Config,
    opener: Opener,
    live: Arc<Live>,
    pool: Arc<Pool>,
    running: Option<Running>,
    sequence: Sequence,
    reopening: Reopening,
    /// What was agreed on in the last opening that worked; told again only when it changes.
    last_agreed: String,
    next_index: u64,
}

impl V4l2 {
    /// Opens the configured camera and starts it.
    ///
    /// # Errors
    /// No such device, no format that is understood, a control that it does not have; with `exact`, anything that it changes.
    pub fn open(config: &V4l2Config) -> Result<Self, SourceError> {
        Self::open_with(config, Box::new(Kernel::open))
    }

    pub(crate) fn open_with(config: &V4l2Config, opener: Opener) -> Result<Self, SourceError> {
        let mut camera = Self {
            config: config.clone(),
            opener,
            live: Arc::default(),
            pool: Arc::default(),
            running: None,
            sequence: Sequence::new(),
            reopening: Reopening::new(config.device.display(), config.reopen_min_ms, config.reopen_max_ms),
            last_agreed: String::new(),
            next_index: 0,
        };
        let running = camera.start().map_err(|error| camera.refused(error))?;
        camera.running = Some(running);
        Ok(camera)
    }

    fn refused(&self, error: OpenError) -> SourceError {
        SourceError::Camera { path: self.config.device.clone(), source: Box::new(error) }
    }

    /// Opens the device, wherever its name leads now, and starts it.
    fn start(&mut self) -> Result<Running, OpenError> {
        let mut camera = (self.opener)(&self.config.device).map_err(OpenError::Open)?;
        let mut agreed = negotiate(camera.as_ref(), &self.config, Mode::SetUp)?;
        // Whatever was captured before is none of this stream's frames.
        let starting = Now::read().monotonic;
        agreed.start(camera.as_mut(), &self.config)?;
        self.tell_agreed(&agreed);
        self.sequence.restart(agreed.interval.and_then(Interval::rate));
        Ok(Running::new(camera, &agreed, &self.config, starting))
    }

    /// Takes what the camera has within a moment.
    fn watch(&mut self, mut running: Running) -> Option<Frame> {
        let mut bytes = self.pool.take();
        match running.next(&mut bytes, &mut self.sequence) {
            Ok(Came::Fresh { captured, missed }) => {
                let frame = RawFrame { layout: running.layout, bytes: self.pool.send(bytes) };
                self.running = Some(running);
                Some(self.fresh(captured, missed, frame))
            }
            Ok(Came::Useless { missed, condition }) => {
                self.live.add_dropped(missed + 1);
                self.pool.put(bytes);
                self.keep_or_give_up(running, condition);
                None
            }
            Ok(Came::Nothing { condition }) => {
                self.pool.put(bytes);
                self.keep_or_give_up(running, condition);
                None
            }
            Err(error) => {
                self.pool.put(bytes);
                self.reopening.lost(&self.live, &format!("lost: {error}"));
                None
            }
        }
    }

    fn fresh(&mut self, captured: clock::Captured, missed: u64, frame: RawFrame) -> Frame {
        self.live.add_dropped(missed);
        self.reopening.frames_flow(&self.live);
        self.reopening.start_over();
        let index = self.next_index;
        self.next_index += 1;
        Frame {
            index,
            path: self.config.device.clone(),
            captured_at: captured.at,
            taken: captured.taken,
            content: Content::Raw(frame),
        }
    }

    /// Goes on with a camera that has nothing fresh, unless it had nothing for too long: then it is closed, by dropping it.
    fn keep_or_give_up(&mut self, running: Running, condition: Option<Condition>) {
        if running.is_stalled() {
            let why = format!("nothing fresh for {} ms; it is opened anew", self.config.stall_timeout_ms);
            return self.reopening.lost(&self.live, &why);
        }
        if let Some(condition) = condition {
            self.live.set_condition(condition);
        }
        self.running = Some(running);
    }

    /// A camera that is opened anew every few seconds is told of once.
    fn tell_agreed(&mut self, agreed: &Agreed) {
        let words = agreed.to_string();
        if self.last_agreed == words {
            return;
        }
        let device = self.config.device.display();
        for difference in &agreed.differences {
            log::warn!("source: {device}: {difference}");
        }
        log::info!("source: {device}: {words}");
        self.last_agreed = words;
    }
}

impl Source for V4l2 {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        while !stop.load(Ordering::Relaxed) {
            match self.running.take() {
                Some(running) => {
                    if let Some(frame) = self.watch(running) {
                        return Ok(Some(frame));
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
        Ok(None)
    }

    fn live(&self) -> Option<Arc<Live>> {
        Some(Arc::clone(&self.live))
    }
}

/// Says what a camera will deliver, without starting it or changing its settings.
///
/// # Errors
/// As [`V4l2::open`], except for what only shows when a setting is made.
pub fn check(config: &V4l2Config) -> Result<String, SourceError> {
    let refused = |error| SourceError::Camera { path: config.device.clone(), source: Box::new(error) };
    let camera = Kernel::open(&config.device).map_err(|error| refused(OpenError::Open(error)))?;
    let agreed = negotiate(camera.as_ref(), config, Mode::Ask).map_err(refused)?;
    for difference in &agreed.differences {
        log::warn!("source: {}: {difference}", config.device.display());
    }
    Ok(format!("{} ({}) offers {}", config.device.display(), agreed.card, agreed.layout))
}
