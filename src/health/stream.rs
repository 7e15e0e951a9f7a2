//! What frames tell by their coming: whether anything changes, whether they are in order, and how many there are.

use std::time::Duration;

use jiff::Timestamp;

use super::Meta;

/// Frames from whose times a rate is taken.
const WINDOW: usize = 32;
/// Frames after which the first of them is known as the camera's rate.
const LEARNED_AFTER: u64 = 64;

/// What is remembered of the frames before.
#[derive(Debug)]
pub(super) struct Stream {
    last: Option<Last>,
    /// Number and time of the newest frames, in a ring.
    ring: [(u64, Timestamp); WINDOW],
    seen: u64,
    first: Option<(u64, Timestamp)>,
    expected_hz: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    meta: Meta,
    hash: u64,
    /// Since when the picture has been the same.
    same_since: Timestamp,
}

/// What the newest frame says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Coming {
    /// For how long nothing changed.
    pub(super) unchanged: Duration,
    /// Whether its number or its time is not after that of the one before.
    pub(super) out_of_order: bool,
    /// Frames per second, and the share of the expected ones, where both are known.
    pub(super) rate: Option<(f64, f64)>,
}

impl Stream {
    /// Of a camera that should deliver so many frames per second; 0: as many as it does at first.
    pub(super) fn new(expected_hz: f64) -> Self {
        Self {
            last: None,
            ring: [(0, Timestamp::UNIX_EPOCH); WINDOW],
            seen: 0,
            first: None,
            expected_hz: (expected_hz > 0.0).then_some(expected_hz),
        }
    }

    /// Takes note of a frame with this content.
    pub(super) fn next(&mut self, meta: Meta, hash: u64) -> Coming {
        let before = self.last.replace(Last { meta, hash, same_since: meta.captured_at });
        let mut coming = Coming::default();
        if let (Some(before), Some(last)) = (before, &mut self.last) {
            coming.out_of_order = meta.index <= before.meta.index || meta.captured_at <= before.meta.captured_at;
            if before.hash == hash {
                last.same_since = before.same_since;
            }
            coming.unchanged = between(last.same_since, meta.captured_at);
        }
        if coming.out_of_order {
            // Times before and after a jump say nothing about a rate.
            (self.seen, self.first) = (0, None);
        }
        coming.rate = self.rate(meta);
        coming
    }

    /// The rate of the newest frames. Numbers are compared, not frames counted: those that nobody looked at came too.
    fn rate(&mut self, meta: Meta) -> Option<(f64, f64)> {
        let now = (meta.index, meta.captured_at);
        let oldest = std::mem::replace(&mut self.ring[(self.seen % WINDOW as u64) as usize], now);
        let first = *self.first.get_or_insert(now);
        self.seen += 1;
        if self.expected_hz.is_none() && self.seen > LEARNED_AFTER {
            self.expected_hz = rate_between(first, now);
        }
        if self.seen <= WINDOW as u64 {
            return None;
        }
        let rate = rate_between(oldest, now)?;
        self.expected_hz.map(|expected| (rate, rate / expected))
    }
}

fn rate_between((first, from): (u64, Timestamp), (last, to): (u64, Timestamp)) -> Option<f64> {
    let seconds = between(from, to).as_secs_f64();
    (seconds > 0.0).then(|| last.saturating_sub(first) as f64 / seconds)
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the last of these frames says; each has a number, a time in milliseconds and a content.
    fn after(frames: impl IntoIterator<Item = (u64, i64, u64)>) -> Coming {
        let mut stream = Stream::new(0.0);
        let meta =
            |(index, ms, _)| Meta { index, captured_at: Timestamp::from_millisecond(ms).unwrap(), age: Duration::ZERO };
        frames.into_iter().map(|frame| stream.next(meta(frame), frame.2)).last().unwrap()
    }

    #[test]
    fn the_time_without_a_change_counts_from_the_first_of_the_same_pictures() {
        assert_eq!(after([(0, 0, 1), (1, 100, 2), (2, 200, 2), (3, 300, 2)]).unchanged, Duration::from_millis(200));
        assert_eq!(after([(0, 0, 2), (1, 100, 2), (2, 200, 3)]).unchanged, Duration::ZERO);
    }

    #[test]
    fn a_number_or_a_time_that_does_not_go_on_is_out_of_order() {
        assert!(!after([(0, 0, 1), (1, 100, 2)]).out_of_order);
        assert!(after([(1, 0, 1), (1, 100, 2)]).out_of_order);
        assert!(after([(0, 100, 1), (1, 100, 2)]).out_of_order);
        assert!(after([(0, 100, 1), (1, 50, 2)]).out_of_order);
    }

    #[test]
    fn a_rate_that_halves_shows_against_the_one_at_the_beginning() {
        let steady = (0..100).map(|index| (index, 50 * index as i64, index));
        let (rate, share) = after(steady.clone()).rate.unwrap();
        assert!((rate - 20.0).abs() < 1e-6 && (share - 1.0).abs() < 1e-6);
        let slower = (0..WINDOW as u64).map(|more| (100 + more, 4_950 + 100 * (more as i64 + 1), more));
        let (rate, share) = after(steady.chain(slower)).rate.unwrap();
        assert!((rate - 10.0).abs() < 1e-6 && (share - 0.5).abs() < 1e-6);
    }

    #[test]
    fn frames_that_nobody_looked_at_came_all_the_same() {
        let every_third = (0..100).map(|look| (3 * look, 150 * look as i64, look));
        let (rate, share) = after(every_third).rate.unwrap();
        assert!((rate - 20.0).abs() < 1e-6 && (share - 1.0).abs() < 1e-6);
    }

    #[test]
    fn nothing_is_said_of_a_rate_before_it_is_known() {
        assert!(after((0..60).map(|index| (index, 50 * index as i64, index))).rate.is_none());
    }
}
