//! Walks the rows of a matrix in streams that lie apart, which a processor fetches ahead side by side.

/// Rows that are multiplied together, one of each quarter of them all.
const ROWS: usize = 4;

/// Multiplies some rows, of whole blocks, with one vector.
pub(super) trait RowKernel {
    /// A few numbers of a row.
    type Block;

    /// The products of `N` rows with the vector.
    fn multiply<const N: usize>(&self, rows: [&[Self::Block]; N]) -> [i32; N];
}

/// The product of each row of `width` blocks. Has to be inlined where the instructions of the kernel may be used.
#[inline(always)]
pub(super) fn multiply<K: RowKernel>(kernel: &K, codes: &[K::Block], width: usize, products: &mut [i32]) {
    let width = width.max(1);
    let quarter = products.len().min(codes.len() / width) / ROWS;
    let (low, high) = products.split_at_mut(2 * quarter);
    let ((p, q), (r, rest)) = (low.split_at_mut(quarter), high.split_at_mut(quarter));
    let (s, rest) = rest.split_at_mut(quarter);
    let part = |index: usize| codes[index * quarter * width..].chunks_exact(width);
    let results = p.iter_mut().zip(q).zip(r).zip(s);
    let quarters = part(0).zip(part(1)).zip(part(2)).zip(part(3));
    for ((((p, q), r), s), (((a, b), c), d)) in results.zip(quarters) {
        [*p, *q, *r, *s] = kernel.multiply([a, b, c, d]);
    }
    let rest_codes = &codes[ROWS * quarter * width..];
    for (codes, product) in rest_codes.chunks_exact(width).zip(rest) {
        [*product] = kernel.multiply([codes]);
    }
}

/// The products of the `picked` rows, some of them at a time; `products` may be longer. Has to be inlined where the instructions of the kernel may be used.
#[inline(always)]
pub(super) fn multiply_picked<K: RowKernel>(
    kernel: &K,
    codes: &[K::Block],
    width: usize,
    picked: &[u32],
    products: &mut [i32],
) {
    let row = |place: u32| {
        let start = (place as usize).saturating_mul(width);
        codes.get(start..start.saturating_add(width)).unwrap_or_default()
    };
    let (fours, rest) = picked.as_chunks::<ROWS>();
    // By the rows that are picked: the end of the products, which may be more, lies elsewhere.
    let Some((four_products, rest_products)) = products.split_at_mut_checked(ROWS * fours.len()) else { return };
    for (rows, products) in fours.iter().zip(four_products.as_chunks_mut::<ROWS>().0) {
        *products = kernel.multiply(rows.map(row));
    }
    for (place, product) in rest.iter().zip(rest_products) {
        [*product] = kernel.multiply([row(*place)]);
    }
}
