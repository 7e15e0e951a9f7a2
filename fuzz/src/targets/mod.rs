//! One function per kind of input: hands arbitrary bytes to the library and panics where a promise is broken.
//!
//! A promise is more than "no panic": what is accepted is what it says it is, is written and read back as the same, and
//! reading takes no more memory than its input justifies. libFuzzer calls these functions (`fuzz_targets/`), and so does the
//! test suite, with the committed inputs and seeded changes of them (`tests/it/fuzz.rs`).

pub mod config;
pub mod list;
pub mod manifest;
pub mod mjpeg;
pub mod onnx;
pub mod picture;
pub mod pipe;
pub mod raw;
pub mod safetensors;
pub mod verdict;

/// A name, which is that of the folder in `fuzz/corpus`, and what is done with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const ALL: [Target; 10] = [
    ("config", config::run),
    ("list", list::run),
    ("manifest", manifest::run),
    ("mjpeg", mjpeg::run),
    ("onnx", onnx::run),
    ("picture", picture::run),
    ("pipe", pipe::run),
    ("raw", raw::run),
    ("safetensors", safetensors::run),
    ("verdict", verdict::run),
];

/// Runs `read`, which may hold at most `most` bytes of memory at a time, on its own thread.
fn within<T>(most: usize, read: impl FnOnce() -> T) -> T {
    let mut result = None;
    let counted = allocation_counter::measure(|| result = Some(read()));
    assert!(counted.bytes_max <= most as u64, "{} bytes of memory at once, allowed: {most}", counted.bytes_max);
    match result {
        Some(result) => result,
        None => unreachable!("measure calls what it measures"),
    }
}
