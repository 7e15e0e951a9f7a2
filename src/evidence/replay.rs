//! Frames that were kept, again and again, at their pace: footage that never ends, for faults to be tried on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::decode::Content;
use crate::source::faults::picture;
use crate::source::{FootageClock, Frame, Source, SourceError};

/// The source.
pub(super) struct Replay {
    frames: Arc<Vec<Content>>,
    interval: Duration,
    clock: Option<FootageClock>,
    next: u64,
}

impl Replay {
    /// Of these frames, one every `interval`. Nothing comes of none.
    pub(super) fn new(frames: &Arc<Vec<Content>>, interval: Duration) -> Self {
        Self { frames: Arc::clone(frames), interval, clock: None, next: 0 }
    }
}

impl Source for Replay {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        let place = self.next.checked_rem(self.frames.len() as u64).unwrap_or_default() as usize;
        let Some(content) = self.frames.get(place) else { return Ok(None) };
        // The clock starts with the first frame: opening the network may have taken a while.
        let clock = self.clock.get_or_insert_with(|| FootageClock::start(true));
        let offset = self.interval.as_secs_f64() * self.next as f64;
        let captured_at = clock.reach(Duration::from_secs_f64(offset), stop);
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(None);
        }
        let (index, path) = (self.next, "replay".into());
        self.next += 1;
        Ok(Some(Frame { index, path, captured_at, taken: Instant::now(), content: picture::copy(content) }))
    }
}
