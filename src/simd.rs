//! Loops at the widest vectors that the processor has: written plainly, turned into vector instructions by the compiler once
//! for each kind of processor, and chosen at run time (`pulp` asks once).

use std::sync::LazyLock;

use pulp::{Arch, NullaryFnOnce};

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Runs `work` at the widest vectors that this processor has. What it calls has to be inlined into it, and a closure is
/// not inlined for certain: only a few lines are safe, [`vectorised`] is for the rest.
#[inline(always)]
pub(crate) fn dispatch<R>(work: impl NullaryFnOnce<Output = R>) -> R {
    ARCH.dispatch(work)
}

/// Functions whose body runs at the widest vectors that this processor has. What the body calls has to be
/// `#[inline(always)]`; arguments are numbers, slices and references.
macro_rules! vectorised {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $out:ty $body:block)*) => {$(
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) -> $out {
            struct Work<T>(T);
            impl pulp::NullaryFnOnce for Work<($($type,)*)> {
                type Output = $out;
                #[inline(always)]
                fn call(self) -> $out {
                    let Self(($($arg,)*)) = self;
                    $body
                }
            }
            $crate::simd::dispatch(Work(($($arg,)*)))
        }
    )*};
}
pub(crate) use vectorised;

/// Has the processor fetch the cache line in which `value` begins, while it works on something else. Without effect but on time; other
/// processors than x86-64 are left to their own guesses.
#[inline(always)]
pub(crate) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    if let Some(sse) = pulp::core_arch::x86::Sse::try_new() {
        sse._mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(value).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
