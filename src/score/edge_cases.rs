//! Every score on frames that nobody wants: it refuses by name when it is fitted, or gives a number or NaN; it never
//! panics.

use ndarray::{Array1, Array2};

use super::testing::outputs;
use super::{Model, Parameters, ScoreName, Scorers};
use crate::fit::Fit;
use crate::package::Head;

/// Frames of C features and K logits with labels.
struct Case {
    name: &'static str,
    classes: usize,
    features: usize,
    frames: Vec<(Vec<f32>, Vec<f32>, usize)>,
}

/// `count` frames whose features are `feature(frame, index)`, spread over the classes.
fn case(
    name: &'static str,
    (classes, features, count): (usize, usize, usize),
    feature: impl Fn(usize, usize) -> f32,
) -> Case {
    let frame = |i: usize| {
        let logits = (0..classes).map(|k| if k == i % classes { 2.0 } else { 0.1 * k as f32 }).collect();
        ((0..features).map(|j| feature(i, j)).collect(), logits, i % classes)
    };
    Case { name, classes, features, frames: (0..count).map(frame).collect() }
}

fn cases() -> Vec<Case> {
    let waves = |i: usize, j: usize| ((i * 7 + j * 3) as f32 * 0.7).sin().max(0.0);
    vec![
        case("one frame", (3, 4, 1), waves),
        case("fewer frames than classes and features", (9, 12, 5), waves),
        case("one class and one feature", (1, 1, 70), waves),
        case("two of everything", (2, 2, 60), waves),
        case("zero features", (3, 4, 60), |_, _| 0.0),
        case("constant features", (3, 4, 60), |_, j| j as f32),
        case("one feature varies", (3, 4, 60), |i, j| if j == 2 { i as f32 } else { 1.0 }),
        case("huge features", (3, 4, 60), |i, j| 1e30 * waves(i, j)),
        case("tiny features", (3, 4, 60), |i, j| 1e-30 * waves(i, j)),
    ]
}

fn head(case: &Case) -> Head {
    let weight = Array2::from_shape_fn((case.classes, case.features), |(k, j)| ((k * 5 + j) as f32).cos());
    Head { weight, bias: Array1::zeros(case.classes) }
}

/// Scores a few frames, ID and odd ones, with every score that can be fitted.
fn score_all(case: &Case, head: &Head) {
    let names: Vec<ScoreName> = ScoreName::all().filter(|name| !name.needs().local_norms).collect();
    let mut fit = Fit::new(&names, case.classes, case.features, Some(head), Parameters::default());
    for (features, logits, label) in &case.frames {
        fit.add(&outputs(features, logits), Some(*label)).unwrap();
    }
    let (fitted, refused) = fit.finish_each("a test").unwrap();
    for (state, error) in refused {
        assert!(error.to_string().contains(state), "{}: {state} refuses with: {error}", case.name);
    }
    let model =
        Model { classes: case.classes, features: case.features, local_norms: false, head: Some(head), fitted: &fitted };
    let logits = &case.frames[0].1;
    for name in names {
        let Ok(mut scorers) = Scorers::new(&[name], &model) else {
            assert!(name.needs().fit, "{}: {name} cannot be built", case.name);
            continue;
        };
        for value in [0.0, 1.0, -1.0, 1e38, f32::INFINITY, f32::NAN] {
            let score = scorers.score(&outputs(&vec![value; case.features], logits))[0];
            let nan_in = value.is_nan() && name.needs().features;
            assert!(!nan_in || score.0.is_nan(), "{}: {name} of NaN is {score:?}", case.name);
        }
        scorers.score(&outputs(&case.frames[0].0, &vec![f32::NEG_INFINITY; case.classes]));
    }
}

#[test]
fn frames_that_nobody_wants_are_refused_by_name_or_scored() {
    for case in cases() {
        score_all(&case, &head(&case));
    }
}
