//! Where a picture is looked at: a grid of at most 128x128 points, without those that a mask hides.

use super::measure::{LEAST_SIDE, SIDE_BLOCKS};
use crate::view::Mask;

/// Most points per side.
const SIDE_POINTS: usize = 128;

/// The points of pictures of one size. Memory is taken only when the size changes.
#[derive(Debug, Default)]
pub(super) struct Points {
    mask: Mask,
    picture: (usize, usize),
    /// Where the points of a row are, and in which of its blocks.
    columns: Vec<(usize, usize)>,
    rows: usize,
    /// Which points count; without a mask all of them do, and there are no entries.
    counting: Vec<bool>,
}

/// A point: where it is, and in which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) block: usize,
}

impl Points {
    /// For pictures with this mask, as they lie.
    pub(super) fn new(mask: Mask) -> Self {
        Self { mask, columns: Vec::with_capacity(SIDE_POINTS), ..Self::default() }
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
        let x = |column| 1 + (2 * column + 1) * inner_width / (2 * columns);
        self.columns.clear();
        self.columns.extend((0..columns).map(|column| (x(column), column * SIDE_BLOCKS / columns)));
        self.rows =
            inner_height.min((SIDE_POINTS * inner_height).div_ceil(inner_width).max(LEAST_SIDE)).min(SIDE_POINTS);
        self.counting = if self.mask.is_none() { Vec::new() } else { self.counting() };
    }

    /// Calls `look` with every point that counts, and says how many these were.
    #[inline]
    pub(super) fn for_each(&self, mut look: impl FnMut(Point)) -> u32 {
        let mut count = 0;
        for row in 0..self.rows {
            let (y, blocks) = (self.y(row), row * SIDE_BLOCKS / self.rows * SIDE_BLOCKS);
            let first = row * self.columns.len();
            for (column, &(x, block)) in self.columns.iter().enumerate() {
                if self.counting.get(first + column).is_none_or(|counts| *counts) {
                    look(Point { x, y, block: blocks + block });
                    count += 1;
                }
            }
        }
        count
    }

    fn y(&self, row: usize) -> usize {
        1 + (2 * row + 1) * (self.picture.1 - 2) / (2 * self.rows)
    }

    /// A point counts when all of its nine pixels do, by their centres.
    fn counting(&self) -> Vec<bool> {
        let centre = |pixel: usize, length: usize| (pixel as f64 + 0.5) / length as f64;
        let columns = || self.columns.iter().flat_map(|(x, _)| [0, 1, 2].map(|near| x - 1 + near));
        let mut counting = vec![true; self.rows * self.columns.len()];
        for (row, points) in counting.chunks_exact_mut(self.columns.len()).enumerate() {
            for y in self.y(row) - 1..=self.y(row) + 1 {
                let line = centre(y, self.picture.1);
                let pixels = self.mask.counts(line, columns().map(|x| centre(x, self.picture.0)));
                for (point, pixels) in points.iter_mut().zip(pixels.as_chunks::<3>().0) {
                    *point &= *pixels == [true; 3];
                }
            }
        }
        counting
    }
}
