//! AArch64: products by `sdot`, which multiplies bytes with a sign, and adds four by four.

use std::arch::aarch64::{
    int8x16_t, int32x4_t, uint8x16_t, vaddq_s32, vaddvq_s32, vandq_u8, vdupq_n_s32, vdupq_n_u8, vreinterpretq_s8_u8,
    vshlq_n_s32, vshrq_n_u8,
};
use std::arch::asm;
use std::mem::transmute;

use crate::eight::{self, Codes, in_pieces};
use crate::four::{self, Nibbles};
use crate::rows::{Matrix, ROWS, as_long};

/// NEON with `sdot`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DotProduct(());

impl DotProduct {
    /// If the processor has it.
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("dotprod").then_some(Self(()))
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

#[target_feature(enable = "neon,dotprod")]
fn add_eight(matrix: &Matrix<'_, Codes>, query: &[[i16; eight::WIDTH]], products: &mut [i32]) {
    in_pieces(query, |blocks, parts| {
        matrix.add_products(blocks, products, |rows| {
            let Some(rows) = as_long(rows, parts.len()) else { return [0; ROWS] };
            let mut sums = [[vdupq_n_s32(0); 2]; ROWS];
            for (place, parts) in parts.iter().enumerate() {
                // SAFETY: arrays of integers of the same size.
                let [low, high]: [[int8x16_t; 4]; 2] = unsafe { transmute(*parts) };
                for ([lows, highs], row) in sums.iter_mut().zip(rows) {
                    // SAFETY: arrays of integers of the same size.
                    let codes: [int8x16_t; 4] = unsafe { transmute(row[place].0) };
                    for part in 0..4 {
                        *lows = add_dot(*lows, codes[part], low[part]);
                        *highs = add_dot(*highs, codes[part], high[part]);
                    }
                }
            }
            sums.map(|[low, high]| vaddvq_s32(vaddq_s32(low, vshlq_n_s32::<7>(high))))
        });
    });
}

#[target_feature(enable = "neon,dotprod")]
fn add_four(matrix: &Matrix<'_, Nibbles>, query: &[[i8; four::WIDTH]], products: &mut [i32]) {
    matrix.add_products(0..query.len(), products, |rows| {
        let Some(rows) = as_long(rows, query.len()) else { return [0; ROWS] };
        let mut sums = [[vdupq_n_s32(0); 2]; ROWS];
        for (place, query) in query.iter().enumerate() {
            // SAFETY: arrays of integers of the same size.
            let query: [[int8x16_t; 4]; 2] = unsafe { transmute(*query) };
            for ([lows, highs], row) in sums.iter_mut().zip(rows) {
                let codes = row[place].0;
                for (part, codes) in codes.as_chunks::<16>().0.iter().enumerate() {
                    // SAFETY: integers of the same size.
                    let codes = unsafe { transmute::<[u8; 16], uint8x16_t>(*codes) };
                    let low = vreinterpretq_s8_u8(vandq_u8(codes, vdupq_n_u8(15)));
                    let high = vreinterpretq_s8_u8(vshrq_n_u8::<4>(codes));
                    *lows = add_dot(*lows, low, query[0][part]);
                    *highs = add_dot(*highs, high, query[1][part]);
                }
            }
        }
        sums.map(|[low, high]| vaddvq_s32(vaddq_s32(low, high)))
    });
}

/// `sums + a b`, four products in each sum. Written out, because `vdotq_s32` is not stable (rust-lang/rust#117224).
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add_dot(sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    let mut sums = sums;
    // SAFETY: the instruction reads and writes the named registers only, and is allowed in this function.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {a:v}.16b, {b:v}.16b",
            sums = inout(vreg) sums,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}
