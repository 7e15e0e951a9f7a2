//! Everything that can be wrong with a package, each case saying which file, what was found and what was wanted.

use std::io;
use std::path::PathBuf;

/// Why a package could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// The place where a package should go is taken.
    #[error("{}: exists already; choose another place, or replace it with --force", path.display())]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// What should be replaced is something else than a package.
    #[error("{}: is no model package, so it is not replaced; choose another place", path.display())]
    NotAPackage {
        /// The place.
        path: PathBuf,
    },
    /// A file became another one between its verification and its use.
    #[error("{}: was changed while it was being opened; try again when nothing writes to it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// `manifest.toml` is not what it should be; the text shows line and caret.
    #[error("{}: {source}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A manifest could not be put into TOML.
    #[error("manifest.toml: cannot be put into TOML: {0}")]
    Serialise(#[from] toml::ser::Error),
    /// The package was written by a newer oodwatch.
    #[error("{}: schema {found}, this oodwatch reads up to {newest}; use a newer oodwatch or export the package again", path.display())]
    NewerSchema {
        /// The manifest.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest that this build reads.
        newest: u32,
    },
    /// A value of the manifest is out of range.
    #[error("{}: {field} is {found}, wanted {wanted}", path.display())]
    Value {
        /// The manifest.
        path: PathBuf,
        /// The key.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        wanted: &'static str,
    },
    /// The manifest does not vouch for a file that the package needs.
    #[error("{}: [files] lacks {file:?}", path.display())]
    NotListed {
        /// The manifest.
        path: PathBuf,
        /// The missing entry.
        file: String,
    },
    /// A file is not the one that the manifest vouches for.
    #[error("{}: sha256 {found} ({bytes} bytes), manifest.toml wants {wanted}: the file is damaged, truncated or foreign", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// sha256 of what is there.
        found: String,
        /// Length of what is there.
        bytes: u64,
        /// sha256 of what the manifest wants.
        wanted: String,
    },
    /// A .safetensors file cannot be parsed.
    #[error("{file}: not a readable safetensors file: {source}")]
    Tensors {
        /// The file's name.
        file: String,
        /// Where and why.
        source: safetensors::SafeTensorError,
    },
    /// A tensor is missing.
    #[error("{file}: tensor {name:?} missing; it has {present}")]
    TensorMissing {
        /// The file's name.
        file: String,
        /// The tensor's name.
        name: String,
        /// Names of the tensors that are there.
        present: String,
    },
    /// A tensor has another shape or type.
    #[error("{file}: tensor {name:?} is {found}, wanted {wanted}")]
    TensorShape {
        /// The file's name.
        file: String,
        /// The tensor's name.
        name: String,
        /// Its type and shape.
        found: String,
        /// The type and shape that would fit.
        wanted: String,
    },
    /// A .safetensors file's own description is missing or unreadable.
    #[error("{file}: metadata {key:?}: {problem}")]
    Metadata {
        /// The file's name.
        file: String,
        /// The metadata key.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor holds values that it must not hold.
    #[error("{file}: tensor {name:?}: {problem}")]
    TensorValues {
        /// The file's name.
        file: String,
        /// The tensor's name.
        name: String,
        /// What is wrong with them.
        problem: String,
    },
}
