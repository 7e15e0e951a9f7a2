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

/// That many numbers of an output.
pub(super) type Tile = [f32; LANES];

/// Most rows that are added up together. The running sums of 22 would fit into 16 bits (255 * 22 * 23 / 2 = 64,515), but a processor reads
/// so many rows beside each other slower than half of them twice.
pub(super) const MAX_ROWS: usize = 11;

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
    /// Enlarging, and of averages: few rows, each with a weight of its own.
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

    /// A total, and what rows with these sums add to it.
    #[inline(always)]
    pub(super) fn add(self, sum: f32, running: f32, total: f32) -> f32 {
        running.mul_add(self.running, sum.mul_add(self.sum, total))
    }
}

impl Rows {
    /// The rows of each output along `axis`.
    pub(super) fn new(axis: &Axis) -> Self {
        if axis.step() != axis.reach() {
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

/// Calls [`add_counted`] with the number of rows as a constant: their places stay in registers, and no bounds are checked row by row.
macro_rules! add_counted {
    ($rows:expr, $arguments:tt; $($count:literal)*) => {
        match $rows.len() {
            $($count => if let Some(rows) = $rows.first_chunk::<$count>() { add_counted!(rows, $arguments) })*
            _ => {}
        }
    };
    ($rows:ident, ($($argument:expr),*)) => { add_counted($rows, $($argument),*) };
}

vectorised! {
    /// Adds the weighted rows of a block, at most [`MAX_ROWS`], to the two outputs that it counts for; the second is begun where it is
    /// `fresh`. Outputs are whole [`Tile`]s, as many as there are `extremes`; rows may end within the last of them.
    pub(super) fn add_block(
        rows: &[&[u8]],
        block: &Block,
        fresh: bool,
        ending: &mut [Tile],
        coming: &mut [Tile],
        extremes: &mut [Extremes],
    ) -> () {
        const { assert!(MAX_ROWS == 11, "every number of rows has its own code") }
        add_counted!(
            rows, (block, fresh, ending, coming, extremes);
            1 2 3 4 5 6 7 8 9 10 11
        );
    }

    /// Adds a weighted row to an output of the same length, which is overwritten where it is `fresh`.
    pub(super) fn add_row(row: &[u8], weight: f32, fresh: bool, output: &mut [f32]) -> () {
        let keep = if fresh { 0.0 } else { 1.0 };
        for (sum, byte) in output.iter_mut().zip(row) {
            *sum = weight.mul_add(f32::from(*byte), keep * *sum);
        }
    }
}

/// [`add_block`] of so many rows.
#[inline(always)]
fn add_counted<const COUNT: usize>(
    rows: &[&[u8]; COUNT],
    block: &Block,
    fresh: bool,
    ending: &mut [Tile],
    coming: &mut [Tile],
    extremes: &mut [Extremes],
) {
    let length = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let whole = (length / LANES).min(ending.len()).min(coming.len()).min(extremes.len());
    let mut tiles: [&[[u8; LANES]]; COUNT] = [&[]; COUNT];
    for (tiles, row) in tiles.iter_mut().zip(rows) {
        let Some(all) = row.as_chunks().0.get(..whole) else { return };
        *tiles = all;
    }
    let Block { falling, rising, .. } = *block;
    let keep = if fresh { 0.0 } else { 1.0 };
    let (ending, last_ending) = ending.split_at_mut(whole);
    let (coming, last_coming) = coming.split_at_mut(whole);
    let (extremes, last_extremes) = extremes.split_at_mut(whole);
    for place in 0..whole {
        let mut bytes = [&[0; LANES]; COUNT];
        for row in 0..COUNT {
            bytes[row] = &tiles[row][place];
        }
        add_tile(bytes, [falling, rising], keep, &mut ending[place], &mut coming[place]);
        extremes[place] = extremes_of(bytes);
    }
    // What is left of the rows is copied, with zeros behind it.
    let last = last_ending.first_mut().zip(last_coming.first_mut()).zip(last_extremes.first_mut());
    if let Some(((ending, coming), extremes)) = last {
        let mut copies = [[0; LANES]; COUNT];
        for (copy, row) in copies.iter_mut().zip(rows) {
            let rest = row.get(whole * LANES..length).unwrap_or_default();
            for (byte, found) in copy.iter_mut().zip(rest) {
                *byte = *found;
            }
        }
        let mut bytes = [&[0; LANES]; COUNT];
        for row in 0..COUNT {
            bytes[row] = &copies[row];
        }
        add_tile(bytes, [falling, rising], keep, ending, coming);
        *extremes = extremes_of(bytes);
        // The zeros are no bytes of the rows.
        for lowest in extremes.lowest.iter_mut().skip(length % LANES) {
            *lowest = u8::MAX;
        }
    }
}

/// Adds the lines of weighted rows to a tile of both outputs, of the second of which so much is kept.
#[inline(always)]
fn add_tile<const COUNT: usize>(
    bytes: [&[u8; LANES]; COUNT],
    [falling, rising]: [Ramp; 2],
    keep: f32,
    ending: &mut Tile,
    coming: &mut Tile,
) {
    let (mut sums, mut runnings) = ([0_u16; LANES], [0_u16; LANES]);
    for row in bytes {
        for lane in 0..LANES {
            sums[lane] = sums[lane].wrapping_add(u16::from(row[lane]));
            runnings[lane] = runnings[lane].wrapping_add(sums[lane]);
        }
    }
    for lane in 0..LANES {
        let (sum, running) = (f32::from(sums[lane]), f32::from(runnings[lane]));
        ending[lane] = falling.add(sum, running, ending[lane]);
        coming[lane] = rising.add(sum, running, keep * coming[lane]);
    }
}

/// A pass of its own over the same bytes: beside the sums it would take more registers than there are.
#[inline(always)]
fn extremes_of<const COUNT: usize>(bytes: [&[u8; LANES]; COUNT]) -> Extremes {
    let Extremes { mut lowest, mut highest } = Extremes::NONE;
    for row in bytes {
        for lane in 0..LANES {
            lowest[lane] = lowest[lane].min(row[lane]);
            highest[lane] = highest[lane].max(row[lane]);
        }
    }
    Extremes { lowest, highest }
}
