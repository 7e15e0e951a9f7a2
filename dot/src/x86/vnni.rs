//! Products by `vpdpbusd`, which multiplies bytes without a sign by bytes with one, and adds four by four.

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm512_add_epi32, _mm512_and_si512, _mm512_castsi512_si256,
    _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64, _mm512_set1_epi8, _mm512_setzero_si512, _mm512_slli_epi32,
    _mm512_srli_epi16, _mm512_xor_si512,
};
use std::mem::transmute;

use super::sums::four_sums;
use crate::eight::{self, Codes, in_pieces};
use crate::four::{self, Nibbles};
use crate::rows::{Matrix, ROWS, as_long};

/// AVX-512 F, BW and VNNI.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vnni(());

impl Vnni {
    /// If the processor has it.
    pub(crate) fn detect() -> Option<Self> {
        (std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512vnni"))
        .then_some(Self(()))
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

/// Codes lose their sign by 128 being added to each (its highest bit turned); what that adds to a product is the same of all rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_eight(matrix: &Matrix<'_, Codes>, query: &[[i16; eight::WIDTH]], products: &mut [i32]) {
    let sign = _mm512_set1_epi8(i8::MIN);
    in_pieces(query, |blocks, parts| {
        let numbers = query[blocks.clone()].as_flattened().iter();
        let added = numbers.fold(0, |sum, number| i32::wrapping_add(sum, i32::from(*number))).wrapping_mul(128);
        matrix.add_products(blocks, products, |rows| {
            let Some(rows) = as_long(rows, parts.len()) else { return [0; ROWS] };
            let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
            for (place, [low, high]) in parts.iter().enumerate() {
                let (low, high) = (vector(low), vector(high));
                for ([lows, highs], row) in sums.iter_mut().zip(rows) {
                    let codes = _mm512_xor_si512(vector(&row[place].0), sign);
                    *lows = _mm512_dpbusd_epi32(*lows, codes, low);
                    *highs = _mm512_dpbusd_epi32(*highs, codes, high);
                }
            }
            let sums = sums.map(|[low, high]| halved(_mm512_add_epi32(low, _mm512_slli_epi32::<7>(high))));
            four_sums(sums).map(|sum| sum.wrapping_sub(added))
        });
    });
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_four(matrix: &Matrix<'_, Nibbles>, query: &[[i8; four::WIDTH]], products: &mut [i32]) {
    let mask = _mm512_set1_epi8(15);
    matrix.add_products(0..query.len(), products, |rows| {
        let Some(rows) = as_long(rows, query.len()) else { return [0; ROWS] };
        let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
        for (place, query) in query.iter().enumerate() {
            // SAFETY: arrays of integers of the same size.
            let [low, high]: [__m512i; 2] = unsafe { transmute(*query) };
            for ([lows, highs], row) in sums.iter_mut().zip(rows) {
                // SAFETY: arrays of integers of the same size.
                let codes: __m512i = unsafe { transmute(row[place].0) };
                *lows = _mm512_dpbusd_epi32(*lows, _mm512_and_si512(codes, mask), low);
                let upper = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), mask);
                *highs = _mm512_dpbusd_epi32(*highs, upper, high);
            }
        }
        four_sums(sums.map(|[low, high]| halved(_mm512_add_epi32(low, high))))
    });
}

#[inline]
#[target_feature(enable = "avx512f")]
fn vector(numbers: &[i8; eight::WIDTH]) -> __m512i {
    // SAFETY: integers of the same size.
    unsafe { transmute(*numbers) }
}

/// The sums of each lane of the lower half and one of the upper.
#[inline]
#[target_feature(enable = "avx512f")]
fn halved(sums: __m512i) -> __m256i {
    _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums))
}
