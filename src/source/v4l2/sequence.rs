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

/// Frames that a driver may have left over from before it was opened, all of its buffers.
const LEFT_OVER_FRAMES: u32 = 8;

/// What is remembered of the frames before.
#[derive(Debug)]
pub(super) struct Sequence {
    rate_hz: f64,
    last: Option<Last>,
    left_over: Option<LeftOver>,
}

#[derive(Debug)]
struct Last {
    sequence: u32,
    timestamp: Duration,
    came: Instant,
    /// Of a frame whose stamps were those of the one before it, and of the first.
    content: Option<u64>,
    /// Whether it may be older than the start, and its number with it.
    before_start: bool,
    repeated: bool,
}

/// The frame that a camera was stuck at before it was opened anew.
#[derive(Debug)]
struct LeftOver {
    content: u64,
    /// Frames that came since.
    frames: u32,
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
    /// The same again, or one that was left over, after this many that never came.
    Repeated {
        /// Frames between the two.
        missed: u64,
    },
}

impl Sequence {
    /// Before the first frame.
    pub(super) fn new() -> Self {
        Self { rate_hz: UNKNOWN_RATE_HZ, last: None, left_over: None }
    }

    /// The camera was opened anew, with this rate in frames per second: it counts anew. A camera that was stuck may bring the
    /// same frame under new stamps, since drivers renumber what lies in their buffers.
    pub(super) fn restart(&mut self, rate_hz: Option<f64>) {
        self.rate_hz = rate_hz.unwrap_or(UNKNOWN_RATE_HZ);
        let stuck_at = self.last.take().filter(|last| last.repeated).and_then(|last| last.content);
        let left_over = stuck_at.or(self.left_over.as_ref().map(|left_over| left_over.content));
        self.left_over = left_over.map(|content| LeftOver { content, frames: 0 });
    }

    /// Looks at a frame that came at `now`.
    ///
    /// The same sequence number and timestamp twice are suspicious, but some drivers number nothing. Only then is content
    /// compared, from the first such frame on: what repeats in stamps and content is the same frame.
    pub(super) fn step(&mut self, buffer: &Buffer, bytes: &[u8], now: Instant) -> Step {
        let &Buffer { sequence, timestamp, .. } = buffer;
        let Some(last) = self.last.take() else {
            let content = Some(hash(bytes));
            self.last = Some(Last { sequence, timestamp, came: now, content, before_start: true, repeated: false });
            return Step::First;
        };
        let same_stamps = (last.sequence, last.timestamp) == (sequence, timestamp);
        let content = (same_stamps || self.left_over.is_some()).then(|| hash(bytes));
        let repeated = same_stamps && last.content == content || self.is_left_over(content);
        let missed = self.missed(&last, buffer, now);
        // The time of the last fresh frame stays, so that what follows a repetition has room for its gap.
        let came = if repeated { last.came } else { now };
        let before_start = repeated && last.before_start;
        self.last = Some(Last { sequence, timestamp, came, content, before_start, repeated });
        if repeated { Step::Repeated { missed } } else { Step::Fresh { missed } }
    }

    /// Whether a frame is the one that the camera was stuck at before. Any other ends the suspicion, and so do more frames than
    /// a driver has buffers.
    fn is_left_over(&mut self, content: Option<u64>) -> bool {
        let Some(left_over) = &mut self.left_over else { return false };
        left_over.frames += 1;
        if content != Some(left_over.content) || left_over.frames > LEFT_OVER_FRAMES {
            self.left_over = None;
        }
        self.left_over.is_some()
    }

    /// Frames between two sequence numbers, which pass through `u32::MAX` to 0. A count that went back, or further ahead
    /// than the time between the frames allows (by either clock: a backlog comes at once), was started anew.
    fn missed(&self, last: &Last, buffer: &Buffer, now: Instant) -> u64 {
        let gap = buffer.sequence.wrapping_sub(last.sequence).wrapping_sub(1);
        let passed = now.duration_since(last.came).max(buffer.timestamp.saturating_sub(last.timestamp));
        let possible = passed.as_secs_f64() * self.rate_hz * RATE_MARGIN + SLACK_FRAMES;
        let unknown = last.before_start || buffer.sequence == last.sequence;
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
        let (mut sequence, now) = (Sequence::new(), Instant::now());
        sequence.restart(Some(30.0));
        assert_eq!(sequence.step(&buffer(0, 77), &[77], now), Step::First);
        for (number, timestamp_ms, content, wanted) in frames {
            assert_eq!(sequence.step(&buffer(*number, *timestamp_ms), &[*content], now), *wanted, "frame {number}");
        }
    }

    const NEXT: Step = Step::Fresh { missed: 0 };
    const REPEATED: Step = Step::Repeated { missed: 0 };

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
        check(&[(3, 9, 1, NEXT), (3, 9, 1, NEXT), (3, 9, 1, REPEATED), (3, 9, 1, REPEATED)]);
        check(&[(3, 9, 1, NEXT), (3, 9, 1, NEXT), (3, 9, 1, REPEATED), (4, 10, 1, NEXT)]);
    }

    #[test]
    fn what_lay_in_the_driver_before_the_start_is_the_same_frame_from_its_second_delivery_on() {
        check(&[(0, 77, 77, REPEATED), (0, 77, 77, REPEATED), (812, 78, 0, NEXT)]);
    }

    /// A sequence that was stuck at content 1, started anew, and has seen its first frame.
    fn stuck_at_1() -> impl FnMut(u32, u8) -> Step {
        let (mut sequence, now) = (Sequence::new(), Instant::now());
        for wanted in [Step::First, REPEATED] {
            assert_eq!(sequence.step(&buffer(3, 9), &[1], now), wanted);
        }
        sequence.restart(None);
        assert_eq!(sequence.step(&buffer(0, 0), &[7], now), Step::First);
        move |number, content| sequence.step(&buffer(number, u64::from(number)), &[content], now)
    }

    #[test]
    fn what_was_left_over_in_a_driver_is_no_fresh_frame_under_new_stamps_either() {
        let mut step = stuck_at_1();
        assert_eq!([step(1, 1), step(1, 1), step(2, 8), step(3, 1)], [REPEATED, REPEATED, NEXT, NEXT]);
    }

    #[test]
    fn a_scene_that_stands_still_is_believed_again_when_no_driver_could_have_so_many_frames_left() {
        let mut step = stuck_at_1();
        for number in 0..LEFT_OVER_FRAMES {
            assert_eq!(step(number, 1), REPEATED);
        }
        assert_eq!(step(LEFT_OVER_FRAMES, 1), NEXT);
    }

    #[test]
    fn a_driver_that_numbers_nothing_is_judged_by_content() {
        check(&[(0, 0, 1, NEXT), (0, 0, 2, NEXT), (0, 0, 3, NEXT), (0, 0, 3, REPEATED), (0, 0, 4, NEXT)]);
    }
}
