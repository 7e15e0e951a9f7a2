//! Fitting: what the scores learn from in-distribution frames, in one pass and in bounded memory.
//!
//! [`Fit`] takes frames one by one and keeps moments (in f64), means per class, and a seeded sample of frames. At the
//! end each wanted score makes its state of these [`Statistics`]. Memory does not grow with the number of frames.

mod error;
pub(crate) mod linear_algebra;
mod moments;
mod sample;
mod statistics;

pub use error::FitError;
pub use moments::Moments;
pub use sample::Sample;
pub use statistics::{ClassMeans, Fit, Refused, Statistics};
