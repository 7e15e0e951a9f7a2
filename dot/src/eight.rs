//! Rows of eight-bit integers, and a vector of up to 15 bits.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::ops::Range;

use crate::level::Level;
use crate::rows::{Matrix, ROWS, as_long};

/// Numbers that are taken at a time; rows are filled up with zeros to a multiple of it.
pub const WIDTH: usize = 64;

/// Largest magnitude of a vector's numbers, which are taken apart into 128 high + low, low being from -64 to 63.
pub const QUERY_MAX: i16 = 127 * 128 + 63;

/// [`WIDTH`] numbers of a row, a cache line of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Codes(pub [i8; WIDTH]);

/// `products[i] = sum_j codes[i, j] query[j]`, row after row of `query.len()` blocks; of as many rows as both have.
///
/// No number of the query is larger than [`QUERY_MAX`]. Sums wrap: the caller sees to it that none leaves 32 bits.
pub fn products(codes: &[Codes], query: &[[i16; WIDTH]], products: &mut [i32]) {
    of(Level::fastest(), &Matrix { blocks: codes, width: query.len(), picked: None }, query, products);
}

/// As [`products`](products()), of chosen rows: `products[i]` is that of row `picked[i]`, 0 where there is no such row. There may be room for more products,
/// which stay as they are.
pub fn products_of(codes: &[Codes], picked: &[u32], query: &[[i16; WIDTH]], products: &mut [i32]) {
    of(Level::fastest(), &Matrix { blocks: codes, width: query.len(), picked: Some(picked) }, query, products);
}

fn of(level: Level, matrix: &Matrix<'_, Codes>, query: &[[i16; WIDTH]], products: &mut [i32]) {
    let count = matrix.picked.map_or(products.len(), <[u32]>::len).min(products.len());
    let products = &mut products[..count];
    products.fill(0);
    multiply(level, matrix, query, products);
    // Rows that there are not were multiplied as if they were others.
    let rows = matrix.blocks.len() / matrix.width.max(1);
    for (product, _) in
        products.iter_mut().zip(matrix.picked.unwrap_or_default()).filter(|(_, row)| **row as usize >= rows)
    {
        *product = 0;
    }
}

fn multiply(level: Level, matrix: &Matrix<'_, Codes>, query: &[[i16; WIDTH]], products: &mut [i32]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Vnni(vnni) => vnni.eight(matrix, query, products),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(avx2) => avx2.eight(matrix, query, products),
        #[cfg(target_arch = "aarch64")]
        Level::DotProduct(dot) => dot.eight(matrix, query, products),
        Level::Plain => matrix.add_products(0..query.len(), products, |rows| plain(rows, query)),
    }
}

fn plain(rows: [&[Codes]; ROWS], query: &[[i16; WIDTH]]) -> [i32; ROWS] {
    let Some(rows) = as_long(rows, query.len()) else { return [0; ROWS] };
    rows.map(|row| {
        let mut sums = [0_i32; WIDTH];
        for (codes, query) in row.iter().zip(query) {
            for lane in 0..WIDTH {
                let product = i32::from(codes.0[lane]).wrapping_mul(i32::from(query[lane]));
                sums[lane] = sums[lane].wrapping_add(product);
            }
        }
        sums.iter().fold(0, |sum, lane| i32::wrapping_add(sum, *lane))
    })
}

/// A block of a vector, taken apart: low, and high.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) type Parts = [[i8; WIDTH]; 2];

/// Takes a vector apart, a piece at a time, and calls `multiply` with the blocks that it is of and what they are made of.
///
/// Inlined, so that it is done by the instructions that its function has been allowed.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
pub(crate) fn in_pieces(query: &[[i16; WIDTH]], mut multiply: impl FnMut(Range<usize>, &[Parts])) {
    const BLOCKS: usize = 32;
    let mut parts = [[[0; WIDTH]; 2]; BLOCKS];
    for (piece, query) in query.chunks(BLOCKS).enumerate() {
        for (parts, query) in parts.iter_mut().zip(query) {
            let [low, high] = parts;
            split(query, low, high);
        }
        let first = piece * BLOCKS;
        multiply(first..first + query.len(), &parts[..query.len()]);
    }
}

/// Takes a block's numbers apart: `query = 128 high + low`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn split(query: &[i16; WIDTH], low: &mut [i8; WIDTH], high: &mut [i8; WIDTH]) {
    for lane in 0..WIDTH {
        let above = query[lane].wrapping_add(64) >> 7;
        (low[lane], high[lane]) = (query[lane].wrapping_sub(above << 7) as i8, above as i8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_gives_exact_products_at_the_largest_numbers_and_for_every_count_of_rows() {
        for (rows, blocks) in [(0, 1), (1, 1), (3, 2), (4, 1), (9, 5), (5, 70)] {
            let mut random = fastrand::Rng::with_seed(rows as u64);
            let codes: Vec<Codes> =
                (0..rows * blocks).map(|_| Codes(std::array::from_fn(|_| random.i8(i8::MIN..)))).collect();
            // Up to the largest where 32 bits hold the sum.
            let max = (i32::MAX / (128 * (blocks * WIDTH) as i32)).min(QUERY_MAX.into()) as i16;
            let mut number = || if random.bool() { random.i16(-max..=max) } else { max };
            let query: Vec<[i16; WIDTH]> = (0..blocks).map(|_| std::array::from_fn(|_| number())).collect();
            let of_block = |(codes, query): (&Codes, &[i16; WIDTH])| -> i64 {
                codes.0.iter().zip(query).map(|(code, query)| i64::from(*code) * i64::from(*query)).sum()
            };
            let want: Vec<i64> = codes.chunks(blocks).map(|row| row.iter().zip(&query).map(of_block).sum()).collect();
            let backwards: Vec<u32> = (0..rows as u32).rev().collect();
            for level in Level::available() {
                let mut got = vec![i32::MIN; rows];
                let matrix = |picked| Matrix { blocks: &codes, width: blocks, picked };
                of(level, &matrix(None), &query, &mut got);
                assert!(got.iter().zip(&want).all(|(got, want)| i64::from(*got) == *want), "{level:?}, {rows} rows");
                // Fewer rows than there is room for.
                for picked in 0..=rows {
                    got.fill(i32::MIN);
                    of(level, &matrix(Some(&backwards[..picked])), &query, &mut got);
                    let (found, beyond) = got.split_at(picked);
                    let want = want.iter().rev();
                    assert!(found.iter().zip(want).all(|(got, want)| i64::from(*got) == *want), "{level:?}, {picked}");
                    assert!(beyond.iter().all(|product| *product == i32::MIN), "{level:?}, {picked}");
                }
            }
        }
    }

    #[test]
    fn the_largest_numbers_of_both_are_multiplied_exactly() {
        let (codes, query) = ([Codes([-128; WIDTH]), Codes([127; WIDTH])], [QUERY_MAX; WIDTH]);
        for level in Level::available() {
            for sign in [1, -1] {
                let (query, mut got) = ([query.map(|number| sign * number)], [0; 2]);
                of(level, &Matrix { blocks: &codes, width: 1, picked: None }, &query, &mut got);
                let largest = i32::from(sign) * i32::from(QUERY_MAX) * WIDTH as i32;
                assert_eq!(got, [-128 * largest, 127 * largest], "{level:?}");
            }
        }
    }

    #[test]
    fn rows_that_there_are_not_have_no_product() {
        let codes = [Codes([1; WIDTH]); 2];
        for level in Level::available() {
            let mut got = [7; 6];
            let matrix = Matrix { blocks: &codes, width: 1, picked: Some(&[1, 9, u32::MAX, 0, 2, 1][..]) };
            of(level, &matrix, &[[1; WIDTH]], &mut got);
            assert_eq!(got, [64, 0, 0, 64, 0, 64], "{level:?}");
            let mut got = [7; 3];
            of(level, &Matrix { blocks: &codes, width: 1, picked: None }, &[[1; WIDTH]], &mut got);
            assert_eq!(got, [64, 64, 0], "{level:?}");
            of(level, &Matrix { blocks: &codes, width: 0, picked: None }, &[], &mut got);
            assert_eq!(got, [0, 0, 0], "{level:?}");
        }
    }
}
