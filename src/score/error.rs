//! Why a score cannot be computed.

use super::ScoreName;

/// Why a score cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// A score was asked for by a name that does not exist.
    #[error("score {found:?} is unknown; there are {}", known())]
    Unknown {
        /// The name asked for.
        found: String,
    },
    /// The package does not give what a score reads.
    #[error("score {score}: the package lacks {lacking}")]
    Lacking {
        /// The score.
        score: ScoreName,
        /// What it reads.
        lacking: &'static str,
    },
    /// The score needs state that the package does not hold.
    #[error("score {score}: the package holds no fitted state for it; `oodwatch calibrate` fits it on ID frames")]
    NotFitted {
        /// The score's name.
        score: &'static str,
    },
    /// Fitted state is incomplete or of another shape.
    #[error("score {score}: its fitted state {name:?} is {found}, wanted {wanted}")]
    State {
        /// The score's name.
        score: &'static str,
        /// The tensor or number.
        name: &'static str,
        /// What the package holds.
        found: String,
        /// What the score reads.
        wanted: String,
    },
    /// A setting is out of range.
    #[error("score {score}: its setting {key} is {found}, wanted {wanted}")]
    Parameter {
        /// The score's name.
        score: &'static str,
        /// The key of its table.
        key: &'static str,
        /// What was given.
        found: String,
        /// What is allowed.
        wanted: &'static str,
    },
    /// A score was asked for more than once.
    #[error("score {score} is asked for twice")]
    Twice {
        /// The score.
        score: ScoreName,
    },
}

/// The names there are.
fn known() -> String {
    ScoreName::all().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
