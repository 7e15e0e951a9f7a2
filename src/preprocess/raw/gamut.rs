//! What clamping takes from colours that RGB does not have: the excess.
//!
//! A camera's numbers can mean a red below 0 or above 255, where chroma of a coloured pixel is shared by a black one, and in whites
//! above 235. Decoding clamps each pixel, so that the mean of pixels is not the colour of their mean. Where some pixel of
//! a block of rows can exceed the gamut, judged by the smallest and largest numbers of a few columns, the excess of each is
//! resampled beside the components, to be subtracted from their colours. Elsewhere, that is nearly everywhere, it is none.

use std::ops::Range;

use super::bounds::{Bounds, SLACK};
use super::color::Channel;
use super::excess::{self, COLUMNS, Gains, Pixels, Sums};
use super::filter::Axis;
use super::horizontal::Columns;
use super::lines::Lines;
use super::planes::{self, Plane};
use super::vertical::{self, Blend, Block, Ramp};

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
    bounds: Bounds,
    fixed: [Gains; 3],
    /// Rows of pixels that are looked at together.
    rows: Vec<Pixels>,
    /// Pixels of a row that count.
    width: usize,
    /// Output rows as wide as the source: the row that is being finished, and the one after it.
    ending: Row,
    coming: Row,
    columns: Columns,
}

impl Gamut {
    /// For channels that are made of the bytes of these planes, or nothing where no bytes exceed the gamut.
    pub(super) fn new(channels: &[Channel; 3], source: &[Plane], across: &Axis, used: Range<usize>) -> Option<Self> {
        let gains = channels.map(|channel| channel.gains);
        if !gains.iter().any(exceeds) {
            return None;
        }
        let columns = Columns::new(across, &planes::PIXELS, used.start);
        let values = vec![0.0; 3 * (used.len().next_multiple_of(COLUMNS) + columns.padding())];
        let row = Row { values, spans: [0..0, 0..0, 0..0] };
        Some(Self {
            fixed: gains.map(Gains::new),
            bounds: Bounds::new(gains, source, used.len()),
            rows: vec![excess::NONE; excess::MAX_ROWS],
            width: used.len(),
            ending: row.clone(),
            coming: row,
            columns,
        })
    }

    /// What was the coming output row is now the one that ends, and the coming one begins.
    pub(super) fn turn(&mut self) {
        std::mem::swap(&mut self.ending, &mut self.coming);
        self.coming.clear();
    }

    /// Adds the excess of a block of rows that has just been added to `lines`.
    pub(super) fn add(&mut self, block: &Block, lines: &[Lines], planes: &[&[u8]; 3]) {
        self.bounds.judge(lines);
        for chunk in 0..self.bounds.exceeded().len() {
            let exceeded = self.bounds.exceeded()[chunk];
            if exceeded != 0 {
                self.add_columns(exceeded, block, lines, planes, chunk * COLUMNS);
            }
        }
    }

    /// Adds the excess of these channels in [`COLUMNS`] columns.
    fn add_columns(&mut self, exceeded: u8, block: &Block, lines: &[Lines], planes: &[&[u8]; 3], column: usize) {
        const { assert!(vertical::MAX_ROWS <= excess::MAX_ROWS, "the excess of a whole block has to fit") }
        excess::read(&mut self.rows[..block.count], lines, planes, block.first, column);
        self.add_rows(exceeded, block.count, [block.falling, block.rising], column);
    }

    /// Adds the excess of the first rows that were read to both output rows.
    fn add_rows(&mut self, exceeded: u8, count: usize, [falling, rising]: [Ramp; 2], column: usize) {
        let mut sums = Sums::NONE;
        for (channel, gains) in self.fixed.iter().enumerate() {
            if exceeded & 1 << channel != 0 && excess::sum_up(&self.rows[..count], gains, &mut sums) {
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
                excess::read(&mut self.rows[..1], lines, planes, blend.first + index, column);
                self.add_rows(u8::MAX, 1, [Ramp::level(*weight), Ramp::default()], column);
            }
        }
    }

    /// Takes the excess of the ending output row from its colours, [3][outputs].
    pub(super) fn subtract_from(&mut self, colors: &mut [f32]) {
        let Row { values, spans } = &self.ending;
        let (outputs, stride) = (colors.len() / 3, values.len() / 3);
        for (channel, (row, span)) in values.chunks_exact(stride).zip(spans).enumerate() {
            if !span.is_empty() {
                self.columns.subtract_from(span, row, &mut colors[channel * outputs..][..outputs]);
            }
        }
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

/// Whether some bytes mean a colour that RGB does not have, in a channel that is made of them with these factors, the last of which is
/// added.
fn exceeds([first, second, third, offset]: &[f32; 4]) -> bool {
    let reach =
        |end: fn(f32, f32) -> f32| [first, second, third].map(|gain| end(255.0 * gain, 0.0)).iter().sum::<f32>();
    offset + reach(f32::min) < -SLACK || offset + reach(f32::max) > 255.0 + SLACK
}
