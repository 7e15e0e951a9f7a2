//! The plain reference for JPEG frames: pictures made from known coefficients, so that what a decoder has to find is known
//! from the definitions (ITU-T T.81, A.3.3; JFIF 1.02), in f64, without a second decoder.

use proptest::prelude::*;

use super::*;
use crate::decode::{Content, Encoding, PixelFormat, RawFrame, decode};

/// Most that a decoded value may be off, in steps of 8 bits: decoders compute the cosine transform and the colours in
/// integers.
const TOLERANCE: f64 = 2.0;

/// Of one 8x8 block: `[row][column]`, not quantised.
pub(in crate::decode) type Coefficients = [[i32; 8]; 8];
/// The same of Y, Cb and Cr.
type Block = [Coefficients; 3];

/// Column and row of the n-th coefficient of a block as it is written.
fn zigzag() -> Vec<(usize, usize)> {
    let mut order: Vec<(usize, usize)> = (0..64).map(|index| (index % 8, index / 8)).collect();
    // Along the diagonals, upwards on every second one.
    order.sort_by_key(|&(x, y)| (x + y, if (x + y) % 2 == 0 { x } else { y }));
    order
}

/// Writes bits, most significant first, with a zero byte behind every 0xff.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl BitWriter {
    fn write(&mut self, bits: u32, count: u32) {
        for at in (0..count).rev() {
            self.pending = self.pending << 1 | (bits >> at & 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.pending as u8);
                if self.pending == 0xff {
                    self.bytes.push(0);
                }
                (self.pending, self.count) = (0, 0);
            }
        }
    }

    /// A symbol of one of the standard tables (T.81, C.2).
    fn symbol(&mut self, table: usize, symbol: u8) {
        let (_, lengths, values) = STANDARD_TABLES[table];
        let (mut code, mut at) = (0u32, 0);
        for (length, count) in (1..).zip(lengths.iter().map(|count| usize::from(*count))) {
            if let Some(place) = values[at..at + count].iter().position(|value| *value == symbol) {
                return self.write(code + place as u32, length);
            }
            code = (code + count as u32) << 1;
            at += count;
        }
        panic!("symbol {symbol:#x} is not in the table");
    }

    /// A number in as many bits as its size has (T.81, F.1.2.1).
    fn number(&mut self, value: i32) {
        let size = size_of_number(value);
        let bits = if value < 0 { value - 1 } else { value };
        self.write(bits as u32 & ((1 << size) - 1), size);
    }
}

fn size_of_number(value: i32) -> u32 {
    32 - value.unsigned_abs().leading_zeros()
}

/// A picture as it is coded: units of blocks, each with the component that it belongs to. Every quantiser is 1.
pub(in crate::decode) struct Coded<'c> {
    pub(in crate::decode) size_px: (u16, u16),
    /// Blocks of each component side by side and one upon the other in a unit.
    pub(in crate::decode) sampling: &'c [(u8, u8)],
    pub(in crate::decode) units: &'c [Vec<(usize, Coefficients)>],
    /// Units between two restart markers; 0: none.
    pub(in crate::decode) restart_interval: u16,
}

impl Coded<'_> {
    /// A baseline JPEG without Huffman tables.
    pub(in crate::decode) fn encode(&self) -> Vec<u8> {
        let (width, height) = (self.size_px.0.to_be_bytes(), self.size_px.1.to_be_bytes());
        let count = self.sampling.len() as u8;
        let mut bytes = vec![0xff, SOI, 0xff, 0xdb, 0, 67, 0];
        bytes.extend([1; 64]);
        bytes.extend([0xff, 0xdd, 0, 4]);
        bytes.extend(self.restart_interval.to_be_bytes());
        bytes.extend([0xff, 0xc0, 0, 8 + 3 * count, 8, height[0], height[1], width[0], width[1], count]);
        bytes.extend((1..).zip(self.sampling).flat_map(|(id, (across, down))| [id, across << 4 | down, 0]));
        bytes.extend([0xff, SOS, 0, 6 + 2 * count, count]);
        bytes.extend((1..=count).flat_map(|id| [id, if id == 1 { 0x00 } else { 0x11 }]));
        bytes.extend([0, 63, 0]);
        let interval = if self.restart_interval == 0 { usize::MAX } else { self.restart_interval.into() };
        for (number, units) in self.units.chunks(interval).enumerate() {
            if number > 0 {
                bytes.extend([0xff, 0xd0 + (number - 1) as u8 % 8]);
            }
            let (mut bits, mut dc) = (BitWriter::default(), [0; 3]);
            for (component, coefficients) in units.iter().flatten() {
                bits.block(*component, coefficients, &mut dc[*component]);
            }
            bits.write(0x7f, 7);
            bytes.extend(bits.bytes);
        }
        bytes.extend([0xff, EOI]);
        bytes
    }
}

impl BitWriter {
    /// A block, whose first coefficient is told by how much it differs from that of the block before it.
    fn block(&mut self, component: usize, coefficients: &Coefficients, dc: &mut i32) {
        // Tables 0 and 2 are those of luma, 1 and 3 those of chroma.
        let table = usize::from(component > 0);
        let mut values = zigzag().into_iter().map(|(x, y)| coefficients[y][x]);
        let first = values.next().unwrap();
        let difference = first - std::mem::replace(dc, first);
        self.symbol(table, size_of_number(difference) as u8);
        self.number(difference);
        let mut zeroes = 0;
        for value in values {
            if value == 0 {
                zeroes += 1;
                continue;
            }
            for _ in 0..zeroes / 16 {
                self.symbol(2 + table, 0xf0);
            }
            self.symbol(2 + table, (zeroes % 16 * 16) as u8 + size_of_number(value) as u8);
            self.number(value);
            zeroes = 0;
        }
        if zeroes > 0 {
            self.symbol(2 + table, 0);
        }
    }
}

/// 4:4:4.
fn encode(blocks: &[Block], across: usize) -> Vec<u8> {
    let units: Vec<Vec<_>> = blocks.iter().map(|block| block.iter().copied().enumerate().collect()).collect();
    let size_px = (8 * across as u16, 8 * (blocks.len() / across) as u16);
    Coded { size_px, sampling: &[(1, 1); 3], units: &units, restart_interval: 0 }.encode()
}

/// Samples of a block of coefficients at (x, y): T.81, A.3.3, and the shift by 128.
fn sample(coefficients: &Coefficients, x: usize, y: usize) -> f64 {
    unclamped(coefficients, x, y).clamp(0.0, 255.0)
}

/// The same before it is clamped.
pub(in crate::decode) fn unclamped(coefficients: &Coefficients, x: usize, y: usize) -> f64 {
    let scale = |index: usize| if index == 0 { 0.5f64.sqrt() } else { 1.0 };
    let wave = |at: usize, index: usize| ((2 * at + 1) as f64 * index as f64 * std::f64::consts::PI / 16.0).cos();
    let mut sum = 0.0;
    for (v, row) in coefficients.iter().enumerate() {
        for (u, value) in row.iter().enumerate() {
            sum += scale(u) * scale(v) * f64::from(*value) * wave(x, u) * wave(y, v);
        }
    }
    sum / 4.0 + 128.0
}

/// JFIF 1.02, page 3.
fn rgb([y, cb, cr]: [f64; 3]) -> [f64; 3] {
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [y + 1.402 * cr, y - 0.344_14 * cb - 0.714_14 * cr, y + 1.772 * cb].map(|value| value.clamp(0.0, 255.0))
}

/// A mean brightness and colour, and a few waves on top of them.
fn block() -> impl Strategy<Value = Block> {
    let waves = proptest::collection::vec((0..3usize, 0..8usize, 0..8usize, -120..120i32), 0..12);
    (-500..500i32, -300..300i32, -300..300i32, waves).prop_map(|(y, cb, cr, waves)| {
        let mut block = [[[0; 8]; 8]; 3];
        for (component, row, column, value) in waves {
            block[component][row][column] = value;
        }
        for (component, mean) in [y, cb, cr].into_iter().enumerate() {
            block[component][0][0] = mean;
        }
        block
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_jpeg_frame_agrees_with_the_plain_reference(blocks in proptest::collection::vec(block(), 6)) {
        let bytes = encode(&blocks, 3);
        let layout = RawLayout::new(PixelFormat::Mjpg, (24, 16), 0, Encoding::JPEG).unwrap();
        let image = decode(Content::Raw(RawFrame { layout, bytes: bytes.into() })).unwrap();
        for (x, y, found) in image.enumerate_pixels() {
            let (x, y) = (x as usize, y as usize);
            let block = &blocks[y / 8 * 3 + x / 8];
            let wanted = rgb([0, 1, 2].map(|component: usize| sample(&block[component], x % 8, y % 8)));
            for (found, wanted) in found.0.iter().zip(wanted) {
                let off = (f64::from(*found) - wanted).abs();
                prop_assert!(off <= TOLERANCE, "({}, {}): {}, wanted {:.2}", x, y, found, wanted);
            }
        }
    }
}
