//! Wakes the judging thread, whichever camera has something for it.
//!
//! Each camera has a hand-over of its own; waiting for one after the other would make each camera pay for the silence of
//! the others. So all of them ring one bell.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rung by the sources' threads, heard by the judging one.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        let mut rings = self.lock();
        *rings = rings.wrapping_add(1);
        self.rung.notify_all();
    }

    /// How often it rang so far. Asked before looking at the hand-overs, it makes sure that [`Self::wait`] misses nothing.
    pub(super) fn rings(&self) -> u64 {
        *self.lock()
    }

    /// Waits until it has rung since `heard`, at most `patience`.
    pub(super) fn wait(&self, heard: u64, patience: Duration) {
        let quiet = |rings: &mut u64| *rings == heard;
        drop(self.rung.wait_timeout_while(self.lock(), patience, quiet));
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    /// Ends a test that has failed, and nothing else.
    const FOR_EVER: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_ring_between_the_look_and_the_wait_is_not_missed() {
        let bell = Bell::default();
        let heard = bell.rings();
        bell.ring();
        bell.wait(heard, FOR_EVER);
    }

    #[test]
    fn a_ring_ends_a_wait_that_has_begun() {
        let bell = Arc::new(Bell::default());
        let heard = bell.rings();
        let theirs = Arc::clone(&bell);
        let ringing = thread::spawn(move || theirs.ring());
        bell.wait(heard, FOR_EVER);
        assert_eq!(bell.rings(), heard + 1);
        ringing.join().unwrap();
    }
}
