//! Rows of four-bit integers, and a vector of eight-bit ones.

use crate::level::Level;
use crate::rows::{Matrix, ROWS, as_long};

/// Numbers that are taken at a time; rows are filled up to a multiple of it, with any number where the vector is 0.
pub const WIDTH: usize = 128;

/// Largest number of a row; the smallest is 0.
pub const CODE_MAX: u8 = 14;

/// [`WIDTH`] numbers of a row from 0 to [`CODE_MAX`], a cache line of them: byte i holds number i in its lower half and number 64 + i
/// in its upper one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Nibbles(pub [u8; WIDTH / 2]);

impl Nibbles {
    /// All numbers 0.
    pub const ZERO: Self = Self([0; WIDTH / 2]);

    /// Sets a number that is 0.
    pub fn set(&mut self, place: usize, code: u8) {
        let upper = place >= WIDTH / 2;
        self.0[place % (WIDTH / 2)] |= if upper { code << 4 } else { code };
    }
}

/// `products[i] = sum_j codes[i, j] query[j]`, row after row of `query.len()` blocks; of as many rows as both have.
///
/// No number of the query is -128.
pub fn products(codes: &[Nibbles], query: &[[i8; WIDTH]], products: &mut [i32]) {
    of(Level::fastest(), codes, query, products);
}

fn of(level: Level, codes: &[Nibbles], query: &[[i8; WIDTH]], products: &mut [i32]) {
    let matrix = &Matrix { blocks: codes, width: query.len(), picked: None };
    products.fill(0);
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Vnni(vnni) => vnni.four(matrix, query, products),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(avx2) => avx2.four(matrix, query, products),
        #[cfg(target_arch = "aarch64")]
        Level::DotProduct(dot) => dot.four(matrix, query, products),
        Level::Plain => matrix.add_products(0..query.len(), products, |rows| plain(rows, query)),
    }
}

fn plain(rows: [&[Nibbles]; ROWS], query: &[[i8; WIDTH]]) -> [i32; ROWS] {
    let Some(rows) = as_long(rows, query.len()) else { return [0; ROWS] };
    rows.map(|row| {
        let mut sums = [0_i32; WIDTH / 2];
        for (codes, query) in row.iter().zip(query) {
            for lane in 0..WIDTH / 2 {
                let (low, high) = (i16::from(codes.0[lane] & 15), i16::from(codes.0[lane] >> 4));
                let pair = low * i16::from(query[lane]) + high * i16::from(query[lane + WIDTH / 2]);
                sums[lane] = sums[lane].wrapping_add(i32::from(pair));
            }
        }
        sums.iter().fold(0, |sum, lane| i32::wrapping_add(sum, *lane))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_gives_exact_products_at_the_largest_numbers_and_for_every_count_of_rows() {
        for (rows, blocks) in [(0, 1), (1, 1), (3, 2), (4, 4), (9, 9), (6, 3)] {
            let mut random = fastrand::Rng::with_seed(rows as u64);
            let largest = rows % 2 == 1;
            let (mut codes, mut numbers) = (vec![Nibbles::ZERO; rows * blocks], vec![vec![0; blocks * WIDTH]; rows]);
            for (row, numbers) in numbers.iter_mut().enumerate() {
                for (place, number) in numbers.iter_mut().enumerate() {
                    *number = if largest { CODE_MAX } else { random.u8(..=CODE_MAX) };
                    codes[row * blocks + place / WIDTH].set(place % WIDTH, *number);
                }
            }
            let mut number = || if largest { -127 } else { random.i8(-127..=127) };
            let query: Vec<[i8; WIDTH]> = (0..blocks).map(|_| std::array::from_fn(|_| number())).collect();
            let product = |row: &Vec<u8>| -> i32 {
                row.iter().zip(query.as_flattened()).map(|(code, query)| i32::from(*code) * i32::from(*query)).sum()
            };
            let want: Vec<i32> = numbers.iter().map(product).collect();
            for level in Level::available() {
                let mut got = vec![i32::MIN; rows];
                of(level, &codes, &query, &mut got);
                assert_eq!(got, want, "{level:?}");
            }
        }
    }
}
