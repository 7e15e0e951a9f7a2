//! Labelled pictures in memory: where they come from, and the batches that training makes of them.

mod batch;
mod cifar;
mod folder;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use batch::{Augment, Batch, Batcher, Normalise, shuffled};

/// Where a set of pictures is: exactly one of `cifar` and `folder`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum DataSource {
    /// Files in the CIFAR-10 binary layout: per picture one label byte, then 3072 bytes (R, G, B planes of 32x32).
    Cifar(Vec<PathBuf>),
    /// A folder with one sub-folder of pictures per class; classes are the sorted names of the sub-folders.
    Folder(PathBuf),
}

/// Pictures of one size with their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// [N, 3, H, W], row-major, R, G, B planes.
    pub images: Vec<u8>,
    /// Class of each picture, [N].
    pub labels: Vec<u16>,
    /// Rows of a picture.
    pub height: usize,
    /// Columns of a picture.
    pub width: usize,
    /// Names of the classes, where the source has them.
    pub class_names: Vec<String>,
}

/// What goes wrong when pictures are read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("data: {path}: {source}", path = path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not in the CIFAR binary layout.
    #[error("data: {path}: {found} bytes, the CIFAR layout needs a multiple of {record} (1 label byte and 3072 pixel bytes)", path = path.display())]
    NotCifar {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        found: usize,
        /// Size of one record in bytes.
        record: usize,
    },
    /// A class-per-folder set without classes or without pictures.
    #[error("data: {path}: {what}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// A picture cannot be decoded.
    #[error("data: {path}: {source}", path = path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why.
        source: oodwatch::decode::DecodeError,
    },
    /// A picture cannot be brought to the network's input size.
    #[error("data: {path}: {source}", path = path.display())]
    Resize {
        /// The file.
        path: PathBuf,
        /// Why.
        source: oodwatch::preprocess::PreprocessError,
    },
}

impl Dataset {
    /// Reads a set; pictures in folders are brought to `height` x `width` the way the runtime does it.
    ///
    /// # Errors
    /// A file that cannot be read or has another layout, named with what was found.
    pub fn open(source: &DataSource, height: usize, width: usize) -> Result<Self, DataError> {
        match source {
            DataSource::Cifar(files) => cifar::open(files),
            DataSource::Folder(folder) => folder::open(folder, height, width),
        }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without pictures.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The planes of picture `index`, [3, H, W].
    pub fn picture(&self, index: usize) -> &[u8] {
        let size = 3 * self.height * self.width;
        &self.images[index * size..(index + 1) * size]
    }

    /// One more than the largest label.
    pub fn classes_used(&self) -> usize {
        self.labels.iter().max().map_or(0, |&label| usize::from(label) + 1)
    }
}

/// How many pictures are run at once where no gradient is needed: `small` of 32x32 pixels, fewer of larger ones, so that
/// they take no more memory; never fewer than 16.
pub(crate) fn pictures_at_once(small: usize, height: usize, width: usize) -> usize {
    (small * 32 * 32 / (height * width).max(1)).clamp(16.min(small), small)
}

fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(|source| DataError::Read { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_pictures_are_run_fewer_at_once() {
        assert_eq!(pictures_at_once(500, 32, 32), 500);
        assert_eq!(pictures_at_once(500, 64, 64), 125);
        assert_eq!(pictures_at_once(500, 224, 224), 16);
    }
}
