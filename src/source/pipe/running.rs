//! A started command: what it has, and whether it is late.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::child::Child;
use super::frames::{Frames, Got, Stamp};
use super::{PipeConfig, PipeError};
use crate::decode::RawLayout;
use crate::source::{Condition, Pool, WAIT_SLICE};

/// A frame is late after this many of its intervals, and not before this time, as frames of V4L2 cameras are.
const LATE_INTERVALS: u32 = 5;
const LATE_AT_LEAST: Duration = Duration::from_millis(250);

/// Time that a command has to end, once it has closed its output; that of a recording may have work to do.
const EXIT_PATIENCE: Duration = Duration::from_millis(500);
const EXIT_PATIENCE_RECORDED: Duration = Duration::from_secs(5);

/// A command whose frames flow, or will.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    frames: Frames,
    /// Since when a frame is waited for: the start, the last frame, or when somebody asked for the next.
    since: Instant,
    started: Instant,
    /// Whether anything has come.
    begun: bool,
    /// Whether a whole frame has.
    flows: bool,
    late_after: Duration,
    start_timeout: Duration,
    stall_timeout: Duration,
}

/// What a moment's waiting brought.
#[derive(Debug)]
pub(super) enum Came {
    /// A frame; its first byte came then.
    Frame(Stamp, Vec<u8>),
    /// None yet; and what that says about the camera, where it says something.
    Nothing(Option<Condition>),
    /// Nothing more will come.
    End,
    /// Nothing came for this long, which is too long.
    Stalled(Duration),
}

impl Running {
    pub(super) fn new(child: Child, layout: &RawLayout, pool: &Arc<Pool>, config: &PipeConfig) -> Self {
        let stall_timeout = Duration::from_millis(config.stall_timeout_ms);
        let now = Instant::now();
        Self {
            child,
            frames: Frames::new(layout, pool),
            since: now,
            started: now,
            begun: false,
            flows: false,
            late_after: config.interval().saturating_mul(LATE_INTERVALS).max(LATE_AT_LEAST).min(stall_timeout),
            start_timeout: Duration::from_millis(config.start_timeout_ms),
            stall_timeout,
        }
    }

    /// Waits a moment, at most `patience`, for more of a frame.
    ///
    /// # Errors
    /// The pipe failed.
    pub(super) fn next(&mut self, patience: Duration) -> io::Result<Came> {
        // Several pictures may have come at once.
        if let Some((stamp, bytes)) = self.frames.take() {
            return Ok(self.whole(stamp, bytes));
        }
        if self.child.wait_readable(patience)? {
            match self.frames.read(&mut self.child.stdout)? {
                Got::End => return Ok(Came::End),
                Got::Bytes(count) => self.begin(count > 0),
            }
            if let Some((stamp, bytes)) = self.frames.take() {
                return Ok(self.whole(stamp, bytes));
            }
        }
        let waited = self.since.elapsed();
        Ok(if waited >= self.patience() {
            Came::Stalled(waited)
        } else {
            Came::Nothing((self.flows && waited >= self.late_after).then_some(Condition::Silent))
        })
    }

    /// How long it may take now.
    fn patience(&self) -> Duration {
        if self.begun { self.stall_timeout } else { self.start_timeout }
    }

    fn begin(&mut self, something: bool) {
        if something && !self.begun {
            (self.begun, self.since) = (true, Instant::now());
        }
    }

    fn whole(&mut self, stamp: Stamp, bytes: Vec<u8>) -> Came {
        (self.flows, self.since) = (true, Instant::now());
        Came::Frame(stamp, bytes)
    }

    /// Waits for the first byte, so that a command that cannot work is known before anything relies on it.
    pub(super) fn await_begin(&mut self, program: &str) -> Result<(), PipeError> {
        let read = |source| PipeError::Read { program: program.into(), source };
        while !self.begun {
            if self.child.wait_readable(WAIT_SLICE).map_err(read)? {
                match self.frames.read(&mut self.child.stdout).map_err(read)? {
                    Got::End => return Err(self.ended(program, " before it wrote anything")),
                    Got::Bytes(count) => self.begin(count > 0),
                }
            } else if self.since.elapsed() >= self.start_timeout {
                return Err(self.silent(program, self.since.elapsed(), "its first byte"));
            }
        }
        Ok(())
    }

    /// Waiting counts from now: whoever asks had something else to do meanwhile.
    pub(super) fn wait_from_now(&mut self) {
        self.since = Instant::now();
    }

    /// For how long it has been running.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// What came of a frame whose rest will never come.
    pub(super) fn rest(&mut self) -> Option<(Stamp, Vec<u8>)> {
        self.frames.rest()
    }

    /// Says how a command ended that has closed its output.
    pub(super) fn ended(&mut self, program: &str, when: &str) -> PipeError {
        let ended = match self.child.end(EXIT_PATIENCE) {
            Some(status) => format!("ended with {status}{when}"),
            None => format!("closed its output{when}, and goes on"),
        };
        PipeError::Ended { program: program.into(), ended, message: self.child.last_words() }
    }

    /// Waits for the end of a recording's command, which has closed its output, and checks how it ended.
    pub(super) fn finish(&mut self, program: &str) -> Result<(), PipeError> {
        match self.child.end(EXIT_PATIENCE_RECORDED) {
            Some(status) if status.success() => Ok(()),
            _ => Err(self.ended(program, "")),
        }
    }

    /// Says that it has been silent for so long.
    pub(super) fn silent(&self, program: &str, waited: Duration, wanted: &str) -> PipeError {
        let (program, wanted, message) = (program.into(), wanted.into(), self.child.last_words());
        PipeError::Silent { program, waited_ms: waited.as_millis() as u64, wanted, message }
    }
}
