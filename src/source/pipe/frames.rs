//! Puts frames together from the pieces that a pipe delivers.
//!
//! A frame of a raw format is so many bytes, and the next one follows; JPEG pictures show where they end. Nothing here waits, and
//! nothing is taken from a pipe that does not belong to this frame or, of JPEG pictures, to the next few.

use std::io::{self, Read};
use std::time::Instant;

use jiff::Timestamp;

use super::jpeg::Splitter;
use crate::decode::{PixelFormat, RawLayout};

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
    /// When its first byte came: whatever took the picture was done by then.
    began: Option<Stamp>,
}

#[derive(Debug)]
enum Kind {
    /// Frames of one length.
    Fixed { bytes: Vec<u8>, filled: usize, length: usize },
    /// JPEG pictures.
    Jpeg { splitter: Splitter, chunk: Vec<u8> },
}

impl Frames {
    pub(super) fn new(layout: &RawLayout) -> Self {
        let kind = match layout.format() {
            PixelFormat::Mjpg => Kind::Jpeg {
                splitter: Splitter::new(layout.width_px(), layout.height_px()),
                chunk: vec![0; CHUNK_BYTES],
            },
            _ => Kind::Fixed { bytes: Vec::new(), filled: 0, length: layout.frame_bytes() },
        };
        Self { kind, began: None }
    }

    /// Reads once from a pipe that has something, or is closed.
    ///
    /// # Errors
    /// The pipe failed.
    pub(super) fn read(&mut self, pipe: &mut impl Read) -> io::Result<Got> {
        let target = match &mut self.kind {
            Kind::Fixed { bytes, filled, length } => {
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

    /// The next whole frame, in the place of `spare`, if there is one.
    pub(super) fn take(&mut self, spare: &mut Vec<u8>) -> Option<Stamp> {
        match &mut self.kind {
            Kind::Fixed { bytes, filled, length } if *filled == *length => {
                std::mem::swap(bytes, spare);
                *filled = 0;
                self.began.take()
            }
            Kind::Fixed { .. } => None,
            Kind::Jpeg { splitter, .. } => {
                let began = self.began?;
                let whole = splitter.cut(spare);
                // What is left came with the last chunk, just now.
                if whole || !splitter.has_begun() {
                    self.began = splitter.has_begun().then(Stamp::now);
                }
                whole.then_some(began)
            }
        }
    }

    /// What came of a frame whose rest will never come.
    pub(super) fn rest(&mut self, spare: &mut Vec<u8>) -> Option<Stamp> {
        let began = self.began.take()?;
        let cut = match &mut self.kind {
            Kind::Fixed { bytes, filled, .. } => {
                std::mem::swap(bytes, spare);
                spare.truncate(std::mem::take(filled));
                !spare.is_empty()
            }
            Kind::Jpeg { splitter, .. } => splitter.rest(spare),
        };
        cut.then_some(began)
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
        let (mut frames, mut pipe, mut found, mut spare) =
            (Frames::new(layout), Pieces(pieces.to_vec()), Vec::new(), Vec::new());
        while frames.read(&mut pipe).unwrap() != Got::End {
            while frames.take(&mut spare).is_some() {
                found.push(spare.clone());
            }
        }
        let rest = frames.rest(&mut spare).map(|_| spare);
        (found, rest)
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
}
