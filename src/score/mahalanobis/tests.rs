use ndarray::{Array1, Array2};

use crate::fit::Fit;
use crate::fit::linear_algebra::symmetric_eigen;
use crate::score::ScoreName::{Mahalanobis, MahalanobisPp, RelativeMahalanobis};
use crate::score::testing::{Frames, check, outputs};
use crate::score::{Model, Parameters, ScoreName, Scorers};

/// Two classes about (0, 0) and (10, 0), each with variance 1 along the first axis and 4 along the second; the third
/// class is never met. Over all frames the mean is (5, 0) and the variances are 26 and 4.
const FRAMES: Frames<2, 3> = Frames {
    features: &[[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0], [11.0, 2.0], [11.0, -2.0], [9.0, 2.0], [9.0, -2.0]],
    logits: &[[0.0; 3]; 8],
    labels: &[0, 0, 0, 0, 1, 1, 1, 1],
    weight: [[0.0; 2]; 3],
    bias: [0.0; 3],
};

#[test]
fn distances_to_the_nearest_class_are_those_worked_out_by_hand() {
    // 3^2 / 1 + 4^2 / 4 from the class at (0, 0).
    check(Mahalanobis, &FRAMES, [3.0, 4.0], [0.0; 3], 13.0);
    check(Mahalanobis, &FRAMES, [12.0, 0.0], [0.0; 3], 4.0);
    check(Mahalanobis, &FRAMES, [10.0, 0.0], [0.0; 3], 0.0);
    check(Mahalanobis, &FRAMES, [f32::NAN, 0.0], [0.0; 3], f64::NAN);
    check(Mahalanobis, &FRAMES, [0.0, f32::INFINITY], [0.0; 3], f64::NAN);
}

#[test]
fn the_relative_distance_takes_off_that_to_all_frames() {
    check(RelativeMahalanobis, &FRAMES, [3.0, 4.0], [0.0; 3], 13.0 - (4.0 / 26.0 + 4.0));
    check(RelativeMahalanobis, &FRAMES, [f32::NAN, 4.0], [0.0; 3], f64::NAN);
}

/// Directions (1, 0), (0.8, 0.6), (0.8, -0.6) of one class: mean (13/15, 0), variances 2/225 and 6/25.
const DIRECTIONS: Frames<2, 1> = Frames {
    features: &[[7.0, 0.0], [4.0, 3.0], [8.0, -6.0]],
    logits: &[[0.0]; 3],
    labels: &[0; 3],
    weight: [[0.0; 2]],
    bias: [0.0],
};

#[test]
fn mahalanobis_pp_looks_at_directions_alone() {
    for length in [1.0, 50.0] {
        let want = (13.0_f64 / 15.0).powi(2) * 225.0 / 2.0 + 25.0 / 6.0;
        check(MahalanobisPp, &DIRECTIONS, [0.0, length], [0.0], want);
    }
    // A zero feature stays zero.
    check(MahalanobisPp, &DIRECTIONS, [0.0, 0.0], [0.0], (13.0_f64 / 15.0).powi(2) * 225.0 / 2.0);
    check(MahalanobisPp, &DIRECTIONS, [f32::NAN, 0.0], [0.0], f64::NAN);
}

#[test]
fn frames_that_do_not_vary_within_their_classes_are_refused_by_name() {
    let features = &[[0.1, 0.2], [0.1, 0.2], [0.7, 0.3], [0.7, 0.3]];
    let constant = Frames { features, logits: &[[0.0; 3]; 4], labels: &[0, 0, 1, 1], ..FRAMES };
    for (name, state) in [(Mahalanobis, "mahalanobis"), (MahalanobisPp, "mahalanobis_pp")] {
        let error = constant.fit(name, Parameters::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("{state}: the features of its 4 frames do not vary")), "{error}");
    }
}

/// Features of which one is constant, one a copy, in more dimensions than frames: a singular covariance.
fn skewed_feature(random: &mut fastrand::Rng, class: usize, dimensions: usize) -> Vec<f32> {
    let mut values: Vec<f32> =
        (0..dimensions).map(|i| (random.f32() + if i == class { 0.7 } else { 0.0 }) / (1.0 + i as f32)).collect();
    values[dimensions - 2] = 3.0;
    values[dimensions - 1] = values[0];
    values
}

/// The definition, in plain f64 loops over a pseudo-inverse.
struct Plain {
    means: Vec<Array1<f64>>,
    eigen: (Array1<f64>, Array2<f64>),
}

impl Plain {
    fn new(frames: &[(Vec<f32>, usize)], classes: usize, dimensions: usize) -> Self {
        let mean_of = |class: usize| {
            let rows: Vec<_> = frames.iter().filter(|(_, label)| *label == class).collect();
            Array1::from_shape_fn(dimensions, |i| {
                rows.iter().map(|(row, _)| f64::from(row[i])).sum::<f64>() / rows.len() as f64
            })
        };
        let means: Vec<Array1<f64>> = (0..classes).map(mean_of).collect();
        let mut covariance = Array2::<f64>::zeros((dimensions, dimensions));
        for (row, label) in frames {
            let x = Array1::from_iter(row.iter().map(|x| f64::from(*x))) - &means[*label];
            for i in 0..dimensions {
                covariance.row_mut(i).scaled_add(x[i] / frames.len() as f64, &x);
            }
        }
        Self { means, eigen: symmetric_eigen(covariance.view()).unwrap() }
    }

    fn distance(&self, z: &[f32]) -> f64 {
        let (values, vectors) = &self.eigen;
        let cut = values[values.len() - 1] * values.len() as f64 * f64::from(f32::EPSILON);
        let z = Array1::from_iter(z.iter().map(|x| f64::from(*x)));
        let to = |mean: &Array1<f64>| {
            let along = vectors.dot(&(&z - mean));
            along.iter().zip(values).filter(|(_, value)| **value > cut).map(|(a, value)| a * a / value).sum::<f64>()
        };
        self.means.iter().map(to).fold(f64::INFINITY, f64::min)
    }
}

#[test]
fn singular_covariances_and_many_classes_agree_with_plain_f64_loops() {
    for (count, classes, dimensions) in [(300, 20, 24), (40, 3, 50)] {
        let mut random = fastrand::Rng::with_seed(3);
        let mut frame = |i: usize| (skewed_feature(&mut random, i % classes, dimensions), i % classes);
        let frames: Vec<_> = (0..count).map(&mut frame).collect();
        let logits = vec![0.0; classes];
        let mut fit = Fit::new(&[Mahalanobis], classes, dimensions, None, Parameters::default());
        frames.iter().for_each(|(features, label)| fit.add(&outputs(features, &logits), Some(*label)).unwrap());
        let fitted = fit.finish("a test").unwrap();
        let plain = Plain::new(&frames, classes, dimensions);
        let model = Model { classes, features: dimensions, local_norms: false, head: None, fitted: &fitted };
        let mut scorers = Scorers::new(&[ScoreName::Mahalanobis], &model).unwrap();
        for i in 0..30 {
            let (mut z, _) = frame(i);
            // What was constant in fitting is not measured, whatever it becomes.
            z[dimensions - 2] = i as f32;
            let (got, want) = (f64::from(scorers.score(&outputs(&z, &logits))[0].0), plain.distance(&z));
            assert!((got - want).abs() <= 1e-5 * want, "{got}, wanted {want}");
        }
    }
}
