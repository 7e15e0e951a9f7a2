//! A model package: a folder with the network, its manifest, its calibration and its golden vectors.
//!
//! [`Package::open`] checks once, at the door: schema, hashes, and that manifest, calibration and golden vectors
//! agree in shape. [`write()`] makes a package whole or not at all.

mod calibration;
mod error;
mod golden;
mod manifest;
mod tensors;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::score::Model;
pub use calibration::{Calibration, Head};
pub use error::PackageError;
pub use golden::{GOLDEN_TOLERANCE, Golden, Measure};
pub use manifest::{Color, DType, InputSpec, Layout, LocalSpec, Manifest, OutputSpec, Resize, SCHEMA};
pub use write::{check_place, replace, write};

/// File name of the network.
pub const MODEL_FILE: &str = "model.onnx";
/// File name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.toml";
/// File name of the calibration.
pub const CALIBRATION_FILE: &str = "calibration.safetensors";
/// File name of the golden vectors.
pub const GOLDEN_FILE: &str = "golden.safetensors";

/// An opened, verified package. The network itself stays bytes here; [`crate::infer::Network`] opens it.
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
    /// Inputs with known outputs.
    pub golden: Golden,
    /// The verified bytes of `model.onnx`.
    pub model_onnx: Vec<u8>,
}

impl Package {
    /// Opens the package in `dir`.
    ///
    /// # Errors
    /// A missing or damaged file, a newer schema, a hash that does not match, or shapes that disagree; the text
    /// names the file, what was found and what was wanted.
    pub fn open(dir: &Path) -> Result<Self, PackageError> {
        let path = dir.join(MANIFEST_FILE);
        let bytes = read(&path)?;
        let manifest = Manifest::parse(&path, &bytes)?;
        let verified = |file: &str| read_verified(dir, &path, &manifest, file);
        Ok(Self {
            model_onnx: verified(MODEL_FILE)?,
            calibration: Calibration::parse(&verified(CALIBRATION_FILE)?, &manifest)?,
            golden: Golden::parse(&verified(GOLDEN_FILE)?, &manifest)?,
            id: sha256_hex(&bytes),
            dir: dir.to_path_buf(),
            manifest,
        })
    }

    /// What its scores are built for.
    pub fn model(&self) -> Model<'_> {
        Model::new(&self.manifest, self.calibration.head.as_ref(), &self.calibration.fitted)
    }
}

/// sha256 of `bytes` in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, PackageError> {
    fs::read(path).map_err(|source| PackageError::Read { path: path.into(), source })
}

fn read_verified(dir: &Path, manifest_path: &Path, manifest: &Manifest, file: &str) -> Result<Vec<u8>, PackageError> {
    let wanted = manifest
        .files
        .get(file)
        .ok_or_else(|| PackageError::NotListed { path: manifest_path.into(), file: file.into() })?;
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
