//! The stream of PPM pictures that ffmpeg sends: memory grows with what has come, not with what a header claims.

use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use oodwatch::source::ppm::{PicturePipe, PipeEnd};

use super::within;

/// A pipe takes 64 KiB before somebody has to read.
const MAX_INPUT: usize = 60_000;
/// `P6`, two sides of five digits, `255`, and white space.
const MAX_HEADER_BYTES: usize = 65;

/// Reads `input` from a pipe, to its end.
pub fn run(input: &[u8]) {
    let input = &input[..input.len().min(MAX_INPUT)];
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(input).expect("room in the pipe");
    drop(writer);
    let mut pipe = PicturePipe::new(reader, Duration::from_secs(60));
    let stop = AtomicBool::new(false);
    let mut least = 0;
    loop {
        match within(8 * input.len() + (4 << 20), || pipe.next(&stop)) {
            Ok(image) => {
                assert_eq!(image.len() as u64, 3 * u64::from(image.width()) * u64::from(image.height()));
                assert!(input.windows(image.len()).any(|bytes| bytes == image.as_raw().as_slice()));
                least += image.len();
                assert!(least < input.len());
            }
            Err(PipeEnd::Closed) => {
                // Whole pictures and nothing else.
                assert!(input.len() <= least + MAX_HEADER_BYTES * (1 + input.len() / 12));
                return;
            }
            Err(PipeEnd::Malformed(problem)) => {
                assert!(!problem.is_empty());
                return;
            }
            Err(other) => panic!("{other:?} of a pipe that was written and closed"),
        }
    }
}
