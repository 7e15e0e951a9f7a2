//! How glibc keeps memory: given back at once while a network is opened, kept for the next frame afterwards.
//!
//! Opening takes and frees pieces of several megabytes: the file, what is parsed of it, weights before they are packed. Left alone,
//! glibc takes such pieces from its heap as soon as one of them has been freed (mallopt(3), "dynamic mmap threshold"), and
//! what remains above a hole keeps the hole for as long as the process lives.

/// Pieces of this size and more have pages of their own while a network is opened: where glibc begins, too. Four times as much opens
/// no faster here, and takes 2 MiB more for EfficientNet-Lite0.
const OPENING_BYTES: i32 = 128 << 10;
/// Afterwards: the most that glibc allows, so that a frame's memory comes from the heap and its pages are not made anew each time.
const RUNNING_BYTES: i32 = 32 << 20;
/// Free memory at the heap's end that is kept, so that two frames of the largest size find theirs there.
const KEPT_BYTES: i32 = 2 * RUNNING_BYTES;

/// Does what opens a network, and leaves no more memory behind than what it made needs.
pub(super) fn while_opening<T>(open: impl FnOnce() -> T) -> T {
    glibc::set_mmap_threshold(OPENING_BYTES);
    let opened = open();
    glibc::set_mmap_threshold(RUNNING_BYTES);
    glibc::set_trim_threshold(KEPT_BYTES);
    glibc::trim();
    opened
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

    /// Gives free pages back, those within the heap too.
    pub(super) fn trim() {
        // SAFETY: malloc_trim gives back pages that hold no memory in use, and locks what it looks at (MT-Safe, malloc_trim(3)).
        unsafe { libc::malloc_trim(0) };
    }
}

/// Other allocators have no such parameters.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod glibc {
    pub(super) fn set_mmap_threshold(_: i32) {}
    pub(super) fn set_trim_threshold(_: i32) {}
    pub(super) fn trim() {}
}
