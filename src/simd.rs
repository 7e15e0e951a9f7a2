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
