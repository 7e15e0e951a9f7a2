//! Where in a block of rows some pixel can exceed the gamut, judged by the smallest and largest numbers of a few columns.
//!
//! Most columns of most frames cannot, so that finding this out must cost next to nothing: first the bytes of columns are brought down
//! to the smallest and largest of each component, then those are judged side by side.

use super::excess::COLUMNS;
use super::lines::Lines;
use super::planes::Plane;
use super::vertical::{Extremes, TRACKED};
use crate::simd::vectorised;

/// Excess that does not matter, of 255.
pub(super) const SLACK: f32 = 0.3;
/// Chunks of [`COLUMNS`] columns that are judged side by side.
const CHUNKS: usize = 16;

/// The smallest and largest byte of a component, chunk by chunk.
#[derive(Debug, Clone, Copy)]
struct Ends {
    lowest: [u8; CHUNKS],
    highest: [u8; CHUNKS],
}

/// How a plane's bytes make components.
#[derive(Debug, Clone)]
struct Part {
    /// Extremes that belong to [`COLUMNS`] columns.
    count: usize,
    /// Components, and 255 for the bytes that are not theirs.
    components: Vec<(usize, [u8; TRACKED])>,
}

/// What a block's columns can exceed.
pub(super) struct Bounds {
    /// Of every channel the factors of the components, and what is added.
    gains: [[f32; 4]; 3],
    /// One of every plane.
    parts: Vec<Part>,
    /// Chunks that there are; what is judged behind them means nothing.
    chunks: usize,
    ends: [Vec<Ends>; 3],
    exceeded: Vec<[u8; CHUNKS]>,
}

impl Bounds {
    /// For channels that are made of the components with these factors, the last of which is added, in planes of so many pixels in a row.
    pub(super) fn new(gains: [[f32; 4]; 3], planes: &[Plane], width: usize) -> Self {
        let chunks = width.div_ceil(COLUMNS);
        let count = chunks.div_ceil(CHUNKS);
        Self {
            gains,
            parts: planes.iter().map(Part::new).collect(),
            chunks,
            ends: [0; 3].map(|_| vec![Ends { lowest: [0; CHUNKS], highest: [0; CHUNKS] }; count]),
            exceeded: vec![[0; CHUNKS]; count],
        }
    }

    /// Judges the block that was added to `lines` last.
    pub(super) fn judge(&mut self, lines: &[Lines]) {
        for (lines, part) in lines.iter().zip(&self.parts) {
            find_ends(lines.extremes(), part, &mut self.ends);
        }
        let [first, second, third] = &self.ends;
        judge(&self.gains, first, second, third, &mut self.exceeded);
    }

    /// For every chunk of [`COLUMNS`] columns the channels, bit by bit, in which some pixel can exceed the gamut.
    pub(super) fn exceeded(&self) -> &[u8] {
        &self.exceeded.as_flattened()[..self.chunks]
    }
}

impl Part {
    fn new(plane: &Plane) -> Self {
        let period = plane.phases.len();
        let other = |byte: usize, component: usize| plane.phases[byte % period].component != component;
        let mut components: Vec<_> = plane.phases.iter().map(|phase| phase.component).collect();
        components.sort_unstable();
        components.dedup();
        // A period of 3 does not divide the number of bytes: there, every byte may be anything.
        let others =
            |component| std::array::from_fn(|byte| if period != 3 && other(byte, component) { u8::MAX } else { 0 });
        Self {
            count: extremes_per_chunk(plane),
            components: components.into_iter().map(|component| (component, others(component))).collect(),
        }
    }
}

/// Extremes of a plane that belong to [`COLUMNS`] columns.
pub(super) fn extremes_per_chunk(plane: &Plane) -> usize {
    plane.bytes_of(0..COLUMNS).len() / TRACKED
}

vectorised! {
    /// The smallest and largest byte of each of a plane's components, chunk by chunk.
    fn find_ends(extremes: &[Extremes], part: &Part, ends: &mut [Vec<Ends>; 3]) -> () {
        match part.count {
            1 => find_counted_ends::<1>(extremes, &part.components, ends),
            2 => find_counted_ends::<2>(extremes, &part.components, ends),
            4 => find_counted_ends::<4>(extremes, &part.components, ends),
            _ => find_counted_ends::<6>(extremes, &part.components, ends),
        }
    }

    /// The channels that components between these ends can make what RGB does not have.
    fn judge(gains: &[[f32; 4]; 3], first: &[Ends], second: &[Ends], third: &[Ends], exceeded: &mut [[u8; CHUNKS]]) -> () {
        for (((first, second), third), exceeded) in first.iter().zip(second).zip(third).zip(exceeded) {
            let mut channels = [0; CHUNKS];
            for (channel, [of_first, of_second, of_third, offset]) in gains.iter().enumerate() {
                let (mut least, mut most) = ([*offset; CHUNKS], [*offset; CHUNKS]);
                reach(*of_first, first, &mut least, &mut most);
                reach(*of_second, second, &mut least, &mut most);
                reach(*of_third, third, &mut least, &mut most);
                for lane in 0..CHUNKS {
                    let exceeds = (least[lane] < -SLACK) | (most[lane] > 255.0 + SLACK);
                    channels[lane] |= u8::from(exceeds) << channel;
                }
            }
            *exceeded = channels;
        }
    }
}

/// Adds a component to the least and most of a channel that takes so much of it.
#[inline(always)]
fn reach(gain: f32, ends: &Ends, low: &mut [f32; CHUNKS], high: &mut [f32; CHUNKS]) {
    let (rising, falling) = (gain.max(0.0), gain.min(0.0));
    for lane in 0..CHUNKS {
        let (lowest, highest) = (f32::from(ends.lowest[lane]), f32::from(ends.highest[lane]));
        low[lane] = rising.mul_add(lowest, falling.mul_add(highest, low[lane]));
        high[lane] = rising.mul_add(highest, falling.mul_add(lowest, high[lane]));
    }
}

/// [`find_ends`] in chunks of N extremes.
#[inline(always)]
fn find_counted_ends<const N: usize>(
    extremes: &[Extremes],
    components: &[(usize, [u8; TRACKED])],
    ends: &mut [Vec<Ends>; 3],
) {
    for (chunk, extremes) in extremes.as_chunks::<N>().0.iter().enumerate() {
        let Extremes { mut lowest, mut highest } = Extremes::NONE;
        for tracked in extremes {
            for lane in 0..TRACKED {
                lowest[lane] = lowest[lane].min(tracked.lowest[lane]);
                highest[lane] = highest[lane].max(tracked.highest[lane]);
            }
        }
        for (component, others) in components {
            let (mut least, mut most) = (u8::MAX, 0);
            for lane in 0..TRACKED {
                least = least.min(lowest[lane] | others[lane]);
                most = most.max(highest[lane] & !others[lane]);
            }
            if let Some(ends) = ends[*component].get_mut(chunk / CHUNKS) {
                (ends.lowest[chunk % CHUNKS], ends.highest[chunk % CHUNKS]) = (least, most);
            }
        }
    }
}

#[cfg(test)]
#[path = "bounds_tests.rs"]
mod tests;
