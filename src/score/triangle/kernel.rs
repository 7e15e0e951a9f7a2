//! The product of a packed triangle with a vector, column by column, four of them at a time: more would not leave their places
//! in a processor's registers. A column whose number is 0 is never read, and columns are too short for a processor to guess how they go
//! on: so the next four are asked for ahead, a cache line of each, which is all of a chunk where entries have 16 bits.
//!
//! Products are f32, and four of them are added up before they meet the sum of the others: that leaves an error of a few
//! 1e-7 of their magnitude per row.

use super::{LANES, SIDE};
use crate::score::kernels::{prefetch, vectorised};

/// Columns that are added up together.
const AT_ONCE: usize = 4;

/// Eight numbers of a vector.
pub(super) type Chunk = [f32; SIDE];

/// Entries of one column above its diagonal square.
pub(super) type Column<E> = [[E; LANES]];

vectorised! {
    /// `y_i = sum_j T_ij x_j` over the squares on the diagonal.
    pub(super) fn square_products(heads: &[[Chunk; SIDE]], x: &[Chunk], y: &mut [Chunk]) -> () {
        for ((head, x), y) in heads.iter().zip(x).zip(y) {
            let mut sums = [0.0; SIDE];
            for row in 0..SIDE {
                for lane in 0..SIDE {
                    sums[row] = head[row][lane].mul_add(x[lane], sums[row]);
                }
            }
            *y = sums;
        }
    }

    /// `y += sum_j T_j x_j` over the `active` columns, in ascending order. Column j is `entries[starts[j]..starts[j + 1]]`.
    pub(super) fn add_single(
        entries: &[[f32; LANES]], starts: &[u32], active: &[(u32, f32)], y: &mut [[f32; LANES]],
    ) -> () {
        add_columns(entries, starts, active, y);
    }

    /// As `add_single`, of 16-bit entries.
    pub(super) fn add_half(
        entries: &[[i16; LANES]], starts: &[u32], active: &[(u32, f32)], y: &mut [[f32; LANES]],
    ) -> () {
        add_columns(entries, starts, active, y);
    }
}

#[inline(always)]
fn add_columns<E: Entry>(entries: &Column<E>, starts: &[u32], active: &[(u32, f32)], y: &mut [[f32; LANES]]) {
    let (blocks, rest) = active.as_chunks::<AT_ONCE>();
    for (at, block) in blocks.iter().enumerate() {
        let columns = block.map(|(place, _)| column(entries, starts, place));
        let next = blocks.get(at + 1).unwrap_or(block).map(|(place, _)| column(entries, starts, place));
        add_block(columns, next, block.map(|(_, x)| x), y);
    }
    for (place, x) in rest {
        for (entries, y) in column(entries, starts, *place).iter().zip(&mut *y) {
            add(entries, *x, y);
        }
    }
}

#[inline(always)]
fn column<'a, E>(entries: &'a Column<E>, starts: &[u32], place: u32) -> &'a Column<E> {
    let place = place as usize;
    match (starts.get(place), starts.get(place + 1)) {
        (Some(start), Some(end)) => entries.get(*start as usize..*end as usize).unwrap_or_default(),
        _ => &[],
    }
}

/// `y += sum_j T_j x_j` over columns none of which is shorter than one before it, nor is one of those that come `next`: these are fetched
/// meanwhile.
#[inline(always)]
fn add_block<E: Entry>(
    columns: [&Column<E>; AT_ONCE],
    next: [&Column<E>; AT_ONCE],
    x: [f32; AT_ONCE],
    y: &mut [[f32; LANES]],
) {
    // As far as the first goes they are of one length, so that no place is compared with that of every column.
    let common = columns[0].len().min(y.len());
    let (above, below) = y.split_at_mut(common);
    let (mut whole, mut later): ([&Column<E>; AT_ONCE], _) = ([&[]; AT_ONCE], [&[][..]; AT_ONCE]);
    for j in 0..AT_ONCE {
        let (Some(column), Some(next)) = (columns[j].get(..common), next[j].get(..common)) else { return };
        (whole[j], later[j]) = (column, next);
    }
    for (place, y) in above.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for j in 0..AT_ONCE {
            prefetch(&later[j][place]);
            add(&whole[j][place], x[j], &mut sums);
        }
        for lane in 0..LANES {
            y[lane] += sums[lane];
        }
    }
    for (column, x) in columns.iter().zip(x) {
        for (entries, y) in column.iter().skip(common).zip(&mut *below) {
            add(entries, x, y);
        }
    }
}

#[inline(always)]
fn add<E: Entry>(entries: &[E; LANES], x: f32, sums: &mut [f32; LANES]) {
    for lane in 0..LANES {
        sums[lane] = entries[lane].number().mul_add(x, sums[lane]);
    }
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
