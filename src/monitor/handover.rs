//! The bounded hand-over between the source's thread and the judging one, and the count of what passes through it.
//!
//! Footage waits: a full hand-over holds its source back. A live source cannot wait: its newest frame takes the place of one
//! that nobody has taken yet, and that one is counted as dropped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{MonitorError, Summary};
use crate::source::{Condition, Frame, Live, Source, SourceError};

/// Frames of footage that may wait; with the one being judged and the one being read this bounds the memory.
const WAITING_FRAMES: usize = 2;
/// Frames of a live source that may wait: the newest.
const WAITING_LIVE_FRAMES: usize = 1;
/// How long a source may take to notice that it is no longer wanted.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// The judging end.
pub(super) struct Handover {
    shared: Arc<Shared>,
    unwanted: Arc<AtomicBool>,
    live: Option<Arc<Live>>,
    thread: JoinHandle<Result<(), SourceError>>,
}

/// What came of waiting.
pub(super) enum Received {
    /// A frame.
    Frame(Frame),
    /// Nothing within the time.
    Nothing,
    /// The source has ended, well or badly; [`Handover::finish`] tells.
    End,
}

/// What the two threads share.
#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Frame>,
    /// Frames that came from the source.
    delivered: u64,
    /// Those of them that nobody will judge.
    dropped: u64,
    /// Nothing more will come.
    ended: bool,
    /// Nobody will take anything more.
    closed: bool,
}

impl Handover {
    /// Sets the source to work in a thread of its own, until it has captured `max_frames`.
    pub(super) fn start(mut source: Box<dyn Source>, max_frames: Option<u64>) -> Result<Self, MonitorError> {
        let shared = Arc::new(Shared::default());
        let unwanted = Arc::new(AtomicBool::new(false));
        let live = source.live();
        let (theirs, stop, their_live) = (Arc::clone(&shared), Arc::clone(&unwanted), live.clone());
        let read_all = move || {
            let ending = Ending(theirs);
            while let Some(frame) = source.next_frame(&stop)? {
                let captured = ending.0.push(frame, their_live.is_some()) + dropped_in(their_live.as_deref());
                if stop.load(Ordering::Relaxed) || max_frames.is_some_and(|max| captured >= max) {
                    break;
                }
            }
            Ok(())
        };
        let thread = thread::Builder::new().name("source".into()).spawn(read_all).map_err(MonitorError::Thread)?;
        Ok(Self { shared, unwanted, live, thread })
    }

    /// Waits for a frame, at most `patience`.
    pub(super) fn receive(&mut self, patience: Duration) -> Received {
        let idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.ended;
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), patience, idle);
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match queue.waiting.pop_front() {
            Some(frame) => {
                self.shared.changed.notify_all();
                Received::Frame(frame)
            }
            None if queue.ended => Received::End,
            None => Received::Nothing,
        }
    }

    /// How the source is; footage always streams.
    pub(super) fn condition(&self) -> Condition {
        self.live.as_deref().map(Live::condition).unwrap_or_default()
    }

    /// Brings the counts of captured and dropped frames up to date.
    pub(super) fn count(&self, summary: &mut Summary) {
        let queue = self.shared.lock();
        let inside = dropped_in(self.live.as_deref());
        summary.captured = queue.delivered + inside;
        summary.dropped = queue.dropped + inside;
    }

    /// Tells the source to stop, counts what is still waiting as dropped, and gives the source's last word. A source that
    /// hangs is left to the end of the process.
    pub(super) fn finish(self, summary: &mut Summary) -> Result<(), MonitorError> {
        self.unwanted.store(true, Ordering::Relaxed);
        self.shared.close();
        let since = Instant::now();
        while !self.thread.is_finished() {
            if since.elapsed() > END_PATIENCE {
                log::warn!("source: does not stop; leaving it behind");
                self.count(summary);
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.count(summary);
        self.thread.join().map_err(|_| MonitorError::SourcePanicked)?.map_err(MonitorError::Source)
    }
}

/// Frames that a live source captured but did not deliver.
fn dropped_in(live: Option<&Live>) -> u64 {
    live.map_or(0, Live::dropped)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a frame over and gives how many came so far. Footage waits for room, a live source makes it.
    fn push(&self, frame: Frame, live: bool) -> u64 {
        let mut queue = self.lock();
        if !live {
            let full = |queue: &mut Queue| queue.waiting.len() >= WAITING_FRAMES && !queue.closed;
            queue = self.changed.wait_while(queue, full).unwrap_or_else(PoisonError::into_inner);
        }
        queue.delivered += 1;
        if queue.closed {
            queue.dropped += 1;
            return queue.delivered;
        }
        queue.waiting.push_back(frame);
        while live && queue.waiting.len() > WAITING_LIVE_FRAMES {
            queue.waiting.pop_front();
            queue.dropped += 1;
        }
        self.changed.notify_all();
        queue.delivered
    }

    fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.dropped += queue.waiting.len() as u64;
        queue.waiting.clear();
        self.changed.notify_all();
    }
}

/// Tells the judging end that the source's thread is over, also when it panics.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
#[path = "handover_tests.rs"]
mod tests;
