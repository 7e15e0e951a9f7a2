//! What clamping takes from colours that RGB does not have: the excess.
//!
//! A camera's numbers can mean a red below 0 or above 255, where chroma of a coloured pixel is shared by a black one, and in whites
//! above 235. Decoding clamps each pixel, so that the mean of pixels is not the colour of their mean. Where some pixel of
//! a block of rows can exceed the gamut, judged by the smallest and largest numbers of a few columns, the excess of each is
//! resampled beside the components, to be subtracted from their colours. Elsewhere, that is nearly everywhere, it is none.

use std::ops::Range;

use super::color::Channel;
use super::excess::{self, COLUMNS};
use super::filter::Axis;
use super::horizontal::Columns;
use super::lines::Lines;
use super::planes;
use super::vertical::{Blend, Block, Extremes, TRACKED};
use crate::simd::vectorised;

/// Columns that are judged together first; only where they can exceed the gamut, [`COLUMNS`] of them are.
const MANY_COLUMNS: usize = 256;
/// Excess that does not matter, of 255.
const SLACK: f32 = 0.3;
/// Weighted excess that a few columns of a block may add up to unseen, of 255.
const SUM_SLACK: f32 = 0.02;

/// Resamples the excess of each channel.
pub(super) struct Gamut {
    gains: [[f32; 4]; 3],
    /// Pixels of a row that count.
    width: usize,
    /// Output rows as wide as the source, [3][width and padding], and whether there is anything in them: the row that is being
    /// finished, and the one after it.
    ending: Vec<f32>,
    coming: Vec<f32>,
    ending_exceeds: bool,
    coming_exceeds: bool,
    columns: Columns,
    /// Of one row of the network's pixels: [3][outputs].
    resampled: Vec<f32>,
}

impl Gamut {
    /// For channels that are made of bytes, or nothing where no bytes exceed the gamut.
    pub(super) fn new(channels: &[Channel; 3], across: &Axis, used: Range<usize>) -> Option<Self> {
        let gains = channels.map(|channel| channel.gains);
        if !exceeds(&gains, [[0.0, 255.0]; 3]) {
            return None;
        }
        let columns = Columns::new(across, &planes::PIXELS, used.start);
        let memory = vec![0.0; 3 * (used.len().next_multiple_of(COLUMNS) + columns.padding())];
        Some(Self {
            gains,
            width: used.len(),
            ending: memory.clone(),
            coming: memory,
            ending_exceeds: false,
            coming_exceeds: false,
            columns,
            resampled: vec![0.0; 3 * across.outputs()],
        })
    }

    /// What was the coming output row is now the one that ends, and the coming one begins.
    pub(super) fn turn(&mut self) {
        std::mem::swap(&mut self.ending, &mut self.coming);
        std::mem::swap(&mut self.ending_exceeds, &mut self.coming_exceeds);
        if self.coming_exceeds {
            self.coming.fill(0.0);
            self.coming_exceeds = false;
        }
    }

    /// Adds the excess of a block of rows that has just been added to `lines`.
    pub(super) fn add(&mut self, block: &Block, lines: &[Lines], planes: &[&[u8]; 3]) {
        for start in (0..self.width).step_by(MANY_COLUMNS) {
            if self.can_exceed(lines, start, MANY_COLUMNS) {
                for column in (start..self.width.min(start + MANY_COLUMNS)).step_by(COLUMNS) {
                    if self.can_exceed(lines, column, COLUMNS) {
                        self.add_columns(block, lines, planes, column);
                    }
                }
            }
        }
    }

    /// Whether some pixel in these columns of the block that was added last can exceed the gamut.
    fn can_exceed(&self, lines: &[Lines], column: usize, count: usize) -> bool {
        bounds(lines, column..column + count).is_none_or(|bounds| exceeds(&self.gains, bounds))
    }

    fn add_columns(&mut self, block: &Block, lines: &[Lines], planes: &[&[u8]; 3], column: usize) {
        let weights = |index| [block.falling.at(index, block.count), block.rising.at(index, block.count)];
        let rows = (0..block.count).map(|index| (block.first + index, weights(index)));
        self.add_rows(rows, lines, planes, column);
    }

    /// Adds the excess of rows, by their numbers and weights for both output rows.
    fn add_rows(
        &mut self,
        rows: impl Iterator<Item = (usize, [f32; 2])>,
        lines: &[Lines],
        planes: &[&[u8]; 3],
        column: usize,
    ) {
        let mut found = [excess::NONE; 2];
        for (y, weights) in rows {
            let pixels = excess::pixels_at(lines, planes, y, column);
            excess::add_excess(&pixels, &self.gains, weights, &mut found);
        }
        let [ending, coming] = found;
        if excess::largest(&ending) > SUM_SLACK {
            self.ending_exceeds = true;
            excess::add(&ending, &mut self.ending, column);
        }
        if excess::largest(&coming) > SUM_SLACK {
            self.coming_exceeds = true;
            excess::add(&coming, &mut self.coming, column);
        }
    }

    /// Makes the ending output row of the rows between which it lies.
    pub(super) fn blend(&mut self, blend: &Blend, lines: &[Lines], planes: &[&[u8]; 3]) {
        if self.ending_exceeds {
            self.ending.fill(0.0);
            self.ending_exceeds = false;
        }
        let rows = |(index, weight): (usize, &f32)| (blend.first + index, [*weight, 0.0]);
        for column in (0..self.width).step_by(COLUMNS) {
            self.add_rows(blend.weights.iter().enumerate().map(rows), lines, planes, column);
        }
    }

    /// The excess of the ending output row, [3][outputs], if there is any.
    pub(super) fn excess(&mut self) -> Option<&[f32]> {
        if !self.ending_exceeds {
            return None;
        }
        self.resampled.fill(0.0);
        let (outputs, stride) = (self.resampled.len() / 3, self.ending.len() / 3);
        for (excess, row) in self.resampled.chunks_exact_mut(outputs).zip(self.ending.chunks_exact(stride)) {
            self.columns.resample(row, excess);
        }
        Some(&self.resampled)
    }
}

/// Whether components between these bounds can mean a colour that RGB does not have.
fn exceeds(gains: &[[f32; 4]; 3], bounds: [[f32; 2]; 3]) -> bool {
    gains.iter().any(|[a, b, c, offset]| {
        let (mut least, mut most) = (*offset, *offset);
        for (gain, [lowest, highest]) in [a, b, c].into_iter().zip(bounds) {
            let ends = [gain * lowest, gain * highest];
            least += ends[0].min(ends[1]);
            most += ends[0].max(ends[1]);
        }
        least < -SLACK || most > 255.0 + SLACK
    })
}

/// The smallest and largest of each component in these columns of the block that was added last; `None` where they were not
/// tracked.
fn bounds(lines: &[Lines], columns: Range<usize>) -> Option<[[f32; 2]; 3]> {
    let mut bounds = [[u8::MAX, 0]; 3];
    for lines in lines {
        let plane = lines.plane();
        let bytes = plane.bytes_of(columns.clone());
        let extremes = lines.extremes().get(bytes.start / TRACKED..bytes.end.div_ceil(TRACKED))?;
        for (meaning, [lowest, highest]) in plane.phases.iter().zip(by_phase(extremes, plane.phases.len())) {
            let [least, most] = &mut bounds[meaning.component];
            (*least, *most) = ((*least).min(lowest), (*most).max(highest));
        }
    }
    Some(bounds.map(|ends| ends.map(f32::from)))
}

/// For every period and place in it, 255 for the bytes of other places. A period of 3 does not divide the number of bytes: there, every
/// byte may be anything.
const OTHERS: [[[u8; TRACKED]; 4]; 5] = {
    let mut others = [[[0; TRACKED]; 4]; 5];
    let (mut period, mut byte) = (1, 0);
    while period < 5 {
        while byte < 4 * TRACKED {
            if period != 3 && byte % TRACKED % period != byte / TRACKED {
                others[period][byte / TRACKED][byte % TRACKED] = 255;
            }
            byte += 1;
        }
        (period, byte) = (period + 1, 0);
    }
    others
};

vectorised! {
    /// The smallest and largest of each byte of a period.
    fn by_phase(extremes: &[Extremes], period: usize) -> [[u8; 2]; 4] {
        let Extremes { mut lowest, mut highest } = Extremes::NONE;
        for tracked in extremes {
            for lane in 0..TRACKED {
                lowest[lane] = lowest[lane].min(tracked.lowest[lane]);
                highest[lane] = highest[lane].max(tracked.highest[lane]);
            }
        }
        let mut found = [[u8::MAX, 0]; 4];
        for ([least, most], others) in found.iter_mut().zip(&OTHERS[period]) {
            for lane in 0..TRACKED {
                *least = (*least).min(lowest[lane] | others[lane]);
                *most = (*most).max(highest[lane] & !others[lane]);
            }
        }
        found
    }
}
