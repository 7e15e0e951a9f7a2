//! Exact products of many rows of small integers with one vector, by the instruction that each processor has for them.
//!
//! A search that looks at rounded rows first ("which of 10,000 are among the nearest?") spends its time here. Rows are of
//! [eight] bits or of [four]; a vector has up to 15 bits, or 8. Sums are exact in 32 bits, so that every processor gives the
//! same ones:
//!
//! | instruction | where |
//! |---|---|
//! | `vpdpbusd` (AVX-512 VNNI) | Intel servers since Cascade Lake, AMD since Zen 4 |
//! | `vpmaddwd`, `vpmaddubsw` (AVX2) | Intel since Haswell, AMD since Excavator |
//! | `sdot` (ARMv8.2 dot product) | Cortex-A55, A75 and later: Jetson Orin, Raspberry Pi 5 |
//! | what the compiler makes of plain loops | all others |
//!
//! Which one it is is asked of the processor at run time.
//!
//! ```
//! use oodwatch_dot::eight::{self, Codes, WIDTH};
//!
//! // Two rows of 64 numbers.
//! let rows = [Codes([1; WIDTH]), Codes([-2; WIDTH])];
//! let mut products = [0; 2];
//! eight::products(&rows, &[[100; WIDTH]], &mut products);
//! assert_eq!(products, [6400, -12_800]);
//! ```
//!
//! `unsafe` is in two modules, `x86` and `arm`: intrinsics may be called where a processor has them, and rows are read as vectors.

#![deny(unsafe_code)]

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)]
mod arm;
pub mod eight;
pub mod four;
mod level;
mod rows;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86;
