//! Tells a fresh frame from one that was delivered before, and counts the frames in between that never came.

use std::hash::Hasher;
use std::time::{Duration, Instant};

use oodwatch_v4l2::Buffer;

/// More frames than this many times the camera's rate cannot have been taken in the time between two; a larger gap is a
/// driver that has changed its count, as v4l2loopback does after its first frame.
const RATE_MARGIN: f64 = 4.0;
/// Frames that a driver may be ahead of any clock.
const SLACK_FRAMES: f64 = 16.0;
/// Rate of a camera that does not tell its own, in frames per second: no usual one is faster.
const UNKNOWN_RATE_HZ: f64 = 250.0;

/// What is remembered of the frame before.
#[derive(Debug)]
pub(super) struct Sequence {
    rate_hz: f64,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    sequence: u32,
    timestamp: Duration,
    came: Instant,
    /// Of a frame whose stamps were those of the one before it, and of the first.
    content: Option<u64>,
    /// Whether it may be older than the start, and its number with it.
    leftover: bool,
}

/// What a frame is to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is none before.
    First,
    /// A new one, after this many that never came.
    Fresh {
        /// Frames between the two.
        missed: u64,
    },
    /// The same again.
    Repeated,
}

impl Sequence {
    /// Of a camera with this rate, in frames per second.
    pub(super) fn new(rate_hz: Option<f64>) -> Self {
        Self { rate_hz: rate_hz.unwrap_or(UNKNOWN_RATE_HZ), last: None }
    }

    /// Looks at a frame that came at `now`.
    ///
    /// The same sequence number and timestamp twice are suspicious, but some drivers number nothing. Only then is content
    /// compared, from the first such frame on: what repeats in stamps and content is the same frame.
    pub(super) fn step(&mut self, buffer: &Buffer, bytes: &[u8], now: Instant) -> Step {
        let &Buffer { sequence, timestamp, .. } = buffer;
        let Some(last) = self.last.take() else {
            self.last = Some(Last { sequence, timestamp, came: now, content: Some(hash(bytes)), leftover: true });
            return Step::First;
        };
        let same_stamps = (last.sequence, last.timestamp) == (sequence, timestamp);
        let content = same_stamps.then(|| hash(bytes));
        if same_stamps && last.content == content {
            // The time of the last fresh frame stays, so that what follows a repetition has room for its gap.
            self.last = Some(last);
            return Step::Repeated;
        }
        let missed = self.missed(&last, buffer, now);
        self.last = Some(Last { sequence, timestamp, came: now, content, leftover: false });
        Step::Fresh { missed }
    }

    /// Frames between two sequence numbers, which pass through `u32::MAX` to 0. A count that went back, or further ahead
    /// than the time between the frames allows (by either clock: a backlog comes at once), was started anew.
    fn missed(&self, last: &Last, buffer: &Buffer, now: Instant) -> u64 {
        let gap = buffer.sequence.wrapping_sub(last.sequence).wrapping_sub(1);
        let passed = now.duration_since(last.came).max(buffer.timestamp.saturating_sub(last.timestamp));
        let possible = passed.as_secs_f64() * self.rate_hz * RATE_MARGIN + SLACK_FRAMES;
        let unknown = last.leftover || buffer.sequence == last.sequence;
        if unknown || f64::from(gap) > possible { 0 } else { u64::from(gap) }
    }
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
        let (mut sequence, now) = (Sequence::new(Some(30.0)), Instant::now());
        assert_eq!(sequence.step(&buffer(0, 77), &[77], now), Step::First);
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
        check(&[(1, 0, 0, NEXT), (36, 33, 0, NEXT)]);
    }

    #[test]
    fn a_gap_of_a_second_is_believed_when_the_driver_was_silent_for_a_second() {
        check(&[(1, 0, 0, NEXT), (31, 1000, 0, Step::Fresh { missed: 29 })]);
    }

    #[test]
    fn the_same_stamps_and_content_for_ever_are_the_same_frame() {
        check(&[(3, 9, 1, NEXT), (3, 9, 1, NEXT), (3, 9, 1, Step::Repeated), (3, 9, 1, Step::Repeated)]);
        check(&[(3, 9, 1, NEXT), (3, 9, 1, NEXT), (3, 9, 1, Step::Repeated), (4, 10, 1, NEXT)]);
    }

    #[test]
    fn what_lay_in_the_driver_before_the_start_is_the_same_frame_from_its_second_delivery_on() {
        check(&[(0, 77, 77, Step::Repeated), (0, 77, 77, Step::Repeated), (812, 78, 0, NEXT)]);
    }

    #[test]
    fn a_driver_that_numbers_nothing_is_judged_by_content() {
        check(&[(0, 0, 1, NEXT), (0, 0, 2, NEXT), (0, 0, 3, NEXT), (0, 0, 3, Step::Repeated), (0, 0, 4, NEXT)]);
    }
}
