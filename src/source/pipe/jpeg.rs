//! Finds where JPEG pictures begin and end in a stream of them.
//!
//! A picture is followed from segment to segment (ITU-T T.81, B.1.1), so that what only looks like an end (in a thumbnail, in a
//! comment) is none. What is no picture is cut out too, as one piece up to the next beginning: it is a bad frame, and says so
//! where it is decoded.

/// Bytes of a picture per pixel, at most: twice what three noisy channels take at the highest quality.
const MAX_BYTES_PER_PIXEL: u64 = 10;
/// Segments besides: ICC profiles and the like.
const MAX_HEADER_BYTES: u64 = 1 << 20;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

/// Where in a picture the next byte lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In none: a beginning is looked for.
    Outside,
    /// At a marker.
    Marker,
    /// In the picture's own data, which contains no marker but those of restarts (B.1.1.5).
    Data,
}

/// Cuts a stream into pictures.
#[derive(Debug)]
pub(super) struct Splitter {
    /// What came and was not cut out yet.
    pending: Vec<u8>,
    /// How much of it was looked at.
    at: usize,
    place: Place,
    limit: usize,
}

impl Splitter {
    /// For pictures of this size.
    pub(super) fn new(width_px: u32, height_px: u32) -> Self {
        let limit = MAX_BYTES_PER_PIXEL * u64::from(width_px) * u64::from(height_px) + MAX_HEADER_BYTES;
        let limit = usize::try_from(limit.min(crate::decode::MAX_ALLOC_BYTES)).unwrap_or(usize::MAX);
        Self { pending: Vec::new(), at: 0, place: Place::Outside, limit }
    }

    /// Takes more of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole picture, or what stands in the place of one; copied over what `into` held. False where more has to come.
    pub(super) fn cut(&mut self, into: &mut Vec<u8>) -> bool {
        while let Some(end) = self.next_end() {
            // Zeroes between pictures are filling, as drivers add it.
            let filling = self.pending[..end].iter().all(|byte| *byte == 0);
            if !filling {
                into.clear();
                into.extend_from_slice(&self.pending[..end]);
            }
            self.pending.drain(..end);
            self.at = self.at.saturating_sub(end);
            if !filling {
                return true;
            }
        }
        false
    }

    /// What is left when nothing more comes.
    pub(super) fn rest(&mut self, into: &mut Vec<u8>) -> bool {
        into.clear();
        into.append(&mut self.pending);
        (self.at, self.place) = (0, Place::Outside);
        into.iter().any(|byte| *byte != 0)
    }

    /// Whether a picture has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.pending.iter().any(|byte| *byte != 0)
    }

    /// Length of the piece that is complete, at the front of what is there.
    fn next_end(&mut self) -> Option<usize> {
        loop {
            let end = match self.place {
                Place::Outside => self.find_beginning(),
                Place::Marker => self.pass_marker(),
                Place::Data => self.pass_data(),
            };
            match end {
                Step::On => {}
                Step::End(end) => return Some(end),
                Step::More if self.pending.len() > self.limit => {
                    // No picture of this size is so long.
                    (self.at, self.place) = (self.pending.len(), Place::Outside);
                    return Some(self.pending.len());
                }
                Step::More => return None,
            }
        }
    }

    fn find_beginning(&mut self) -> Step {
        let Some(found) = self.pending[self.at..].windows(2).position(|pair| pair == [0xff, SOI]) else {
            // The last byte may be the first of a beginning.
            self.at = self.pending.len().saturating_sub(1).max(self.at);
            return Step::More;
        };
        let begin = self.at + found;
        if begin > 0 {
            self.at = begin;
            return Step::End(begin);
        }
        (self.at, self.place) = (2, Place::Marker);
        Step::On
    }

    fn pass_marker(&mut self) -> Step {
        let [first, marker] = match self.pending.get(self.at..self.at + 2) {
            Some(pair) => [pair[0], pair[1]],
            None => return Step::More,
        };
        match (first, marker) {
            // Filling before a marker (B.1.1.2).
            (0xff, 0xff) => self.at += 1,
            // Another beginning: this picture was cut short. Anything but a marker: it is damaged.
            (0xff, SOI) => return self.damaged(),
            (0xff, EOI) => return self.whole(self.at + 2),
            (0xff, 0x01 | 0xd0..=0xd7) => self.at += 2,
            (0xff, 0x02..) => {
                let Some(length) = self.pending.get(self.at + 2..self.at + 4) else { return Step::More };
                let end = self.at + 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
                if end > self.pending.len() {
                    return Step::More;
                }
                self.at = end;
                self.place = if marker == SOS { Place::Data } else { Place::Marker };
            }
            _ => return self.damaged(),
        }
        Step::On
    }

    fn pass_data(&mut self) -> Step {
        let Some(found) = self.pending[self.at..].iter().position(|byte| *byte == 0xff) else {
            self.at = self.pending.len();
            return Step::More;
        };
        self.at += found;
        match self.pending.get(self.at + 1) {
            None => return Step::More,
            // A byte of data, or a restart.
            Some(0x00 | 0xd0..=0xd7) => self.at += 2,
            Some(_) => self.place = Place::Marker,
        }
        Step::On
    }

    fn whole(&mut self, end: usize) -> Step {
        (self.at, self.place) = (end, Place::Outside);
        Step::End(end)
    }

    /// Up to the next beginning it is all one piece.
    fn damaged(&mut self) -> Step {
        self.place = Place::Outside;
        Step::On
    }
}

/// What a look at the next bytes brought.
enum Step {
    /// There is more to look at.
    On,
    /// A piece ends here.
    End(usize),
    /// More has to come.
    More,
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{Rgb, RgbImage};
    use proptest::prelude::*;

    use super::*;

    fn picture(seed: u8) -> Vec<u8> {
        let image = RgbImage::from_fn(16, 8, |x, y| Rgb([seed, (x * 9) as u8, (y * 31) as u8 ^ seed]));
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(&image).unwrap();
        bytes
    }

    /// The pieces of a stream that comes in chunks of so many bytes, and what is left.
    fn pieces(stream: &[u8], chunk: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut splitter, mut pieces, mut piece) = (Splitter::new(16, 8), Vec::new(), Vec::new());
        for chunk in stream.chunks(chunk) {
            splitter.push(chunk);
            while splitter.cut(&mut piece) {
                pieces.push(piece.clone());
            }
        }
        splitter.rest(&mut piece);
        (pieces, piece)
    }

    #[track_caller]
    fn check(stream: &[&[u8]], wanted: &[&[u8]], rest: &[u8]) {
        for chunk in [1, 7, 65_536] {
            let (found, left) = pieces(&stream.concat(), chunk);
            assert_eq!(found, wanted, "in chunks of {chunk}");
            assert_eq!(left, rest, "in chunks of {chunk}");
        }
    }

    #[test]
    fn pictures_come_out_as_they_went_in_with_and_without_filling_between_them() {
        let [a, b] = [1, 200].map(picture);
        check(&[&a, &b, &[0; 40], &a], &[&a, &b, &a], &[]);
    }

    #[test]
    fn an_end_inside_a_thumbnail_or_a_comment_is_no_end() {
        let (a, thumbnail) = (picture(1), picture(2));
        let length = (thumbnail.len() as u16 + 2).to_be_bytes();
        let with_thumbnail = [&a[..2], &[0xff, 0xe1], &length, &thumbnail, &a[2..]].concat();
        check(&[&with_thumbnail, &a], &[&with_thumbnail, &a], &[]);
    }

    #[test]
    fn a_picture_that_was_cut_short_is_one_piece_and_the_next_is_whole() {
        let (a, b) = (picture(1), picture(2));
        for length in [2, 3, 21, a.len() / 2, a.len() - 1] {
            let cut = &a[..length];
            // Cut within a segment, the segment's length reaches into the next picture, which is lost with it.
            let (found, _) = pieces(&[cut, &b, &a].concat(), 4096);
            assert!(found.len() <= 3 && found.last().unwrap() == &a, "{length}: {found:?}");
        }
        let cut = &a[..a.len() - 9];
        check(&[cut, &b], &[cut, &b], &[]);
        check(&[&b, cut], &[&b], cut);
    }

    #[test]
    fn what_is_no_picture_is_one_piece() {
        let a = picture(1);
        check(&[b"Setting pipeline to PLAYING\n", &a], &[b"Setting pipeline to PLAYING\n", &a], &[]);
    }

    #[test]
    fn a_flood_without_any_picture_takes_bounded_memory() {
        let mut splitter = Splitter::new(16, 8);
        let (mut piece, mut found) = (Vec::new(), 0);
        for _ in 0..200 {
            splitter.push(&[7; 65_536]);
            while splitter.cut(&mut piece) {
                found += piece.len();
            }
            assert!(splitter.pending.len() <= splitter.limit);
        }
        assert!(found > 10 << 20);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever comes, and however it is chunked: nothing is lost but filling, and the pieces are the same.
        #[test]
        fn the_pieces_do_not_depend_on_the_chunks(
            parts in proptest::collection::vec(
                prop_oneof![
                    (0..4u8).prop_map(picture),
                    proptest::collection::vec(any::<u8>(), 1..40),
                    proptest::collection::vec(prop_oneof![Just(0xffu8), Just(SOI), Just(EOI), Just(SOS), Just(0)], 1..9),
                    (0..4u8, 0..200usize).prop_map(|(seed, length)| picture(seed)[..length].to_vec()),
                ],
                0..8,
            ),
            chunk in 1..500usize,
        ) {
            let stream = parts.concat();
            let whole = pieces(&stream, stream.len().max(1));
            prop_assert_eq!(&pieces(&stream, chunk), &whole);
            let (found, rest) = whole;
            let kept = found.concat().len() + rest.len();
            let zeroes = stream.iter().filter(|byte| **byte == 0).count();
            prop_assert!(kept <= stream.len() && stream.len() - kept <= zeroes);
        }
    }
}
