//! Calibrations and golden vectors: a byte that says which of them, then the file. What is accepted agrees with the
//! manifest, holds finite numbers only, and is byte for byte the same after it was read again.

use std::path::Path;
use std::sync::LazyLock;

use oodwatch::package::{Calibration, Golden, Manifest};

use super::within;

/// A tensor's entry in the header is at least 50 bytes long, and is kept by name in several tables.
const MEMORY_PER_BYTE: usize = 256;

/// What the files have to agree with: two classes, three features, a picture of 2x1 pixels.
static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| {
    let text = include_bytes!("../../corpus/manifest/two-classes.toml");
    Manifest::parse(Path::new("manifest.toml"), text).expect("a good manifest")
});

/// Reads `input[1..]` as golden vectors if `input[0]` is odd, as a calibration otherwise.
pub fn run(input: &[u8]) {
    let [which, bytes @ ..] = input else { return };
    let manifest = &*MANIFEST;
    let most = MEMORY_PER_BYTE * bytes.len() + (1 << 20);
    if which % 2 == 1 {
        let Ok(golden) = within(most, || Golden::parse(bytes, manifest)) else { return };
        assert_eq!(golden.logits.dim(), (golden.inputs.count(), 2));
        assert!(
            golden
                .inputs
                .to_array()
                .iter()
                .chain(&golden.logits)
                .chain(&golden.features)
                .all(|value| value.is_finite())
        );
        let written = golden.to_bytes().expect("what was read can be written");
        assert_eq!(Golden::parse(&written, manifest).expect("what was written can be read"), golden);
    } else {
        let Ok(calibration) = within(most, || Calibration::parse(bytes, manifest)) else { return };
        for score in calibration.scores.values().chain(calibration.fusions.values()) {
            assert!(score.all.scores().is_sorted() && score.all.threshold().is_finite());
        }
        let written = calibration.to_bytes().expect("what was read can be written");
        assert_eq!(Calibration::parse(&written, manifest).expect("what was written can be read"), calibration);
    }
}
