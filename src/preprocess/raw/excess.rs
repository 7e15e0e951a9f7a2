//! The excess of a few pixels: taking components apart, and what clamping takes from each channel.

use super::lines::Lines;
use super::planes::{Phase, Plane};
use crate::simd::vectorised;

/// Pairs of pixels whose excess is found together.
const PAIRS: usize = 32;
/// Columns of that many pairs.
pub(super) const COLUMNS: usize = 2 * PAIRS;

/// Three numbers of [`COLUMNS`] pixels, first those of even columns, then those of odd ones: so formats that share chroma are taken
/// apart by shifting alone.
pub(super) type Pixels = [[[f32; PAIRS]; 2]; 3];

/// No excess, and what components are before they are known.
pub(super) const NONE: Pixels = [[[0.0; PAIRS]; 2]; 3];

/// The components of the pixels of a row from a column on; behind the end of the row its last ones, repeated.
pub(super) fn pixels_at(lines: &[Lines], planes: &[&[u8]; 3], y: usize, column: usize) -> Pixels {
    let mut pixels = NONE;
    for (lines, bytes) in lines.iter().zip(planes) {
        let plane = lines.plane();
        let (row, period) = (lines.row(bytes, y), plane.phases.len());
        let wanted = plane.bytes_of(column..column + COLUMNS);
        let found = &row[wanted.start..wanted.end.min(row.len())];
        let mut whole = [0; 3 * COLUMNS];
        whole[..found.len()].copy_from_slice(found);
        for place in found.len()..wanted.len() {
            whole[place] = whole[place - period];
        }
        spread(&whole[..wanted.len()], plane, &mut pixels);
    }
    pixels
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

    /// Adds the weighted excess of pixels to that of two output rows.
    pub(super) fn add_excess(pixels: &Pixels, gains: &[[f32; 4]; 3], weights: [f32; 2], found: &mut [Pixels; 2]) -> () {
        let [a, b, c] = pixels;
        let [ending, coming] = found;
        for ((ending, coming), [first, second, third, offset]) in ending.iter_mut().zip(coming).zip(gains) {
            for half in 0..2 {
                // Copies, which nothing can overlap: only then do the lanes become vectors.
                let (a, b, c) = (a[half], b[half], c[half]);
                let mut excess = [0.0; PAIRS];
                for lane in 0..PAIRS {
                    let value = first.mul_add(a[lane], second.mul_add(b[lane], third.mul_add(c[lane], *offset)));
                    excess[lane] = value - value.clamp(0.0, 255.0);
                }
                let (mut falling, mut rising) = (ending[half], coming[half]);
                for lane in 0..PAIRS {
                    falling[lane] = weights[0].mul_add(excess[lane], falling[lane]);
                    rising[lane] = weights[1].mul_add(excess[lane], rising[lane]);
                }
                (ending[half], coming[half]) = (falling, rising);
            }
        }
    }

    /// Adds to an output row, [3][width and padding], from a column on; pixels come in their order again.
    pub(super) fn add(found: &Pixels, row: &mut [f32], column: usize) -> () {
        let stride = row.len() / 3;
        for ([even, odd], row) in found.iter().zip(row.chunks_exact_mut(stride)) {
            let pairs = row[column..][..COLUMNS].as_chunks_mut::<2>().0;
            for ((pair, even), odd) in pairs.iter_mut().zip(even).zip(odd) {
                *pair = [pair[0] + even, pair[1] + odd];
            }
        }
    }

    /// The largest of absolute values.
    pub(super) fn largest(pixels: &Pixels) -> f32 {
        let mut largest = [0.0_f32; PAIRS];
        for values in pixels.as_flattened() {
            for lane in 0..PAIRS {
                let value = values[lane].abs();
                largest[lane] = if value > largest[lane] { value } else { largest[lane] };
            }
        }
        let mut all = 0.0;
        for value in largest {
            all = if value > all { value } else { all };
        }
        all
    }
}

/// [`spread`] of a plane with N bytes for each pair of pixels.
#[inline(always)]
fn spread_pairs<const N: usize>(bytes: &[u8], plane: &Plane, pixels: &mut Pixels) {
    let pairs = bytes.as_chunks::<N>().0;
    for place in 0..N {
        let Phase { component, pixels: (first, count) } = plane.phases[place % plane.phases.len()];
        let first = place / plane.phases.len() + first;
        let mut values = [0.0; PAIRS];
        for (value, pair) in values.iter_mut().zip(pairs) {
            *value = byte_of(pair, place);
        }
        for half in &mut pixels[component][first..first + count] {
            *half = values;
        }
    }
}

/// One byte as a number: by shifting where that becomes a vector instruction.
#[inline(always)]
fn byte_of<const N: usize>(bytes: &[u8; N], place: usize) -> f32 {
    let shift = 8 * place as u32;
    if let Some(four) = bytes.first_chunk::<4>().filter(|_| N == 4) {
        (u32::from_le_bytes(*four) >> shift & 0xff) as f32
    } else if let Some(two) = bytes.first_chunk::<2>().filter(|_| N == 2) {
        f32::from(u16::from_le_bytes(*two) >> shift & 0xff)
    } else {
        f32::from(bytes[place])
    }
}
