//! The product of a packed triangle with a vector, eight rows at a time: as eight streams that the processor fetches ahead
//! side by side. It runs as fast as the matrix comes from memory.
//!
//! Products are f32 in eight lanes per row, which leaves an error near 1e-7 of their magnitude per row. Loops run over
//! indices, and over slices whose lengths the compiler can see to be equal: it makes vectors of nothing less plain.

use crate::score::kernels::vectorised;

/// Rows per block, and numbers per chunk.
pub(super) const SIDE: usize = 8;

/// Eight numbers of a vector.
pub(super) type Chunk = [f32; SIDE];

vectorised! {
    /// `y = T x`. `heads` are the squares on the diagonal, `body` what stands right of them, block by block.
    pub(super) fn apply_single(heads: &[[Chunk; SIDE]], body: &[Chunk], x: &[Chunk], y: &mut [Chunk]) -> () {
        let mut rest = body;
        for (block, (head, y)) in heads.iter().zip(y).enumerate() {
            let Some((x, behind)) = x.get(block..).and_then(<[Chunk]>::split_first) else { return };
            let (square, body) = (square_product(head, x), block_product(&mut rest, behind));
            for row in 0..SIDE {
                y[row] = square[row] + body[row];
            }
        }
    }

    /// As `apply_single`, for a body of multiples of the rows' steps.
    pub(super) fn apply_half(
        heads: &[[Chunk; SIDE]], body: &[[i16; SIDE]], steps: &[Chunk], x: &[Chunk], y: &mut [Chunk],
    ) -> () {
        let mut rest = body;
        for (block, ((head, steps), y)) in heads.iter().zip(steps).zip(y).enumerate() {
            let Some((x, behind)) = x.get(block..).and_then(<[Chunk]>::split_first) else { return };
            let (square, body) = (square_product(head, x), block_product(&mut rest, behind));
            for row in 0..SIDE {
                y[row] = steps[row].mul_add(body[row], square[row]);
            }
        }
    }
}

#[inline(always)]
fn square_product(head: &[Chunk; SIDE], x: &Chunk) -> Chunk {
    let mut sums = [0.0; SIDE];
    for row in 0..SIDE {
        for lane in 0..SIDE {
            sums[row] = head[row][lane].mul_add(x[lane], sums[row]);
        }
    }
    sums
}

/// The next eight rows of entries times x; NaN if there are not so many.
#[inline(always)]
fn block_product<E: Entry>(entries: &mut &[[E; SIDE]], x: &[Chunk]) -> Chunk {
    let width = x.len();
    let (mut rest, behind) = entries.split_at((SIDE * width).min(entries.len()));
    *entries = behind;
    if rest.len() != SIDE * width {
        return [f32::NAN; SIDE];
    }
    let mut row = || {
        let (row, behind) = rest.split_at(width);
        rest = behind;
        row
    };
    let rows = [row(), row(), row(), row(), row(), row(), row(), row()];
    let mut sums = [[0.0_f32; SIDE]; SIDE];
    for (place, x) in x.iter().enumerate() {
        for row in 0..SIDE {
            let entries = &rows[row][place];
            for lane in 0..SIDE {
                sums[row][lane] = entries[lane].number().mul_add(x[lane], sums[row][lane]);
            }
        }
    }
    let mut totals = [0.0; SIDE];
    for row in 0..SIDE {
        let [a, b, c, d, e, f, g, h] = sums[row];
        totals[row] = ((a + e) + (c + g)) + ((b + f) + (d + h));
    }
    totals
}

/// A stored number.
trait Entry: Copy {
    fn number(self) -> f32;
}

impl Entry for f32 {
    #[inline(always)]
    fn number(self) -> f32 {
        self
    }
}

impl Entry for i16 {
    #[inline(always)]
    fn number(self) -> f32 {
        f32::from(self)
    }
}
