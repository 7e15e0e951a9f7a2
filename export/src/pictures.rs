//! Pictures that a finished network is judged on, in a fixed order, one at a time.
//!
//! Training reads [`crate::data`] as labelled tensors; here a set may also be a folder without
//! classes, and every picture is an RGB image, because it goes through the runtime's own decoding and
//! preprocessing.

use std::path::{Path, PathBuf};

use image::RgbImage;
use ndarray::Array4;
use oodwatch::decode::{Content, DecodeError, decode};
use oodwatch::package::{Manifest, Resize};
use oodwatch::preprocess::{PreprocessError, Preprocessor};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::data::{DataError, DataSource, Dataset};

/// Side of a picture in the CIFAR layout, pixels.
const CIFAR_SIDE: usize = 32;

/// Which pictures of a set are used. Every choice is made on the validation half; the test half is for
/// a final table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// Pictures of even index.
    #[default]
    Validation,
    /// Pictures of odd index.
    Test,
    /// All of them.
    All,
}

impl Half {
    /// The indices of this half among `count` pictures.
    pub fn indices(self, count: usize) -> Vec<usize> {
        (0..count).filter(|index| self.keeps(*index)).collect()
    }

    fn keeps(self, index: usize) -> bool {
        match self {
            Self::Validation => index.is_multiple_of(2),
            Self::Test => !index.is_multiple_of(2),
            Self::All => true,
        }
    }
}

/// Why pictures could not be read.
#[derive(Debug, Error)]
pub enum PictureError {
    /// A set cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file or folder cannot be read.
    #[error("pictures: {path}: {source}", path = path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The package wants pictures stretched.
    #[error(
        "pictures: the package wants pictures stretched (input.resize), and folders with a label each are read with their centre cut out; \
         name a set in CIFAR's layout"
    )]
    Stretched,
    /// The labels are not those of the package.
    #[error("pictures: the classes of the set are {found}; the package has {wanted}")]
    Classes {
        /// Of the set, in order.
        found: String,
        /// Of the package, in order.
        wanted: String,
    },
    /// A folder without pictures.
    #[error("pictures: {path}: no file in this folder or below ends like a picture (png, jpg, webp, ...)", path = path.display())]
    None {
        /// The folder.
        path: PathBuf,
    },
    /// A picture is damaged or of an unknown format.
    #[error("pictures: {path}: {source}", path = path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DecodeError,
    },
    /// A set in memory does not have the size that it says.
    #[error("pictures: {found} bytes, {wanted} needed for one picture")]
    Size {
        /// Bytes there are.
        found: usize,
        /// Bytes that it takes.
        wanted: usize,
    },
    /// A picture cannot be prepared for the network.
    #[error("pictures: {0}")]
    Preprocess(#[from] PreprocessError),
    /// Prepared pictures do not fit into a batch.
    #[error("pictures: batch of another shape: {0}")]
    Batch(#[from] ndarray::ShapeError),
}

/// A set of pictures with a fixed order: that of the file, or of the sorted paths.
#[derive(Debug)]
pub enum Pictures {
    /// In memory, with the class of each.
    Labelled(Dataset),
    /// Files; decoded when asked for.
    Files(Vec<PathBuf>),
    /// Made by this program, without classes.
    Made(Vec<RgbImage>),
}

impl Pictures {
    /// A set whose classes are known; folders hold one sub-folder per class.
    ///
    /// # Errors
    /// [`PictureError::Data`].
    pub fn labelled(source: &DataSource, height: usize, width: usize) -> Result<Self, PictureError> {
        Ok(Self::Labelled(Dataset::open(source, height, width)?))
    }

    /// A set with labels, as a package wants its pictures.
    ///
    /// # Errors
    /// As [`Self::labelled`]; a package that stretches pictures, which those of folders with labels are not, or that has the set's classes
    /// in another order, or another number of them. Where names differ altogether, the order is believed.
    pub fn labelled_of(source: &DataSource, manifest: &Manifest) -> Result<Self, PictureError> {
        let [_, height, width] = manifest.input.chw();
        if matches!(source, DataSource::Folder(_)) && manifest.input.resize != Resize::CenterCrop {
            return Err(PictureError::Stretched);
        }
        let set = Dataset::open(source, height, width)?;
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names
        };
        let (found, wanted) = (&set.class_names, &manifest.classes);
        let known = !found.is_empty();
        if known && (found.len() != wanted.len() || found != wanted && sorted(found) == sorted(wanted)) {
            return Err(PictureError::Classes { found: found.join(", "), wanted: wanted.join(", ") });
        }
        Ok(Self::Labelled(set))
    }

    /// A set whose classes do not matter; folders may be nested in any way.
    ///
    /// # Errors
    /// [`PictureError::Data`], [`PictureError::Read`], [`PictureError::None`].
    pub fn unlabelled(source: &DataSource) -> Result<Self, PictureError> {
        match source {
            DataSource::Cifar(_) => Self::labelled(source, CIFAR_SIDE, CIFAR_SIDE),
            DataSource::Folder(folder) => {
                let mut files = Vec::new();
                collect(folder, &mut files)?;
                files.sort();
                if files.is_empty() { Err(PictureError::None { path: folder.clone() }) } else { Ok(Self::Files(files)) }
            }
        }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        match self {
            Self::Labelled(set) => set.len(),
            Self::Files(files) => files.len(),
            Self::Made(images) => images.len(),
        }
    }

    /// True without pictures.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Class of a picture, where it is known.
    pub fn label(&self, index: usize) -> Option<usize> {
        match self {
            Self::Labelled(set) => set.labels.get(index).map(|&label| usize::from(label)),
            Self::Files(_) | Self::Made(_) => None,
        }
    }

    /// The pictures at `indices`, prepared as the runtime does it: [N, 3, H, W].
    ///
    /// # Errors
    /// The first picture that cannot be read or prepared.
    pub fn batch(
        &self,
        indices: &[usize],
        preprocessor: &mut Preprocessor,
        chw: [usize; 3],
    ) -> Result<Array4<f32>, PictureError> {
        let [channels, height, width] = chw;
        let mut values = Vec::with_capacity(indices.len() * channels * height * width);
        for &index in indices {
            values.extend_from_slice(preprocessor.run(&self.read(index)?)?);
        }
        Ok(Array4::from_shape_vec((indices.len(), channels, height, width), values)?)
    }

    /// The picture at `index` in its own size.
    ///
    /// # Errors
    /// It cannot be read or decoded.
    pub fn read(&self, index: usize) -> Result<RgbImage, PictureError> {
        match self {
            Self::Labelled(set) => interleaved(set.picture(index), set.width, set.height),
            Self::Files(files) => read_file(&files[index]),
            Self::Made(images) => Ok(images[index].clone()),
        }
    }
}

/// [3, H, W] planes as an image of interleaved pixels.
fn interleaved(planes: &[u8], width: usize, height: usize) -> Result<RgbImage, PictureError> {
    let area = width * height;
    let pixels: Vec<u8> = (0..area).flat_map(|at| [planes[at], planes[area + at], planes[2 * area + at]]).collect();
    let size = PictureError::Size { found: pixels.len(), wanted: 3 * area };
    RgbImage::from_raw(width as u32, height as u32, pixels).ok_or(size)
}

fn read_file(path: &Path) -> Result<RgbImage, PictureError> {
    let bytes = std::fs::read(path).map_err(|source| PictureError::Read { path: path.into(), source })?;
    decode(Content::Encoded(bytes)).map_err(|source| PictureError::Decode { path: path.into(), source })
}

/// Every picture file in a folder and below.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), PictureError> {
    let read = |source| PictureError::Read { path: folder.into(), source };
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if oodwatch::source::images::is_picture(&path) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_share_no_picture_and_miss_none() {
        assert_eq!(Half::Validation.indices(5), [0, 2, 4]);
        assert_eq!(Half::Test.indices(5), [1, 3]);
        assert_eq!(Half::All.indices(3), [0, 1, 2]);
    }

    #[test]
    fn planes_become_pixels() {
        let image = interleaved(&[1, 2, 11, 12, 21, 22], 2, 1).unwrap();
        assert_eq!(image.into_raw(), [1, 11, 21, 2, 12, 22]);
    }

    #[test]
    fn a_nested_folder_is_read_in_the_order_of_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for (name, grey) in [("b/2.png", 2), ("c.png", 3), ("a.png", 0), ("b/10.png", 1)] {
            RgbImage::from_pixel(1, 1, image::Rgb([grey; 3])).save(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), "not a picture").unwrap();
        let set = Pictures::unlabelled(&DataSource::Folder(folder.path().into())).unwrap();
        let greys: Vec<u8> = (0..set.len()).map(|i| set.read(i).unwrap().into_raw()[0]).collect();
        assert_eq!(greys, [0, 1, 2, 3]);
    }

    #[test]
    fn a_damaged_picture_and_an_empty_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let source = DataSource::Folder(folder.path().into());
        assert!(matches!(Pictures::unlabelled(&source), Err(PictureError::None { .. })));
        std::fs::write(folder.path().join("text.jpg"), "hello").unwrap();
        let error = Pictures::unlabelled(&source).unwrap().read(0).unwrap_err().to_string();
        assert!(error.contains("text.jpg") && error.contains("not a picture"), "{error}");
    }
}
