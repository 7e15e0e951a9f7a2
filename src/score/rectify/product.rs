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

/// Columns that are added up together: so many streams the processor fetches ahead side by side.
const AT_ONCE: usize = 8;

/// Wc by columns and b, with the memory of the products.
pub(super) struct Product {
    /// Wc transposed [C, K].
    columns: Vec<f32>,
    /// b [K].
    bias: Vec<f64>,
    /// Sum of all columns [K].
    all: Vec<f64>,
    /// `sum W[:, c] z_c` over the columns read so far [K].
    weighted: Vec<f64>,
    /// `sum W[:, c]` over the columns read so far [K].
    plain: Vec<f64>,
    /// Features in no level that are not 0, each with its number.
    rest: Vec<(u32, f64)>,
    /// Logits of each rectifier [K].
    logits: Vec<Vec<f64>>,
}

impl Product {
    /// For so many rectifiers.
    pub(super) fn new(head: &Head, count: usize) -> Self {
        let (classes, features) = head.weight.dim();
        Self {
            columns: head.weight.t().iter().copied().collect(),
            bias: head.bias.iter().map(|bias| f64::from(*bias)).collect(),
            all: head.weight.rows().into_iter().map(|row| row.iter().map(|w| f64::from(*w)).sum()).collect(),
            weighted: vec![0.0; classes],
            plain: vec![0.0; classes],
            rest: Vec::with_capacity(features),
            logits: vec![vec![0.0; classes]; count],
        }
    }

    /// Whether `W z` is computed.
    pub(super) fn is_small(&self) -> bool {
        self.columns.len() <= SMALL_HEAD
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
            add_columns(&self.columns, features, outputs.features, &mut self.weighted, &mut self.plain);
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

    /// What needs no columns: `b + network (y - b) + all S`.
    fn start(&mut self, outputs: &Outputs<'_>, mixes: &[Mix]) {
        self.weighted.fill(0.0);
        self.plain.fill(0.0);
        let small = self.is_small();
        for (logits, mix) in self.logits.iter_mut().zip(mixes) {
            let network = if small { 0.0 } else { mix.network };
            for (((y, logit), bias), all) in logits.iter_mut().zip(outputs.logits).zip(&self.bias).zip(&self.all) {
                *y = bias + network * (f64::from(*logit) - bias) + mix.all * all;
            }
        }
    }

    /// Adds the columns in no level to `weighted`, and that to each rectifier's logits, each with its factor.
    fn add_rest(&mut self, outputs: &Outputs<'_>, levels: &Levels, factors: impl Iterator<Item = f64>) {
        self.rest.clear();
        let numbered = levels.rest().iter().map(|feature| (*feature, f64::from(outputs.features[*feature as usize])));
        self.rest.extend(numbered.filter(|(_, z)| *z != 0.0));
        add_rows(&self.columns, &self.rest, &mut self.weighted);
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

    /// `weighted += sum W[:, c] z_c` and `plain += sum W[:, c]` over the `picked` columns, in f64.
    fn add_columns(
        columns: &[f32],
        picked: &[u32],
        features: &[f32],
        weighted: &mut [f64],
        plain: &mut [f64],
    ) -> () {
        let (blocks, rest) = picked.as_chunks::<AT_ONCE>();
        for block in blocks {
            add_block(columns, block, features, weighted, plain);
        }
        for one in rest {
            add_block(columns, &[*one], features, weighted, plain);
        }
    }
}

#[inline(always)]
fn add_block<const N: usize>(
    columns: &[f32],
    picked: &[u32; N],
    features: &[f32],
    weighted: &mut [f64],
    plain: &mut [f64],
) {
    let classes = weighted.len();
    let mut block: [(&[f32], f64); N] = [(&[], 0.0); N];
    for (column, place) in block.iter_mut().zip(picked) {
        let start = (*place as usize).saturating_mul(classes);
        let (Some(found), Some(z)) = (columns.get(start..start.saturating_add(classes)), features.get(*place as usize))
        else {
            return;
        };
        *column = (found, f64::from(*z));
    }
    let chunks = weighted.as_chunks_mut::<16>().0.iter_mut().zip(plain.as_chunks_mut::<16>().0);
    for (place, (weighted, plain)) in chunks.enumerate() {
        // Copies, which no column can overlap: only then do the lanes become vectors.
        let (mut products, mut sums) = (*weighted, *plain);
        for (column, z) in &block {
            let Some(column) = column.as_chunks::<16>().0.get(place) else { return };
            for lane in 0..16 {
                let weight = f64::from(column[lane]);
                products[lane] = z.mul_add(weight, products[lane]);
                sums[lane] += weight;
            }
        }
        (*weighted, *plain) = (products, sums);
    }
    let whole = classes - classes % 16;
    for (place, (weighted, plain)) in weighted.iter_mut().zip(plain).enumerate().skip(whole) {
        for (column, z) in &block {
            let weight = f64::from(column[place]);
            *weighted = z.mul_add(weight, *weighted);
            *plain += weight;
        }
    }
}
