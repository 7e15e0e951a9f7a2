//! The point from which a score measures, taken off a frame's feature so that features which are 0 stay 0.
//!
//! `T (z - c)` is wanted of a large matrix T. Where a feature is often exactly 0, as behind a ReLU, its part of c is not
//! taken off z but multiplied ahead, so that a frame in which it is 0 need not read that column of T. Of a feature that is 0 in a quarter
//! of the frames the mean is at most 1.8 standard deviations, by Cauchy-Schwarz: leaving it in costs a digit of f32 at most
//! a factor of 2.

use ndarray::Array1;

use super::{ScoreError, State, StateReader, wide};
use crate::fit::Sample;

/// Share of the frames in which a feature that counts as often 0 is 0.
const OFTEN: f64 = 0.25;

/// The tensor that names such features.
const OFTEN_ZERO: &str = "often_zero";

/// A centre c in two parts, each [C], that are never both other than 0.
#[derive(Debug)]
pub(super) struct Centre {
    /// What is taken off a frame's feature.
    pub(super) shift: Vec<f64>,
    /// The part of the features that are often 0.
    pub(super) ahead: Vec<f64>,
}

impl Centre {
    /// Reads the centre of C features from the tensors `name` and `rest`.
    ///
    /// # Errors
    /// It is missing or has another length.
    pub(super) fn read(
        state: &StateReader<'_>,
        name: &'static str,
        rest: &'static str,
        features: usize,
    ) -> Result<Self, ScoreError> {
        let part = |name| state.vector(name, Some(features));
        let centre = wide::join(&part(name)?, &part(rest)?);
        let often_zero = if state.has(OFTEN_ZERO) { part(OFTEN_ZERO)? } else { Array1::zeros(features) };
        let of = |ahead: bool| {
            let parts = centre.iter().zip(&often_zero);
            parts.map(|(c, often)| if (*often != 0.0) == ahead { *c } else { 0.0 }).collect()
        };
        Ok(Self { shift: of(false), ahead: of(true) })
    }
}

/// Adds which features are often 0 in the sample, if there are any: 1 for those, 0 for the others.
pub(super) fn with_often_zero(state: State, sample: &Sample) -> State {
    let frames = sample.features.nrows() as f64;
    let zeros = |column: ndarray::ArrayView1<'_, f32>| column.iter().filter(|z| **z == 0.0).count() as f64;
    let often: Array1<f32> =
        sample.features.columns().into_iter().map(|column| f32::from(zeros(column) >= OFTEN * frames)).collect();
    if often.sum() > 0.0 { state.with_tensor(OFTEN_ZERO, often) } else { state }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::array;

    use super::*;
    use crate::score::Fitted;

    fn centre(state: State) -> Centre {
        let fitted = Fitted { states: BTreeMap::from([("vim".to_string(), state)]), ..Fitted::default() };
        Centre::read(&fitted.state("vim").unwrap(), "origin", "origin_rest", 3).unwrap()
    }

    #[test]
    fn features_that_are_often_zero_keep_their_zeros() {
        let features = array![[0.0, 1.0, 0.0], [5.0, 2.0, 0.0], [6.0, 3.0, 1.0], [7.0, 0.5, 2.0], [8.0, 1.0, 3.0]];
        let sample = Sample { features, logits: ndarray::Array2::zeros((5, 0)), labels: vec![0; 5] };
        let origin = wide::with_wide(State::default(), "origin", "origin_rest", &array![1.0, 2.0, 3.0]);
        let read = centre(with_often_zero(origin.clone(), &sample));
        assert_eq!((read.shift, read.ahead), (vec![1.0, 2.0, 0.0], vec![0.0, 0.0, 3.0]));
        // A package from before it was counted.
        let read = centre(origin);
        assert_eq!((read.shift, read.ahead), (vec![1.0, 2.0, 3.0], vec![0.0; 3]));
    }
}
