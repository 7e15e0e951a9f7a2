//! Reads trained weights from the files that people have.
//!
//! `.safetensors`, and PyTorch's `.pth`/`.th`/`.pt` in every form that `torch.save` has written: zip,
//! legacy pickle and tar; a bare state dict or one inside `{"state_dict": ...}`, `{"model": ...}`
//! and the like; with `module.` in front of every name as DataParallel leaves it; in half, single
//! or double precision. The form is recognised by content, never by the file's ending.
//! Nothing here needs libtorch, and nothing in a file is executed.

mod array;
mod file;
mod select;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use array::{Array, Tensors};
pub use select::Mismatch;

use file::WeightFile;

/// Why weights could not be read or used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file cannot be read.
    #[error("weights: {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A `.safetensors` file that is damaged.
    #[error("weights: {path}: damaged safetensors file: {source}", path = path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// Why.
        source: safetensors::SafeTensorError,
    },
    /// The file is in no known form.
    #[error("weights: {path}: neither a safetensors file nor one that torch.save wrote: {source}", path = path.display())]
    Pytorch {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pytorch_reader::PytorchError,
    },
    /// The file holds other weights than the network has.
    #[error("weights: {path}: {mismatch}", path = path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        mismatch: Box<Mismatch>,
    },
    /// The file holds the network's weights more than once, and nothing says which to take.
    #[error("weights: {path}: all {count} weights are there more than once, under {prefixes:?}; keep one", path = path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// Number of weights found under each.
        count: usize,
        /// What stands before the names.
        prefixes: Vec<String>,
    },
    /// A weight is stored in a type that is not a plain float.
    #[error("weights: {path}: {name:?} holds {found}, f64, f32, f16 or bf16 is needed", path = path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// Name in the file.
        name: String,
        /// Its element type.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error("weights: {path}: {name:?}: {count} of {total} values are NaN or infinite", path = path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Name in the file.
        name: String,
        /// How many.
        count: usize,
        /// Of how many.
        total: usize,
    },
    /// A tensor that a network needs is not among those given.
    #[error("weights: {name:?} is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape than the network needs.
    #[error("weights: {name:?} has shape {found:?}, {wanted:?} is needed")]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the network needs.
        wanted: Vec<usize>,
    },
    /// A shape and a list of values do not belong together.
    #[error("weights: {values} values do not fill shape {shape:?}")]
    Size {
        /// The shape.
        shape: Vec<usize>,
        /// Number of values.
        values: usize,
    },
}

/// Reads exactly the tensors `wanted` (name and shape) from a file, under their bare names.
///
/// What wraps the names in the file (`state_dict.`, `module.`, ...) is found by itself. Other tensors
/// beside the state dict, such as an optimiser's, are passed over; others within it are an error,
/// but for the counters `num_batches_tracked`, which older files lack and inference never needs.
///
/// # Errors
/// [`WeightsError::Mismatch`] lists every name that is missing, unexpected or of another shape; the
/// other variants say what is wrong with the file.
pub fn load(path: &Path, wanted: &[(String, Vec<usize>)]) -> Result<Tensors, WeightsError> {
    load_beside(path, wanted, &[])
}

/// As [`load`]; tensors called `beside` may be in the file, of any shape, and are read where they are.
///
/// # Errors
/// As [`load`].
pub fn load_beside(path: &Path, wanted: &[(String, Vec<usize>)], beside: &[String]) -> Result<Tensors, WeightsError> {
    let file = WeightFile::open(path)?;
    let prefix = select::prefix(path, file.shapes(), wanted, beside)?;
    log::debug!("weights: {}: {} tensors under {prefix:?}", path.display(), wanted.len());
    let there = beside.iter().filter_map(|name| Some((name, file.shapes().get(&format!("{prefix}{name}"))?)));
    let mut tensors = Tensors::default();
    for (name, shape) in wanted.iter().map(|(name, shape)| (name, shape)).chain(there) {
        let values = file.values(&format!("{prefix}{name}"))?;
        tensors.insert(name, Array::new(shape.clone(), values)?);
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests;
