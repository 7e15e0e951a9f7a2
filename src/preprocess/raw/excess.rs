//! The excess of a few pixels, in 16-bit integers: taking components apart, and what clamping takes from a channel, summed over rows.
//!
//! A colour comes out with 4 bits behind the point and is rounded to whole steps before it is clamped, as in decoding; its error is below
//! 0.2 of 255 before that. Sums over [`MAX_ROWS`] rows are exact.

use super::lines::Lines;
use super::planes::{Phase, Plane};
use super::vertical::Ramp;
use crate::simd::vectorised;

/// Pairs of pixels whose excess is found together.
const PAIRS: usize = 32;
/// Columns of that many pairs.
pub(super) const COLUMNS: usize = 2 * PAIRS;
/// Most rows whose running sums of excess fit: no colour of any matrix is further than 298 from those of RGB, and
/// 298 * 14 * 15 / 2 = 31,290 is below 2^15.
pub(super) const MAX_ROWS: usize = 14;

/// Bits of a component behind the point, of a gain, and of their product less the 16 bits that are dropped.
const COMPONENT_BITS: u32 = 7;
const GAIN_BITS: u32 = 13;
const COLOR_BITS: u32 = COMPONENT_BITS + GAIN_BITS - 16;

/// A number of each of [`COLUMNS`] pixels, first those of even columns, then those of odd ones: so formats that share chroma are taken
/// apart by shifting alone.
type Halves = [[i16; PAIRS]; 2];

/// Three components, with [`COMPONENT_BITS`].
pub(super) type Pixels = [Halves; 3];

/// Components before they are known; those that a format lacks stay so.
pub(super) const NONE: Pixels = [[[0; PAIRS]; 2]; 3];

/// How a channel follows from three components: [`GAIN_BITS`] of each, and what is added with [`COLOR_BITS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gains {
    factors: [i16; 3],
    offset: i16,
}

impl Gains {
    /// Those of a channel: factors below 4, and what is added, last.
    pub(super) fn new([first, second, third, offset]: [f32; 4]) -> Self {
        let factors = [first, second, third].map(|gain| (gain * (1 << GAIN_BITS) as f32).round() as i16);
        // Half a step for each product, whose dropped bits round it down, and half of 1 for the rounding of their sum.
        let products = factors.iter().filter(|factor| **factor != 0).count() as f32;
        let unit = (1 << COLOR_BITS) as f32;
        Self { factors, offset: (offset * unit + 0.5 * products + 0.5 * unit).floor() as i16 }
    }
}

/// Excess of rows, pixel by pixel: its sum, and the sum of its running sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sums {
    sum: Halves,
    running: Halves,
}

impl Sums {
    /// Those of no rows.
    pub(super) const NONE: Self = Self { sum: [[0; PAIRS]; 2], running: [[0; PAIRS]; 2] };
}

/// Reads the components of the pixels of a row from a column on; behind the end of the row its last ones, repeated.
pub(super) fn read(pixels: &mut Pixels, lines: &[Lines], planes: &[&[u8]; 3], y: usize, column: usize) {
    for (lines, bytes) in lines.iter().zip(planes) {
        let plane = lines.plane();
        let (row, period) = (lines.row(bytes, y), plane.phases.len());
        let wanted = plane.bytes_of(column..column + COLUMNS);
        if let Some(whole) = row.get(wanted.clone()) {
            spread(whole, plane, pixels);
            continue;
        }
        let found = &row[wanted.start..];
        let mut whole = [0; 3 * COLUMNS];
        whole[..found.len()].copy_from_slice(found);
        for place in found.len()..wanted.len() {
            whole[place] = whole[place - period];
        }
        spread(&whole[..wanted.len()], plane, pixels);
    }
}

vectorised! {
    /// Gives the bytes of [`COLUMNS`] pixels of a plane to those that they belong to.
    fn spread(bytes: &[u8], plane: &Plane, pixels: &mut Pixels) -> () {
        match bytes.len() / PAIRS {
            1 => spread_pairs::<1>(bytes, plane, pixels),
            2 => spread_pairs::<2>(bytes, plane, pixels),
            4 => spread_pairs::<4>(bytes, plane, pixels),
            _ => spread_pairs::<6>(bytes, plane, pixels),
        }
    }

    /// The excess of a channel in rows of pixels; false where there is none.
    pub(super) fn sum_up(rows: &[Pixels], gains: &Gains, sums: &mut Sums) -> bool {
        let Gains { factors: [first, second, third], offset } = *gains;
        let (mut sum, mut running) = ([[0_i16; PAIRS]; 2], [[0_i16; PAIRS]; 2]);
        for [a, b, c] in rows {
            for half in 0..2 {
                for lane in 0..PAIRS {
                    let color = product(a[half][lane], first)
                        .wrapping_add(product(b[half][lane], second))
                        .wrapping_add(product(c[half][lane], third))
                        .wrapping_add(offset)
                        >> COLOR_BITS;
                    let excess = color.wrapping_sub(color.clamp(0, 255));
                    sum[half][lane] = sum[half][lane].wrapping_add(excess);
                    running[half][lane] = running[half][lane].wrapping_add(sum[half][lane]);
                }
            }
        }
        *sums = Sums { sum, running };
        // Excess of one sign adds up, and a sum that is 0 in the end was counted by the running one.
        let mut some = 0;
        for (sum, running) in sum.as_flattened().iter().zip(running.as_flattened()) {
            some |= sum | running;
        }
        some != 0
    }

    /// Adds weighted sums to [`COLUMNS`] of two output rows; pixels come in their order again.
    pub(super) fn add(sums: &Sums, falling: Ramp, rising: Ramp, ending: &mut [f32], coming: &mut [f32]) -> () {
        let (sum, running) = (in_order(&sums.sum), in_order(&sums.running));
        if let (Some(ending), Some(coming)) = (ending.first_chunk_mut(), coming.first_chunk_mut()) {
            add_line(&sum, &running, falling, ending);
            add_line(&sum, &running, rising, coming);
        }
    }
}

#[inline(always)]
fn add_line(sum: &[i16; COLUMNS], running: &[i16; COLUMNS], ramp: Ramp, output: &mut [f32; COLUMNS]) {
    for lane in 0..COLUMNS {
        output[lane] = ramp.add(f32::from(sum[lane]), f32::from(running[lane]), output[lane]);
    }
}

#[inline(always)]
fn in_order([even, odd]: &Halves) -> [i16; COLUMNS] {
    let mut all = [0; COLUMNS];
    for (pair, (even, odd)) in all.as_chunks_mut::<2>().0.iter_mut().zip(even.iter().zip(odd)) {
        *pair = [*even, *odd];
    }
    all
}

/// The upper 16 bits of a product.
#[inline(always)]
fn product(component: i16, factor: i16) -> i16 {
    (i32::from(component).wrapping_mul(i32::from(factor)) >> 16) as i16
}

/// [`spread`] of a plane with N bytes for each pair of pixels, by words of two bytes where there are any: those are taken apart by
/// shifting alone. No closures: one that is not inlined is no vector.
#[inline(always)]
fn spread_pairs<const N: usize>(bytes: &[u8], plane: &Plane, pixels: &mut Pixels) {
    let Some(pairs) = bytes.as_chunks::<N>().0.first_chunk::<PAIRS>() else { return };
    let mask = 0xff << COMPONENT_BITS;
    for place in (0..N).step_by(2) {
        let (mut first, mut second) = ([0; PAIRS], [0; PAIRS]);
        for lane in 0..PAIRS {
            let word = word_at(&pairs[lane], place);
            first[lane] = (word << COMPONENT_BITS & mask) as i16;
            second[lane] = (word >> (8 - COMPONENT_BITS) & mask) as i16;
        }
        give(&first, place, plane, pixels);
        if N > 1 {
            give(&second, place + 1, plane, pixels);
        }
    }
}

/// Two bytes from a place on, or one.
#[inline(always)]
fn word_at<const N: usize>(bytes: &[u8; N], place: usize) -> u16 {
    if let Some(four) = bytes.first_chunk::<4>().filter(|_| N == 4) {
        (u32::from_le_bytes(*four) >> (8 * place)) as u16
    } else if let Some(two) = bytes[place..].first_chunk::<2>() {
        u16::from_le_bytes(*two)
    } else {
        u16::from(bytes[place])
    }
}

/// Gives one byte of each pair to its component and pixels.
#[inline(always)]
fn give(values: &[i16; PAIRS], place: usize, plane: &Plane, pixels: &mut Pixels) {
    // A pair is one period, or two.
    let (place, before) = if place < plane.phases.len() { (place, 0) } else { (place - plane.phases.len(), 1) };
    let Phase { component, pixels: (first, count) } = plane.phases[place];
    let [even, odd] = &mut pixels[component];
    let first = before + first;
    if first == 0 {
        *even = *values;
    }
    if first + count == 2 {
        *odd = *values;
    }
}

#[cfg(test)]
#[path = "excess_tests.rs"]
mod tests;
