//! Where a picture is looked at: a grid of at most 128x128 points, without those that a mask hides.

use super::measure::{LEAST_SIDE, SIDE_BLOCKS};
use crate::view::Mask;

/// Most points per side.
pub(super) const SIDE_POINTS: usize = 128;

/// Which points of a row count: all bits of their bytes are set, and none of others, nor of those beyond the row's end.
pub(super) type Counting = [u8; SIDE_POINTS];

/// The points of pictures of one size. Memory is taken only when the size changes.
#[derive(Debug, Default)]
pub(super) struct Points {
    mask: Mask,
    picture: (usize, usize),
    /// Where the points of a row are.
    columns: Vec<usize>,
    rows: usize,
    /// Which points count, row by row; without a mask all rows have the first.
    counting: Vec<Counting>,
}

/// A row of points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// Which row of pixels it is.
    pub(super) y: usize,
    /// The row of blocks that it lies in.
    pub(super) blocks: usize,
    pub(super) counting: &'a Counting,
}

impl Points {
    /// For pictures with this mask, as they lie.
    pub(super) fn new(mask: Mask) -> Self {
        Self { mask, columns: Vec::with_capacity(SIDE_POINTS), counting: Vec::with_capacity(1), ..Self::default() }
    }

    /// Lays the grid over pictures of this size; the smallest is [`LEAST_SIDE`] per side.
    pub(super) fn lay(&mut self, picture: (usize, usize)) {
        if self.picture == picture {
            return;
        }
        // The outermost pixels have neighbours on one side only.
        let (inner_width, inner_height) = (picture.0 - 2, picture.1 - 2);
        self.picture = picture;
        let columns = inner_width.min(SIDE_POINTS);
        self.columns.clear();
        self.columns.extend((0..columns).map(|column| 1 + (2 * column + 1) * inner_width / (2 * columns)));
        self.rows =
            inner_height.min((SIDE_POINTS * inner_height).div_ceil(inner_width).max(LEAST_SIDE)).min(SIDE_POINTS);
        self.counting.clear();
        if self.mask.is_none() {
            self.counting.push(bytes(columns, |_| true));
        } else {
            self.counting = self.unmasked();
        }
    }

    /// Where the points of a row are.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// In which block of its row a column is.
    pub(super) fn block(&self, column: usize) -> usize {
        column * SIDE_BLOCKS / self.columns.len().max(1)
    }

    /// The rows, from above.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let rows = if self.counting.is_empty() { 0 } else { self.rows };
        (0..rows).map(|row| {
            let counting = self.counting.get(row).unwrap_or(&self.counting[0]);
            Row { y: self.y(row), blocks: row * SIDE_BLOCKS / self.rows, counting }
        })
    }

    fn y(&self, row: usize) -> usize {
        1 + (2 * row + 1) * (self.picture.1 - 2) / (2 * self.rows)
    }

    /// A point counts when all of its nine pixels do, by their centres.
    fn unmasked(&self) -> Vec<Counting> {
        let centre = |pixel: usize, length: usize| (pixel as f64 + 0.5) / length as f64;
        let columns = || self.columns.iter().flat_map(|x| [0, 1, 2].map(|near| x - 1 + near));
        let of_row = |row| {
            let mut counting = [true; SIDE_POINTS];
            for y in self.y(row) - 1..=self.y(row) + 1 {
                let line = centre(y, self.picture.1);
                let pixels = self.mask.counts(line, columns().map(|x| centre(x, self.picture.0)));
                for (point, pixels) in counting.iter_mut().zip(pixels.as_chunks::<3>().0) {
                    *point &= *pixels == [true; 3];
                }
            }
            bytes(self.columns.len(), |column| counting[column])
        };
        (0..self.rows).map(of_row).collect()
    }
}

fn bytes(columns: usize, counts: impl Fn(usize) -> bool) -> Counting {
    std::array::from_fn(|column| if column < columns && counts(column) { u8::MAX } else { 0 })
}
