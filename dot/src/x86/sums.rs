//! What the lanes of four rows come to.

use std::arch::x86_64::{__m256i, _mm_add_epi32, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_hadd_epi32};
use std::mem::transmute;

/// The sums of the eight lanes of each.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn four_sums(rows: [__m256i; 4]) -> [i32; 4] {
    let [a, b, c, d] = rows;
    let halves = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let sums = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
    // SAFETY: integers of the same size.
    unsafe { transmute(sums) }
}
