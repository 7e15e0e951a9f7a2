//! The excess of a few pixels, in 16-bit integers: taking components apart, and what clamping takes from a channel, summed over rows.
//!
//! A colour comes out with 4 bits behind the point and is rounded to whole steps before it is clamped, as in decoding; its error is below
//! 0.2 of 255 before that. Sums over [`MAX_ROWS`] rows are exact.

use super::lines::Lines;
use super::planes::Plane;
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

/// Reads the components of the pixels of rows, the first of which is `y`, from a column on; behind the end of a row its last ones, repeated.
pub(super) fn read(rows: &mut [Pixels], lines: &[Lines], planes: &[&[u8]; 3], y: usize, column: usize) {
    for (lines, bytes) in lines.iter().zip(planes) {
        let plane = lines.plane();
        let wanted = plane.bytes_of(column..column + COLUMNS);
        for (pixels, y) in rows.iter_mut().zip(y..) {
            let row = lines.row(bytes, y);
            match row.get(wanted.clone()) {
                Some(whole) => spread(whole, plane, pixels),
                None => {
                    let mut whole = [0; 3 * COLUMNS];
                    let whole = &mut whole[..wanted.len()];
                    repeat(&row[wanted.start..], plane.phases.len(), whole);
                    spread(whole, plane, pixels);
                }
            }
        }
    }
}

/// Fills `whole` with the bytes that were found, and behind them with the last ones, repeated with their period.
fn repeat(found: &[u8], period: usize, whole: &mut [u8]) {
    let (own, behind) = whole.split_at_mut(found.len());
    own.copy_from_slice(found);
    // From where they were found, not from the byte before, which has hardly been written.
    for (byte, last) in behind.iter_mut().zip(found[found.len() - period..].iter().cycle()) {
        *byte = *last;
    }
}

vectorised! {
    /// Gives the bytes of [`COLUMNS`] pixels of a plane to those that they belong to.
    fn spread(bytes: &[u8], plane: &Plane, pixels: &mut Pixels) -> () {
        let [first, second, third] = pixels;
        match (bytes.len() / PAIRS, plane.phases[0].component) {
            (4, 0) => spread_fours::<0>(bytes, first, second, third),
            (4, _) => spread_fours::<1>(bytes, first, second, third),
            (2, 0) => spread_twos(bytes, first),
            (2, 1) => spread_shared_twos(bytes, second, third),
            (2, _) => spread_shared_twos(bytes, third, second),
            (1, 1) => spread_shared_ones(bytes, second),
            (1, _) => spread_shared_ones(bytes, third),
            (_, 0) => spread_threes(bytes, first, second, third),
            _ => spread_threes(bytes, third, second, first),
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

/// [`spread`] of pairs of luma bytes, between which lie those of chroma: words are taken apart by shifting alone. LUMA is the place of
/// luma in a word.
#[inline(always)]
fn spread_fours<const LUMA: usize>(bytes: &[u8], luma: &mut Halves, first: &mut Halves, second: &mut Halves) {
    let Some(pairs) = bytes.as_chunks::<4>().0.first_chunk::<PAIRS>() else { return };
    for lane in 0..PAIRS {
        let pair = u32::from_le_bytes(pairs[lane]);
        let words = [component_of::<LUMA>(pair as u16), component_of::<LUMA>((pair >> 16) as u16)];
        [luma[0][lane], luma[1][lane]] = words;
    }
    for lane in 0..PAIRS {
        let pair = u32::from_le_bytes(pairs[lane]);
        first[0][lane] = other_of::<LUMA>(pair as u16);
        second[0][lane] = other_of::<LUMA>((pair >> 16) as u16);
    }
    (first[1], second[1]) = (first[0], second[0]);
}

/// [`spread`] of a byte for each pixel.
#[inline(always)]
fn spread_twos(bytes: &[u8], [even, odd]: &mut Halves) {
    let Some(pairs) = bytes.as_chunks::<2>().0.first_chunk::<PAIRS>() else { return };
    for lane in 0..PAIRS {
        let word = u16::from_le_bytes(pairs[lane]);
        (even[lane], odd[lane]) = (component_of::<0>(word), component_of::<1>(word));
    }
}

/// [`spread`] of two bytes for each pair of pixels.
#[inline(always)]
fn spread_shared_twos(bytes: &[u8], first: &mut Halves, second: &mut Halves) {
    let Some(pairs) = bytes.as_chunks::<2>().0.first_chunk::<PAIRS>() else { return };
    for lane in 0..PAIRS {
        let word = u16::from_le_bytes(pairs[lane]);
        (first[0][lane], second[0][lane]) = (component_of::<0>(word), component_of::<1>(word));
    }
    (first[1], second[1]) = (first[0], second[0]);
}

/// [`spread`] of a byte for each pair of pixels.
#[inline(always)]
fn spread_shared_ones(bytes: &[u8], component: &mut Halves) {
    let Some(bytes) = bytes.first_chunk::<PAIRS>() else { return };
    for lane in 0..PAIRS {
        component[0][lane] = i16::from(bytes[lane]) << COMPONENT_BITS;
    }
    component[1] = component[0];
}

/// [`spread`] of three bytes for each pixel.
#[inline(always)]
fn spread_threes(bytes: &[u8], first: &mut Halves, second: &mut Halves, third: &mut Halves) {
    let Some(pairs) = bytes.as_chunks::<6>().0.first_chunk::<PAIRS>() else { return };
    for (place, component) in [first, second, third].into_iter().enumerate() {
        for lane in 0..PAIRS {
            component[0][lane] = i16::from(pairs[lane][place]) << COMPONENT_BITS;
            component[1][lane] = i16::from(pairs[lane][place + 3]) << COMPONENT_BITS;
        }
    }
}

/// The byte at a place of a word as a component.
#[inline(always)]
fn component_of<const PLACE: usize>(word: u16) -> i16 {
    let mask = 0xff << COMPONENT_BITS;
    if PLACE == 0 { (word << COMPONENT_BITS & mask) as i16 } else { (word >> (8 - COMPONENT_BITS) & mask) as i16 }
}

/// The other byte of a word.
#[inline(always)]
fn other_of<const PLACE: usize>(word: u16) -> i16 {
    if PLACE == 0 { component_of::<1>(word) } else { component_of::<0>(word) }
}

#[cfg(test)]
#[path = "excess_tests.rs"]
mod tests;
