//! The run as a service: what its manager is told, by the supervising thread in the loop in which it speaks.
//!
//! - `READY=1` once a frame of any camera has been judged in time and the sinks have its verdict. An opened camera proves
//!   nothing.
//! - `WATCHDOG=1` while verdicts make progress: whatever was due on any camera has just been said, and the judging thread has
//!   come round within the deadline. So it stops when a sink takes no verdict, when the network hangs, and when the supervising
//!   thread does: what a new process may cure. It goes on while a camera is dark, silent or gone: verdicts say so, the
//!   source opens it again, and a new process would cost the other cameras theirs.
//! - `STATUS=` a word on each camera when one has changed, at most once a second.
//! - `STOPPING=1` when the end begins, whichever.

use std::time::{Duration, Instant};

use super::speaker::Speaker;
use crate::notify::Notifier;

/// Between two status lines.
const STATUS_PACE: Duration = Duration::from_secs(1);

/// What the manager knows. What it did not take is told again.
pub(super) struct Service {
    notifier: Notifier,
    ready: bool,
    status: String,
    status_due: Instant,
    alive_due: Instant,
}

impl Service {
    pub(super) fn new(notifier: Notifier) -> Self {
        let now = Instant::now();
        Self { notifier, ready: false, status: String::new(), status_due: now, alive_due: now }
    }

    /// Tells what is new. To be called when what was due has been said; `judging` tells whether the judging thread makes
    /// progress.
    pub(super) fn tell(&mut self, speaker: &Speaker, judging: bool) {
        let now = Instant::now();
        self.tell_ready(speaker);
        // Twice as often as it must, as sd_watchdog_enabled(3) asks for.
        if let Some(patience) = self.notifier.watchdog().filter(|_| self.ready && judging && now >= self.alive_due)
            && self.notifier.alive()
        {
            self.alive_due = now + patience / 2;
        }
        if now >= self.status_due {
            self.tell_status(speaker, now);
        }
    }

    /// The run may be over before this thread came round.
    pub(super) fn tell_end(&mut self, speaker: &Speaker) {
        self.tell_ready(speaker);
        self.notifier.stopping();
    }

    fn tell_ready(&mut self, speaker: &Speaker) {
        if !self.ready && speaker.has_judged_in_time() {
            self.ready = self.notifier.ready();
        }
    }

    fn tell_status(&mut self, speaker: &Speaker, now: Instant) {
        let status = speaker.status();
        if status != self.status {
            self.status_due = now + STATUS_PACE;
            if self.notifier.status(&status) {
                self.status = status;
            }
        }
    }
}
