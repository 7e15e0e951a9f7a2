//! Which state serves which scores, and how it is made from the statistics of ID frames.

use std::collections::BTreeMap;

use super::{ScoreName, State, classes, dice, knn, logits, mahalanobis, nnguide, openmax, predicted, rectify, vim};
use crate::fit::{FitError, Statistics};

/// Makes one state.
type MakeState = fn(&mut Statistics<'_>) -> Result<State, FitError>;

/// The state's name, the scores (without what they are composed with) that read it, and how it is made.
const STATES: &[(&str, &[&str], MakeState)] = &[
    ("temperature", &["temperature"], logits::fit_temperature),
    ("nnguide", &["nnguide"], nnguide::fit),
    ("knn", &["knn"], knn::fit),
    ("mahalanobis", &["mahalanobis", "relative_mahalanobis"], mahalanobis::fit_raw),
    ("mahalanobis_pp", &["mahalanobis_pp"], mahalanobis::fit_unit),
    ("vim", &["vim", "residual"], vim::fit),
    ("she", &["she"], predicted::fit_she),
    ("fdbd", &["fdbd"], predicted::fit_mean),
    ("nci", &["nci"], predicted::fit_mean),
    ("kl_matching", &["kl_matching"], classes::fit),
    ("react", &["react"], rectify::fit_react),
    ("dice", &["dice"], dice::fit),
    ("vra", &["vra"], rectify::fit_vra),
    ("openmax", &["openmax"], openmax::fit),
];

/// Makes the state of every wanted score. A score that refuses is left out and reported under its state's name.
pub(crate) fn fit_states(
    wanted: &[ScoreName],
    statistics: &mut Statistics<'_>,
) -> (BTreeMap<String, State>, Vec<(&'static str, FitError)>) {
    let (mut states, mut refused) = (BTreeMap::new(), Vec::new());
    for (name, readers, make) in STATES {
        if !wanted.iter().any(|score| readers.contains(&score.stem())) {
            continue;
        }
        match make(statistics) {
            Ok(state) => {
                states.insert((*name).to_string(), state);
            }
            Err(error) => refused.push((*name, error)),
        }
    }
    (states, refused)
}

/// The name of the state that a score reads; none for a score that is not fitted.
pub(super) fn state_of(score: ScoreName) -> Option<&'static str> {
    STATES.iter().find(|(_, readers, _)| readers.contains(&score.stem())).map(|(name, _, _)| *name)
}
