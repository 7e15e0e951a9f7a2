//! Why tuning stops.

use crate::ablate::AblateError;
use crate::config::ConfigError;
use crate::evaluate::EvaluateError;
use crate::pictures::PictureError;
use crate::plot::PlotError;

/// Why tuning stopped. Networks that were trained and rows that were judged are kept and not done again.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// A run of the grid failed, or a file of it.
    #[error(transparent)]
    Ablate(#[from] AblateError),
    /// The grid or its base cannot be read, or holds a value out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A network cannot be judged.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// ID pictures cannot be read.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// A plot cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// No two pictures can be mixed.
    #[error("tune: the validation half of the ID pictures is of one class; pseudo-OOD pictures need at least two")]
    OneClass,
    /// Nothing says which accuracy there is to lose.
    #[error("tune: the grid has no row without a loss table; one is needed as the control whose accuracy counts")]
    NoControl,
}
