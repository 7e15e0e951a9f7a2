//! Lists of paths: memory stays within a few lines' worth, and a list of the paths found holds the same paths.

use std::os::unix::ffi::OsStrExt;

use oodwatch::source::list::{MAX_LINE_BYTES, paths};

use super::within;

/// A path of one byte takes a line of two, and a `PathBuf` in a vector that doubles.
const MEMORY_PER_BYTE: usize = 64;

/// Reads `input` as a list.
pub fn run(input: &[u8]) {
    let most = MEMORY_PER_BYTE * input.len() + 4 * MAX_LINE_BYTES;
    let Ok(found) = within(most, || paths(input)) else { return };
    assert!(found.iter().all(|path| !path.as_os_str().is_empty()));
    let again: Vec<u8> = found.iter().flat_map(|path| [path.as_os_str().as_bytes(), b"\n"].concat()).collect();
    assert_eq!(paths(&again[..]).expect("no line has grown"), found);
}
