//! ONNX files: reading one that somebody else made, and changing it without losing anything of it.
//!
//! [`proto`] declares the messages, for what is written anew (`oodwatch-export` writes whole networks with them) and
//! for the few parts that are looked into. [`model`] reads a file's structure straight from its bytes: weights are not
//! copied, and a hostile file can claim neither memory nor stack. [`rewrite`] changes the bytes of a file:
//! whatever is not meant to change (other operator sets, functions, metadata, annotations, fields that this build has
//! never heard of) stays as it is, byte for byte. [`build`] makes the nodes that are added.

pub mod build;
mod external;
pub mod model;
mod names;
pub mod proto;
pub mod rewrite;
pub mod wire;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use model::{Graph, Model, Node};
pub use names::Names;
pub use wire::WireError;

/// The largest file that is read. Protobuf itself ends at 2 GiB.
pub const MAX_BYTES: u64 = 1 << 30;

/// Why an ONNX file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// The file is too large to be a robot's network.
    #[error("{}: more than {} MiB; networks beyond that are not read", path.display(), MAX_BYTES >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The bytes are not what ONNX says they are.
    #[error("not a readable ONNX file: {part}: {source}")]
    Wire {
        /// The message in which the error lies.
        part: String,
        /// What is wrong, and where.
        source: WireError,
    },
    /// A message is well-formed but holds something that it must not hold.
    #[error("not a readable ONNX file: {part}: {problem}")]
    Malformed {
        /// The message in which the error lies.
        part: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Weights lie in other files.
    #[error(
        "tensor {tensor:?} lies in another file (external data), which is not read; put the network into one file, in \
         Python: onnx.save(onnx.load(FILE), \"one-file.onnx\", save_as_external_data=False)"
    )]
    ExternalData {
        /// The first such tensor.
        tensor: String,
    },
}

impl OnnxError {
    fn malformed(part: &str, problem: impl Into<String>) -> Self {
        Self::Malformed { part: part.into(), problem: problem.into() }
    }
}

/// Reads an ONNX file's bytes, up to [`MAX_BYTES`] of them.
///
/// # Errors
/// The file cannot be read, or is larger.
pub fn read(path: &Path) -> Result<Vec<u8>, OnnxError> {
    let failed = |source| OnnxError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, also where its length cannot be asked for.
    std::fs::File::open(path).map_err(failed)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 {
        0..=MAX_BYTES => Ok(bytes),
        _ => Err(OnnxError::TooLarge { path: path.into() }),
    }
}

#[cfg(test)]
pub(crate) mod tests;
