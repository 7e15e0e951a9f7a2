//! Turns the npm package's picture sheets into CIFAR's official binary layout, byte for byte what the official archive
//! holds: the training code then reads one format, wherever the data came from.
//!
//! A sheet is a PNG of 1024 pixels width whose every row is one picture of 32x32; the labels are JSON lists of numbers.
//! The layout: per picture one label byte, then 1024 red, 1024 green and 1024 blue bytes.
//! Source: Krizhevsky 2009, <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::path::{Path, PathBuf};

use image::RgbImage;

/// Pixels of one picture.
const PIXELS: usize = 32 * 32;
/// Bytes of one picture with its label.
const RECORD_BYTES: usize = 1 + 3 * PIXELS;
/// The official order of the classes, which the labels count.
const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Why the package could not be converted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CifarError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A sheet is no picture.
    #[error("{}: {source}", path.display())]
    Sheet {
        /// The file.
        path: PathBuf,
        /// The reader's word on it.
        source: image::ImageError,
    },
    /// A sheet has another width.
    #[error("{}: {found} pixels wide, wanted {PIXELS} (one picture per row)", path.display())]
    Width {
        /// The file.
        path: PathBuf,
        /// Its width in pixels.
        found: u32,
    },
    /// The labels do not parse.
    #[error("{}: {source}", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// The reader's word on it.
        source: serde_json::Error,
    },
    /// There are not as many labels as pictures.
    #[error("{}: {labels} labels for {pictures} pictures", path.display())]
    Count {
        /// The sheet.
        path: PathBuf,
        /// Labels that are left for it.
        labels: usize,
        /// Its pictures.
        pictures: usize,
    },
}

/// Converts the unpacked package in `folder`, in place: the sheets go, the binary files come.
///
/// # Errors
/// When a file of the package is missing or is not what it should be.
pub(crate) fn convert(folder: &Path) -> Result<(), CifarError> {
    let package = folder.join("package");
    // The package spells them so.
    let train = read_labels(&package.join("train_lables.json"))?;
    let test = read_labels(&package.join("test_lables.json"))?;
    let per_batch = train.len().div_ceil(5).max(1);
    for (batch, labels) in train.chunks(per_batch).enumerate() {
        convert_sheet(&package, folder, &format!("data_batch_{}", batch + 1), labels)?;
    }
    convert_sheet(&package, folder, "test_batch", &test)?;
    let names = CLASSES.map(|class| format!("{class}\n")).concat() + "\n";
    write(&folder.join("batches.meta.txt"), names.as_bytes())?;
    std::fs::remove_dir_all(&package).map_err(|source| CifarError::File { path: package, source })
}

fn convert_sheet(from: &Path, to: &Path, name: &str, labels: &[u8]) -> Result<(), CifarError> {
    let path = from.join(format!("{name}.png"));
    let sheet = image::open(&path).map_err(|source| CifarError::Sheet { path: path.clone(), source })?.to_rgb8();
    if sheet.width() as usize != PIXELS {
        return Err(CifarError::Width { path, found: sheet.width() });
    }
    if sheet.height() as usize != labels.len() {
        return Err(CifarError::Count { path, labels: labels.len(), pictures: sheet.height() as usize });
    }
    write(&to.join(format!("{name}.bin")), &records(&sheet, labels))
}

/// One record per row of the sheet.
fn records(sheet: &RgbImage, labels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(labels.len() * RECORD_BYTES);
    for (row, label) in sheet.as_raw().chunks_exact(3 * PIXELS).zip(labels) {
        bytes.push(*label);
        for channel in 0..3 {
            bytes.extend(row.iter().skip(channel).step_by(3));
        }
    }
    bytes
}

/// The pictures of a file in the binary layout, in its order, with their labels.
///
/// # Errors
/// When the file cannot be read or holds no whole number of pictures.
pub(crate) fn read_pictures(path: &Path) -> Result<Vec<(u8, RgbImage)>, CifarError> {
    let bytes = std::fs::read(path).map_err(|source| CifarError::File { path: path.to_path_buf(), source })?;
    if bytes.len() % RECORD_BYTES != 0 {
        let said = format!("{} bytes, wanted a multiple of {RECORD_BYTES}", bytes.len());
        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, said);
        return Err(CifarError::File { path: path.to_path_buf(), source });
    }
    Ok(bytes.chunks_exact(RECORD_BYTES).map(|record| (record[0], picture(&record[1..]))).collect())
}

/// Three planes into one picture.
fn picture(planes: &[u8]) -> RgbImage {
    RgbImage::from_fn(32, 32, |x, y| {
        let at = (y * 32 + x) as usize;
        image::Rgb([planes[at], planes[PIXELS + at], planes[2 * PIXELS + at]])
    })
}

/// The class that a label counts to.
pub(crate) fn class(label: u8) -> &'static str {
    CLASSES.get(usize::from(label)).copied().unwrap_or("unknown")
}

fn read_labels(path: &Path) -> Result<Vec<u8>, CifarError> {
    let text = std::fs::read_to_string(path).map_err(|source| CifarError::File { path: path.to_path_buf(), source })?;
    serde_json::from_str(&text).map_err(|source| CifarError::Labels { path: path.to_path_buf(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CifarError> {
    std::fs::write(path, bytes).map_err(|source| CifarError::File { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package of five training sheets and one test sheet of two pictures each, whose pixels tell sheet, row,
    /// place and channel.
    fn made_up_package(folder: &Path) {
        let package = folder.join("package");
        std::fs::create_dir_all(&package).unwrap();
        std::fs::write(package.join("train_lables.json"), "[0,1,2,3,4,5,6,7,8,9]").unwrap();
        std::fs::write(package.join("test_lables.json"), "[9,3]").unwrap();
        let names = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
        for (sheet, name) in names.iter().enumerate() {
            let picture =
                RgbImage::from_fn(PIXELS as u32, 2, |x, y| image::Rgb([sheet as u8, y as u8, (x % 251) as u8]));
            picture.save(package.join(format!("{name}.png"))).unwrap();
        }
    }

    #[test]
    fn a_sheet_becomes_labels_and_planes() {
        let folder = tempfile::tempdir().unwrap();
        made_up_package(folder.path());
        convert(folder.path()).unwrap();
        let bytes = std::fs::read(folder.path().join("data_batch_2.bin")).unwrap();
        assert_eq!(bytes.len(), 2 * RECORD_BYTES);
        let second = &bytes[RECORD_BYTES..];
        assert_eq!(second[0], 3, "the label of the fourth picture");
        assert!(second[1..=PIXELS].iter().all(|red| *red == 1), "the sheet");
        assert!(second[1 + PIXELS..=2 * PIXELS].iter().all(|green| *green == 1), "the row");
        assert_eq!(second[1 + 2 * PIXELS..][..3], [0, 1, 2], "the place");
        assert!(!folder.path().join("package").exists());
        let names = std::fs::read_to_string(folder.path().join("batches.meta.txt")).unwrap();
        assert!(names.starts_with("airplane\nautomobile\n"));
    }

    #[test]
    fn pictures_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        made_up_package(folder.path());
        convert(folder.path()).unwrap();
        let pictures = read_pictures(&folder.path().join("test_batch.bin")).unwrap();
        assert_eq!(pictures.iter().map(|(label, _)| class(*label)).collect::<Vec<_>>(), ["truck", "cat"]);
        assert_eq!(pictures[1].1.get_pixel(2, 1), &image::Rgb([5, 1, 34]));
    }

    #[test]
    fn a_missing_label_is_told_with_both_counts() {
        let folder = tempfile::tempdir().unwrap();
        made_up_package(folder.path());
        std::fs::write(folder.path().join("package/test_lables.json"), "[9]").unwrap();
        let error = convert(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("test_batch.png: 1 labels for 2 pictures"), "{error}");
    }

    #[test]
    fn a_cut_off_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test_batch.bin");
        std::fs::write(&path, [0; 100]).unwrap();
        let error = read_pictures(&path).unwrap_err().to_string();
        assert!(error.ends_with("100 bytes, wanted a multiple of 3073"), "{error}");
    }
}
