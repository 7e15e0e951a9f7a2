//! Why scores cannot be fitted.

use crate::score::ScoreError;

/// Why fitting fails.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// A score refuses: a setting is out of range or the package lacks what it reads.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A frame's outputs are not numbers.
    #[error("fit: the network's output on frame {frame} is not finite")]
    NotFinite {
        /// Its place in the sequence.
        frame: usize,
    },
    /// A frame's outputs or label do not fit the network's sizes.
    #[error("fit: frame {frame} has {found}, wanted {wanted}")]
    Shape {
        /// Its place in the sequence.
        frame: usize,
        /// What it has.
        found: String,
        /// What the network's sizes ask for.
        wanted: String,
    },
    /// Too few frames.
    #[error("fit: {score} needs at least {needed} frames, found {found}")]
    TooFew {
        /// The score, or all of them.
        score: &'static str,
        /// Frames there are.
        found: usize,
        /// Frames it takes.
        needed: usize,
    },
    /// A score that is fitted to true labels was given none.
    #[error("fit: {score} needs frames with known classes; otherwise {instead}")]
    Labels {
        /// The score.
        score: &'static str,
        /// What can be done without labels.
        instead: &'static str,
    },
    /// The frames' numbers do not determine the state.
    #[error("fit: {score}: {problem}")]
    Degenerate {
        /// The score.
        score: &'static str,
        /// What is wrong with the frames.
        problem: String,
    },
}
