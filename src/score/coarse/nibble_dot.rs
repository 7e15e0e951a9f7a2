//! Products of many rows of four-bit integers with one vector of eight-bit ones, exact in 32 bits.
//!
//! As for eight-bit rows, the instruction that does it on x86-64 is called by name, through `pulp`.

/// Numbers that are taken at a time; rows are filled up with zeros to a multiple of it.
pub(super) const WIDTH: usize = 64;

/// [`WIDTH`] numbers from 0 to [`CODE_MAX`]: byte i holds number i in its lower half and number 32 + i in its upper one.
pub(super) type Nibbles = [u8; WIDTH / 2];

/// Largest number of a row.
pub(super) const CODE_MAX: u8 = 14;

/// `products[i] = sum_j codes[i, j] query[j]`, row after row of `query.len()` blocks. No number of the query is -128.
pub(super) fn products(codes: &[Nibbles], query: &[[i8; WIDTH]], products: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = *x86::SIMD {
        return x86::products(simd, codes, query, products);
    }
    plain_products(codes, query, products);
}

fn plain_products(codes: &[Nibbles], query: &[[i8; WIDTH]], products: &mut [i32]) {
    for (row, product) in codes.chunks_exact(query.len().max(1)).zip(products) {
        let mut sums = [0_i32; WIDTH / 2];
        for (codes, query) in row.iter().zip(query) {
            for lane in 0..WIDTH / 2 {
                let (low, high) = (i16::from(codes[lane] & 15), i16::from(codes[lane] >> 4));
                let pair = low * i16::from(query[lane]) + high * i16::from(query[lane + WIDTH / 2]);
                sums[lane] = sums[lane].wrapping_add(i32::from(pair));
            }
        }
        *product = sums.iter().fold(0, |sum, lane| i32::wrapping_add(sum, *lane));
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::__m256i;
    use std::sync::LazyLock;

    use pulp::cast;
    use pulp::x86::V3;

    use super::{Nibbles, WIDTH};
    use crate::score::streams::{self, RowKernel};

    /// The processor's AVX2, if it has it.
    pub(super) static SIMD: LazyLock<Option<V3>> = LazyLock::new(V3::try_new);

    /// Blocks whose sums 16 bits hold: 8 products of at most 14 * 127 in each lane and block of 64.
    const BLOCKS: usize = 4;

    pub(super) fn products(simd: V3, codes: &[Nibbles], query: &[[i8; WIDTH]], products: &mut [i32]) {
        simd.vectorize(Products { kernel: Kernel { simd, query }, codes, products });
    }

    struct Products<'a> {
        kernel: Kernel<'a>,
        codes: &'a [Nibbles],
        products: &'a mut [i32],
    }

    struct Kernel<'a> {
        simd: V3,
        query: &'a [[i8; WIDTH]],
    }

    impl pulp::NullaryFnOnce for Products<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Self { kernel, codes, products } = self;
            streams::multiply(&kernel, codes, kernel.query.len(), products);
        }
    }

    impl RowKernel for Kernel<'_> {
        type Block = Nibbles;

        #[inline(always)]
        fn multiply<const N: usize>(&self, rows: [&[Nibbles]; N]) -> [i32; N] {
            let Self { simd, query } = *self;
            let (zero, ones): (__m256i, __m256i) = (cast([0_i16; 16]), cast([1_i16; 16]));
            let mut sums = [zero; N];
            for (group, query) in query.chunks(BLOCKS).enumerate() {
                let mut narrow = [zero; N];
                for (block, query) in query.iter().enumerate() {
                    let query: [__m256i; 2] = cast(*query);
                    for (narrow, row) in narrow.iter_mut().zip(rows) {
                        let Some(codes) = row.get(group * BLOCKS + block) else { continue };
                        *narrow = simd.avx2._mm256_add_epi16(*narrow, block_products(simd, *codes, query));
                    }
                }
                for (sum, narrow) in sums.iter_mut().zip(narrow) {
                    *sum = simd.avx2._mm256_add_epi32(*sum, simd.avx2._mm256_madd_epi16(narrow, ones));
                }
            }
            sums.map(|sum| {
                let lanes: [i32; 8] = cast(sum);
                lanes.iter().fold(0, |sum, lane| i32::wrapping_add(sum, *lane))
            })
        }
    }

    /// Products of 64 pairs, added up four by four.
    #[inline(always)]
    fn block_products(simd: V3, codes: Nibbles, query: [__m256i; 2]) -> __m256i {
        let (codes, mask): (__m256i, __m256i) = (cast(codes), cast([15_u8; 32]));
        let low = simd.avx2._mm256_and_si256(codes, mask);
        let high = simd.avx2._mm256_and_si256(simd.avx2._mm256_srli_epi16::<4>(codes), mask);
        let [low_query, high_query] = query;
        let low = simd.avx2._mm256_maddubs_epi16(low, low_query);
        simd.avx2._mm256_add_epi16(low, simd.avx2._mm256_maddubs_epi16(high, high_query))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_exact_at_the_largest_numbers_and_every_count_of_rows() {
        for (rows, blocks) in [(0, 1), (1, 1), (3, 2), (4, 4), (9, 9)] {
            let mut random = fastrand::Rng::with_seed(rows as u64);
            let largest = rows % 2 == 1;
            let mut code = || if largest { CODE_MAX } else { random.u8(..=CODE_MAX) };
            let codes: Vec<Nibbles> =
                (0..rows * blocks).map(|_| std::array::from_fn(|_| code() | (code() << 4))).collect();
            let mut number = || if largest { -127 } else { random.i8(-127..=127) };
            let query: Vec<[i8; WIDTH]> = (0..blocks).map(|_| std::array::from_fn(|_| number())).collect();
            let (mut fast, mut plain) = (vec![0; rows], vec![0; rows]);
            products(&codes, &query, &mut fast);
            plain_products(&codes, &query, &mut plain);
            assert_eq!(fast, plain);
            let of_block = |(codes, query): (&Nibbles, &[i8; WIDTH])| -> i32 {
                let half = |lane: usize, code: u8| i32::from(code) * i32::from(query[lane]);
                (0..32).map(|i| half(i, codes[i] & 15) + half(32 + i, codes[i] >> 4)).sum()
            };
            let want = |row: usize| -> i32 { codes[row * blocks..][..blocks].iter().zip(&query).map(of_block).sum() };
            assert!(fast.iter().enumerate().all(|(row, got)| *got == want(row)));
        }
    }
}
