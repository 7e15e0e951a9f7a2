//! The products of rectified features with the head, for all rectifiers at once.

use super::levels::Levels;
use super::shape::{Mix, Term};
use crate::package::Head;
use crate::score::Outputs;
use crate::score::kernels::{add_rows, vectorised};

/// Up to so many weights `W z` is computed (5 microseconds); beyond, it is the network's logits less b.
///
/// That holds because a package with a head is one whose logits are its head's, up to the rounding of f32 inference. The
/// smaller the head, the less the short way saves, and `W z` lacks that rounding.
const SMALL_HEAD: usize = 1 << 14;

/// Columns of a large head that are added up together: more would not leave their places in a processor's registers.
const AT_ONCE: usize = 4;

/// Classes that a column of a large head is read by; its end is filled up with zeros.
const LANES: usize = 32;

/// Columns of a large head that are added up in f32, which takes half of the time, before they meet the sum of all others in f64: so few
/// lose no more digits than the network's logits lack.
const IN_F32: usize = 32;

/// Some classes of a column.
type Lanes = [f32; LANES];

/// Wc by columns and b, with the memory of the products.
pub(super) struct Product {
    /// Whether `W z` is computed.
    small: bool,
    /// Wc transposed [C, K], of a small head.
    columns: Vec<f32>,
    /// The same of a large one, each column filled up to whole [`LANES`].
    long_columns: Vec<Lanes>,
    /// b [K].
    bias: Vec<f64>,
    /// Sum of all columns [K].
    all: Vec<f64>,
    /// `sum W[:, c] z_c` over the columns read so far [K].
    weighted: Vec<f64>,
    /// `sum W[:, c]` over the columns read so far [K].
    plain: Vec<f64>,
    /// What is to be added to them, of a large head; 0 in between.
    few_weighted: Vec<Lanes>,
    few_plain: Vec<Lanes>,
    /// Features in no level that are not 0.
    rest: Vec<u32>,
    /// Columns of a small head, each with what it is multiplied with.
    picked: Vec<(u32, f64)>,
    /// Logits of each rectifier [K].
    logits: Vec<Vec<f64>>,
}

impl Product {
    /// For so many rectifiers.
    pub(super) fn new(head: &Head, count: usize) -> Self {
        let (classes, features) = head.weight.dim();
        let small = head.weight.len() <= SMALL_HEAD;
        let chunks = if small { 0 } else { classes.div_ceil(LANES) };
        let mut long_columns = vec![[0.0; LANES]; features * chunks];
        if !small {
            for (long, column) in long_columns.chunks_exact_mut(chunks).zip(head.weight.columns()) {
                long.as_flattened_mut().iter_mut().zip(column).for_each(|(long, w)| *long = *w);
            }
        }
        Self {
            columns: if small { head.weight.t().iter().copied().collect() } else { Vec::new() },
            long_columns,
            small,
            bias: head.bias.iter().map(|bias| f64::from(*bias)).collect(),
            all: head.weight.rows().into_iter().map(|row| row.iter().map(|w| f64::from(*w)).sum()).collect(),
            weighted: vec![0.0; classes],
            plain: vec![0.0; classes],
            few_weighted: vec![[0.0; LANES]; chunks],
            few_plain: vec![[0.0; LANES]; chunks],
            rest: Vec::with_capacity(features),
            picked: Vec::with_capacity(features),
            logits: vec![vec![0.0; classes]; count],
        }
    }

    /// Whether `W z` is computed.
    pub(super) fn is_small(&self) -> bool {
        self.small
    }

    /// Logits of each rectifier, after [`Self::run`].
    pub(super) fn logits(&self) -> &[Vec<f64>] {
        &self.logits
    }

    /// Works out each rectifier's logits. Reads the columns of the levels that count, the smallest first.
    pub(super) fn run(&mut self, outputs: &Outputs<'_>, levels: &Levels, mixes: &[Mix]) {
        self.start(outputs, mixes);
        let anew = self.is_small() && mixes.iter().any(|mix| mix.network != 0.0);
        let counts = |level: usize| mixes.iter().flat_map(|mix| mix.terms).any(|term| of_level(&term, level));
        let read = levels.ascending().enumerate().filter(|(_, (level, _))| anew || counts(*level)).map(|(i, _)| i + 1);
        for (level, features) in levels.ascending().take(read.last().unwrap_or(0)) {
            self.add_level(features, outputs.features);
            for (logits, mix) in self.logits.iter_mut().zip(mixes) {
                for term in mix.terms.iter().filter(|term| of_level(term, level)) {
                    add_both(logits, (term.product, &self.weighted), (term.columns, &self.plain));
                }
            }
        }
        if anew {
            self.add_rest(outputs, levels, mixes.iter().map(|mix| mix.network));
        } else if mixes.iter().any(|mix| mix.rest != 0.0) {
            self.weighted.fill(0.0);
            self.add_rest(outputs, levels, mixes.iter().map(|mix| mix.rest));
        }
    }

    /// Adds the columns of a level to `weighted` and `plain`.
    fn add_level(&mut self, level: &[u32], features: &[f32]) {
        if self.is_small() {
            self.add_in_f64(level, features);
            self.picked.iter_mut().for_each(|(_, z)| *z = 1.0);
            return add_rows(&self.columns, &self.picked, &mut self.plain);
        }
        for few in level.chunks(IN_F32) {
            add_columns(&self.long_columns, few, features, &mut self.few_weighted, &mut self.few_plain);
            move_over(&mut self.few_weighted, &mut self.weighted);
            move_over(&mut self.few_plain, &mut self.plain);
        }
    }

    /// Adds columns of a small head to `weighted`.
    fn add_in_f64(&mut self, columns: &[u32], features: &[f32]) {
        self.picked.clear();
        self.picked.extend(columns.iter().map(|feature| (*feature, f64::from(features[*feature as usize]))));
        add_rows(&self.columns, &self.picked, &mut self.weighted);
    }

    /// What needs no columns: `b + network (y - b) + all S`.
    fn start(&mut self, outputs: &Outputs<'_>, mixes: &[Mix]) {
        self.weighted.fill(0.0);
        self.plain.fill(0.0);
        let small = self.is_small();
        for (logits, mix) in self.logits.iter_mut().zip(mixes) {
            let network = if small { 0.0 } else { mix.network };
            begin(logits, (network, outputs.logits), &self.bias, (mix.all, &self.all));
        }
    }

    /// Adds the columns in no level to `weighted`, and that to each rectifier's logits, each with its factor.
    fn add_rest(&mut self, outputs: &Outputs<'_>, levels: &Levels, factors: impl Iterator<Item = f64>) {
        let mut rest = std::mem::take(&mut self.rest);
        rest.clear();
        rest.extend(levels.rest().iter().filter(|feature| outputs.features[**feature as usize] != 0.0));
        if self.is_small() {
            self.add_in_f64(&rest, outputs.features);
        } else {
            for few in rest.chunks(IN_F32) {
                add_products(&self.long_columns, few, outputs.features, &mut self.few_weighted);
                move_over(&mut self.few_weighted, &mut self.weighted);
            }
        }
        self.rest = rest;
        for (logits, factor) in self.logits.iter_mut().zip(factors) {
            if factor != 0.0 {
                add_both(logits, (factor, &self.weighted), (0.0, &self.plain));
            }
        }
    }
}

fn of_level(term: &Term, level: usize) -> bool {
    term.level == level && term.counts()
}

vectorised! {
    /// `y += a x + b z`.
    fn add_both(y: &mut [f64], x: (f64, &[f64]), z: (f64, &[f64])) -> () {
        for ((y, first), second) in y.iter_mut().zip(x.1).zip(z.1) {
            *y += x.0.mul_add(*first, z.0 * second);
        }
    }

    /// `y = b + network (logits - b) + factor all`.
    fn begin(y: &mut [f64], network: (f64, &[f32]), bias: &[f64], all: (f64, &[f64])) -> () {
        for (((y, logit), bias), of_all) in y.iter_mut().zip(network.1).zip(bias).zip(all.1) {
            *y = bias + network.0 * (f64::from(*logit) - bias) + all.0 * of_all;
        }
    }

    /// `sums += few`, and `few` begins again.
    fn move_over(few: &mut [Lanes], sums: &mut [f64]) -> () {
        for (few, sum) in few.as_flattened_mut().iter_mut().zip(sums) {
            *sum += f64::from(*few);
            *few = 0.0;
        }
    }

    /// `weighted += sum W[:, c] z_c` and `plain += sum W[:, c]` over the `picked` columns.
    fn add_columns(
        columns: &[Lanes],
        picked: &[u32],
        features: &[f32],
        weighted: &mut [Lanes],
        plain: &mut [Lanes],
    ) -> () {
        let (blocks, rest) = picked.as_chunks::<AT_ONCE>();
        for block in blocks {
            add_block(columns, block, features, weighted, plain);
        }
        for one in rest {
            add_block(columns, &[*one], features, weighted, plain);
        }
    }

    /// `weighted += sum W[:, c] z_c` over the `picked` columns.
    fn add_products(columns: &[Lanes], picked: &[u32], features: &[f32], weighted: &mut [Lanes]) -> () {
        let (blocks, rest) = picked.as_chunks::<AT_ONCE>();
        for block in blocks {
            add_products_of(columns, block, features, weighted);
        }
        for one in rest {
            add_products_of(columns, &[*one], features, weighted);
        }
    }
}

/// The `picked` columns of so many chunks, each with its feature.
#[inline(always)]
fn pick<'a, const N: usize>(
    columns: &'a [Lanes],
    picked: &[u32; N],
    features: &[f32],
    chunks: usize,
) -> Option<([&'a [Lanes]; N], [f32; N])> {
    let (mut found, mut factors): ([&[Lanes]; N], _) = ([&[]; N], [0.0; N]);
    for i in 0..N {
        let place = picked[i] as usize;
        let start = place.saturating_mul(chunks);
        found[i] = columns.get(start..start.saturating_add(chunks))?;
        factors[i] = *features.get(place)?;
    }
    Some((found, factors))
}

/// [`add_columns`] of N columns.
#[inline(always)]
fn add_block<const N: usize>(
    columns: &[Lanes],
    picked: &[u32; N],
    features: &[f32],
    weighted: &mut [Lanes],
    plain: &mut [Lanes],
) {
    let chunks = weighted.len();
    let (Some((columns, z)), Some(plain)) = (pick(columns, picked, features, chunks), plain.get_mut(..chunks)) else {
        return;
    };
    for chunk in 0..chunks {
        // Copies, which no column can overlap: only then do the lanes become vectors.
        let (mut products, mut sums) = (weighted[chunk], plain[chunk]);
        for i in 0..N {
            let column = &columns[i][chunk];
            for lane in 0..LANES {
                products[lane] = z[i].mul_add(column[lane], products[lane]);
                sums[lane] += column[lane];
            }
        }
        (weighted[chunk], plain[chunk]) = (products, sums);
    }
}

/// [`add_products`] of N columns.
#[inline(always)]
fn add_products_of<const N: usize>(columns: &[Lanes], picked: &[u32; N], features: &[f32], weighted: &mut [Lanes]) {
    let chunks = weighted.len();
    let Some((columns, z)) = pick(columns, picked, features, chunks) else { return };
    for chunk in 0..chunks {
        let mut products = weighted[chunk];
        for i in 0..N {
            let column = &columns[i][chunk];
            for lane in 0..LANES {
                products[lane] = z[i].mul_add(column[lane], products[lane]);
            }
        }
        weighted[chunk] = products;
    }
}
