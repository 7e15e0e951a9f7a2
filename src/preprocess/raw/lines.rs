//! One plane of a frame on its way through the resampler, output row by output row.

use std::ops::Range;

use super::bounds::extremes_per_chunk;
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
        let tracked = used.len().div_ceil(TRACKED);
        let memory = vec![0.0; tracked * TRACKED + columns.padding()];
        Self {
            stride_bytes: plane.stride_bytes(layout),
            length_bytes: plane.length_bytes(layout),
            ending: memory.clone(),
            coming: memory,
            extremes: vec![Extremes::NONE; tracked.next_multiple_of(extremes_per_chunk(&plane))],
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

    /// The smallest and largest bytes of the block that was added last, for every [`TRACKED`] bytes, and those of none behind them.
    pub(super) fn extremes(&self) -> &[Extremes] {
        &self.extremes
    }

    /// What was the coming output row is now the one that ends.
    pub(super) fn turn(&mut self) {
        std::mem::swap(&mut self.ending, &mut self.coming);
    }

    /// Adds rows to both output rows; the coming one is begun where it is `fresh`.
    pub(super) fn add(&mut self, block: &Block, fresh: bool, plane: &[u8]) {
        let mut rows: [&[u8]; MAX_ROWS] = [&[]; MAX_ROWS];
        for (row, y) in rows.iter_mut().zip(block.first..block.first + block.count) {
            *row = self.row(plane, y);
        }
        let tiles = self.used.len().div_ceil(TRACKED);
        let ending = &mut self.ending.as_chunks_mut().0[..tiles];
        let coming = &mut self.coming.as_chunks_mut().0[..tiles];
        vertical::add_block(&rows[..block.count], block, fresh, ending, coming, &mut self.extremes[..tiles]);
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

    /// Resamples the ending output row along itself, and adds it to three channels, [3][outputs], each of which takes so much of every
    /// component.
    pub(super) fn add_to(&mut self, gains: &[[f32; 3]; 3], channels: &mut [f32]) {
        self.columns.add_to(&self.ending, gains, channels);
    }

    /// The bytes that count for a row of pixels.
    pub(super) fn row<'p>(&self, plane: &'p [u8], y: usize) -> &'p [u8] {
        &plane[self.plane.row_of(y) * self.stride_bytes..][self.used.clone()]
    }
}
