//! Resampling along columns, straight from the camera's bytes.
//!
//! When shrinking, an output row's weights rise linearly up to its centre and fall linearly behind it, so that all rows between
//! two centres count for two outputs, each by one straight line. For a straight line it is enough to know a column's sum of bytes
//! and the sum of its running sums: two additions of 16 bits per byte instead of two multiplications of 32, exact until the
//! lines are drawn.

use super::filter::Axis;
use crate::simd::vectorised;

/// Columns that are added up together.
const LANES: usize = 32;

/// Most rows whose running sums of bytes add up to less than 2^16: 255 * 22 * 23 / 2 = 64,515.
pub(super) const MAX_ROWS: usize = 22;

/// Bytes that share their [`Extremes`].
pub(super) const TRACKED: usize = LANES;

/// The smallest and largest of bytes in a block of rows, column by column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extremes {
    pub(super) lowest: [u8; TRACKED],
    pub(super) highest: [u8; TRACKED],
}

impl Extremes {
    /// Those of no bytes at all.
    pub(super) const NONE: Self = Self { lowest: [u8::MAX; TRACKED], highest: [0; TRACKED] };
}

/// What an output row is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rows {
    /// Shrinking: the rows before each output's centre and behind the one before it, and at last those behind the last
    /// centre; in blocks of at most [`MAX_ROWS`].
    Ramps(Vec<Vec<Block>>),
    /// Enlarging: two rows, or one.
    Blends(Vec<Blend>),
}

/// Rows between which an output lies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blend {
    /// Number of the first row.
    pub(super) first: usize,
    /// Weight of each.
    pub(super) weights: Vec<f32>,
}

/// Consecutive rows on a straight piece of both weight lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Block {
    /// Number of the first row.
    pub(super) first: usize,
    /// How many there are.
    pub(super) count: usize,
    /// Their weight for the output whose centre lies before them.
    pub(super) falling: Ramp,
    /// Their weight for the output whose centre lies behind them.
    pub(super) rising: Ramp,
}

/// A straight line of weights, as factors of the sum of a block's n rows and of the sum of its running sums, in which the i-th row
/// counts n - i times.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Ramp {
    sum: f32,
    running: f32,
}

impl Ramp {
    /// The same weight for every row.
    pub(super) fn level(weight: f32) -> Self {
        Self { sum: weight, running: 0.0 }
    }

    /// The piece of the line that `behind` of the block's rows follow.
    pub(super) fn before(self, behind: usize) -> Self {
        Self { sum: (behind as f32).mul_add(self.running, self.sum), ..self }
    }

    /// A total, and what rows with these sums add to it.
    #[inline(always)]
    pub(super) fn add(self, sum: f32, running: f32, total: f32) -> f32 {
        running.mul_add(self.running, sum.mul_add(self.sum, total))
    }
}

impl Rows {
    /// The rows of each output along `axis`.
    pub(super) fn new(axis: &Axis) -> Self {
        if axis.step() < 1.0 {
            return Self::Blends((0..axis.outputs()).map(|output| blend_of(axis, output)).collect());
        }
        Self::Ramps((0..=axis.outputs()).map(|output| blocks_before(axis, output)).collect())
    }
}

fn blend_of(axis: &Axis, output: usize) -> Blend {
    let taps = axis.taps(output);
    Blend { first: taps.first, weights: taps.weights.iter().map(|weight| *weight as f32).collect() }
}

/// The rows between the centre of the output before and that of this one.
fn blocks_before(axis: &Axis, output: usize) -> Vec<Block> {
    let step = axis.step();
    let after = output.checked_sub(1);
    let before = (output < axis.outputs()).then_some(output);
    let from = after.map_or(axis.centre(0) - step, |output| axis.centre(output));
    let to = before.map_or(from + step, |output| axis.centre(output));
    let rows = axis.samples(from, to);
    let line = |output: usize, first: usize, count: usize, slope: f64| {
        let total = axis.taps(output).total;
        let distance = (first as f64 + 0.5 - axis.centre(output)).abs() / step;
        Ramp {
            sum: ((1.0 - distance + count as f64 * slope / step) / total) as f32,
            running: (-slope / step / total) as f32,
        }
    };
    let firsts = rows.clone().step_by(MAX_ROWS);
    firsts
        .map(|first| {
            let count = MAX_ROWS.min(rows.end - first);
            let falling = after.map_or(Ramp::default(), |output| line(output, first, count, -1.0));
            let rising = before.map_or(Ramp::default(), |output| line(output, first, count, 1.0));
            Block { first, count, falling, rising }
        })
        .collect()
}

vectorised! {
    /// Adds the weighted rows of a block to the two outputs that it counts for; the second is begun where it is `fresh`.
    /// Rows and outputs have the same length; `extremes` are those of every [`TRACKED`] bytes.
    pub(super) fn add_block(
        rows: &[&[u8]],
        block: &Block,
        fresh: bool,
        ending: &mut [f32],
        coming: &mut [f32],
        extremes: &mut [Extremes],
    ) -> () {
        let whole = ending.len() - ending.len() % LANES;
        add_columns::<LANES>(rows, block, fresh, 0, &mut ending[..whole], &mut coming[..whole], extremes);
        let mut untracked = [Extremes::NONE; LANES];
        add_columns::<1>(rows, block, fresh, whole, &mut ending[whole..], &mut coming[whole..], &mut untracked);
    }

    /// Adds a weighted row to an output of the same length, which is overwritten where it is `fresh`.
    pub(super) fn add_row(row: &[u8], weight: f32, fresh: bool, output: &mut [f32]) -> () {
        let keep = if fresh { 0.0 } else { 1.0 };
        for (sum, byte) in output.iter_mut().zip(row) {
            *sum = weight.mul_add(f32::from(*byte), keep * *sum);
        }
    }
}

/// [`add_block`] of N columns at a time, the first of which is at `start` in the rows.
#[inline(always)]
fn add_columns<const N: usize>(
    rows: &[&[u8]],
    block: &Block,
    fresh: bool,
    start: usize,
    ending: &mut [f32],
    coming: &mut [f32],
    extremes: &mut [Extremes],
) {
    let Block { falling, rising, .. } = *block;
    let keep = if fresh { 0.0 } else { 1.0 };
    let outputs = ending.as_chunks_mut::<N>().0.iter_mut().zip(coming.as_chunks_mut::<N>().0);
    for (place, ((ending, coming), extremes)) in outputs.zip(extremes).enumerate() {
        let (mut sums, mut running) = ([0_u16; N], [0_u16; N]);
        let (mut lowest, mut highest) = ([u8::MAX; N], [0_u8; N]);
        for row in rows {
            let Some(bytes) = row[start..].as_chunks::<N>().0.get(place) else { return };
            for lane in 0..N {
                sums[lane] = sums[lane].wrapping_add(u16::from(bytes[lane]));
                running[lane] = running[lane].wrapping_add(sums[lane]);
                lowest[lane] = lowest[lane].min(bytes[lane]);
                highest[lane] = highest[lane].max(bytes[lane]);
            }
        }
        for lane in 0..N {
            let (sum, running) = (f32::from(sums[lane]), f32::from(running[lane]));
            ending[lane] = running.mul_add(falling.running, sum.mul_add(falling.sum, ending[lane]));
            coming[lane] = running.mul_add(rising.running, sum.mul_add(rising.sum, keep * coming[lane]));
        }
        if let (Some(low), Some(high)) = (lowest.first_chunk(), highest.first_chunk()) {
            *extremes = Extremes { lowest: *low, highest: *high };
        }
    }
}
