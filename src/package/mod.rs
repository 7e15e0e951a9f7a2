//! A model package: a folder with the network, its manifest, its calibration and its golden vectors.
//!
//! [`Package::open`] checks once, at the door: schema, hashes, and that manifest, calibration and golden vectors
//! agree in shape. The network and the golden vectors, which may be tens of megabytes, stay in their files; whoever reads them
//! verifies them again. [`write()`] makes a package whole or not at all.

mod calibration;
mod error;
mod golden;
mod inputs;
mod manifest;
mod stamp;
mod tensors;
mod write;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::score::{Fitted, Model, ScoreName};
pub use calibration::{Calibration, Head};
pub use error::PackageError;
pub use golden::{GOLDEN_TOLERANCE, Golden, Measure};
pub use inputs::GoldenInputs;
pub use manifest::{Color, DType, InputSpec, Layout, LocalSpec, Manifest, OutputSpec, Resize, SCHEMA};
pub(crate) use stamp::StampedFile;
pub use write::{check_place, replace, write};

/// File name of the network.
pub const MODEL_FILE: &str = "model.onnx";
/// File name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.toml";
/// File name of the calibration.
pub const CALIBRATION_FILE: &str = "calibration.safetensors";
/// File name of the golden vectors.
pub const GOLDEN_FILE: &str = "golden.safetensors";
/// What is read at once of a file that is not held in memory.
const PIECE_BYTES: usize = 64 << 10;

/// An opened, verified package.
#[derive(Debug, Clone)]
pub struct Package {
    /// The folder.
    pub dir: PathBuf,
    /// sha256 of `manifest.toml`, lower-case hex: names this exact package, since the manifest names all the rest.
    pub id: String,
    /// What the network takes and gives.
    pub manifest: Manifest,
    /// Thresholds and what they were learned from.
    pub calibration: Calibration,
}

impl Package {
    /// Opens the package in `dir`.
    ///
    /// # Errors
    /// A missing or damaged file, a newer schema, a hash that does not match, or shapes that disagree; the text
    /// names the file, what was found and what was wanted.
    pub fn open(dir: &Path) -> Result<Self, PackageError> {
        let package = Self::begin(dir)?;
        package.model_onnx()?;
        package.golden()?;
        Ok(package)
    }

    /// Opens the package in `dir` for somebody who puts it to work next ([`crate::open`]), reads its network and its golden vectors by
    /// that, and is told then what is wrong with those.
    ///
    /// # Errors
    /// As [`Self::open`], of the manifest and the calibration.
    pub fn begin(dir: &Path) -> Result<Self, PackageError> {
        let path = dir.join(MANIFEST_FILE);
        let bytes = read(&path)?;
        let manifest = Manifest::parse(&path, &bytes)?;
        for read_later in [MODEL_FILE, GOLDEN_FILE] {
            listed(dir, &manifest, read_later)?;
        }
        Ok(Self {
            calibration: Calibration::parse(&read_verified(dir, &manifest, CALIBRATION_FILE)?, &manifest)?,
            id: sha256_hex(&bytes),
            dir: dir.to_path_buf(),
            manifest,
        })
    }

    /// The bytes of `model.onnx`, verified.
    ///
    /// # Errors
    /// It cannot be read, or is another file than it was.
    pub fn model_onnx(&self) -> Result<Vec<u8>, PackageError> {
        read_verified(&self.dir, &self.manifest, MODEL_FILE)
    }

    /// `model.onnx` as it lies there now, for a library that reads files by itself.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn model_file(&self) -> Result<StampedFile, PackageError> {
        StampedFile::of(self.dir.join(MODEL_FILE))
    }

    /// Inputs with known outputs, read from their file and verified.
    ///
    /// # Errors
    /// It cannot be read, is another file than it was, or disagrees with the manifest.
    pub fn golden(&self) -> Result<Golden, PackageError> {
        Golden::parse(&read_verified(&self.dir, &self.manifest, GOLDEN_FILE)?, &self.manifest)
    }

    /// Forgets what other scores than these were fitted to, and the head where none of these reads it.
    pub(crate) fn keep_for(&mut self, scores: &[ScoreName]) {
        let read = |state: &str| scores.iter().any(|score| Fitted::state_name(*score) == Some(state));
        self.calibration.fitted.states.retain(|state, _| read(state));
        if !scores.iter().any(|score| score.needs().head) {
            self.calibration.head = None;
        }
    }

    /// What its scores are built for.
    pub fn model(&self) -> Model<'_> {
        Model::new(&self.manifest, self.calibration.head.as_ref(), &self.calibration.fitted)
    }
}

/// sha256 of `bytes` in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// sha256 of a file in lower-case hex, read piece by piece.
pub(crate) fn sha256_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut sum, mut piece) = (Sha256::new(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(hex(&sum.finalize())),
            Ok(read) => sum.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// `bytes` in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, PackageError> {
    fs::read(path).map_err(|source| PackageError::Read { path: path.into(), source })
}

/// The sha256 that the manifest vouches for.
fn listed<'m>(dir: &Path, manifest: &'m Manifest, file: &str) -> Result<&'m String, PackageError> {
    let missing = || PackageError::NotListed { path: dir.join(MANIFEST_FILE), file: file.into() };
    manifest.files.get(file).ok_or_else(missing)
}

fn read_verified(dir: &Path, manifest: &Manifest, file: &str) -> Result<Vec<u8>, PackageError> {
    let wanted = listed(dir, manifest, file)?;
    let path = dir.join(file);
    let bytes = read(&path)?;
    let found = sha256_hex(&bytes);
    if found != *wanted {
        let length = bytes.len() as u64;
        return Err(PackageError::Hash { path, found, bytes: length, wanted: wanted.clone() });
    }
    Ok(bytes)
}

fn check_manifest(path: &Path, manifest: &Manifest) -> Result<(), PackageError> {
    let input = &manifest.input;
    let wrong = |field, found: String, wanted| Err(PackageError::Value { path: path.into(), field, found, wanted });
    if manifest.classes.len() < 2 {
        return wrong("classes", format!("{} names", manifest.classes.len()), "at least 2 names");
    }
    if !(1..=8192).contains(&input.width) || !(1..=8192).contains(&input.height) {
        return wrong("input size", format!("{}x{}", input.width, input.height), "1x1 to 8192x8192");
    }
    if !input.std.iter().all(|value| value.is_finite() && *value > 0.0) {
        return wrong("input.std", format!("{:?}", input.std), "three positive numbers");
    }
    if !input.scale.is_finite() || !input.mean.iter().all(|value| value.is_finite()) {
        return wrong("input.scale or mean", "not finite".into(), "finite numbers");
    }
    if manifest.output.features == 0 {
        return wrong("output.features", "0".into(), "at least 1");
    }
    if let Some((key, found, wanted)) = manifest.view.wrong_value() {
        return wrong("view", format!("{key}: {found}"), wanted);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
