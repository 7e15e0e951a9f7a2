//! Tells a fresh frame from one that was delivered before, and counts the frames in between that never came.

use std::hash::Hasher;
use std::time::{Duration, Instant};

use oodwatch_v4l2::Buffer;

/// More frames than this per second no camera takes; a larger gap is a driver that has changed its count.
const MAX_RATE_HZ: f64 = 1_000.0;

/// What is remembered of the frame before.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    sequence: u32,
    timestamp: Duration,
    came: Instant,
    /// Of a frame whose stamps were those of the one before it.
    content: Option<u64>,
}

/// What a frame is to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A new one, after this many that never came.
    Fresh {
        /// Frames between the two.
        missed: u64,
    },
    /// The same again.
    Repeated,
}

impl Sequence {
    /// Looks at a frame that came at `now`.
    ///
    /// The same sequence number and timestamp twice are suspicious, but some drivers number nothing. Only then is content
    /// compared, from the first such frame on: what repeats in stamps and content is the same frame.
    pub(super) fn step(&mut self, buffer: &Buffer, bytes: &[u8], now: Instant) -> Step {
        let last = self.last.take();
        let same_stamps =
            last.as_ref().is_some_and(|l| (l.sequence, l.timestamp) == (buffer.sequence, buffer.timestamp));
        let content = same_stamps.then(|| hash(bytes));
        let repeated = same_stamps && last.as_ref().is_some_and(|last| last.content == content);
        let missed = last.as_ref().map_or(0, |last| missed(last, buffer.sequence, now));
        // The time of the last fresh frame stays, so that what follows a repetition has room for its gap.
        let came = last.filter(|_| repeated).map_or(now, |last| last.came);
        self.last = Some(Last { sequence: buffer.sequence, timestamp: buffer.timestamp, came, content });
        if repeated { Step::Repeated } else { Step::Fresh { missed } }
    }
}

/// Frames between two sequence numbers, which pass through `u32::MAX` to 0. A count that went back, or further ahead than
/// the time between the frames allows, was started anew.
fn missed(last: &Last, sequence: u32, now: Instant) -> u64 {
    let gap = sequence.wrapping_sub(last.sequence).wrapping_sub(1);
    let possible = now.duration_since(last.came).as_secs_f64() * MAX_RATE_HZ + MAX_RATE_HZ;
    if sequence == last.sequence || f64::from(gap) > possible {
        return 0;
    }
    u64::from(gap)
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oodwatch_v4l2::Clock;

    fn buffer(sequence: u32, timestamp_ms: u64) -> Buffer {
        let timestamp = Duration::from_millis(timestamp_ms);
        Buffer { bytes_used: 1, sequence, timestamp, clock: Clock::Monotonic, damaged: false }
    }

    /// Sequence number, timestamp and content of frames that come at once, with what each is.
    fn check(frames: &[(u32, u64, u8, Step)]) {
        let (mut sequence, now) = (Sequence::default(), Instant::now());
        for (number, timestamp_ms, content, wanted) in frames {
            assert_eq!(sequence.step(&buffer(*number, *timestamp_ms), &[*content], now), *wanted, "frame {number}");
        }
    }

    const NEXT: Step = Step::Fresh { missed: 0 };

    #[test]
    fn frames_in_between_are_counted_also_through_the_end_of_the_numbers() {
        check(&[(7, 0, 0, NEXT), (8, 1, 0, NEXT), (12, 2, 0, Step::Fresh { missed: 3 })]);
        check(&[(u32::MAX - 1, 0, 0, NEXT), (u32::MAX, 1, 0, NEXT), (0, 2, 0, NEXT), (1, 3, 0, NEXT)]);
        check(&[(u32::MAX - 1, 0, 0, NEXT), (1, 1, 0, Step::Fresh { missed: 2 })]);
    }

    #[test]
    fn a_count_that_was_started_anew_is_no_gap() {
        check(&[(500, 0, 0, NEXT), (0, 1, 0, NEXT), (4_000_000_000, 2, 0, NEXT)]);
    }

    #[test]
    fn the_same_stamps_and_content_for_ever_are_the_same_frame() {
        check(&[(3, 9, 1, NEXT), (3, 9, 1, NEXT), (3, 9, 1, Step::Repeated), (3, 9, 1, Step::Repeated)]);
        check(&[(3, 9, 1, NEXT), (3, 9, 1, NEXT), (3, 9, 1, Step::Repeated), (4, 10, 1, NEXT)]);
    }

    #[test]
    fn a_driver_that_numbers_nothing_is_judged_by_content() {
        check(&[(0, 0, 1, NEXT), (0, 0, 2, NEXT), (0, 0, 3, NEXT), (0, 0, 3, Step::Repeated), (0, 0, 4, NEXT)]);
    }
}
