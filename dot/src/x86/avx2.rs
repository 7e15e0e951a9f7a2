//! Products by `vpmaddwd` and `vpmaddubsw`.

use std::arch::x86_64::{
    __m128i, __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_cvtepi8_epi16, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_setzero_si256, _mm256_srli_epi16,
};
use std::mem::transmute;

use super::sums::four_sums;
use crate::eight::{self, Codes};
use crate::four::{self, Nibbles};
use crate::rows::{Matrix, ROWS, as_long};

/// Blocks of nibbles whose sums 16 bits hold: 8 products of at most 14 * 127 in each lane and block.
const BLOCKS: usize = 2;

/// AVX2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// If the processor has it.
    pub(crate) fn detect() -> Option<Self> {
        std::is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// `products += codes query`.
    pub(crate) fn eight(self, matrix: &Matrix<'_, Codes>, query: &[[i16; eight::WIDTH]], products: &mut [i32]) {
        // SAFETY: the processor has it, or there would be no such value.
        unsafe { add_eight(matrix, query, products) }
    }

    /// `products += codes query`.
    pub(crate) fn four(self, matrix: &Matrix<'_, Nibbles>, query: &[[i8; four::WIDTH]], products: &mut [i32]) {
        // SAFETY: the same.
        unsafe { add_four(matrix, query, products) }
    }
}

#[target_feature(enable = "avx2")]
fn add_eight(matrix: &Matrix<'_, Codes>, query: &[[i16; eight::WIDTH]], products: &mut [i32]) {
    matrix.add_products(0..query.len(), products, |rows| {
        let Some(rows) = as_long(rows, query.len()) else { return [0; ROWS] };
        let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
        for (place, query) in query.iter().enumerate() {
            // SAFETY: arrays of integers of the same size.
            let query: [__m256i; 4] = unsafe { transmute(*query) };
            for (sums, row) in sums.iter_mut().zip(rows) {
                // SAFETY: arrays of integers of the same size.
                let codes: [__m128i; 4] = unsafe { transmute(row[place].0) };
                for part in 0..4 {
                    let pairs = _mm256_madd_epi16(_mm256_cvtepi8_epi16(codes[part]), query[part]);
                    sums[part % 2] = _mm256_add_epi32(sums[part % 2], pairs);
                }
            }
        }
        four_sums(sums.map(|[even, odd]| _mm256_add_epi32(even, odd)))
    });
}

#[target_feature(enable = "avx2")]
fn add_four(matrix: &Matrix<'_, Nibbles>, query: &[[i8; four::WIDTH]], products: &mut [i32]) {
    let ones = _mm256_set1_epi16(1);
    matrix.add_products(0..query.len(), products, |rows| {
        let Some(rows) = as_long(rows, query.len()) else { return [0; ROWS] };
        let mut sums = [_mm256_setzero_si256(); ROWS];
        for (group, query) in query.chunks(BLOCKS).enumerate() {
            let mut narrow = [_mm256_setzero_si256(); ROWS];
            for (block, query) in query.iter().enumerate() {
                for (narrow, row) in narrow.iter_mut().zip(rows) {
                    *narrow = _mm256_add_epi16(*narrow, block_products(&row[group * BLOCKS + block], query));
                }
            }
            for (sum, narrow) in sums.iter_mut().zip(narrow) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(narrow, ones));
            }
        }
        four_sums(sums)
    });
}

/// Products of 128 pairs, added up eight by eight.
#[inline]
#[target_feature(enable = "avx2")]
fn block_products(codes: &Nibbles, query: &[i8; four::WIDTH]) -> __m256i {
    // SAFETY: arrays of integers of the same size.
    let codes: [__m256i; 2] = unsafe { transmute(codes.0) };
    // SAFETY: the same.
    let query: [__m256i; 4] = unsafe { transmute(*query) };
    let mask = _mm256_set1_epi8(15);
    let mut sum = _mm256_setzero_si256();
    for half in 0..2 {
        let low = _mm256_and_si256(codes[half], mask);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(codes[half]), mask);
        let low = _mm256_maddubs_epi16(low, query[half]);
        let high = _mm256_maddubs_epi16(high, query[2 + half]);
        sum = _mm256_add_epi16(sum, _mm256_add_epi16(low, high));
    }
    sum
}
