//! The progress bar of long work on pictures.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over so many pictures, with a word on what is done to them.
pub(crate) fn bar(pictures: usize, what: String) -> ProgressBar {
    let bar = ProgressBar::new(pictures as u64).with_prefix(what);
    match ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
