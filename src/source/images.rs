//! Pictures on disk as frames: a folder with all its sub-folders in sorted order, a text list of paths, or one file.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::recorded::Recorded;
use super::{FootageClock, Frame, Source, SourceError, list};
use crate::decode::{Content, MAX_ALLOC_BYTES};

/// File name endings that count as pictures in a folder.
const ENDINGS: &[&str] = &["bmp", "gif", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"];

/// `[camera.source.images]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagesConfig {
    /// A folder, a picture, a text file with one path per line, or `-` for such a list on stdin.
    pub path: PathBuf,
    /// Frames per second that the pictures stand for; spaces their capture times. Pictures that were recorded
    /// ([`super::recorded`]) have times of their own, which count instead.
    #[serde(default = "default_frames_per_second")]
    pub frames_per_second: f64,
    /// Whether to hold the pictures back to that rate, rather than to go as fast as possible.
    #[serde(default)]
    pub realtime: bool,
}

fn default_frames_per_second() -> f64 {
    30.0
}

impl ImagesConfig {
    /// Defaults for a path.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), frames_per_second: default_frames_per_second(), realtime: false }
    }
}

/// Whether a path ends like a picture.
pub fn is_picture(path: &Path) -> bool {
    path.extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Pictures on disk, read one at a time.
pub struct Images {
    paths: Paths,
    clock: FootageClock,
    frames_per_second: f64,
    /// When the first of them was taken, where all are recorded ones.
    recorded_from: Option<Timestamp>,
    next_index: u64,
}

impl Images {
    /// Finds the pictures behind the configured path.
    ///
    /// # Errors
    /// A path that cannot be listed, or nothing there.
    pub fn open(config: &ImagesConfig) -> Result<Self, SourceError> {
        let paths = Paths::open(&config.path)?;
        Ok(Self {
            recorded_from: paths.recorded_from(),
            paths,
            clock: FootageClock::start(config.realtime),
            frames_per_second: config.frames_per_second,
            next_index: 0,
        })
    }

    /// How long after the first picture this one was taken, or is meant to have been.
    fn offset(&self, index: u64, path: &Path) -> Duration {
        let recorded = Recorded::of(path).zip(self.recorded_from);
        match recorded.map(|(this, first)| Duration::try_from(this.captured_at.duration_since(first))) {
            // A clock that was set back while recording.
            Some(since) => since.unwrap_or_default(),
            None => Duration::from_secs_f64(index as f64 / self.frames_per_second),
        }
    }
}

/// Whether all pictures behind a path were recorded, and so are footage in the order of their names.
pub fn are_recorded(path: &Path) -> bool {
    Paths::open(path).is_ok_and(|paths| paths.recorded_from().is_some())
}

impl Source for Images {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Some(path) = self.paths.next()? else {
            return Ok(None);
        };
        let index = self.next_index;
        self.next_index += 1;
        let offset = self.offset(index, &path);
        let captured_at = self.clock.reach(offset, stop);
        let content = read_bounded(&path).map_or_else(Content::Unreadable, Content::Encoded);
        Ok(Some(Frame { index, path, captured_at, taken: Instant::now(), content }))
    }
}

/// Paths in order: known beforehand, or read line by line from stdin as they come.
enum Paths {
    Known(VecDeque<PathBuf>),
    Stdin(io::Stdin),
}

impl Paths {
    fn open(path: &Path) -> Result<Self, SourceError> {
        if path == Path::new("-") {
            return Ok(Self::Stdin(io::stdin()));
        }
        let failed = |source| SourceError::Open { path: path.into(), source };
        let about = fs::metadata(path).map_err(failed)?;
        let paths = if about.is_dir() {
            pictures_in(path)?
        } else if is_picture(path) {
            vec![path.to_path_buf()]
        } else {
            File::open(path).and_then(|list| list::paths(BufReader::new(list))).map_err(failed)?
        };
        if paths.is_empty() {
            return Err(SourceError::Nothing { path: path.into(), wanted: ENDINGS.join(", ") });
        }
        Ok(Self::Known(paths.into()))
    }

    fn recorded_from(&self) -> Option<Timestamp> {
        let Self::Known(paths) = self else { return None };
        let recorded: Option<Vec<Recorded>> = paths.iter().map(|path| Recorded::of(path)).collect();
        recorded?.first().map(|first| first.captured_at)
    }

    fn next(&mut self) -> Result<Option<PathBuf>, SourceError> {
        match self {
            Self::Known(paths) => Ok(paths.pop_front()),
            Self::Stdin(stdin) => list::next_path(&mut stdin.lock())
                .map_err(|source| SourceError::Open { path: PathBuf::from("stdin"), source }),
        }
    }
}

/// Every picture under `dir` and its sub-folders, sorted by path.
///
/// # Errors
/// A folder that cannot be listed.
pub fn pictures_in(dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut pictures = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let failed = |source| SourceError::Open { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            // A link to a folder is not followed: it could lead in a circle.
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if is_picture(&path) {
                pictures.push(path);
            }
        }
    }
    pictures.sort();
    Ok(pictures)
}

/// The whole file, if it is not larger than a picture may be.
pub fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_ALLOC_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_ALLOC_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {MAX_ALLOC_BYTES} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut source = Images::open(&ImagesConfig::new(dir)).unwrap();
        let stop = AtomicBool::new(false);
        std::iter::from_fn(|| source.next_frame(&stop).unwrap())
            .map(|frame| frame.path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_folder_gives_its_pictures_sorted_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        for name in ["b.png", "a/z.JPG", "notes.txt", "c.jpeg"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        assert_eq!(names(dir.path()), ["z.JPG", "b.png", "c.jpeg"]);
    }

    #[test]
    fn a_list_gives_its_lines_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("list.txt");
        fs::write(&list, "z.png\n\n  a.png \n").unwrap();
        assert_eq!(names(&list), ["z.png", "a.png"]);
    }

    #[test]
    fn a_missing_picture_is_a_frame_that_cannot_be_read() {
        let mut source = Images { paths: Paths::Known([PathBuf::from("/nonexistent.png")].into()), ..pictures() };
        let frame = source.next_frame(&AtomicBool::new(false)).unwrap().unwrap();
        assert!(matches!(frame.content, Content::Unreadable(_)));
    }

    #[test]
    fn capture_times_are_spaced_by_the_rate() {
        let paths = ["a.png", "b.png"].map(PathBuf::from);
        let mut source = Images { paths: Paths::Known(paths.into()), ..pictures() };
        let stop = AtomicBool::new(false);
        let times = [(); 2].map(|()| source.next_frame(&stop).unwrap().unwrap().captured_at);
        assert_eq!(times[1].duration_since(times[0]).as_millis(), 100);
    }

    #[test]
    fn recorded_pictures_keep_their_own_times_and_others_among_them_end_that() {
        let dir = tempfile::tempdir().unwrap();
        for (number, time) in [(0, "02:51:32"), (1, "02:51:32.25"), (2, "02:51:40")] {
            let captured_at = format!("2026-11-24T{time}Z").parse().unwrap();
            fs::write(dir.path().join(Recorded { number, captured_at }.file_name()), "a").unwrap();
        }
        let offsets = || {
            let mut source = Images::open(&ImagesConfig::new(dir.path())).unwrap();
            let stop = AtomicBool::new(false);
            let times = std::iter::from_fn(|| source.next_frame(&stop).unwrap()).map(|frame| frame.captured_at);
            let times: Vec<_> = times.collect();
            times.iter().map(|time| time.duration_since(times[0]).as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(offsets(), [0, 250, 8_000]);
        assert!(are_recorded(dir.path()));
        fs::write(dir.path().join("other.png"), "a").unwrap();
        assert_eq!(offsets(), [0, 33, 66, 100]);
        assert!(!are_recorded(dir.path()));
    }

    fn pictures() -> Images {
        Images {
            paths: Paths::Known(VecDeque::new()),
            clock: FootageClock::start(false),
            frames_per_second: 10.0,
            recorded_from: None,
            next_index: 0,
        }
    }

    #[test]
    fn an_empty_folder_is_said_to_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let error = Images::open(&ImagesConfig::new(dir.path())).err().unwrap();
        assert!(error.to_string().contains("no pictures in it"), "{error}");
    }
}
