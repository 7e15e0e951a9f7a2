//! Huffman tables (ITU-T T.81, annex C and F.2.2.3) that give, for most codes, the number that follows and whether the block ends
//! behind it in one look-up.

use super::entropy::{Bits, number};

/// Bits that are looked up at once. Of a camera's frame of 1080p, 10 and 11 took as long, 12 took 8 % longer.
const LOOKUP_BITS: u32 = 11;
const ENTRIES: usize = 1 << LOOKUP_BITS;

/// What the next bits mean, in 32 bits: length (6), kind (2), run (4), length of the block's end behind it (4), value (16).
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry(u32);

/// What [`Entry::value`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A coefficient behind a run of zeros.
    Value,
    /// Bits of a coefficient, which follow.
    Size,
    /// Nothing: no more coefficients in this block.
    End,
    /// Nothing: the code is a longer one, or none.
    Long,
}

impl Entry {
    const LONG: Self = Self::new(0, Kind::Long, 0, 0);

    const fn new(length: u32, kind: Kind, run: u32, value: i32) -> Self {
        Self(length | (kind as u32) << 6 | run << 8 | (value as u32) << 16)
    }

    /// Of a symbol whose code is this long, with the bits behind it as far as they are looked up.
    fn of(symbol: u8, length: u32, behind: u32, is_dc: bool) -> Self {
        let (run, size) = if is_dc { (0, u32::from(symbol)) } else { run_and_size(symbol) };
        let left = LOOKUP_BITS - length;
        if size == 0 && !is_dc && run != 15 {
            Self::new(length, Kind::End, 0, 0)
        } else if size == 0 || size > left {
            Self::new(length, Kind::Size, run, size as i32)
        } else {
            Self::new(length + size, Kind::Value, run, number(behind >> (left - size), size))
        }
    }

    /// Bits of all that it means, but for the block's end behind it.
    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        self.0 & 63
    }

    #[inline(always)]
    pub(super) fn kind(self) -> Kind {
        match self.0 >> 6 & 3 {
            0 => Kind::Value,
            1 => Kind::Size,
            2 => Kind::End,
            _ => Kind::Long,
        }
    }

    /// Coefficients that are 0 before it.
    #[inline(always)]
    pub(super) fn run(self) -> usize {
        (self.0 >> 8 & 15) as usize
    }

    /// Bits behind a value that read as the block's end; 0 where they do not.
    #[inline(always)]
    pub(super) fn end_length(self) -> u32 {
        self.0 >> 12 & 15
    }

    #[inline(always)]
    pub(super) fn value(self) -> i32 {
        self.0 as i32 >> 16
    }
}

/// What a symbol of coefficients other than the first says: zeros before it, and bits that follow.
#[inline(always)]
pub(super) fn run_and_size(symbol: u8) -> (u32, u32) {
    (u32::from(symbol >> 4), u32::from(symbol & 15))
}

/// One table, in memory that is reused.
#[derive(Debug)]
pub(super) struct Table {
    entries: Box<[Entry; ENTRIES]>,
    /// Of each length: the first code that is longer, filled up to 16 bits.
    limits: [u32; 17],
    /// Of each length: what leads from a code to its place among the symbols.
    offsets: [i32; 17],
    symbols: [u8; 256],
}

impl Default for Table {
    fn default() -> Self {
        Self { entries: Box::new([Entry::LONG; ENTRIES]), limits: [0; 17], offsets: [0; 17], symbols: [0; 256] }
    }
}

impl Table {
    /// Becomes the table of so many codes of each length with these symbols. Nothing comes of more codes than there can be or than
    /// there are symbols, and of sizes that no first coefficient has.
    pub(super) fn fill(&mut self, counts: &[u8; 16], symbols: &[u8], is_dc: bool) -> Option<()> {
        if is_dc && symbols.iter().any(|size| *size > 15) {
            return None;
        }
        self.symbols.get_mut(..symbols.len())?.copy_from_slice(symbols);
        self.entries.fill(Entry::LONG);
        let (mut code, mut place) = (0u32, 0usize);
        for (length, count) in (1u32..).zip(counts) {
            let end = place + usize::from(*count);
            self.offsets[length as usize] = place as i32 - code as i32;
            for symbol in symbols.get(place..end)? {
                if code >= 1 << length {
                    return None;
                }
                self.enter(*symbol, code, length, is_dc);
                code += 1;
            }
            place = end;
            self.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        if !is_dc {
            self.find_ends();
        }
        Some(())
    }

    /// Enters a symbol wherever its code is what the bits begin with.
    fn enter(&mut self, symbol: u8, code: u32, length: u32, is_dc: bool) {
        let Some(left) = LOOKUP_BITS.checked_sub(length) else { return };
        let (first, count) = ((code << left) as usize, 1 << left);
        for (behind, entry) in (0..).zip(&mut self.entries[first..first + count]) {
            *entry = Entry::of(symbol, length, behind, is_dc);
        }
    }

    /// Marks the values behind which a block ends within the bits that are looked up.
    fn find_ends(&mut self) {
        for place in 0..ENTRIES {
            let entry = self.entries[place];
            if entry.kind() != Kind::Value {
                continue;
            }
            // The bits that are not known are taken for zeros; an entry that would need them is too long.
            let next = self.entries[(place << entry.length()) % ENTRIES];
            if next.kind() == Kind::End && entry.length() + next.length() <= LOOKUP_BITS {
                self.entries[place] = Entry(entry.0 | next.length() << 12);
            }
        }
    }

    /// What the next bits mean.
    #[inline(always)]
    pub(super) fn look_up(&self, bits: &Bits<'_>) -> Entry {
        self.entries[bits.peek(LOOKUP_BITS) as usize % ENTRIES]
    }

    /// The symbol and length of a code that is too long to be looked up, of the next 16 bits; none where they begin with no code.
    #[cold]
    pub(super) fn long(&self, bits: u32) -> Option<(u8, u32)> {
        let length = (LOOKUP_BITS + 1..=16).find(|length| bits < self.limits[*length as usize])?;
        let place = (bits >> (16 - length)) as i32 + self.offsets[length as usize];
        Some((*self.symbols.get(usize::try_from(place).ok()?)?, length))
    }
}
