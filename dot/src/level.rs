//! Which instructions the processor has.

/// Instructions for products of small integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// AVX-512 with `vpdpbusd`.
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// NEON with `sdot`.
    #[cfg(target_arch = "aarch64")]
    DotProduct,
    /// Whatever the program was compiled for.
    Plain,
}

impl Level {
    /// All, the fastest first.
    const ALL: &[Self] = &[
        #[cfg(target_arch = "x86_64")]
        Self::Vnni,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "aarch64")]
        Self::DotProduct,
        Self::Plain,
    ];

    /// Those that this processor has, the fastest first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|level| level.is_available())
    }

    /// The fastest that this processor has.
    pub(crate) fn fastest() -> Self {
        Self::available().next().unwrap_or(Self::Plain)
    }

    /// The standard library keeps what it has asked the processor once.
    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => {
                std::is_x86_feature_detected!("avx512f")
                    && std::is_x86_feature_detected!("avx512bw")
                    && std::is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "aarch64")]
            Self::DotProduct => std::arch::is_aarch64_feature_detected!("dotprod"),
            Self::Plain => true,
        }
    }
}
