//! A network that ONNX Runtime has optimised already, on this machine and for it, in a file: `[model.cpu] prepared`.
//!
//! Opening a network, ONNX Runtime fuses its nodes and lays its weights out for the processor's instructions, and holds the weights as they
//! were meanwhile. It can write down what came of that, and open it again as it is. What the file is good for is [`crate::engines`]'s
//! matter; here it is written, and verified before each reading.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    ExecutionProvider, InferError, Network, NetworkOptions, Onnx, Precision, builder, forget_builder, own_precision,
    shapes,
};
use crate::package::{Package, StampedFile, sha256_of_file};

/// A prepared network, and what it was when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreparedNetwork {
    /// Its file.
    pub file: PathBuf,
    /// sha256 of the file.
    pub sha256: String,
    /// Number format of the network that it was made of.
    pub precision: Precision,
}

impl PreparedNetwork {
    /// Has ONNX Runtime write into `file` what it makes of a package's network on the processor.
    ///
    /// # Errors
    /// As [`Network::open`]; also where ONNX Runtime cannot write it.
    pub fn write(package: &Package, options: &NetworkOptions, file: PathBuf) -> Result<Self, InferError> {
        // What is wrong with the network itself is told first, as ever.
        let plain = NetworkOptions { prepared: None, ..options.clone() };
        Network::open(package, &plain)?;
        let onnx = package.model_onnx()?;
        let precision = own_precision(&onnx)?;
        let not_written = |source| InferError::NotWritten { path: file.clone(), source };
        builder(precision, &plain, shapes(&package.manifest.input, &plain))?
            .with_optimized_model_path(&file)
            .map_err(|error| not_written(forget_builder(error)))?
            .commit_from_memory(&onnx)
            .map_err(not_written)?;
        let sha256 = sha256_of_file(&file).map_err(|error| unusable(&file, &error))?;
        Ok(Self { file, sha256, precision })
    }

    /// Whether the file is what was written. Reads all of it.
    ///
    /// # Errors
    /// It is not, or cannot be read.
    pub fn verify(&self) -> Result<(), InferError> {
        let found = sha256_of_file(&self.file).map_err(|error| unusable(&self.file, &error))?;
        if found == self.sha256 {
            return Ok(());
        }
        Err(unusable(&self.file, &format!("its sha256 is {found}, and was {} when it was written", self.sha256)))
    }
}

pub(super) fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> InferError {
    InferError::Prepared { path: path.into(), problem: problem.to_string() }
}

/// The file that a session is made of: the package's network or a prepared one, verified.
pub(super) struct Verified<'o> {
    file: StampedFile,
    /// Number format that the network is written in.
    pub(super) own: Precision,
    prepared: Option<&'o PreparedNetwork>,
}

impl<'o> Verified<'o> {
    /// The one that `options` ask for.
    pub(super) fn of(package: &Package, options: &'o NetworkOptions) -> Result<Self, InferError> {
        let Some(prepared) = &options.prepared else {
            let file = package.model_file()?;
            return Ok(Self { file, own: own_precision(&package.model_onnx()?)?, prepared: None });
        };
        if options.as_written || options.execution_providers != [ExecutionProvider::Cpu] {
            return Err(unusable(
                &prepared.file,
                &"it is for execution_providers = [\"cpu\"] alone, and not as written",
            ));
        }
        let file = StampedFile::of(prepared.file.clone()).map_err(|error| unusable(&prepared.file, &error))?;
        prepared.verify()?;
        Ok(Self { file, own: prepared.precision, prepared: Some(prepared) })
    }

    pub(super) fn onnx(&self) -> Onnx<'_> {
        match self.prepared {
            Some(prepared) => Onnx::Prepared(&prepared.file),
            None => Onnx::File(self.file.path()),
        }
    }

    /// Whether what was read since is what was verified.
    pub(super) fn check_unchanged(&self) -> Result<(), InferError> {
        match self.prepared {
            Some(prepared) => self.file.check_unchanged().map_err(|error| unusable(&prepared.file, &error)),
            None => Ok(self.file.check_unchanged()?),
        }
    }
}
