//! Reads PPM pictures from a pipe with bounded waits and bounded memory.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use image::RgbImage;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::WAIT_SLICE;
use crate::decode::{MAX_ALLOC_BYTES, MAX_SIDE_PX};

/// Longest header that is read: `P6\n16384 16384\n255\n`.
const MAX_HEADER_BYTES: usize = 64;

/// Memory for the first bytes of a picture that is larger than the one before.
const FIRST_STEP_BYTES: usize = 1 << 20;

/// How reading ended without a picture.
#[derive(Debug)]
pub enum PipeEnd {
    /// The other end closed between two pictures.
    Closed,
    /// The stop flag was set.
    Stopped,
    /// Nothing came for this long.
    Silent(Duration),
    /// What came is no picture of this kind.
    Malformed(String),
    /// The pipe failed.
    Failed(io::Error),
}

/// The reading end of the pipe.
pub struct PicturePipe<P> {
    pipe: P,
    patience: Duration,
    /// Length of the last picture, in bytes.
    last_length: usize,
}

impl<P: Read + AsFd> PicturePipe<P> {
    /// Gives up on a pipe that stays silent for `patience`.
    pub fn new(pipe: P, patience: Duration) -> Self {
        Self { pipe, patience, last_length: 0 }
    }

    /// The next whole picture.
    ///
    /// # Errors
    /// Everything else that can happen, the end of the pipe among it.
    pub fn next(&mut self, stop: &AtomicBool) -> Result<RgbImage, PipeEnd> {
        let (width, height) = self.read_header(stop)?;
        let pixels = self.read_pixels(3 * width as usize * height as usize, stop)?;
        RgbImage::from_raw(width, height, pixels)
            .ok_or_else(|| PipeEnd::Malformed(format!("{width}x{height} pixels do not fit their buffer")))
    }

    /// Takes memory as bytes come, not because a header claims them; at once where the last picture was as long.
    fn read_pixels(&mut self, length: usize, stop: &AtomicBool) -> Result<Vec<u8>, PipeEnd> {
        let mut pixels = vec![0; length.min(self.last_length.max(FIRST_STEP_BYTES))];
        let mut read = 0;
        loop {
            self.read_exact(&mut pixels[read..], stop).map_err(cut_short)?;
            read = pixels.len();
            if read == length {
                self.last_length = length;
                return Ok(pixels);
            }
            pixels.resize(length.min(2 * read), 0);
        }
    }

    /// Reads byte by byte to the third newline, so that not one byte of pixels is taken.
    fn read_header(&mut self, stop: &AtomicBool) -> Result<(u32, u32), PipeEnd> {
        let mut header = Vec::with_capacity(MAX_HEADER_BYTES);
        while header.iter().filter(|byte| **byte == b'\n').count() < 3 {
            let mut byte = [0];
            let end = self.read_exact(&mut byte, stop);
            if header.is_empty() {
                end?
            } else {
                end.map_err(cut_short)?
            }
            header.push(byte[0]);
            if header.len() > MAX_HEADER_BYTES {
                break;
            }
        }
        size_in(&header).ok_or_else(|| {
            let text = String::from_utf8_lossy(&header).into_owned();
            PipeEnd::Malformed(format!("header {text:?}, wanted \"P6\\n<width> <height>\\n255\\n\""))
        })
    }

    fn read_exact(&mut self, buffer: &mut [u8], stop: &AtomicBool) -> Result<(), PipeEnd> {
        let mut filled = 0;
        while filled < buffer.len() {
            self.wait_readable(stop)?;
            match self.pipe.read(&mut buffer[filled..]) {
                Ok(0) => return Err(PipeEnd::Closed),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(PipeEnd::Failed(error)),
            }
        }
        Ok(())
    }

    fn wait_readable(&self, stop: &AtomicBool) -> Result<(), PipeEnd> {
        let since = Instant::now();
        let slice = Timespec { tv_sec: 0, tv_nsec: i64::from(WAIT_SLICE.subsec_nanos()) };
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(PipeEnd::Stopped);
            }
            match poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], Some(&slice)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(errno) => return Err(PipeEnd::Failed(errno.into())),
            }
            if since.elapsed() > self.patience {
                return Err(PipeEnd::Silent(since.elapsed()));
            }
        }
    }
}

/// A pipe that closes within a picture has not ended properly.
fn cut_short(end: PipeEnd) -> PipeEnd {
    match end {
        PipeEnd::Closed => PipeEnd::Malformed("the stream ends within a picture".into()),
        other => other,
    }
}

/// Width and height of a binary 8-bit PPM header, within the limits of a picture.
fn size_in(header: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(header).ok()?;
    let mut words = text.strip_prefix("P6\n")?.split_ascii_whitespace();
    let (width, height) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let sound = words.next() == Some("255")
        && (1..=MAX_SIDE_PX).contains(&width)
        && (1..=MAX_SIDE_PX).contains(&height)
        && 3 * u64::from(width) * u64::from(height) <= MAX_ALLOC_BYTES;
    sound.then_some((width, height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, ChildStdout, Command, Stdio};

    /// A shell at the other end, gone when the test is.
    struct Shell(Child);

    impl Drop for Shell {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    fn pipe_saying(script: &str, patience: Duration) -> (PicturePipe<ChildStdout>, Shell) {
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        (PicturePipe::new(child.stdout.take().unwrap(), patience), Shell(child))
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn pictures_come_out_as_they_went_in_until_the_pipe_closes() {
        let (mut pipe, _shell) = pipe_saying("printf 'P6\\n2 1\\n255\\nabcdef'", PATIENCE);
        let stop = AtomicBool::new(false);
        let image = pipe.next(&stop).unwrap();
        assert_eq!((image.dimensions(), image.as_raw().as_slice()), ((2, 1), b"abcdef".as_slice()));
        assert!(matches!(pipe.next(&stop), Err(PipeEnd::Closed)));
    }

    #[test]
    fn a_stream_that_ends_within_a_picture_is_malformed() {
        let (mut pipe, _shell) = pipe_saying("printf 'P6\\n2 1\\n255\\nabc'", PATIENCE);
        assert!(matches!(pipe.next(&AtomicBool::new(false)), Err(PipeEnd::Malformed(_))));
    }

    #[test]
    fn a_header_of_a_monstrous_picture_is_refused() {
        let (mut pipe, _shell) = pipe_saying("printf 'P6\\n99999 99999\\n255\\n'", PATIENCE);
        assert!(matches!(pipe.next(&AtomicBool::new(false)), Err(PipeEnd::Malformed(_))));
    }

    #[test]
    fn a_picture_of_many_steps_comes_whole_and_a_larger_claim_takes_no_memory() {
        let script = "for side in 1500 1500 2; do printf \"P6\\n$side $side\\n255\\n\"; head -c $((3*side*side)) /dev/zero; done; \
                      printf 'P6\\n13000 13000\\n255\\nabc'";
        let (mut pipe, _shell) = pipe_saying(script, PATIENCE);
        let stop = AtomicBool::new(false);
        for side in [1500, 1500, 2] {
            assert_eq!(pipe.next(&stop).unwrap().dimensions(), (side, side));
        }
        let counted = allocation_counter::measure(|| assert!(matches!(pipe.next(&stop), Err(PipeEnd::Malformed(_)))));
        assert!(counted.bytes_max < 2 << 20, "{counted:?}");
    }

    #[test]
    fn a_silent_pipe_is_given_up_and_a_stop_is_heard() {
        let (mut pipe, _shell) = pipe_saying("exec sleep 60", Duration::from_millis(1));
        assert!(matches!(pipe.next(&AtomicBool::new(false)), Err(PipeEnd::Silent(_))));
        assert!(matches!(pipe.next(&AtomicBool::new(true)), Err(PipeEnd::Stopped)));
    }
}
