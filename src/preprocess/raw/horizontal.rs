//! Resampling along rows: bytes of all components as they lie beside each other, each with the weight of the pixels that it belongs
//! to, so that nothing has to be taken apart before most of the numbers are gone.

use std::ops::Range;

use super::filter::Axis;
use super::planes::{Phase, Plane};
use crate::simd::vectorised;

/// Numbers that are added up together: a period of 1, 2 or 4 times a power of 2.
const LANES: usize = 8;
/// The same for a period of 3.
const LANES_OF_THREE: usize = 24;

/// For every output column its place in a row of a plane and the weights from there on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Columns {
    phases: &'static [Phase],
    starts: Vec<usize>,
    /// Of each output `length`, the last ones 0.
    weights: Vec<f32>,
    length: usize,
}

impl Columns {
    /// The columns of each output along `axis`, whose used bytes of a row start at `first_byte`.
    pub(super) fn new(axis: &Axis, plane: &Plane, first_byte: usize) -> Self {
        let columns: Vec<_> = (0..axis.outputs()).map(|output| weights_of_bytes(axis, output, plane)).collect();
        let lanes = if plane.phases.len() == 3 { LANES_OF_THREE } else { LANES };
        let longest = columns.iter().map(|(_, weights)| weights.len()).max().unwrap_or(0);
        let length = longest.next_multiple_of(lanes);
        let padded = |weights: &[f32]| [weights, &vec![0.0; length - weights.len()]].concat();
        Self {
            phases: plane.phases,
            starts: columns.iter().map(|(start, _)| start - first_byte).collect(),
            weights: columns.iter().flat_map(|(_, weights)| padded(weights)).collect(),
            length,
        }
    }

    /// Numbers behind the end of a row that are read too, and count nothing.
    pub(super) fn padding(&self) -> usize {
        self.length
    }

    /// Adds what this plane's row holds to the components: [3][outputs].
    pub(super) fn resample(&self, row: &[f32], components: &mut [f32]) {
        self.resample_outputs(0..self.starts.len(), row, components);
    }

    /// [`Self::resample`] of a row of which only the numbers in `span` are not 0.
    pub(super) fn resample_span(&self, span: &Range<usize>, row: &[f32], components: &mut [f32]) {
        let first = self.starts.partition_point(|start| start + self.length <= span.start);
        let end = self.starts.partition_point(|start| *start < span.end);
        self.resample_outputs(first..end.max(first), row, components);
    }

    fn resample_outputs(&self, outputs: Range<usize>, row: &[f32], components: &mut [f32]) {
        match self.phases.len() {
            1 => of_one(self, outputs, row, components),
            2 => of_two(self, outputs, row, components),
            3 => of_three(self, outputs, row, components),
            _ => of_four(self, outputs, row, components),
        }
    }
}

vectorised! {
    fn of_one(columns: &Columns, outputs: Range<usize>, row: &[f32], components: &mut [f32]) -> () {
        add::<LANES, 1>(columns, outputs, row, components)
    }
    fn of_two(columns: &Columns, outputs: Range<usize>, row: &[f32], components: &mut [f32]) -> () {
        add::<LANES, 2>(columns, outputs, row, components)
    }
    fn of_three(columns: &Columns, outputs: Range<usize>, row: &[f32], components: &mut [f32]) -> () {
        add::<LANES_OF_THREE, 3>(columns, outputs, row, components)
    }
    fn of_four(columns: &Columns, outputs: Range<usize>, row: &[f32], components: &mut [f32]) -> () {
        add::<LANES, 4>(columns, outputs, row, components)
    }
}

/// [`Columns::resample_outputs`] of a plane whose period is P; N is P times a power of 2.
#[inline(always)]
fn add<const N: usize, const P: usize>(columns: &Columns, outputs: Range<usize>, row: &[f32], components: &mut [f32]) {
    let Columns { phases, starts, weights, length } = columns;
    let count = starts.len();
    let of_outputs = starts.iter().zip(weights.chunks_exact(*length)).enumerate();
    for (output, (start, weights)) in of_outputs.take(outputs.end).skip(outputs.start) {
        let Some(row) = row.get(*start..start.wrapping_add(*length)) else { return };
        let mut sums = [0.0_f32; N];
        for (values, weights) in row.as_chunks::<N>().0.iter().zip(weights.as_chunks::<N>().0) {
            for lane in 0..N {
                sums[lane] = values[lane].mul_add(weights[lane], sums[lane]);
            }
        }
        // By halves, which stay vectors, down to one period.
        let mut left = N;
        while left > P {
            left /= 2;
            let (sums, others) = sums.split_at_mut(left);
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum += *other;
            }
        }
        for (phase, sum) in phases.iter().zip(sums) {
            if let Some(component) = components.get_mut(phase.component.wrapping_mul(count).wrapping_add(output)) {
                *component += sum;
            }
        }
    }
}

/// The first byte that an output column needs, and the weights from there on in whole periods.
fn weights_of_bytes(axis: &Axis, output: usize, plane: &Plane) -> (usize, Vec<f32>) {
    let taps = axis.taps(output);
    let bytes = plane.bytes_of(taps.first..taps.first + taps.weights.len());
    let weight_of = |byte: usize| {
        let Phase { pixels: (first, count), .. } = plane.phases[byte % plane.phases.len()];
        let first = byte / plane.phases.len() * plane.pixels + first;
        let weights = (first..first + count).filter_map(|pixel| taps.weights.get(pixel.checked_sub(taps.first)?));
        weights.sum::<f64>() as f32
    };
    (bytes.start, bytes.map(weight_of).collect())
}
