//! Upper trapezoidal matrices: what a Mahalanobis distance or a residual multiplies a frame's feature with.
//!
//! Of a whitening only ||T x|| counts, so any rotation of its rows will do, and one of them makes half of the entries
//! zero. Reading a large matrix from memory is what such a score costs: so only the other half is kept, in f32, or in
//! 16 bits where that is enough (`store` decides it when the score is fitted). A small matrix costs nothing; it is kept
//! in f64, so that a small difference of two distances keeps its digits.

mod kernel;
mod store;

pub(super) use store::store;

use ndarray::Array2;

use self::kernel::{Chunk, SIDE, apply_half, apply_single};
use super::metric::dot;
use super::{ScoreError, StateReader};

/// The tensors that hold a triangle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// Entries by rows, row i without its first i, which are 0.
    pub(super) entries: &'static str,
    /// What f32 leaves of the entries; there if the matrix is small.
    pub(super) rest: &'static str,
    /// Per row: the step that entries are 16-bit multiples of; there if 16 bits are enough.
    pub(super) steps: &'static str,
}

/// T [rows, columns]: an upper trapezoidal matrix, and the memory that a product with it needs.
#[derive(Debug)]
pub(super) struct Triangle {
    rows: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Entries by rows, row i without its first i.
    Double(Vec<f64>),
    Blocks(Blocks),
}

/// Blocks of eight rows, columns in chunks of eight, both filled up with zeros.
#[derive(Debug)]
struct Blocks {
    /// Per block: the square on the diagonal.
    heads: Vec<[Chunk; SIDE]>,
    /// Per block, row by row: what stands right of the square.
    body: Body,
    x: Vec<Chunk>,
    y: Vec<Chunk>,
}

#[derive(Debug)]
enum Body {
    Single(Vec<Chunk>),
    /// Codes, and per block and row what they are multiples of.
    Half(Vec<[i16; SIDE]>, Vec<Chunk>),
}

impl Triangle {
    /// The triangle that `store` left in a state, for vectors of `columns` numbers.
    ///
    /// # Errors
    /// It is missing, or of no triangle's length.
    pub(super) fn read(state: &StateReader<'_>, names: Names, columns: usize) -> Result<Self, ScoreError> {
        let packed = state.vector(names.entries, None)?;
        let rows = (0..=columns).find(|rows| (0..*rows).map(|row| columns - row).sum::<usize>() == packed.len());
        let rows = rows.ok_or_else(|| {
            let wanted = format!("an upper trapezoid of {columns} columns, packed by rows");
            state.wrong(names.entries, format!("{} numbers", packed.len()), wanted)
        })?;
        if state.has(names.rest) {
            let rest = state.vector(names.rest, Some(packed.len()))?;
            let entries = packed.iter().zip(&rest).map(|(high, low)| f64::from(*high) + f64::from(*low));
            return Ok(Self { rows, form: Form::Double(entries.collect()) });
        }
        let steps = if state.has(names.steps) { Some(state.vector(names.steps, Some(rows))?.to_vec()) } else { None };
        let mut entries = packed.into_iter();
        let entry = |(i, j)| if j >= i { entries.next().unwrap_or_default() } else { 0.0 };
        let matrix = Array2::from_shape_fn((rows, columns), entry);
        Ok(Self { rows, form: Form::Blocks(Blocks::new(&matrix, steps.as_deref())) })
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// `y = T x`.
    pub(super) fn apply(&mut self, x: &[f64], y: &mut [f64]) {
        match &mut self.form {
            Form::Double(entries) => {
                let mut rest = entries.as_slice();
                for (row, y) in y.iter_mut().enumerate() {
                    let x = x.get(row..).unwrap_or_default();
                    let (entries, behind) = rest.split_at(x.len().min(rest.len()));
                    *y = dot(entries, x);
                    rest = behind;
                }
            }
            Form::Blocks(blocks) => blocks.apply(x, y),
        }
    }
}

impl Blocks {
    fn new(matrix: &Array2<f32>, steps: Option<&[f32]>) -> Self {
        let (rows, columns) = matrix.dim();
        let entry = |i: usize, j: usize| matrix.get((i, j)).copied().unwrap_or_default();
        let chunk = |i: usize, chunk: usize| -> Chunk { std::array::from_fn(|j| entry(i, chunk * SIDE + j)) };
        let (blocks, chunks) = (rows.div_ceil(SIDE), columns.div_ceil(SIDE));
        let heads = (0..blocks).map(|block| std::array::from_fn(|row| chunk(block * SIDE + row, block))).collect();
        let body = (0..blocks * SIDE).flat_map(|row| (row / SIDE + 1..chunks).map(move |place| (row, place)));
        let body = match steps {
            None => Body::Single(body.map(|(row, place)| chunk(row, place)).collect()),
            Some(steps) => {
                let step = |row: usize| steps.get(row).copied().filter(|step| *step > 0.0).unwrap_or(1.0);
                let codes = body.map(|(row, place)| chunk(row, place).map(|x| (x / step(row)).round() as i16));
                let steps = (0..blocks).map(|block| std::array::from_fn(|row| step(block * SIDE + row)));
                Body::Half(codes.collect(), steps.collect())
            }
        };
        Self { heads, body, x: vec![[0.0; SIDE]; chunks], y: vec![[0.0; SIDE]; blocks] }
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) {
        for (narrow, x) in self.x.as_flattened_mut().iter_mut().zip(x) {
            *narrow = *x as f32;
        }
        match &self.body {
            Body::Single(body) => apply_single(&self.heads, body, &self.x, &mut self.y),
            Body::Half(body, steps) => apply_half(&self.heads, body, steps, &self.x, &mut self.y),
        }
        for (y, narrow) in y.iter_mut().zip(self.y.as_flattened()) {
            *y = f64::from(*narrow);
        }
    }
}

#[cfg(test)]
mod tests;
