//! The bounded hand-over between a camera's thread and the judging one, and the count of what passes through it.
//!
//! Footage waits: a full hand-over holds its source back. A live source cannot wait: its newest frame takes the place of one
//! that nobody has taken yet, and that one is counted as dropped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::bell::Bell;
use super::{MonitorError, Summary};
use crate::source::{Condition, Frame, Live, Source, SourceError};

/// Frames of footage that may wait; with the one being judged and the one being read this bounds the memory.
const WAITING_FRAMES: usize = 2;
/// Frames of a live source that may wait: the newest.
const WAITING_LIVE_FRAMES: usize = 1;

/// The end where frames are taken, by the judging thread, and counted, by whoever speaks. Dropped, it lets its source go.
pub(super) struct Handover {
    shared: Arc<Shared>,
    unwanted: Arc<AtomicBool>,
    live: Option<Arc<Live>>,
    thread: JoinHandle<()>,
}

/// What was there.
pub(super) enum Received {
    /// A frame.
    Frame(Frame),
    /// Nothing yet; the bell will ring.
    Nothing,
    /// The source's last word. It is said once.
    End(Result<(), MonitorError>),
}

/// What the two threads share.
struct Shared {
    queue: Mutex<Queue>,
    /// There may be room for another frame.
    room: Condvar,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Frame>,
    /// Frames that came from the source.
    delivered: u64,
    /// Those of them that nobody will judge.
    dropped: u64,
    /// Whether one was taken and is not yet judged or found bad.
    in_hand: bool,
    /// Nothing more will come; this is why.
    last_word: Option<Result<(), MonitorError>>,
    /// Nobody will take anything more.
    closed: bool,
}

impl Handover {
    /// Sets the source to work in a thread of its own, until it has captured `max_frames`. What it hands over rings `bell`.
    pub(super) fn start(
        mut source: Box<dyn Source>,
        max_frames: Option<u64>,
        bell: &Arc<Bell>,
    ) -> Result<Self, MonitorError> {
        let shared = Arc::new(Shared { queue: Mutex::default(), room: Condvar::new(), bell: Arc::clone(bell) });
        let unwanted = Arc::new(AtomicBool::new(false));
        let live = source.live();
        let (theirs, stop, their_live) = (Arc::clone(&shared), Arc::clone(&unwanted), live.clone());
        let work = move || {
            // Until another end is reached it is one by panic.
            let mut ending = Ending { shared: theirs, last_word: Some(Err(MonitorError::SourcePanicked)) };
            let read = read_all(&mut *source, &ending.shared, their_live.as_deref(), max_frames, &stop);
            drop(source);
            ending.last_word = Some(read.map_err(MonitorError::Source));
        };
        let thread = thread::Builder::new().name("source".into()).spawn(work).map_err(MonitorError::Thread)?;
        Ok(Self { shared, unwanted, live, thread })
    }

    /// Takes what is there, without waiting.
    pub(super) fn take(&self) -> Received {
        let mut queue = self.shared.lock();
        match queue.waiting.pop_front() {
            Some(frame) => {
                queue.in_hand = true;
                self.shared.room.notify_all();
                Received::Frame(frame)
            }
            None => queue.last_word.take().map_or(Received::Nothing, Received::End),
        }
    }

    /// The frame that was taken is judged, or bad, and is counted as that.
    pub(super) fn put_down(&self) {
        self.shared.lock().in_hand = false;
    }

    /// Nobody will come back for the frame that was taken: if there is one, it is counted as dropped. Whether there is.
    pub(super) fn abandon(&self) -> bool {
        let mut queue = self.shared.lock();
        queue.dropped += u64::from(queue.in_hand);
        std::mem::take(&mut queue.in_hand)
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

    /// Tells the source to stop, and counts what is still waiting as dropped.
    pub(super) fn release(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
        self.shared.close();
    }

    /// Whether the source and its thread are gone.
    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        self.release();
    }
}

fn read_all(
    source: &mut dyn Source,
    shared: &Shared,
    live: Option<&Live>,
    max_frames: Option<u64>,
    stop: &AtomicBool,
) -> Result<(), SourceError> {
    while let Some(frame) = source.next_frame(stop)? {
        let captured = shared.push(frame, live.is_some()) + dropped_in(live);
        if stop.load(Ordering::Relaxed) || max_frames.is_some_and(|max| captured >= max) {
            break;
        }
    }
    Ok(())
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
            queue = self.room.wait_while(queue, full).unwrap_or_else(PoisonError::into_inner);
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
        let delivered = queue.delivered;
        drop(queue);
        self.bell.ring();
        delivered
    }

    fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.dropped += queue.waiting.len() as u64;
        queue.waiting.clear();
        self.room.notify_all();
    }
}

/// Gives the judging end the source's last word, also when the source panics.
struct Ending {
    shared: Arc<Shared>,
    last_word: Option<Result<(), MonitorError>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.lock().last_word = self.last_word.take();
        self.shared.bell.ring();
    }
}

#[cfg(test)]
#[path = "handover_tests.rs"]
mod tests;
