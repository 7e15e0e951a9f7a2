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

/// Columns of a large head that are added up in f32, which takes half of the time, before they meet the sum of all others in f64: so few
/// lose no more digits than the network's logits lack.
const IN_F32: usize = 16;

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
    /// What is to be added to them [K]; 0 in between.
    few_weighted: Vec<f32>,
    few_plain: Vec<f32>,
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
        Self {
            columns: head.weight.t().iter().copied().collect(),
            bias: head.bias.iter().map(|bias| f64::from(*bias)).collect(),
            all: head.weight.rows().into_iter().map(|row| row.iter().map(|w| f64::from(*w)).sum()).collect(),
            weighted: vec![0.0; classes],
            plain: vec![0.0; classes],
            few_weighted: vec![0.0; classes],
            few_plain: vec![0.0; classes],
            rest: Vec::with_capacity(features),
            picked: Vec::with_capacity(features),
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
            add_columns(&self.columns, few, features, &mut self.few_weighted, &mut self.few_plain);
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
            for (((y, logit), bias), all) in logits.iter_mut().zip(outputs.logits).zip(&self.bias).zip(&self.all) {
                *y = bias + network * (f64::from(*logit) - bias) + mix.all * all;
            }
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
                add_products(&self.columns, few, outputs.features, &mut self.few_weighted);
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

    /// `sums += few`, and `few` begins again.
    fn move_over(few: &mut [f32], sums: &mut [f64]) -> () {
        for (few, sum) in few.iter_mut().zip(sums) {
            *sum += f64::from(*few);
            *few = 0.0;
        }
    }

    /// `weighted += sum W[:, c] z_c` and `plain += sum W[:, c]` over the `picked` columns.
    fn add_columns(
        columns: &[f32],
        picked: &[u32],
        features: &[f32],
        weighted: &mut [f32],
        plain: &mut [f32],
    ) -> () {
        for few in picked.chunks(AT_ONCE) {
            add_picked(columns, few, features, weighted, |sum, weight, z| z.mul_add(weight, sum));
            add_picked(columns, few, features, plain, |sum, weight, _| sum + weight);
        }
    }

    /// `weighted += sum W[:, c] z_c` over the `picked` columns.
    fn add_products(columns: &[f32], picked: &[u32], features: &[f32], weighted: &mut [f32]) -> () {
        add_picked(columns, picked, features, weighted, |sum, weight, z| z.mul_add(weight, sum));
    }
}

/// Takes the picked columns into sums: `add` has a sum, a weight, and the column's feature.
#[inline(always)]
fn add_picked(
    columns: &[f32],
    picked: &[u32],
    features: &[f32],
    sums: &mut [f32],
    add: impl Fn(f32, f32, f32) -> f32 + Copy,
) {
    let (blocks, rest) = picked.as_chunks::<AT_ONCE>();
    for block in blocks {
        add_block(columns, block, features, sums, add);
    }
    for one in rest {
        add_block(columns, &[*one], features, sums, add);
    }
}

#[inline(always)]
fn add_block<const N: usize>(
    columns: &[f32],
    picked: &[u32; N],
    features: &[f32],
    sums: &mut [f32],
    add: impl Fn(f32, f32, f32) -> f32,
) {
    let classes = sums.len();
    let mut block: [(&[f32], f32); N] = [(&[], 0.0); N];
    for (column, place) in block.iter_mut().zip(picked) {
        let start = (*place as usize).saturating_mul(classes);
        let (Some(found), Some(z)) = (columns.get(start..start.saturating_add(classes)), features.get(*place as usize))
        else {
            return;
        };
        *column = (found, *z);
    }
    for (place, sums) in sums.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        // A copy, which no column can overlap: only then do the lanes become vectors.
        let mut lanes = *sums;
        for (column, z) in &block {
            let Some(column) = column.as_chunks::<16>().0.get(place) else { return };
            for lane in 0..16 {
                lanes[lane] = add(lanes[lane], column[lane], *z);
            }
        }
        *sums = lanes;
    }
    let whole = classes - classes % 16;
    for (place, sum) in sums.iter_mut().enumerate().skip(whole) {
        for (column, z) in &block {
            *sum = add(*sum, column[place], *z);
        }
    }
}
