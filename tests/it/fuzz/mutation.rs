//! Changes inputs at random, the same way every time.

use fastrand::Rng;

/// Numbers at which arithmetic goes wrong, big-endian.
const EDGES: [u32; 6] = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x0001_0000];
/// Most changes to one input.
const MOST_CHANGES: usize = 6;
/// Most bytes that one change adds or takes away.
const MOST_BYTES: usize = 64;

/// A source of changed inputs.
pub(crate) struct Mutation<'i> {
    inputs: &'i [Vec<u8>],
    rng: Rng,
}

impl<'i> Mutation<'i> {
    /// Of these inputs; there has to be one.
    pub(crate) fn new(inputs: &'i [Vec<u8>]) -> Self {
        Self { inputs, rng: Rng::with_seed(0x00d) }
    }

    /// The next changed input.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.any_input().to_vec();
        for _ in 0..self.rng.usize(1..=MOST_CHANGES) {
            self.change(&mut bytes);
        }
        bytes
    }

    fn any_input(&mut self) -> &'i [u8] {
        &self.inputs[self.rng.usize(..self.inputs.len())]
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.rng.usize(..=bytes.len());
        let to = bytes.len().min(at + self.rng.usize(..=MOST_BYTES));
        match self.rng.u8(..7) {
            0 => bytes[at..to].iter_mut().take(1).for_each(|byte| *byte ^= 1 << self.rng.u8(..8)),
            1 => bytes[at..to].iter_mut().take(4).for_each(|byte| *byte = self.rng.u8(..)),
            2 => {
                let edge = self.rng.choice(EDGES).unwrap_or_default().to_be_bytes();
                bytes[at..to].iter_mut().zip(edge).for_each(|(byte, edge)| *byte = edge);
            }
            3 => drop(bytes.drain(at..to)),
            4 => bytes.truncate(at),
            5 => {
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let other = self.any_input();
                let from = self.rng.usize(..=other.len());
                let until = other.len().min(from + MOST_BYTES);
                bytes.splice(at..to, other[from..until].iter().copied());
            }
        }
    }
}
