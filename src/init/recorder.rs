//! Writes footage: one PNG per frame, without loss, whole or not there at all.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _, RgbImage};
use jiff::Timestamp;

use super::InitError;
use crate::source::images::pictures_in;
use crate::source::recorded::Recorded;

/// Name of a picture that is being written; one that was left behind is written over.
const UNFINISHED: &str = ".unfinished";
const MB: u64 = 1_000_000;
/// What is left of a disk to others.
const RESERVE_BYTES: u64 = 512 * MB;

/// A folder of recorded pictures, into which more go.
#[derive(Debug)]
pub struct Recorder {
    dir: PathBuf,
    pictures: Vec<PathBuf>,
    next: u64,
    bytes: u64,
}

impl Recorder {
    /// Opens the folder and makes it where there is none; what was recorded into it before stays.
    ///
    /// # Errors
    /// The folder holds something else, or cannot be made or listed.
    pub fn open(dir: &Path) -> Result<Self, InitError> {
        let failed = |source| InitError::Disk { path: dir.into(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        check_only_footage(dir)?;
        let pictures = pictures_in(dir)?;
        let sizes = pictures.iter().map(|path| fs::metadata(path).map(|about| about.len()));
        let bytes = sizes.sum::<Result<u64, _>>().map_err(failed)?;
        let last = pictures.last().and_then(|path| Recorded::of(path));
        Ok(Self { dir: dir.into(), next: last.map_or(0, |last| last.number + 1), pictures, bytes })
    }

    /// Removes what was recorded into a folder, where there is one.
    ///
    /// # Errors
    /// As [`Self::open`]; nothing is removed then.
    pub fn clear(dir: &Path) -> Result<(), InitError> {
        if !dir.exists() {
            return Ok(());
        }
        check_only_footage(dir)?;
        fs::remove_dir_all(dir).map_err(|source| InitError::Disk { path: dir.into(), source })
    }

    /// Pictures that were there when it was opened, in their order.
    pub fn pictures_before(&self) -> &[PathBuf] {
        &self.pictures
    }

    /// Bytes of all pictures in the folder.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of pictures that the folder can hold, with those that are there, without filling the disk up.
    ///
    /// # Errors
    /// The disk cannot be asked.
    pub fn room(&self) -> Result<u64, InitError> {
        let about = rustix::fs::statvfs(&self.dir)
            .map_err(|error| InitError::Disk { path: self.dir.clone(), source: error.into() })?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        Ok(self.bytes.saturating_add(free.saturating_sub(RESERVE_BYTES)))
    }

    /// Whether the folder may grow to `max_bytes` of pictures.
    ///
    /// # Errors
    /// The disk has less room, or cannot be asked.
    pub fn check_room(&self, max_bytes: u64) -> Result<(), InitError> {
        let room = self.room()?;
        if room < max_bytes {
            return Err(InitError::Full { dir: self.dir.clone(), room_mb: room / MB, wanted_mb: max_bytes / MB });
        }
        Ok(())
    }

    /// Keeps a picture.
    ///
    /// # Errors
    /// The disk refuses; what was kept before is whole.
    pub fn keep(&mut self, image: &RgbImage, captured_at: Timestamp) -> Result<(), InitError> {
        let path = self.dir.join(Recorded { number: self.next, captured_at }.file_name());
        let unfinished = self.dir.join(UNFINISHED);
        let failed = |source| InitError::Disk { path: path.clone(), source };
        let mut file = BufWriter::new(File::create(&unfinished).map_err(failed)?);
        // Uncompressed, a picture is written at the speed of the disk; this halves it and takes little longer.
        PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Up)
            .write_image(image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8)
            .map_err(|source| InitError::Picture { path: path.clone(), source })?;
        file.flush().map_err(failed)?;
        self.bytes += file.get_ref().metadata().map_err(failed)?.len();
        fs::rename(&unfinished, &path).map_err(failed)?;
        self.next += 1;
        Ok(())
    }
}

fn check_only_footage(dir: &Path) -> Result<(), InitError> {
    let failed = |source| InitError::Disk { path: dir.into(), source };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let found = entry.map_err(failed)?.path();
        if Recorded::of(&found).is_none() && !found.ends_with(UNFINISHED) {
            return Err(InitError::NotFootage { dir: dir.into(), found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn picture(seed: u8) -> RgbImage {
        RgbImage::from_fn(20, 10, |x, y| Rgb([seed, (x * 12) as u8, (y * 25) as u8]))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    #[test]
    fn what_was_kept_comes_back_bit_by_bit_in_order_and_goes_on_after_a_break() {
        let dir = tempfile::tempdir().unwrap();
        let footage = dir.path().join("footage");
        let mut recorder = Recorder::open(&footage).unwrap();
        recorder.keep(&picture(1), at(0)).unwrap();
        recorder.keep(&picture(2), at(1)).unwrap();
        // Killed while it wrote.
        fs::write(footage.join(UNFINISHED), "half a picture").unwrap();
        let mut again = Recorder::open(&footage).unwrap();
        assert_eq!((again.pictures_before().len(), again.bytes()), (2, recorder.bytes()));
        again.keep(&picture(3), at(9)).unwrap();
        let pictures = pictures_in(&footage).unwrap();
        assert_eq!(pictures.len(), 3);
        for (seed, path) in [1, 2, 3].into_iter().zip(&pictures) {
            assert_eq!(image::open(path).unwrap().into_rgb8(), picture(seed));
        }
        assert_eq!(Recorded::of(&pictures[2]), Some(Recorded { number: 2, captured_at: at(9) }));
        let on_disk: u64 = pictures.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert_eq!(again.bytes(), on_disk);
    }

    #[test]
    fn a_folder_with_anything_else_in_it_is_neither_written_to_nor_cleared() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("holiday.png"), "precious").unwrap();
        assert!(matches!(Recorder::open(dir.path()), Err(InitError::NotFootage { .. })));
        assert!(matches!(Recorder::clear(dir.path()), Err(InitError::NotFootage { .. })));
        assert!(dir.path().join("holiday.png").exists());
    }

    #[test]
    fn what_was_recorded_can_be_cleared_also_where_there_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let footage = dir.path().join("footage");
        Recorder::clear(&footage).unwrap();
        Recorder::open(&footage).unwrap().keep(&picture(1), at(0)).unwrap();
        Recorder::clear(&footage).unwrap();
        assert!(!footage.exists());
    }

    #[test]
    fn more_than_the_disk_has_room_for_is_refused_before_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::open(dir.path()).unwrap();
        assert!(matches!(recorder.check_room(u64::MAX), Err(InitError::Full { .. })));
    }
}
