//! The p-values of a stretch of time, summed up.

use jiff::Timestamp;

/// Bins of a histogram of p-values.
pub const TENTHS: usize = 10;
/// Frames that a block needs, however long they take.
const FEWEST_FRAMES: u64 = 10;

/// Judged frames, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    frames: u64,
    sum: f64,
    spread_sum: f64,
    tenths: [u64; TENTHS],
    times: Option<(Timestamp, Timestamp)>,
}

impl Block {
    /// Whether a frame of that time belongs into the next block. Time that goes back, or stands still, fills none.
    pub(super) fn is_full(&self, next: Timestamp, block_s: f64) -> bool {
        let lasted = self.times.map_or(0.0, |(first, _)| next.duration_since(first).as_secs_f64());
        self.frames >= FEWEST_FRAMES && lasted >= block_s
    }

    pub(super) fn add(&mut self, p_value: f64, captured_at: Timestamp) {
        self.frames += 1;
        self.sum += p_value;
        self.spread_sum += (2.0 * p_value - 1.0).abs();
        self.tenths[((p_value * TENTHS as f64) as usize).min(TENTHS - 1)] += 1;
        let first = self.times.map_or(captured_at, |(first, _)| first);
        self.times = Some((first, captured_at));
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    pub(super) fn spread_sum(&self) -> f64 {
        self.spread_sum
    }

    pub(super) fn tenths(&self) -> &[u64; TENTHS] {
        &self.tenths
    }

    /// Mean p-value.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.frames.max(1) as f64
    }

    /// Mean of |2p - 1|.
    pub(super) fn spread(&self) -> f64 {
        self.spread_sum / self.frames.max(1) as f64
    }

    /// From the first frame of `earlier` to the last of this one.
    pub(super) fn seconds_since(&self, earlier: &Self) -> f64 {
        let ends = self.times.zip(earlier.times);
        ends.map_or(0.0, |((_, last), (first, _))| last.duration_since(first).as_secs_f64())
    }
}
