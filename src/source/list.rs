//! Lists of paths, one per line, as `find` prints them. A path on Linux is bytes, not text, and a list may be a pipe from
//! anywhere: so lines are read as bytes, and only up to a length.

use std::ffi::OsString;
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Longest line that is read, in bytes; Linux opens paths of up to 4096.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// The next path of a list, without the white space around it, or `None` at the end. Empty lines are skipped.
///
/// # Errors
/// A list that cannot be read, or a line of more than [`MAX_LINE_BYTES`].
pub fn next_path(list: &mut impl BufRead) -> io::Result<Option<PathBuf>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = list.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if read > MAX_LINE_BYTES {
            let problem = format!("a line of more than {MAX_LINE_BYTES} bytes, wanted one path per line");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let path = line.trim_ascii();
        if !path.is_empty() {
            return Ok(Some(OsString::from_vec(path.to_vec()).into()));
        }
    }
}

/// All paths of a list.
///
/// # Errors
/// As [`next_path`].
pub fn paths(mut list: impl BufRead) -> io::Result<Vec<PathBuf>> {
    std::iter::from_fn(|| next_path(&mut list).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn lines_come_trimmed_in_their_order_and_empty_ones_not_at_all() {
        let found = paths(&b"z.png\n\n  a b.png \r\n\t\nlast"[..]).unwrap();
        assert_eq!(found, ["z.png", "a b.png", "last"].map(PathBuf::from));
    }

    #[test]
    fn a_path_that_is_no_text_is_a_path_all_the_same() {
        let found = paths(&b"caf\xe9.png\n"[..]).unwrap();
        assert_eq!(found[0].as_os_str().as_bytes(), b"caf\xe9.png");
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let error = paths(io::BufReader::new(io::repeat(b'a'))).unwrap_err();
        assert_eq!(error.to_string(), "a line of more than 65536 bytes, wanted one path per line");
        let longest = [vec![b'a'; MAX_LINE_BYTES - 1], vec![b'\n']].concat();
        assert_eq!(paths(&longest[..]).unwrap().len(), 1);
    }
}
