//! Reads files in the CIFAR-10 binary layout (<https://www.cs.toronto.edu/~kriz/cifar.html>, "Binary version").

use std::path::{Path, PathBuf};

use super::{DataError, Dataset, read};

const SIDE: usize = 32;
const RECORD: usize = 1 + 3 * SIDE * SIDE;
/// Beside the files, one class name per line; optional.
const NAMES_FILE: &str = "batches.meta.txt";

pub(super) fn open(files: &[PathBuf]) -> Result<Dataset, DataError> {
    let mut images = Vec::new();
    let mut labels = Vec::new();
    for path in files {
        let bytes = read(path)?;
        if bytes.is_empty() || bytes.len() % RECORD != 0 {
            return Err(DataError::NotCifar { path: path.clone(), found: bytes.len(), record: RECORD });
        }
        for record in bytes.chunks_exact(RECORD) {
            labels.push(u16::from(record[0]));
            images.extend_from_slice(&record[1..]);
        }
    }
    let class_names = files.first().and_then(|file| file.parent()).map(class_names).unwrap_or_default();
    Ok(Dataset { images, labels, height: SIDE, width: SIDE, class_names })
}

fn class_names(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(NAMES_FILE)).unwrap_or_default();
    text.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_planes_are_read_in_file_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("batch.bin");
        let mut bytes = vec![7u8];
        bytes.extend((0..3072).map(|i| (i / 1024) as u8));
        bytes.push(9);
        bytes.extend([5u8; 3072]);
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(dir.path().join(NAMES_FILE), "cat\ndog\n\n").unwrap();
        let set = open(&[path]).unwrap();
        assert_eq!(set.labels, [7, 9]);
        assert_eq!(set.picture(0)[1024], 1);
        assert_eq!(set.picture(1)[3071], 5);
        assert_eq!(set.class_names, ["cat", "dog"]);
    }

    #[test]
    fn a_truncated_file_is_refused_with_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("batch.bin");
        std::fs::write(&path, [0u8; 3000]).unwrap();
        let text = open(&[path]).unwrap_err().to_string();
        assert!(text.contains("3000 bytes") && text.contains("3073"), "{text}");
    }
}
