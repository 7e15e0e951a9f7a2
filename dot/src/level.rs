//! Which instructions the processor has.

#[cfg(target_arch = "aarch64")]
use crate::arm::DotProduct;
#[cfg(target_arch = "x86_64")]
use crate::x86::{avx2::Avx2, vnni::Vnni};

/// Instructions for products of small integers; of those that not every processor has, the proof that this one does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    /// AVX-512 with `vpdpbusd`.
    #[cfg(target_arch = "x86_64")]
    Vnni(Vnni),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// NEON with `sdot`.
    #[cfg(target_arch = "aarch64")]
    DotProduct(DotProduct),
    /// Whatever the program was compiled for.
    Plain,
}

impl Level {
    /// Those that this processor has, the fastest first. The standard library keeps what it has asked the processor once.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        let levels = [
            #[cfg(target_arch = "x86_64")]
            Vnni::detect().map(Self::Vnni),
            #[cfg(target_arch = "x86_64")]
            Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "aarch64")]
            DotProduct::detect().map(Self::DotProduct),
            Some(Self::Plain),
        ];
        levels.into_iter().flatten()
    }

    /// The fastest that this processor has.
    pub(crate) fn fastest() -> Self {
        Self::available().next().unwrap_or(Self::Plain)
    }
}
