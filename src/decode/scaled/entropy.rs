//! The entropy-coded data of a scan without what was stuffed into it, and a reader of its bits (ITU-T T.81, B.1.1.5 and F.1.2).

/// Zeros behind each segment's end at least, so that a reader takes eight bytes at a time.
const PADDING: usize = 8;

/// Data of a scan, cut at its restart markers; reused.
#[derive(Debug, Default)]
pub(super) struct EntropyCoded {
    /// All segments, each with [`PADDING`] behind it.
    bytes: Vec<u8>,
    /// Where each starts, and where it ends without its padding.
    segments: Vec<(usize, usize)>,
}

impl EntropyCoded {
    /// Takes the data of a scan, which lasts until a marker that is no restart and has so many segments at most: a segment takes more
    /// memory than the two bytes of its marker.
    ///
    /// # Errors
    /// Data without an end; restarts that are not in their order, or too many.
    pub(super) fn fill(&mut self, mut data: &[u8], most_segments: usize) -> Result<(), String> {
        self.bytes.clear();
        self.segments.clear();
        let mut start = 0;
        loop {
            let plain = data.iter().position(|byte| *byte == 0xff).ok_or("its data has no end")?;
            self.bytes.extend_from_slice(&data[..plain]);
            let marker = *data.get(plain + 1).ok_or("its data has no end")?;
            // Of several 0xff in a row, the last belongs to the marker.
            let taken = if marker == 0xff { plain + 1 } else { plain + 2 };
            match marker {
                0x00 => self.bytes.push(0xff),
                0xff => {}
                0xd0..=0xd7 if usize::from(marker & 7) != self.segments.len() % 8 => {
                    return Err("a restart marker is missing".into());
                }
                _ => {
                    self.segments.push((start, self.bytes.len()));
                    self.bytes.extend_from_slice(&[0; PADDING]);
                    start = self.bytes.len();
                    if !matches!(marker, 0xd0..=0xd7) {
                        return Ok(());
                    }
                    if self.segments.len() == most_segments {
                        return Err(format!(
                            "a restart marker is one too many: data in more than {most_segments} segments"
                        ));
                    }
                }
            }
            data = &data[taken..];
        }
    }

    /// How many segments there are.
    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// A reader for each segment.
    pub(super) fn readers(&self) -> impl Iterator<Item = Bits<'_>> {
        self.segments.iter().map(|&(start, end)| Bits {
            bytes: &self.bytes[start..end + PADDING],
            at: 0,
            window: 0,
            ready: 0,
        })
    }
}

/// Reads bits, most significant first. Behind the end are zeros without end, and [`Self::is_overrun`] tells that they were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'d> {
    /// The data and [`PADDING`].
    bytes: &'d [u8],
    /// The byte that is read next.
    at: usize,
    /// The coming bits, from the top.
    window: u64,
    /// How many of them count.
    ready: u32,
}

impl Bits<'_> {
    /// Sees to it that 32 bits at least are ready.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if self.ready >= 32 {
            return;
        }
        if let Some(next) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            self.window |= u64::from_be_bytes(*next) >> self.ready;
        }
        // Whole bytes alone count; the bits of the next one that are there too will be written again as they are.
        let bytes = (63 - self.ready) / 8;
        self.at += bytes as usize;
        self.ready += 8 * bytes;
    }

    /// The next 1 to 32 bits.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.window >> (64u32.wrapping_sub(count) & 63)) as u32
    }

    /// Goes on by 0 to 32 bits, which have to be ready.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.window <<= count & 63;
        self.ready = self.ready.wrapping_sub(count);
    }

    /// The number that 0 to 15 bits stand for (T.81, F.2.2.1).
    #[inline(always)]
    pub(super) fn number(&mut self, size: u32) -> i32 {
        if size == 0 {
            return 0;
        }
        let bits = self.peek(size);
        self.skip(size);
        number(bits, size)
    }

    /// Whether more was read than there is.
    pub(super) fn is_overrun(&self) -> bool {
        8 * self.at > 8 * (self.bytes.len() - PADDING) + self.ready as usize
    }
}

/// The number that these bits stand for: those that begin with 0 are the negative ones.
#[inline(always)]
pub(super) fn number(bits: u32, size: u32) -> i32 {
    let half = 1 << (size.wrapping_sub(1) & 31);
    let value = bits as i32;
    if value < half { value.wrapping_sub(2 * half - 1) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(data: &[u8]) -> EntropyCoded {
        let mut coded = EntropyCoded::default();
        coded.fill(data, 2).unwrap();
        coded
    }

    #[test]
    fn stuffed_zeros_are_taken_out_and_restarts_cut_the_data() {
        let coded = filled(&[1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xff, 0xd9, 9]);
        let first_bytes = |mut bits: Bits<'_>, count| {
            bits.refill();
            bits.peek(count)
        };
        let found: Vec<u32> = coded.readers().zip([24, 8]).map(|(bits, count)| first_bytes(bits, count)).collect();
        assert_eq!(found, [0x01_ff02, 3]);
    }

    #[test]
    fn data_without_an_end_and_restarts_out_of_order_are_refused() {
        for (data, wanted) in [
            ([1, 2, 3].as_slice(), "its data has no end"),
            (&[1, 0xff], "its data has no end"),
            (&[1, 0xff, 0xd1, 2, 0xff, 0xd9], "a restart marker is missing"),
            (
                &[1, 0xff, 0xd0, 2, 0xff, 0xd1, 3, 0xff, 0xd9],
                "a restart marker is one too many: data in more than 2 segments",
            ),
        ] {
            assert_eq!(EntropyCoded::default().fill(data, 2).unwrap_err(), wanted);
        }
    }

    #[test]
    fn bits_come_in_order_and_the_end_is_noticed() {
        let coded = filled(&[0b1011_0001, 0b0100_1111, 0xff, 0xd9]);
        let mut bits = coded.readers().next().unwrap();
        for (count, wanted) in [(3, 0b101), (6, 0b10_0010), (7, 0b100_1111)] {
            bits.refill();
            assert_eq!(bits.peek(count), wanted);
            bits.skip(count);
        }
        assert!(!bits.is_overrun());
        bits.refill();
        bits.skip(1);
        assert!(bits.is_overrun());
        for _ in 0..100 {
            bits.refill();
            assert_eq!(bits.peek(32), 0);
            bits.skip(32);
        }
        assert!(bits.is_overrun());
    }

    /// T.81, table F.1.
    #[test]
    fn numbers_that_begin_with_a_zero_are_negative() {
        for (bits, size, wanted) in [(0, 1, -1), (1, 1, 1), (0, 2, -3), (3, 2, 3), (0, 15, -32767), (0x7fff, 15, 32767)]
        {
            assert_eq!(number(bits, size), wanted);
        }
    }
}
