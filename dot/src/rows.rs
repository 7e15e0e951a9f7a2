//! Walks the rows of a matrix, four at a time.

use std::ops::Range;

/// Rows that are multiplied together.
pub(crate) const ROWS: usize = 4;

/// Rows of whole blocks.
#[derive(Debug)]
pub(crate) struct Matrix<'a, B> {
    /// Row after row.
    pub(crate) blocks: &'a [B],
    /// Blocks of a row.
    pub(crate) width: usize,
    /// The rows that count, one after the other; all, if it is none.
    pub(crate) picked: Option<&'a [u32]>,
}

impl<B> Matrix<'_, B> {
    /// Adds to `products[i]` that of the i-th row that counts, as `multiply` gives it of four rows at a time, of which it gets the blocks
    /// of a `part`. Where all rows count, the four lie far apart: four streams, which a processor fetches ahead side by side.
    ///
    /// Inlined, so that `multiply` may use instructions that its function has been allowed.
    #[inline(always)]
    pub(crate) fn add_products(
        &self,
        part: Range<usize>,
        products: &mut [i32],
        multiply: impl Fn([&[B]; ROWS]) -> [i32; ROWS],
    ) {
        let count = match self.picked {
            Some(picked) => picked.len(),
            None => self.blocks.len() / self.width.max(1),
        };
        let count = count.min(products.len());
        let quarter = count / ROWS;
        let apart = |i: usize, row: usize| if self.picked.is_some() { ROWS * i + row } else { row * quarter + i };
        for i in 0..quarter {
            let places: [usize; ROWS] = std::array::from_fn(|row| apart(i, row));
            let sums = multiply(places.map(|place| self.row(place, &part)));
            for (place, sum) in places.into_iter().zip(sums) {
                products[place] = products[place].wrapping_add(sum);
            }
        }
        // Of up to three rows that are left the last is multiplied more than once.
        let rest = ROWS * quarter..count;
        if !rest.is_empty() {
            let places: [usize; ROWS] = std::array::from_fn(|row| (rest.start + row).min(rest.end - 1));
            let sums = multiply(places.map(|place| self.row(place, &part)));
            for (product, sum) in products[rest].iter_mut().zip(sums) {
                *product = product.wrapping_add(sum);
            }
        }
    }

    /// The blocks of a part of the i-th row that counts; of the first row in place of one that there is not, nothing where there is none.
    #[inline(always)]
    fn row(&self, i: usize, part: &Range<usize>) -> &[B] {
        let place = match self.picked {
            Some(picked) => picked.get(i).map_or(usize::MAX, |place| *place as usize),
            None => i,
        };
        let start = place.saturating_mul(self.width);
        let found = self.blocks.get(start.saturating_add(part.start)..start.saturating_add(part.end));
        found.or_else(|| self.blocks.get(part.clone())).unwrap_or_default()
    }
}

/// The first blocks of four rows, as many as of a vector, so that no place needs a check; none if a row is shorter.
#[inline(always)]
pub(crate) fn as_long<B>(rows: [&[B]; ROWS], length: usize) -> Option<[&[B]; ROWS]> {
    let [a, b, c, d] = rows;
    Some([a.get(..length)?, b.get(..length)?, c.get(..length)?, d.get(..length)?])
}
