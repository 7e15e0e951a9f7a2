//! The bounded hand-over between the source's thread and the judging one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::MonitorError;
use crate::source::{Frame, Source, SourceError};

/// Frames that may wait; with the one being judged and the one being read this bounds the memory.
const WAITING_FRAMES: usize = 2;
/// How long a source may take to notice that it is no longer wanted.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// The judging end.
pub(super) struct Handover {
    frames: Option<Receiver<Frame>>,
    unwanted: Arc<AtomicBool>,
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

impl Handover {
    /// Sets the source to work in a thread of its own.
    pub(super) fn start(mut source: Box<dyn Source>) -> Result<Self, MonitorError> {
        let (sender, frames) = mpsc::sync_channel(WAITING_FRAMES);
        let unwanted = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&unwanted);
        let read_all = move || {
            while let Some(frame) = source.next_frame(&stop)? {
                // The judging end is gone: nobody wants frames any more.
                if sender.send(frame).is_err() {
                    break;
                }
            }
            Ok(())
        };
        let thread = thread::Builder::new().name("source".into()).spawn(read_all).map_err(MonitorError::Thread)?;
        Ok(Self { frames: Some(frames), unwanted, thread })
    }

    /// Waits for a frame, at most `patience`.
    pub(super) fn receive(&mut self, patience: Duration) -> Received {
        let Some(frames) = &self.frames else { return Received::End };
        match frames.recv_timeout(patience) {
            Ok(frame) => Received::Frame(frame),
            Err(RecvTimeoutError::Timeout) => Received::Nothing,
            Err(RecvTimeoutError::Disconnected) => Received::End,
        }
    }

    /// Tells the source to stop and gives its last word. A source that hangs is left to the end of the process.
    pub(super) fn finish(mut self) -> Result<(), MonitorError> {
        self.unwanted.store(true, Ordering::Relaxed);
        self.frames = None;
        let since = Instant::now();
        while !self.thread.is_finished() {
            if since.elapsed() > END_PATIENCE {
                log::warn!("source: does not stop; leaving it behind");
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.thread.join().map_err(|_| MonitorError::SourcePanicked)?.map_err(MonitorError::Source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Content;
    use jiff::Timestamp;

    struct Scripted(u64);

    impl Source for Scripted {
        fn next_frame(&mut self, _stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
            let index = self.0;
            self.0 += 1;
            assert!(index < 5, "as scripted");
            Ok(Some(Frame {
                index,
                path: "scripted".into(),
                captured_at: Timestamp::UNIX_EPOCH,
                arrived: Instant::now(),
                content: Content::Encoded(Vec::new()),
            }))
        }
    }

    #[test]
    fn every_frame_arrives_in_order_and_a_panic_is_told_as_one() {
        let mut handover = Handover::start(Box::new(Scripted(0))).unwrap();
        for wanted in 0..5 {
            let Received::Frame(frame) = handover.receive(Duration::from_secs(20)) else {
                panic!("frame {wanted} is missing");
            };
            assert_eq!(frame.index, wanted);
        }
        assert!(matches!(handover.receive(Duration::from_secs(20)), Received::End));
        assert!(matches!(handover.finish(), Err(MonitorError::SourcePanicked)));
    }

    #[test]
    fn a_source_whose_frames_nobody_takes_is_released() {
        let handover = Handover::start(Box::new(Scripted(0))).unwrap();
        assert!(handover.finish().is_ok());
    }
}
