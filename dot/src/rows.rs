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
        let products = &mut products[..count];
        let done = match self.picked {
            Some(_) => self.add_in_order(&part, products, &multiply),
            None => self.add_quarters(&part, products, &multiply),
        };
        // Of up to three rows that are left the last is multiplied more than once.
        if let Some(last) = products.len().checked_sub(1).filter(|last| *last >= done) {
            let row = |place: usize| self.row(place.min(last), &part);
            let sums = multiply([row(done), row(done + 1), row(done + 2), row(last)]);
            add(&mut products[done..], sums);
        }
    }

    /// Four rows at a time, one of each quarter of them all; gives how many rows that were.
    #[inline(always)]
    fn add_quarters(
        &self,
        part: &Range<usize>,
        products: &mut [i32],
        multiply: &impl Fn([&[B]; ROWS]) -> [i32; ROWS],
    ) -> usize {
        let quarter = products.len() / ROWS;
        let width = self.width.max(1);
        let (low, high) = products.split_at_mut(2 * quarter);
        let ((p, q), (r, s)) = (low.split_at_mut(quarter), high.split_at_mut(quarter));
        let rows = |index: usize| self.blocks[index * quarter * width..].chunks_exact(width);
        let quarters = rows(0).zip(rows(1)).zip(rows(2)).zip(rows(3));
        for ((((p, q), r), s), (((a, b), c), d)) in p.iter_mut().zip(q).zip(r).zip(s).zip(quarters) {
            let sums = multiply([a, b, c, d].map(|row| row.get(part.clone()).unwrap_or_default()));
            for (product, sum) in [p, q, r, s].into_iter().zip(sums) {
                *product = product.wrapping_add(sum);
            }
        }
        ROWS * quarter
    }

    /// Four rows at a time, one after the other; gives how many rows that were.
    #[inline(always)]
    fn add_in_order(
        &self,
        part: &Range<usize>,
        products: &mut [i32],
        multiply: &impl Fn([&[B]; ROWS]) -> [i32; ROWS],
    ) -> usize {
        let fours = products.as_chunks_mut::<ROWS>().0;
        for (four, products) in fours.iter_mut().enumerate() {
            let first = ROWS * four;
            let sums = multiply([
                self.row(first, part),
                self.row(first + 1, part),
                self.row(first + 2, part),
                self.row(first + 3, part),
            ]);
            add(products, sums);
        }
        ROWS * fours.len()
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

#[inline(always)]
fn add(products: &mut [i32], sums: [i32; ROWS]) {
    for (product, sum) in products.iter_mut().zip(sums) {
        *product = product.wrapping_add(sum);
    }
}

/// The first blocks of four rows, as many as of a vector, so that no place needs a check; none if a row is shorter.
#[inline(always)]
pub(crate) fn as_long<B>(rows: [&[B]; ROWS], length: usize) -> Option<[&[B]; ROWS]> {
    let [a, b, c, d] = rows;
    Some([a.get(..length)?, b.get(..length)?, c.get(..length)?, d.get(..length)?])
}
