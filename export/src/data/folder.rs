//! Reads class-per-folder pictures, brought to one size by the runtime's own preprocessing.

use std::path::{Path, PathBuf};

use oodwatch::decode::{Content, decode};
use oodwatch::package::{Color, DType, InputSpec, Layout, Resize};
use oodwatch::preprocess::{PreprocessError, Preprocessor};
use oodwatch::source::images::is_picture;

use super::{DataError, Dataset, read};

pub(super) fn open(folder: &Path, height: usize, width: usize) -> Result<Dataset, DataError> {
    let classes: Vec<PathBuf> = sorted(folder)?.into_iter().filter(|path| path.is_dir()).collect();
    if classes.is_empty() {
        return Err(DataError::Folder { path: folder.into(), what: "no sub-folder; one per class is needed" });
    }
    let mut set = Dataset { images: Vec::new(), labels: Vec::new(), height, width, class_names: Vec::new() };
    let mut resizer = resizer(height, width).map_err(|source| DataError::Resize { path: folder.into(), source })?;
    for (label, class) in classes.iter().enumerate() {
        set.class_names.push(class.file_name().unwrap_or_default().to_string_lossy().into_owned());
        for path in sorted(class)?.iter().filter(|path| is_picture(path)) {
            let picture = decode(Content::Encoded(read(path)?))
                .map_err(|source| DataError::Picture { path: path.clone(), source })?;
            let planes = resizer.run(&picture).map_err(|source| DataError::Resize { path: path.clone(), source })?;
            set.images.extend(planes.iter().map(|&value| value as u8));
            set.labels.push(label as u16);
        }
    }
    if set.is_empty() {
        return Err(DataError::Folder { path: folder.into(), what: "no picture in any sub-folder" });
    }
    Ok(set)
}

/// A preprocessor that resizes and leaves the bytes as they are.
fn resizer(height: usize, width: usize) -> Result<Preprocessor, PreprocessError> {
    Preprocessor::new(&InputSpec {
        name: "picture".into(),
        dtype: DType::Float32,
        layout: Layout::Nchw,
        width: width as u32,
        height: height as u32,
        resize: Resize::CenterCrop,
        color: Color::Rgb,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
    })
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let error = |source| DataError::Read { path: folder.into(), source };
    let entries = std::fs::read_dir(folder).map_err(error)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<Result<Vec<_>, _>>().map_err(error)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn save(path: &Path, width: u32, height: u32, color: [u8; 3]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(width, height, Rgb(color)).save(path).unwrap();
    }

    #[test]
    fn classes_are_sorted_folders_and_pictures_get_one_size() {
        let dir = tempfile::tempdir().unwrap();
        save(&dir.path().join("zebra/b.png"), 9, 5, [7, 8, 9]);
        save(&dir.path().join("ant/a.png"), 4, 4, [1, 2, 3]);
        std::fs::write(dir.path().join("ant/notes.txt"), "not a picture").unwrap();
        let set = open(dir.path(), 4, 4).unwrap();
        assert_eq!(set.class_names, ["ant", "zebra"]);
        assert_eq!(set.labels, [0, 1]);
        assert_eq!(set.picture(0)[16], 2);
        assert_eq!((set.picture(1)[0], set.picture(1)[47]), (7, 9));
    }

    #[test]
    fn a_text_file_named_jpg_is_named_in_the_error() {
        let dir = tempfile::tempdir().unwrap();
        save(&dir.path().join("ant/a.png"), 4, 4, [1, 2, 3]);
        std::fs::write(dir.path().join("ant/b.jpg"), "hello").unwrap();
        let text = open(dir.path(), 4, 4).unwrap_err().to_string();
        assert!(text.contains("b.jpg") && text.contains("hello"), "{text}");
        assert!(open(&dir.path().join("ant"), 4, 4).unwrap_err().to_string().contains("no sub-folder"));
    }
}
