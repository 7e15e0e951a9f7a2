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
/// Numbers that are left of those; they lie beside each other, and adding up the ones of many outputs together is cheaper.
const LEFT: usize = 4;

/// What is left of the numbers of an output column.
type Left = [f32; LEFT];

/// For every output column its place in a row of a plane and the weights from there on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Columns {
    starts: Vec<usize>,
    /// Of each output `length`, the last ones 0.
    weights: Vec<f32>,
    length: usize,
    lanes: usize,
    /// Component of every number that is left, for each group of them.
    meanings: Vec<[usize; LEFT]>,
    /// A row's outputs, group after group.
    left: Vec<Left>,
}

impl Columns {
    /// The columns of each output along `axis`, whose used bytes of a row start at `first_byte`.
    pub(super) fn new(axis: &Axis, plane: &Plane, first_byte: usize) -> Self {
        let columns: Vec<_> = (0..axis.outputs()).map(|output| weights_of_bytes(axis, output, plane)).collect();
        let period = plane.phases.len();
        let (lanes, groups) = if period == 3 { (LANES_OF_THREE, 3) } else { (LANES, 1) };
        let longest = columns.iter().map(|(_, weights)| weights.len()).max().unwrap_or(0);
        let length = longest.next_multiple_of(lanes);
        let padded = |weights: &[f32]| [weights, &vec![0.0; length - weights.len()]].concat();
        let meaning = |place: usize| plane.phases[place % period].component;
        Self {
            starts: columns.iter().map(|(start, _)| start - first_byte).collect(),
            weights: columns.iter().flat_map(|(_, weights)| padded(weights)).collect(),
            length,
            lanes,
            meanings: (0..groups).map(|group| std::array::from_fn(|lane| meaning(LEFT * group + lane))).collect(),
            left: vec![[0.0; LEFT]; groups * axis.outputs()],
        }
    }

    /// Numbers behind the end of a row that are read too, and count nothing.
    pub(super) fn padding(&self) -> usize {
        self.length
    }

    /// Resamples a plane's row and adds it to three channels, [3][outputs], each of which takes so much of every component.
    pub(super) fn add_to(&mut self, row: &[f32], gains: &[[f32; 3]; 3], channels: &mut [f32]) {
        let count = self.starts.len();
        self.resample(0..count, row);
        let (first, others) = channels.split_at_mut(count);
        let (second, third) = others.split_at_mut(count);
        for (left, meanings) in self.left.chunks_exact(count).zip(&self.meanings) {
            let gains = gains.map(|gains| meanings.map(|component| gains[component]));
            mix(left, &gains, first, second, third);
        }
    }

    /// Resamples a row of numbers that all mean the same, of which only those in `span` are not 0, and takes it from a channel.
    pub(super) fn subtract_from(&mut self, span: &Range<usize>, row: &[f32], channel: &mut [f32]) {
        let first = self.starts.partition_point(|start| start + self.length <= span.start);
        let end = self.starts.partition_point(|start| *start < span.end).max(first);
        self.resample(first..end, row);
        subtract(&self.left[first..end], &mut channel[first..end]);
    }

    /// Fills what is left of these outputs.
    fn resample(&mut self, outputs: Range<usize>, row: &[f32]) {
        let Self { starts, weights, length, lanes, left, .. } = self;
        let (count, length) = (starts.len(), *length);
        let (starts, weights) = (&starts[outputs.clone()], &weights[outputs.start * length..outputs.end * length]);
        if *lanes == LANES {
            return of_eights(starts, weights, row, &mut left[outputs]);
        }
        let (first, others) = left.split_at_mut(count);
        let (second, third) = others.split_at_mut(count);
        let [first, second, third] = [first, second, third].map(|group| &mut group[outputs.clone()]);
        of_threes(starts, weights, row, first, second, third);
    }
}

vectorised! {
    /// Weighted sums of every fourth number of a row, for outputs that start at such places.
    fn of_eights(starts: &[usize], weights: &[f32], row: &[f32], left: &mut [Left]) -> () {
        let weights = weights.as_chunks::<LANES>().0;
        match weights.len() / starts.len().max(1) {
            1 => of_counted_eights::<1>(starts, weights, row, left),
            2 => of_counted_eights::<2>(starts, weights, row, left),
            3 => of_counted_eights::<3>(starts, weights, row, left),
            4 => of_counted_eights::<4>(starts, weights, row, left),
            5 => of_counted_eights::<5>(starts, weights, row, left),
            6 => of_counted_eights::<6>(starts, weights, row, left),
            count => {
                for ((start, weights), left) in starts.iter().zip(weights.chunks_exact(count.max(1))).zip(left) {
                    *left = halved(&weighted(row[*start..].as_chunks().0, weights));
                }
            }
        }
    }

    /// The same of every twelfth number, as three times four.
    fn of_threes(
        starts: &[usize],
        weights: &[f32],
        row: &[f32],
        first: &mut [Left],
        second: &mut [Left],
        third: &mut [Left],
    ) -> () {
        let weights = weights.as_chunks::<LANES_OF_THREE>().0;
        let length = (weights.len() / starts.len().max(1)).max(1);
        let outputs = first.iter_mut().zip(second).zip(third);
        for ((start, weights), ((first, second), third)) in starts.iter().zip(weights.chunks_exact(length)).zip(outputs) {
            let sums = weighted(row[*start..].as_chunks().0, weights);
            for lane in 0..LEFT {
                first[lane] = sums[lane] + sums[lane + 3 * LEFT];
                second[lane] = sums[lane + LEFT] + sums[lane + 4 * LEFT];
                third[lane] = sums[lane + 2 * LEFT] + sums[lane + 5 * LEFT];
            }
        }
    }

    /// Takes what is left of each output from a channel.
    fn subtract(left: &[Left], channel: &mut [f32]) -> () {
        for (value, [a, b, c, d]) in channel.iter_mut().zip(left) {
            *value -= (a + b) + (c + d);
        }
    }

    /// Adds what is left of each output to three channels.
    fn mix(left: &[Left], gains: &[Left; 3], first: &mut [f32], second: &mut [f32], third: &mut [f32]) -> () {
        let [of_first, of_second, of_third] = *gains;
        for (((left, first), second), third) in left.iter().zip(first).zip(second).zip(third) {
            *first = dot(left, &of_first, *first);
            *second = dot(left, &of_second, *second);
            *third = dot(left, &of_third, *third);
        }
    }
}

#[inline(always)]
fn dot([a, b, c, d]: &Left, [first, second, third, fourth]: &Left, value: f32) -> f32 {
    let some = first.mul_add(*a, second.mul_add(*b, value));
    third.mul_add(*c, fourth.mul_add(*d, some))
}

/// [`of_eights`] of N times eight weights for each output.
#[inline(always)]
fn of_counted_eights<const N: usize>(starts: &[usize], weights: &[[f32; LANES]], row: &[f32], left: &mut [Left]) {
    for ((start, weights), left) in starts.iter().zip(weights.as_chunks::<N>().0).zip(left) {
        let Some(values) = row.get(*start..).and_then(|row| row.as_chunks().0.first_chunk::<N>()) else { return };
        *left = halved(&weighted(values, weights));
    }
}

#[inline(always)]
fn weighted<const N: usize>(values: &[[f32; N]], weights: &[[f32; N]]) -> [f32; N] {
    let mut sums = [0.0_f32; N];
    for (values, weights) in values.iter().zip(weights) {
        for lane in 0..N {
            sums[lane] = values[lane].mul_add(weights[lane], sums[lane]);
        }
    }
    sums
}

#[inline(always)]
fn halved(sums: &[f32; LANES]) -> Left {
    let mut left = [0.0; LEFT];
    for lane in 0..LEFT {
        left[lane] = sums[lane] + sums[lane + LEFT];
    }
    left
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
