//! A file that a library reads by itself, after its content was verified: whether it was still the same one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::PackageError;

/// A file, and what the file system says of it: that becomes another word when the file is written to, replaced, or
/// given back an old time (the time of change cannot be set).
pub(crate) struct StampedFile {
    path: PathBuf,
    stamp: [i64; 5],
}

impl StampedFile {
    /// The file as it is now.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn of(path: PathBuf) -> Result<Self, PackageError> {
        let stamp = stamp(&path)?;
        Ok(Self { path, stamp })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// # Errors
    /// It has been touched since.
    pub(crate) fn check_unchanged(&self) -> Result<(), PackageError> {
        if stamp(&self.path)? == self.stamp { Ok(()) } else { Err(PackageError::Changed { path: self.path.clone() }) }
    }
}

fn stamp(path: &Path) -> Result<[i64; 5], PackageError> {
    let found = fs::metadata(path).map_err(|source| PackageError::Read { path: path.into(), source })?;
    Ok([
        found.dev().cast_signed(),
        found.ino().cast_signed(),
        found.size().cast_signed(),
        found.ctime(),
        found.ctime_nsec(),
    ])
}
