use super::*;
use crate::fit::Fit;
use crate::score::{Fitted, Outputs, Parameters, Scorers};

fn outputs(logits: &[f32]) -> Outputs<'_> {
    Outputs { logits, features: &[], local_norms: None, local_logits: None }
}

fn fitted(frames: &[(&[f32], usize)], alpha: usize) -> Fitted {
    let mut parameters = Parameters::default();
    parameters.openmax.alpha = alpha;
    let mut fit = Fit::new(&[ScoreName::Openmax], frames[0].0.len(), 0, None, parameters);
    frames.iter().for_each(|(logits, label)| fit.add(&outputs(logits), Some(*label)).unwrap());
    fit.finish("here").unwrap()
}

fn score(fitted: &Fitted, logits: &[f32]) -> f64 {
    let model = Model { classes: logits.len(), features: 0, local_norms: false, head: None, fitted };
    f64::from(Scorers::new(&[ScoreName::Openmax], &model).unwrap().score(&outputs(logits))[0].0)
}

#[test]
fn the_score_of_three_classes_is_that_worked_out_by_hand() {
    // Class 0 has two frames, centre (5, 0, 0), both at distance 1: a step. Class 1 has none that is predicted right.
    let frames: [(&[f32], usize); 4] =
        [(&[6.0, 0.0, 0.0], 0), (&[4.0, 0.0, 0.0], 0), (&[9.0, 0.0, 0.0], 1), (&[0.0, 0.0, 3.0], 2)];
    let fitted = fitted(&frames, 2);
    // Near the centre of class 0, w_0 = 0; second comes class 1 with w = 1 and omega = 1/2.
    let near = 0.25_f64.exp() / (0.25_f64.exp() + 5.0_f64.exp() + 0.25_f64.exp() + 1.0);
    assert!((score(&fitted, &[5.0, 0.5, 0.0]) - near).abs() < 1e-8);
    // At distance 2 class 0 gives all it has, class 1 half: v_0 = 5 + 1, and what is left is 0, 1 and 0.
    let far = 6.0_f64.exp() / (6.0_f64.exp() + 1.0 + 1.0_f64.exp() + 1.0);
    assert!((score(&fitted, &[5.0, 2.0, 0.0]) - far).abs() < 1e-7);
}

#[test]
fn of_equal_logits_the_lower_class_is_revised_first() {
    let frames: [(&[f32], usize); 2] = [(&[1.0, 0.0], 0), (&[0.0, 1.0], 1)];
    // Only one logit is revised, and it belongs to class 0: at distance 1 from (1, 0) beyond its only frame.
    let got = score(&fitted(&frames, 1), &[1.0, 1.0]);
    let want = 1.0_f64.exp() / (1.0_f64.exp() + 0.0_f64.exp() + 1.0_f64.exp());
    assert!((got - want).abs() < 1e-7, "{got}, wanted {want}");
}

#[test]
fn a_nan_makes_a_nan_and_one_class_or_more_alpha_than_classes_no_harm() {
    let one = fitted(&[(&[3.0], 0)], 10);
    assert!((score(&one, &[3.0]) - 1.0 / (1.0 + 3.0_f64.exp())).abs() < 1e-8);
    assert!(score(&one, &[f32::NAN]).is_nan());
}

#[test]
fn settings_out_of_range_are_refused() {
    let with = |tail, alpha| check(&OpenmaxParameters { tail, alpha });
    assert!(with(20, 10).is_ok());
    assert!(with(20, 0).unwrap_err().to_string().contains("alpha"));
    assert!(with(2, 10).unwrap_err().to_string().contains("tail"));
}

/// The paper's algorithm as a plain loop. Tolerance: the centres are kept in f32 (6e-8), magnified by a steep law.
#[test]
fn many_frames_score_as_in_a_plain_loop() {
    let mut random = fastrand::Rng::with_seed(5);
    let classes = 6;
    let frames: Vec<(Vec<f32>, usize)> = (0..300)
        .map(|i| {
            ((0..classes).map(|k| random.f32() * 3.0 + if k == i % classes { 4.0 } else { 0.0 }).collect(), i % classes)
        })
        .collect();
    let borrowed: Vec<(&[f32], usize)> = frames.iter().map(|(logits, label)| (logits.as_slice(), *label)).collect();
    let fitted = fitted(&borrowed, 4);
    let plain_distance =
        |y: &[f32], centre: &[f64]| y.iter().zip(centre).map(|(y, c)| (f64::from(*y) - c).powi(2)).sum::<f64>().sqrt();
    let class = |k: usize| {
        let rows: Vec<&Vec<f32>> =
            frames.iter().filter(|(y, l)| *l == k && predicted(y.as_slice().into()) == Some(k)).map(|f| &f.0).collect();
        let centre: Vec<f64> =
            (0..classes).map(|j| rows.iter().map(|y| f64::from(y[j])).sum::<f64>() / rows.len() as f64).collect();
        let law = Law::fit(rows.iter().map(|y| plain_distance(y, &centre)).collect(), 20);
        (centre, law)
    };
    for _ in 0..50 {
        let y: Vec<f32> = (0..classes).map(|_| random.f32() * 9.0 - 2.0).collect();
        let mut order: Vec<usize> = (0..classes).collect();
        order.sort_by(|a, b| y[*b].total_cmp(&y[*a]));
        let mut unknown = 0.0;
        let mut known = 0.0;
        for (rank, k) in order.iter().enumerate() {
            let omega = (4.0 - rank as f64).max(0.0) / 4.0;
            let (centre, law) = class(*k);
            let given = f64::from(y[*k]) * omega * law.probability(plain_distance(&y, &centre));
            unknown += given;
            known += (f64::from(y[*k]) - given).exp();
        }
        let want = unknown.exp() / (unknown.exp() + known);
        let got = score(&fitted, &y);
        assert!((got - want).abs() <= 1e-6 * want, "{got}, wanted {want}");
    }
}
