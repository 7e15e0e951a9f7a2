//! Products of many rows of eight-bit integers with one vector of 16-bit ones, exact in 32 bits.
//!
//! The plain loop is fast where the compiler finds the multiply-add of 16-bit pairs by itself. On x86-64 it does not,
//! so that instruction is called by name there, through `pulp`, which has made sure that the processor has it.

/// Numbers that are taken at a time; rows are filled up with zeros to a multiple of it.
pub(super) const WIDTH: usize = 32;

/// `products[i] = sum_j codes[i, j] query[j]`, row after row of `query.len()` blocks. The caller sees to it that no sum
/// leaves 32 bits.
pub(super) fn products(codes: &[[i8; WIDTH]], query: &[[i16; WIDTH]], products: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = *x86::SIMD {
        return x86::products(simd, codes, query, products);
    }
    plain_products(codes, query, products);
}

/// As [`products`], of chosen rows: `products[i]` is that of row `picked[i]`.
pub(super) fn products_of(codes: &[[i8; WIDTH]], picked: &[u32], query: &[[i16; WIDTH]], products: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = *x86::SIMD {
        return x86::products_of(simd, codes, picked, query, products);
    }
    for (row, product) in picked.iter().zip(products) {
        let row = codes.chunks_exact(query.len().max(1)).nth(*row as usize).unwrap_or_default();
        plain_products(row, query, std::slice::from_mut(product));
    }
}

fn plain_products(codes: &[[i8; WIDTH]], query: &[[i16; WIDTH]], products: &mut [i32]) {
    for (row, product) in codes.chunks_exact(query.len().max(1)).zip(products) {
        let pairs = row.as_flattened().iter().zip(query.as_flattened());
        let terms = pairs.map(|(code, query)| i32::from(*code).wrapping_mul(i32::from(*query)));
        *product = terms.fold(0, i32::wrapping_add);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::sync::LazyLock;

    use pulp::x86::V3;
    use pulp::{cast, i8x16, i16x16, i32x8};

    use super::WIDTH;
    use crate::score::streams::{self, RowKernel};

    /// The processor's AVX2, if it has it.
    pub(super) static SIMD: LazyLock<Option<V3>> = LazyLock::new(V3::try_new);

    pub(super) fn products(simd: V3, codes: &[[i8; WIDTH]], query: &[[i16; WIDTH]], products: &mut [i32]) {
        simd.vectorize(Products { kernel: Kernel { simd, query }, codes, picked: None, products });
    }

    pub(super) fn products_of(
        simd: V3,
        codes: &[[i8; WIDTH]],
        picked: &[u32],
        query: &[[i16; WIDTH]],
        products: &mut [i32],
    ) {
        simd.vectorize(Products { kernel: Kernel { simd, query }, codes, picked: Some(picked), products });
    }

    struct Products<'a> {
        kernel: Kernel<'a>,
        codes: &'a [[i8; WIDTH]],
        /// All rows, if it is none.
        picked: Option<&'a [u32]>,
        products: &'a mut [i32],
    }

    struct Kernel<'a> {
        simd: V3,
        query: &'a [[i16; WIDTH]],
    }

    impl pulp::NullaryFnOnce for Products<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Self { kernel, codes, picked, products } = self;
            match picked {
                Some(picked) => streams::multiply_picked(&kernel, codes, kernel.query.len(), picked, products),
                None => streams::multiply(&kernel, codes, kernel.query.len(), products),
            }
        }
    }

    impl RowKernel for Kernel<'_> {
        type Block = [i8; WIDTH];

        #[inline(always)]
        fn multiply<const N: usize>(&self, rows: [&[[i8; WIDTH]]; N]) -> [i32; N] {
            let Self { simd, query } = *self;
            let mut sums = [[simd.splat_i32x8(0); 2]; N];
            for (place, query) in query.iter().enumerate() {
                let query: [i16x16; 2] = cast(*query);
                for (sums, row) in sums.iter_mut().zip(rows) {
                    let Some(codes) = row.get(place) else { continue };
                    let codes: [i8x16; 2] = cast(*codes);
                    for half in 0..2 {
                        sums[half] = simd.wrapping_add_i32x8(sums[half], pair_products(simd, codes[half], query[half]));
                    }
                }
            }
            sums.map(|[low, high]| {
                let lanes: [i32; 8] = cast(simd.wrapping_add_i32x8(low, high));
                lanes.iter().fold(0, |sum, lane| i32::wrapping_add(sum, *lane))
            })
        }
    }

    /// Products of 16 pairs, added up two by two.
    #[inline(always)]
    fn pair_products(simd: V3, codes: i8x16, query: i16x16) -> i32x8 {
        let wide = simd.avx2._mm256_cvtepi8_epi16(cast(codes));
        cast(simd.avx2._mm256_madd_epi16(wide, cast(query)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_exact_at_the_largest_numbers_and_every_count_of_rows() {
        for (rows, blocks) in [(0, 1), (1, 1), (3, 2), (4, 1), (9, 5)] {
            let mut random = fastrand::Rng::with_seed(rows as u64);
            let codes: Vec<[i8; WIDTH]> =
                (0..rows * blocks).map(|_| std::array::from_fn(|_| random.i8(-127..=127))).collect();
            let query: Vec<[i16; WIDTH]> =
                (0..blocks).map(|_| std::array::from_fn(|_| if random.bool() { 13_000 } else { -13_000 })).collect();
            let (mut fast, mut plain) = (vec![0; rows], vec![0; rows]);
            products(&codes, &query, &mut fast);
            plain_products(&codes, &query, &mut plain);
            assert_eq!(fast, plain);
            let want = |row: usize| -> i64 {
                let row = codes[row * blocks..][..blocks].as_flattened();
                row.iter().zip(query.as_flattened()).map(|(code, query)| i64::from(*code) * i64::from(*query)).sum()
            };
            assert!(fast.iter().enumerate().all(|(row, got)| i64::from(*got) == want(row)));
            let backwards: Vec<u32> = (0..rows as u32).rev().collect();
            products_of(&codes, &backwards, &query, &mut fast);
            assert!(fast.iter().rev().eq(&plain));
            // Fewer rows than there is room for.
            for picked in 0..=rows {
                fast.fill(i32::MIN);
                products_of(&codes, &backwards[..picked], &query, &mut fast);
                assert!(fast[..picked].iter().eq(plain.iter().rev().take(picked)), "{picked} of {rows}");
            }
        }
    }
}
