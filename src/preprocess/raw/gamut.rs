//! What clamping takes from colours that RGB does not have: the excess.
//!
//! A camera's numbers can mean a red below 0 or above 255, where chroma of a coloured pixel is shared by a black one, and in whites
//! above 235. Decoding clamps each pixel, so that the mean of pixels is not the colour of their mean. Where some pixel of
//! a block of rows can exceed the gamut, judged by the smallest and largest numbers of a few columns, the excess of each is
//! resampled beside the components, to be subtracted from their colours. Elsewhere, that is nearly everywhere, it is none.

use std::ops::Range;

use super::color::Channel;
use super::excess::{self, COLUMNS, Gains, Pixels, Sums};
use super::filter::Axis;
use super::horizontal::Columns;
use super::lines::Lines;
use super::planes;
use super::vertical::{Blend, Block, Extremes, Ramp, TRACKED};
use crate::simd::vectorised;

/// Columns that are judged together first; only where they can exceed the gamut, [`COLUMNS`] of them are.
const MANY_COLUMNS: usize = 256;
/// Excess that does not matter, of 255.
const SLACK: f32 = 0.3;

/// The excess of an output row, as wide as the source.
#[derive(Debug, Clone)]
struct Row {
    /// [3][width and padding].
    values: Vec<f32>,
    /// Columns of each channel outside of which there is none.
    spans: [Range<usize>; 3],
}

/// Resamples the excess of each channel.
pub(super) struct Gamut {
    gains: [[f32; 4]; 3],
    fixed: [Gains; 3],
    /// Rows of pixels that are looked at together.
    rows: Vec<Pixels>,
    /// Pixels of a row that count.
    width: usize,
    /// Output rows as wide as the source: the row that is being finished, and the one after it.
    ending: Row,
    coming: Row,
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
        let values = vec![0.0; 3 * (used.len().next_multiple_of(COLUMNS) + columns.padding())];
        let row = Row { values, spans: [0..0, 0..0, 0..0] };
        Some(Self {
            fixed: gains.map(Gains::new),
            gains,
            rows: vec![excess::NONE; excess::MAX_ROWS],
            width: used.len(),
            ending: row.clone(),
            coming: row,
            columns,
            resampled: vec![0.0; 3 * across.outputs()],
        })
    }

    /// What was the coming output row is now the one that ends, and the coming one begins.
    pub(super) fn turn(&mut self) {
        std::mem::swap(&mut self.ending, &mut self.coming);
        self.coming.clear();
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
        for first in (0..block.count).step_by(excess::MAX_ROWS) {
            let count = excess::MAX_ROWS.min(block.count - first);
            let behind = block.count - first - count;
            for (index, pixels) in self.rows[..count].iter_mut().enumerate() {
                excess::read(pixels, lines, planes, block.first + first + index, column);
            }
            self.add_rows(count, [block.falling, block.rising].map(|ramp| ramp.before(behind)), column);
        }
    }

    /// Adds the excess of the first rows that were read to both output rows.
    fn add_rows(&mut self, count: usize, [falling, rising]: [Ramp; 2], column: usize) {
        let mut sums = Sums::NONE;
        for (channel, gains) in self.fixed.iter().enumerate() {
            if excess::sum_up(&self.rows[..count], gains, &mut sums) {
                let (ending, coming) = (self.ending.columns(channel, column), self.coming.columns(channel, column));
                excess::add(&sums, falling, rising, ending, coming);
            }
        }
    }

    /// Makes the ending output row of the rows between which it lies.
    pub(super) fn blend(&mut self, blend: &Blend, lines: &[Lines], planes: &[&[u8]; 3]) {
        self.ending.clear();
        for (index, weight) in blend.weights.iter().enumerate() {
            for column in (0..self.width).step_by(COLUMNS) {
                excess::read(&mut self.rows[0], lines, planes, blend.first + index, column);
                self.add_rows(1, [Ramp::level(*weight), Ramp::default()], column);
            }
        }
    }

    /// The excess of the ending output row, [3][outputs], if there is any.
    pub(super) fn excess(&mut self) -> Option<&[f32]> {
        if self.ending.spans.iter().all(Range::is_empty) {
            return None;
        }
        self.resampled.fill(0.0);
        let Row { values, spans } = &self.ending;
        let (outputs, stride) = (self.resampled.len() / 3, values.len() / 3);
        let rows = self.resampled.chunks_exact_mut(outputs).zip(values.chunks_exact(stride));
        for ((excess, row), span) in rows.zip(spans).filter(|(_, span)| !span.is_empty()) {
            self.columns.resample_span(span, row, excess);
        }
        Some(&self.resampled)
    }
}

impl Row {
    /// [`COLUMNS`] columns of a channel, to add to.
    fn columns(&mut self, channel: usize, column: usize) -> &mut [f32] {
        let (span, stride) = (&mut self.spans[channel], self.values.len() / 3);
        let end = column + COLUMNS;
        *span = if *span == (0..0) { column..end } else { span.start.min(column)..span.end.max(end) };
        &mut self.values[channel * stride + column..][..COLUMNS]
    }

    fn clear(&mut self) {
        let stride = self.values.len() / 3;
        for (row, span) in self.values.chunks_exact_mut(stride).zip(&mut self.spans) {
            row[span.clone()].fill(0.0);
            *span = 0..0;
        }
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
