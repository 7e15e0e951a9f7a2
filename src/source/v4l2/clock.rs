//! When a frame was captured: the driver's timestamp, mapped from the monotonic clock to the wall.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use oodwatch_v4l2::{Buffer, Clock};
use rustix::time::{ClockId, clock_gettime};

use super::Timestamps;

/// A moment on three clocks at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) monotonic: Duration,
    pub(super) instant: Instant,
    pub(super) wall: Timestamp,
}

impl Now {
    pub(super) fn read() -> Self {
        let monotonic = clock_gettime(ClockId::Monotonic);
        let nanoseconds = u32::try_from(monotonic.tv_nsec).unwrap_or_default();
        Self {
            monotonic: Duration::new(u64::try_from(monotonic.tv_sec).unwrap_or_default(), nanoseconds),
            instant: Instant::now(),
            wall: Timestamp::now(),
        }
    }
}

/// When a frame was captured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Captured {
    /// On the clock by which its age is counted.
    pub(super) taken: Instant,
    /// On the wall.
    pub(super) at: Timestamp,
    /// The driver's timestamp, where it can be believed.
    pub(super) kernel: Option<Duration>,
}

/// Finds out when a frame was captured that has just come, at `now`.
pub(super) fn captured(buffer: &Buffer, choice: Timestamps, now: &Now) -> Captured {
    let kernel = believable(buffer, choice, now);
    let age = kernel.map_or(Duration::ZERO, |kernel| now.monotonic - kernel);
    Captured {
        taken: now.instant.checked_sub(age).unwrap_or(now.instant),
        at: now.wall.saturating_sub(age).unwrap_or(now.wall),
        kernel,
    }
}

/// A timestamp of another clock, of no clock (0) or from the future says nothing; then the frame is as old as its arrival.
/// One that is long past is believed: the frame is old, and it is the monitor's business to say so.
fn believable(buffer: &Buffer, choice: Timestamps, now: &Now) -> Option<Duration> {
    let usable = choice == Timestamps::Kernel && buffer.clock == Clock::Monotonic && !buffer.timestamp.is_zero();
    (usable && buffer.timestamp <= now.monotonic).then_some(buffer.timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(timestamp: Duration, clock: Clock) -> Buffer {
        Buffer { bytes_used: 1, sequence: 0, timestamp, clock, damaged: false }
    }

    fn age(buffer: &Buffer, choice: Timestamps) -> Duration {
        let instant = Instant::now();
        let now = Now { monotonic: Duration::from_secs(1000), instant, wall: Timestamp::from_second(5000).unwrap() };
        let captured = captured(buffer, choice, &now);
        let age = instant - captured.taken;
        assert_eq!(captured.at, Timestamp::from_second(5000).unwrap() - age);
        age
    }

    #[test]
    fn a_timestamp_of_the_monotonic_clock_gives_the_age_of_a_frame() {
        let late = buffer(Duration::from_millis(999_960), Clock::Monotonic);
        assert_eq!(age(&late, Timestamps::Kernel), Duration::from_millis(40));
        assert_eq!(age(&late, Timestamps::Arrival), Duration::ZERO);
    }

    #[test]
    fn a_timestamp_that_cannot_be_believed_counts_as_now() {
        let past = Duration::from_secs(999);
        for (timestamp, clock) in
            [(past, Clock::Unknown), (Duration::ZERO, Clock::Monotonic), (Duration::from_secs(1001), Clock::Monotonic)]
        {
            assert_eq!(age(&buffer(timestamp, clock), Timestamps::Kernel), Duration::ZERO);
        }
    }

    #[test]
    fn an_old_frame_stays_old() {
        let old = buffer(Duration::from_secs(10), Clock::Monotonic);
        assert_eq!(age(&old, Timestamps::Kernel), Duration::from_secs(990));
    }
}
