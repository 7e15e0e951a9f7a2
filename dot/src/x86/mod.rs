//! x86-64: AVX2, and AVX-512 with VNNI.

pub(crate) mod avx2;
mod sums;
pub(crate) mod vnni;
