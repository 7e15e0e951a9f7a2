//! Puts frames together from the pieces that a pipe delivers.
//!
//! A frame of a raw format is so many bytes, and the next one follows; JPEG pictures show where they end. Nothing here waits, and
//! nothing is taken from a pipe that does not belong to this frame or, of JPEG pictures, to the next few.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::jpeg::Splitter;
use crate::decode::{PixelFormat, RawLayout};
use crate::source::Pool;

/// Bytes that are read of a stream of JPEG pictures at once.
const CHUNK_BYTES: usize = 64 << 10;

/// When something came, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) instant: Instant,
    pub(super) wall: Timestamp,
}

impl Stamp {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), wall: Timestamp::now() }
    }
}

/// What one look at the pipe brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// The other end is closed.
    End,
    /// So many bytes.
    Bytes(usize),
}

/// The frame that is on its way.
#[derive(Debug)]
pub(super) struct Frames {
    kind: Kind,
    /// Where buffers come from. One is taken when there is something to put into it, and not before: the last frame's may be back by then.
    pool: Arc<Pool>,
    /// When its first byte came: whatever took the picture was done by then.
    began: Option<Stamp>,
}

#[derive(Debug)]
enum Kind {
    /// Frames of one length. Without a buffer until the first byte of the next one has come.
    Fixed { bytes: Vec<u8>, filled: usize, length: usize },
    /// JPEG pictures.
    Jpeg { splitter: Splitter, chunk: Vec<u8> },
}

impl Frames {
    pub(super) fn new(layout: &RawLayout, pool: &Arc<Pool>) -> Self {
        let kind = match layout.format() {
            PixelFormat::Mjpg => Kind::Jpeg {
                splitter: Splitter::new(layout.width_px(), layout.height_px()),
                chunk: vec![0; CHUNK_BYTES],
            },
            _ => Kind::Fixed { bytes: Vec::new(), filled: 0, length: layout.frame_bytes() },
        };
        Self { kind, pool: Arc::clone(pool), began: None }
    }

    /// Reads once from a pipe that has something, or is closed.
    ///
    /// # Errors
    /// The pipe failed.
    pub(super) fn read(&mut self, pipe: &mut impl Read) -> io::Result<Got> {
        let target = match &mut self.kind {
            Kind::Fixed { bytes, filled, length } => {
                if bytes.is_empty() {
                    *bytes = self.pool.take();
                }
                bytes.resize(*length, 0);
                &mut bytes[*filled..]
            }
            Kind::Jpeg { chunk, .. } => chunk.as_mut_slice(),
        };
        let count = match pipe.read(target) {
            Ok(0) => return Ok(Got::End),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Got::Bytes(0)),
            Err(error) => return Err(error),
        };
        match &mut self.kind {
            Kind::Fixed { filled, .. } => *filled += count,
            Kind::Jpeg { splitter, chunk } => splitter.push(&chunk[..count]),
        }
        self.began.get_or_insert_with(Stamp::now);
        Ok(Got::Bytes(count))
    }

    /// The next whole frame, if there is one.
    pub(super) fn take(&mut self) -> Option<(Stamp, Vec<u8>)> {
        match &mut self.kind {
            Kind::Fixed { bytes, filled, length } if *filled == *length => {
                *filled = 0;
                Some((self.began.take()?, std::mem::take(bytes)))
            }
            Kind::Fixed { .. } => None,
            Kind::Jpeg { splitter, .. } => {
                let began = self.began?;
                let mut picture = self.pool.take();
                let whole = splitter.cut(&mut picture);
                // What is left came with the last chunk, just now.
                if whole || !splitter.has_begun() {
                    self.began = splitter.has_begun().then(Stamp::now);
                }
                if !whole {
                    self.pool.put(picture);
                    return None;
                }
                Some((began, picture))
            }
        }
    }

    /// What came of a frame whose rest will never come.
    pub(super) fn rest(&mut self) -> Option<(Stamp, Vec<u8>)> {
        let began = self.began.take()?;
        let mut rest = Vec::new();
        let cut = match &mut self.kind {
            Kind::Fixed { bytes, filled, .. } => {
                std::mem::swap(bytes, &mut rest);
                rest.truncate(std::mem::take(filled));
                !rest.is_empty()
            }
            Kind::Jpeg { splitter, .. } => splitter.rest(&mut rest),
        };
        cut.then_some((began, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Encoding;

    /// A pipe that delivers these pieces.
    struct Pieces<'p>(Vec<&'p [u8]>);

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some(first) = self.0.first_mut() else { return Ok(0) };
            let count = first.len().min(into.len());
            into[..count].copy_from_slice(&first[..count]);
            *first = &first[count..];
            self.0.retain(|piece| !piece.is_empty());
            Ok(count)
        }
    }

    fn frames(layout: &RawLayout, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        let (mut frames, mut pipe, mut found) =
            (Frames::new(layout, &Arc::default()), Pieces(pieces.to_vec()), Vec::new());
        while frames.read(&mut pipe).unwrap() != Got::End {
            while let Some((_, frame)) = frames.take() {
                found.push(frame);
            }
        }
        (found, frames.rest().map(|(_, rest)| rest))
    }

    #[test]
    fn frames_are_cut_by_their_length_however_the_pieces_come_and_a_rest_is_a_rest() {
        let layout = RawLayout::new(PixelFormat::Grey, (2, 2), 0, Encoding::JPEG).unwrap();
        let (found, rest) = frames(&layout, &[b"a", b"bcdefgh", b"ij"]);
        assert_eq!(found, [b"abcd", b"efgh"]);
        assert_eq!(rest.unwrap(), b"ij");
        assert_eq!(frames(&layout, &[b"abcd"]), (vec![b"abcd".to_vec()], None));
        assert_eq!(frames(&layout, &[]), (vec![], None));
    }

    #[test]
    fn padding_belongs_to_a_frame() {
        let layout = RawLayout::new(PixelFormat::Grey, (2, 2), 3, Encoding::JPEG).unwrap();
        assert_eq!(frames(&layout, &[b"ab.cd.ef.gh."]).0, [b"ab.cd.", b"ef.gh."]);
    }

    #[test]
    fn several_pictures_in_one_piece_come_one_by_one() {
        let layout = RawLayout::new(PixelFormat::Mjpg, (8, 8), 0, Encoding::JPEG).unwrap();
        let bare: &[u8] = &[0xff, 0xd8, 0xff, 0xd9];
        let (found, rest) = frames(&layout, &[&[bare, bare, &bare[..3]].concat()]);
        assert_eq!(found, [bare, bare]);
        assert_eq!(rest.unwrap(), &bare[..3]);
    }

    #[test]
    fn frames_that_are_judged_before_the_next_one_begins_share_one_buffer() {
        let layout = RawLayout::new(PixelFormat::Grey, (2, 2), 0, Encoding::JPEG).unwrap();
        let pool = Arc::default();
        let (mut frames, mut pipe) = (Frames::new(&layout, &pool), Pieces(vec![b"abcd", b"ef", b"gh", b"ijkl"]));
        let mut places = Vec::new();
        while frames.read(&mut pipe).unwrap() != Got::End {
            if let Some((_, frame)) = frames.take() {
                places.push(frame.as_ptr());
                drop(pool.send(frame));
            }
        }
        assert_eq!(places, [places[0]; 3]);
    }
}
