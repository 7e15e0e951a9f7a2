//! Manifests of packages: one that is accepted is within its ranges, and the same after it was written again.

use std::path::Path;

use oodwatch::package::Manifest;

use super::within;

/// As of configs; a manifest is parsed twice, first for its schema.
const MEMORY_PER_BYTE: usize = 1024;

/// Reads `input` as a manifest.
pub fn run(input: &[u8]) {
    let read = |bytes: &[u8]| Manifest::parse(Path::new("manifest.toml"), bytes);
    match within(MEMORY_PER_BYTE * input.len() + (1 << 20), || read(input)) {
        Ok(manifest) => {
            assert!(manifest.class_count() >= 2 && manifest.input.std.iter().all(|std| *std > 0.0));
            let write = |manifest: &Manifest| toml::to_string(manifest).expect("what was read can be written");
            let written = write(&manifest);
            let again = read(written.as_bytes()).unwrap_or_else(|error| panic!("{error}\nin:\n{written}"));
            // Not the values: a provenance may hold NaN, which equals nothing.
            assert_eq!(write(&again), written);
        }
        Err(error) => assert!(error.to_string().starts_with("manifest.toml: ")),
    }
}
