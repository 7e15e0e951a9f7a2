//! A stream of pictures put together from segments, of which the demo knows what each one shows.

use std::path::{Path, PathBuf};

/// What a segment shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the monitor was calibrated for.
    Known,
    /// Something else, cut in.
    Unknown,
}

/// Consecutive frames of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// For the reader of the table.
    pub(super) name: String,
    /// What it shows.
    pub(super) kind: Kind,
    /// Its pictures, in order.
    pub(super) pictures: Vec<PathBuf>,
}

/// Segments one after another.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// In order.
    pub(super) segments: Vec<Segment>,
}

impl Stream {
    /// Cuts each unknown segment into the known pictures, which are spread evenly around them: known, unknown, known,
    /// ..., unknown, known. Every picture appears once.
    pub(super) fn splice(known_name: &str, known: &[PathBuf], unknown: Vec<(String, Vec<PathBuf>)>) -> Stream {
        let blocks = unknown.len() + 1;
        let edge = |block: usize| block * known.len() / blocks;
        let mut unknown = unknown.into_iter();
        let mut stream = Stream::default();
        for block in 0..blocks {
            stream.push(known_name, Kind::Known, known[edge(block)..edge(block + 1)].to_vec());
            if let Some((name, pictures)) = unknown.next() {
                stream.push(&name, Kind::Unknown, pictures);
            }
        }
        stream
    }

    /// Adds a segment at the end, unless it is empty.
    pub(super) fn push(&mut self, name: &str, kind: Kind, pictures: Vec<PathBuf>) {
        if !pictures.is_empty() {
            self.segments.push(Segment { name: name.to_owned(), kind, pictures });
        }
    }

    /// Number of frames.
    pub(super) fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.pictures.len()).sum()
    }

    /// The segments with the number of their first frame.
    pub(super) fn with_starts(&self) -> impl Iterator<Item = (usize, &Segment)> {
        self.segments.iter().scan(0, |next, segment| {
            let start = *next;
            *next += segment.pictures.len();
            Some((start, segment))
        })
    }

    /// Writes the paths as `[camera.source.images]` reads them, one per line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write_list(&self, path: &Path) -> std::io::Result<()> {
        write_list(path, self.segments.iter().flat_map(|segment| &segment.pictures))
    }
}

/// Writes paths, one per line.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write_list<'a>(path: &Path, pictures: impl IntoIterator<Item = &'a PathBuf>) -> std::io::Result<()> {
    let lines: String = pictures.into_iter().map(|picture| format!("{}\n", picture.display())).collect();
    std::fs::write(path, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    fn check(known: &[&str], unknown: &[(&str, &[&str])], expected: &[(usize, &str, &[&str])]) {
        let unknown = unknown.iter().map(|(name, pictures)| ((*name).to_owned(), paths(pictures))).collect();
        let stream = Stream::splice("known", &paths(known), unknown);
        let found: Vec<_> = stream.with_starts().map(|(at, it)| (at, it.name.as_str(), it.pictures.clone())).collect();
        let expected: Vec<_> = expected.iter().map(|(at, name, pictures)| (*at, *name, paths(pictures))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn known_pictures_are_spread_around_the_unknown_ones() {
        check(
            &["1", "2", "3", "4", "5"],
            &[("clip", &["a", "b"]), ("texture", &["c"])],
            &[
                (0, "known", &["1"]),
                (1, "clip", &["a", "b"]),
                (3, "known", &["2", "3"]),
                (5, "texture", &["c"]),
                (6, "known", &["4", "5"]),
            ],
        );
    }

    #[test]
    fn without_unknown_pictures_the_stream_is_the_known_ones() {
        check(&["1", "2"], &[], &[(0, "known", &["1", "2"])]);
    }

    #[test]
    fn the_list_has_one_path_per_line_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.txt");
        let stream = Stream::splice("known", &paths(&["1", "2"]), vec![("clip".to_owned(), paths(&["a"]))]);
        stream.write_list(&list).unwrap();
        assert_eq!(std::fs::read_to_string(&list).unwrap(), "1\na\n2\n");
        assert_eq!(stream.len(), 3);
    }
}
