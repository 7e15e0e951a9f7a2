//! One plane of a frame on its way through the resampler, output row by output row.

use std::ops::Range;

use super::filter::Axis;
use super::horizontal::Columns;
use super::planes::Plane;
use super::vertical::{self, Blend, Block, Extremes, MAX_ROWS, TRACKED};
use crate::decode::RawLayout;

/// Where a plane's bytes lie, what becomes of them, and the memory to work in.
pub(super) struct Lines {
    plane: Plane,
    stride_bytes: usize,
    length_bytes: usize,
    /// Bytes of a row that count.
    used: Range<usize>,
    /// Output rows as wide as the source, and zeros behind them: the row that is being finished, and the one after it.
    ending: Vec<f32>,
    coming: Vec<f32>,
    /// Of the block that was added last, for every [`TRACKED`] bytes.
    extremes: Vec<Extremes>,
    columns: Columns,
}

impl Lines {
    /// Prepares for a plane of this layout, resampled along its rows as `across` says, of which the columns `used` count.
    pub(super) fn new(plane: Plane, layout: &RawLayout, across: &Axis, used: Range<usize>) -> Self {
        let used = plane.bytes_of(used);
        let columns = Columns::new(across, &plane, used.start);
        let memory = vec![0.0; used.len() + columns.padding()];
        Self {
            stride_bytes: plane.stride_bytes(layout),
            length_bytes: plane.length_bytes(layout),
            ending: memory.clone(),
            coming: memory,
            extremes: vec![Extremes::NONE; used.len() / TRACKED],
            plane,
            used,
            columns,
        }
    }

    /// How the plane's bytes are to be read.
    pub(super) fn plane(&self) -> &Plane {
        &self.plane
    }

    /// Length of the plane within a frame.
    pub(super) fn length_bytes(&self) -> usize {
        self.length_bytes
    }

    /// The smallest and largest bytes of the block that was added last, for every [`TRACKED`] bytes; none of a shorter rest.
    pub(super) fn extremes(&self) -> &[Extremes] {
        &self.extremes
    }

    /// What was the coming output row is now the one that ends.
    pub(super) fn turn(&mut self) {
        std::mem::swap(&mut self.ending, &mut self.coming);
    }

    /// Adds rows to both output rows; the coming one is begun where it is `fresh`.
    pub(super) fn add(&mut self, block: &Block, fresh: bool, plane: &[u8]) {
        let length = self.used.len();
        let mut rows: [&[u8]; MAX_ROWS] = [&[]; MAX_ROWS];
        for (row, y) in rows.iter_mut().zip(block.first..block.first + block.count) {
            *row = self.row(plane, y);
        }
        let (ending, coming) = (&mut self.ending[..length], &mut self.coming[..length]);
        vertical::add_block(&rows[..block.count], block, fresh, ending, coming, &mut self.extremes);
    }

    /// Begins the coming output row with nothing.
    pub(super) fn clear_coming(&mut self) {
        self.coming.fill(0.0);
    }

    /// Makes the ending output row of the rows between which it lies.
    pub(super) fn blend(&mut self, blend: &Blend, plane: &[u8]) {
        let length = self.used.len();
        for (index, weight) in blend.weights.iter().enumerate() {
            let row = &plane[self.plane.row_of(blend.first + index) * self.stride_bytes..][self.used.clone()];
            vertical::add_row(row, *weight, index == 0, &mut self.ending[..length]);
        }
    }

    /// Resamples the ending output row along itself, and adds it to the components: [3][outputs].
    pub(super) fn add_to(&self, components: &mut [f32]) {
        self.columns.resample(&self.ending, components);
    }

    /// The bytes that count for a row of pixels.
    pub(super) fn row<'p>(&self, plane: &'p [u8], y: usize) -> &'p [u8] {
        &plane[self.plane.row_of(y) * self.stride_bytes..][self.used.clone()]
    }
}
