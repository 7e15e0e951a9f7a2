//! The product of a packed triangle with a vector, column by column, eight of them at a time. A column whose number is 0 is never
//! read, and columns are too short for a processor to guess how they go on: so the next eight are asked for ahead, which
//! shows where others use the cache that all cores share.
//!
//! Products are f32, and eight of them are added up before they meet the sum of the others: that leaves an error of a few
//! 1e-7 of their magnitude per row.

use super::{LANES, SIDE};
use crate::score::kernels::{prefetch, vectorised};

/// Columns that are added up together.
const AT_ONCE: usize = 8;

/// Bytes that a processor fetches together.
const LINE_BYTES: usize = 64;

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
        let columns = block.map(|(place, x)| (column(entries, starts, place), x));
        let next = blocks.get(at + 1).map(|block| block.map(|(place, _)| column(entries, starts, place)));
        let next = next.unwrap_or(columns.map(|(column, _)| column));
        // No column is shorter than one before it.
        let common = columns[0].0.len().min(y.len());
        let (above, below) = y.split_at_mut(common);
        add_block(columns.map(|(column, x)| (column.get(..common).unwrap_or_default(), x)), next, above);
        for (column, x) in columns {
            add_block([(column.get(common..).unwrap_or_default(), x)], [], below);
        }
    }
    for (place, x) in rest {
        add_block([(column(entries, starts, *place), *x)], [], y);
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

/// `y += sum_j T_j x_j` over N columns, as far as the first of them goes. Those that come `next` are fetched meanwhile; none of either is
/// shorter.
#[inline(always)]
fn add_block<E: Entry, const N: usize, const M: usize>(
    columns: [(&Column<E>, f32); N],
    next: [&Column<E>; M],
    y: &mut [[f32; LANES]],
) {
    // All of one length, so that no place is compared with that of every column.
    let common = columns[0].0.len().min(y.len());
    let mut block: [(&Column<E>, f32); N] = [(&[], 0.0); N];
    let mut later: [&Column<E>; M] = [&[]; M];
    for (part, (column, x)) in block.iter_mut().zip(columns) {
        let Some(column) = column.get(..common) else { return };
        *part = (column, x);
    }
    for (part, column) in later.iter_mut().zip(next) {
        *part = column.get(..common).unwrap_or_default();
    }
    for (place, y) in y.iter_mut().enumerate().take(common) {
        if (place * size_of::<[E; LANES]>()).is_multiple_of(LINE_BYTES) {
            later.iter().filter_map(|column| column.get(place)).for_each(prefetch);
        }
        let mut sums = [0.0_f32; LANES];
        for (column, x) in &block {
            let Some(entries) = column.get(place) else { return };
            for lane in 0..LANES {
                sums[lane] = entries[lane].number().mul_add(*x, sums[lane]);
            }
        }
        for lane in 0..LANES {
            y[lane] += sums[lane];
        }
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
