//! How glibc keeps memory: every step of training takes and frees the same maps of some megabytes, and their pages need not be
//! made anew each time.

/// Pieces of less than this come from the heap: the most that glibc allows (mallopt(3), `M_MMAP_THRESHOLD`).
const FROM_HEAP_BYTES: i32 = 32 << 20;
/// Free memory at the heap's end that is kept, so that a step finds there what the one before has freed.
const KEPT_BYTES: i32 = i32::MAX;

/// Has what was freed kept for the next step, instead of giving it back to the kernel.
pub(crate) fn keep_what_is_freed() {
    glibc::set_mmap_threshold(FROM_HEAP_BYTES);
    glibc::set_trim_threshold(KEPT_BYTES);
}

/// The only calls of the program that the compiler cannot prove to be safe.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
mod glibc {
    pub(super) fn set_mmap_threshold(bytes: i32) {
        set(libc::M_MMAP_THRESHOLD, bytes);
    }

    pub(super) fn set_trim_threshold(bytes: i32) {
        set(libc::M_TRIM_THRESHOLD, bytes);
    }

    fn set(parameter: i32, bytes: i32) {
        // SAFETY: mallopt takes two numbers by value, refuses those that it does not know, and locks the allocator while it sets one
        // (MT-Safe, mallopt(3)); no memory that is in use changes.
        let is_set = unsafe { libc::mallopt(parameter, bytes) } == 1;
        if !is_set {
            log::debug!("glibc refuses {bytes} for its parameter {parameter}; memory is kept as it is by default");
        }
    }
}

/// Other allocators have no such parameters.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod glibc {
    pub(super) fn set_mmap_threshold(_: i32) {}
    pub(super) fn set_trim_threshold(_: i32) {}
}
