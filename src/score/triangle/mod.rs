//! Upper trapezoidal matrices: what a Mahalanobis distance or a residual multiplies a frame's feature with.
//!
//! Of a whitening only ||T x|| counts, so any rotation of its rows will do, and one of them makes half of the entries
//! zero. Reading a large matrix from memory is what such a score costs: so only the other half is kept, in f32, or in
//! 16 bits where that is enough (`store` decides it when the score is fitted); and it is kept by columns, so that those of
//! features that are 0 need not be read ([`Centre`](super::centre::Centre)). A small matrix costs nothing; it is kept
//! in f64, so that a small difference of two distances keeps its digits.

mod kernel;
mod store;

pub(super) use store::store;

use ndarray::Array2;

use self::kernel::{Chunk, add_half, add_single, square_products};
use super::metric::dot;
use super::{ScoreError, StateReader};

/// Rows and columns of a square on the diagonal.
const SIDE: usize = 8;

/// Rows that a column is read by.
const LANES: usize = 32;

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

/// T [rows, columns], an upper trapezoidal matrix, with an offset o; and the memory that a product with it needs.
#[derive(Debug)]
pub(super) struct Triangle {
    offset: Vec<f64>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Entries by rows, row i without its first i.
    Double(Vec<f64>),
    Columns(Columns),
}

/// Squares of eight on the diagonal, and by columns what stands above them.
#[derive(Debug)]
struct Columns {
    /// The squares, row by row, filled up with zeros.
    heads: Vec<[Chunk; SIDE]>,
    /// Column j is `starts[j]..starts[j + 1]` of the body, filled up with zeros to whole [`LANES`].
    starts: Vec<u32>,
    body: Body,
    /// x, filled up with zeros.
    x: Vec<Chunk>,
    /// Columns whose x is not 0, after a product.
    active: Vec<(u32, f32)>,
    /// The products with the squares.
    squares: Vec<Chunk>,
    /// The products with the body.
    above: Vec<[f32; LANES]>,
}

#[derive(Debug)]
enum Body {
    Single(Vec<[f32; LANES]>),
    /// Codes, and per row what they are multiples of.
    Half(Vec<[i16; LANES]>, Vec<f32>),
}

impl Triangle {
    /// The triangle that `store` left in a state, with the offset `-T centre`, for vectors as long as `centre`.
    ///
    /// # Errors
    /// It is missing, or of no triangle's length.
    pub(super) fn read(state: &StateReader<'_>, names: Names, centre: &[f64]) -> Result<Self, ScoreError> {
        let columns = centre.len();
        let packed = state.vector(names.entries, None)?;
        let rows = (0..=columns).find(|rows| (0..*rows).map(|row| columns - row).sum::<usize>() == packed.len());
        let rows = rows.ok_or_else(|| {
            let wanted = format!("an upper trapezoid of {columns} columns, packed by rows");
            state.wrong(names.entries, format!("{} numbers", packed.len()), wanted)
        })?;
        let double = state.has(names.rest);
        let rest = if double { Some(state.vector(names.rest, Some(packed.len()))?) } else { None };
        let steps = if state.has(names.steps) { Some(state.vector(names.steps, Some(rows))?.to_vec()) } else { None };
        let mut entries: Vec<f64> = packed.iter().map(|entry| f64::from(*entry)).collect();
        for (entry, low) in entries.iter_mut().zip(rest.iter().flatten()) {
            *entry += f64::from(*low);
        }
        let mut offset = vec![0.0; rows];
        multiply(&entries, centre, &mut offset);
        offset.iter_mut().for_each(|offset| *offset = 0.0 - *offset);
        let form = if double {
            Form::Double(entries)
        } else {
            let mut entries = packed.into_iter();
            let entry = |(i, j)| if j >= i { entries.next().unwrap_or_default() } else { 0.0 };
            Form::Columns(Columns::new(&Array2::from_shape_fn((rows, columns), entry), steps.as_deref()))
        };
        Ok(Self { offset, form })
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.offset.len()
    }

    /// `y = T x + o`. Columns whose x is 0 are not read where the matrix is large.
    pub(super) fn apply(&mut self, x: &[f64], y: &mut [f64]) {
        match &mut self.form {
            Form::Double(entries) => multiply(entries, x, y),
            Form::Columns(columns) => columns.apply(x, y),
        }
        for (y, offset) in y.iter_mut().zip(&self.offset) {
            *y += offset;
        }
    }
}

/// `y = T x`, of entries by rows.
fn multiply(entries: &[f64], x: &[f64], y: &mut [f64]) {
    let mut rest = entries;
    for (row, y) in y.iter_mut().enumerate() {
        let x = x.get(row..).unwrap_or_default();
        let (entries, behind) = rest.split_at(x.len().min(rest.len()));
        *y = dot(entries, x);
        rest = behind;
    }
}

impl Columns {
    fn new(matrix: &Array2<f32>, steps: Option<&[f32]>) -> Self {
        let (rows, columns) = matrix.dim();
        let entry = |i: usize, j: usize| matrix.get((i, j)).copied().unwrap_or_default();
        let head = |i: usize, block: usize| -> Chunk { std::array::from_fn(|j| entry(i, block * SIDE + j)) };
        let (blocks, chunks) = (rows.div_ceil(SIDE), columns.div_ceil(SIDE));
        let heads = (0..blocks).map(|block| std::array::from_fn(|row| head(block * SIDE + row, block))).collect();
        // Rows of column j that are above its square.
        let height = |j: usize| (j / SIDE * SIDE).min(rows);
        let (mut starts, mut body) = (vec![0], Vec::new());
        for j in 0..columns {
            let above = |i: usize| if i < height(j) { entry(i, j) } else { 0.0 };
            let chunk = |chunk: usize| -> [f32; LANES] { std::array::from_fn(|lane| above(chunk * LANES + lane)) };
            body.extend((0..height(j).div_ceil(LANES)).map(chunk));
            starts.push(body.len() as u32);
        }
        let body = match steps {
            None => Body::Single(body),
            Some(steps) => {
                let steps: Vec<f32> = steps.iter().map(|step| if *step > 0.0 { *step } else { 1.0 }).collect();
                Body::Half(codes(&body, &starts, &steps), steps)
            }
        };
        Self {
            heads,
            starts,
            body,
            x: vec![[0.0; SIDE]; chunks],
            active: vec![(0, 0.0); columns],
            squares: vec![[0.0; SIDE]; blocks],
            above: vec![[0.0; LANES]; rows.div_ceil(LANES)],
        }
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) {
        for (narrow, x) in self.x.as_flattened_mut().iter_mut().zip(x) {
            *narrow = *x as f32;
        }
        square_products(&self.heads, &self.x, &mut self.squares);
        self.above.as_flattened_mut().fill(0.0);
        let active = find_active(self.x.as_flattened(), &mut self.active);
        match &self.body {
            Body::Single(body) => add_single(body, &self.starts, active, &mut self.above),
            Body::Half(body, steps) => {
                add_half(body, &self.starts, active, &mut self.above);
                self.above.as_flattened_mut().iter_mut().zip(steps).for_each(|(above, step)| *above *= step);
            }
        }
        let sums = self.squares.as_flattened().iter().zip(self.above.as_flattened());
        for (y, (square, above)) in y.iter_mut().zip(sums) {
            *y = f64::from(*square) + f64::from(*above);
        }
    }
}

/// What entries are as multiples of their rows' steps.
fn codes(body: &[[f32; LANES]], starts: &[u32], steps: &[f32]) -> Vec<[i16; LANES]> {
    let step = |row: usize| steps.get(row).copied().unwrap_or(1.0);
    let of_column = |bounds: &[u32]| {
        let column = body.get(bounds[0] as usize..bounds[1] as usize).unwrap_or_default().iter().enumerate();
        column.map(|(chunk, entries)| -> [i16; LANES] {
            std::array::from_fn(|lane| (entries[lane] / step(chunk * LANES + lane)).round() as i16)
        })
    };
    starts.windows(2).flat_map(of_column).collect()
}

/// The numbers that are not 0, with their places. Each is written to the next free place, but only those move on: no
/// branch that could be mispredicted.
fn find_active<'a>(x: &[f32], active: &'a mut [(u32, f32)]) -> &'a [(u32, f32)] {
    let mut count = 0;
    for (place, x) in (0_u32..).zip(x) {
        if let Some(next) = active.get_mut(count) {
            *next = (place, *x);
        }
        count += usize::from(*x != 0.0);
    }
    active.get(..count).unwrap_or_default()
}

#[cfg(test)]
mod tests;
