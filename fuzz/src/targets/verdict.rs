//! Recorded verdict lines, which other programs read with this crate: a line that is read is written as the same.

use oodwatch::verdict::Verdict;

use super::within;

/// Texts and lists are copied once, into vectors that double.
const MEMORY_PER_BYTE: usize = 64;

/// Reads `input` as a verdict line.
pub fn run(input: &[u8]) {
    let read = |line: &[u8]| serde_json::from_slice::<Verdict>(line);
    let Ok(verdict) = within(MEMORY_PER_BYTE * input.len() + (64 << 10), || read(input)) else { return };
    // A number beyond f32 reads as infinity, which no line can hold; no run has such a threshold.
    if !verdict.threshold.is_finite() {
        return;
    }
    let write = |verdict: &Verdict| serde_json::to_string(verdict).expect("a verdict can be written");
    let written = write(&verdict);
    assert!(!written.contains('\n'), "a line is one line");
    let again = read(written.as_bytes()).unwrap_or_else(|error| panic!("{error}: {written}"));
    assert_eq!(write(&again), written);
}
