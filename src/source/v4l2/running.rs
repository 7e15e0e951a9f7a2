//! A started camera: takes its buffers one by one and tells fresh frames from everything else.

use std::io;
use std::time::{Duration, Instant};

use oodwatch_v4l2::Interval;

use super::capture::Capture;
use super::clock::{self, Captured, Now};
use super::negotiate::Agreed;
use super::sequence::{Sequence, Step};
use super::{Condition, Timestamps, V4l2Config};
use crate::decode::RawLayout;
use crate::source::WAIT_SLICE;

/// A frame is late after this many of the intervals at which frames should come, and not before this time: exposure may
/// slow a camera down in the dark.
const LATE_INTERVALS: f64 = 5.0;
const LATE_AT_LEAST: Duration = Duration::from_millis(250);

/// A camera whose frames flow.
pub(super) struct Running {
    camera: Box<dyn Capture>,
    /// How to read its frames.
    pub(super) layout: RawLayout,
    timestamps: Timestamps,
    started: Duration,
    /// When the last fresh frame came, or the camera was started.
    fresh: Instant,
    late_after: Duration,
    stall_timeout: Duration,
}

/// What a moment's waiting brought.
#[derive(Debug)]
pub(super) enum Came {
    /// A frame, after this many that never came.
    Fresh {
        /// When it was captured.
        captured: Captured,
        /// Frames that the driver dropped before it.
        missed: u64,
    },
    /// A buffer that is no fresh frame.
    Useless {
        /// Frames that the driver dropped before it.
        missed: u64,
        /// What that says about the camera, where it says something.
        condition: Option<Condition>,
    },
    /// No buffer.
    Nothing {
        /// What that says about the camera, where it says something.
        condition: Option<Condition>,
    },
}

impl Running {
    /// Of a camera whose start began at `started`, on the monotonic clock.
    pub(super) fn new(camera: Box<dyn Capture>, agreed: &Agreed, config: &V4l2Config, started: Duration) -> Self {
        let stall_timeout = Duration::from_millis(config.stall_timeout_ms);
        let interval_s = agreed.interval.and_then(Interval::seconds);
        let late_after = interval_s.map_or(stall_timeout / 2, |seconds| {
            Duration::try_from_secs_f64(LATE_INTERVALS * seconds).unwrap_or(stall_timeout).max(LATE_AT_LEAST)
        });
        Self {
            camera,
            layout: agreed.layout,
            timestamps: config.timestamps,
            started,
            fresh: Instant::now(),
            late_after: late_after.min(stall_timeout),
            stall_timeout,
        }
    }

    /// Waits a moment for a buffer and copies it over what `bytes` held. `sequence` knows the frames before.
    ///
    /// # Errors
    /// The camera is gone or has broken down.
    pub(super) fn next(&mut self, bytes: &mut Vec<u8>, sequence: &mut Sequence) -> io::Result<Came> {
        let buffer = self.camera.next(WAIT_SLICE.min(self.stall_timeout), bytes)?;
        let now = Now::read();
        let Some(buffer) = buffer else {
            let late = now.instant.duration_since(self.fresh) >= self.late_after;
            return Ok(Came::Nothing { condition: late.then_some(Condition::Silent) });
        };
        let step = sequence.step(&buffer, bytes, now.instant);
        let captured = clock::captured(&buffer, self.timestamps, &now);
        let before_start = captured.kernel.is_some_and(|kernel| kernel < self.started);
        match step {
            // It only shows that the driver had a buffer. v4l2loopback hands out one from before the start, stamped with the
            // time of the start, also when nobody writes any more.
            Step::First => Ok(Came::Useless { missed: 0, condition: None }),
            Step::Repeated { missed } => Ok(Came::Useless { missed, condition: Some(Condition::Frozen) }),
            Step::Fresh { missed } if buffer.damaged || before_start => Ok(Came::Useless { missed, condition: None }),
            Step::Fresh { missed } => {
                self.fresh = now.instant;
                Ok(Came::Fresh { captured, missed })
            }
        }
    }

    /// Whether nothing fresh has come for so long that the camera is to be opened anew.
    pub(super) fn is_stalled(&self) -> bool {
        self.fresh.elapsed() >= self.stall_timeout
    }
}
