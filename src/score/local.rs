//! The local norms: the L2 norm of F at each location of the last feature map. LONG MEANS KNOWN.
//!
//! Training shrinks the norm of background features (METHOD.md, after "Local Background Features Matter in
//! Out-of-Distribution Detection", arXiv 2510.12259). A picture without any location that looks like a known class has
//! nothing but short local features; these scores read that off directly. They are this project's own: the pooled
//! counterpart is `feature_norm`. All are negated so that larger is stranger.

use super::kernels::{maximum, sum};
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::{LocalNormTopParameters, Model, Score, ScoreError, ScoreName};

/// `-mean_hw n_hw`.
fn mean(norms: &[f32]) -> f64 {
    -sum(norms) / norms.len() as f64
}

/// `-max_hw n_hw`; NaN of nothing.
fn max(norms: &[f32]) -> f64 {
    if norms.is_empty() { f64::NAN } else { -maximum(norms) }
}

/// `-mean` of the `max(1, ceil(share * H * W))` largest norms.
struct Top {
    share: f64,
    /// As long as the norms from the first frame on.
    ordered: Vec<f32>,
}

impl Top {
    fn new(parameters: &LocalNormTopParameters) -> Result<Self, ScoreError> {
        let share = parameters.share;
        if share > 0.0 && share <= 1.0 {
            return Ok(Self { share, ordered: Vec::new() });
        }
        Err(ScoreError::Parameter {
            score: "local_norm_top",
            key: "share",
            found: share.to_string(),
            wanted: "a number above 0, at most 1",
        })
    }

    fn score(&mut self, norms: &[f32]) -> f64 {
        if norms.is_empty() || sum(norms).is_nan() {
            return f64::NAN;
        }
        let kept = ((self.share * norms.len() as f64).ceil() as usize).clamp(1, norms.len());
        self.ordered.clear();
        self.ordered.extend_from_slice(norms);
        self.ordered.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
        mean(&self.ordered[..kept])
    }
}

/// The wanted scores of the local norms, each with its place.
struct Local {
    mean: Option<usize>,
    max: Option<usize>,
    top: Option<(usize, Top)>,
}

/// Builds the wanted scores of this file.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let top = match wanted.place(ScoreName::LocalNormTop) {
        Some(place) => Some((place, Top::new(&model.fitted.parameters.local_norm_top)?)),
        None => None,
    };
    let (mean, max) = (wanted.place(ScoreName::LocalNormMean), wanted.place(ScoreName::LocalNormMax));
    let any = mean.is_some() || max.is_some() || top.is_some();
    Ok(any.then(|| Box::new(Local { mean, max, top }) as Box<dyn Family>))
}

impl Family for Local {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        // `Scorers::new` refuses a network without them; no norms are no number.
        let norms = outputs.local_norms.unwrap_or_default();
        if let Some(place) = self.mean {
            scores[place] = Score(mean(norms) as f32);
        }
        if let Some(place) = self.max {
            scores[place] = Score(max(norms) as f32);
        }
        if let Some((place, top)) = &mut self.top {
            scores[*place] = Score(top.score(norms) as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn top(share: f64, norms: &[f32]) -> f64 {
        Top::new(&LocalNormTopParameters { share }).unwrap().score(norms)
    }

    #[test]
    fn scores_of_a_2_by_3_map_are_those_worked_out_by_hand() {
        let norms = [1.0, 6.0, 2.0, 0.0, 5.0, 4.0];
        assert_eq!(mean(&norms), -3.0);
        assert_eq!(max(&norms), -6.0);
        // ceil(0.4 * 6) = 3 locations: 6, 5 and 4.
        assert_eq!(top(0.4, &norms), -5.0);
        assert_eq!(top(0.01, &norms), -6.0);
        assert_eq!(top(1.0, &norms), -3.0);
    }

    #[test]
    fn a_nan_norm_or_none_at_all_makes_a_nan_score() {
        for norms in [&[1.0, f32::NAN, 3.0][..], &[]] {
            for score in [mean(norms), max(norms), top(0.1, norms)] {
                assert!(score.is_nan(), "{norms:?}");
            }
        }
    }

    #[test]
    fn a_share_out_of_range_is_refused() {
        for share in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(Top::new(&LocalNormTopParameters { share }).is_err(), "{share}");
        }
    }

    proptest! {
        /// Tolerance: one rounding of a sum of up to 100 terms in f64.
        #[test]
        fn the_top_lies_between_the_largest_norm_and_the_mean(
            norms in prop::collection::vec(0.0_f32..100.0, 1..100),
            share in 0.001_f64..=1.0,
        ) {
            let score = top(share, &norms);
            prop_assert!(max(&norms) <= score + 1e-9 && score <= mean(&norms) + 1e-9);
        }
    }
}
