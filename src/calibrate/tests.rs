//! Hand-worked thresholds, and the properties that make them conformal.

use proptest::prelude::*;

use super::*;

fn threshold(scores: &[f32], rate: f64) -> Result<f32, CalibrateError> {
    Reference::new(scores.to_vec(), Target::rate(rate)).map(|reference| reference.threshold())
}

fn ascending(n: usize) -> Vec<f32> {
    (1..=n).map(|rank| rank as f32).collect()
}

#[test]
fn the_threshold_is_the_order_statistic_of_the_formula() {
    // n = 99, a = 0.05: rank 100 - 5 = 95.
    assert_eq!(threshold(&ascending(99), 0.05), Ok(95.0));
    // n = 19, a = 0.05: rank 20 - 1 = 19, the largest.
    assert_eq!(threshold(&ascending(19), 0.05), Ok(19.0));
}

#[test]
fn too_few_scores_are_refused_with_the_number_it_takes() {
    let error = threshold(&ascending(18), 0.05).unwrap_err();
    assert_eq!(error, CalibrateError::TooFew { found: 18, needed: 19, target: Target::rate(0.05) });
    assert_eq!(error.to_string(), "18 calibration frames cannot set a false-alarm rate of 0.05; it takes at least 19");
}

#[test]
fn a_rate_that_is_none_is_refused() {
    for rate in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(matches!(threshold(&ascending(99), rate), Err(CalibrateError::Rate { .. })));
    }
}

#[test]
fn p_values_of_a_small_set_are_those_worked_out_by_hand() {
    let scores = [1.0, 2.0, 2.0, 4.0];
    let expected = [(0.5, 1.0), (1.0, 1.0), (2.0, 0.8), (3.0, 0.4), (4.0, 0.4), (5.0, 0.2)];
    for (score, p) in expected {
        assert!((p_value(&scores, score) - p).abs() < 1e-12, "score {score}");
    }
}

#[test]
fn nan_among_the_scores_is_refused_by_its_place() {
    assert_eq!(sorted(vec![1.0, f32::NAN]), Err(CalibrateError::NotFinite { index: 1 }));
}

/// A target out of two numbers between 1 and 999; above 900 there is no confidence.
fn target_of(per_mille: u32, confidence: u32) -> Target {
    let confidence = (confidence <= 900).then(|| f64::from(confidence) / 1000.0);
    Target { rate: f64::from(per_mille) / 1000.0, confidence }
}

proptest! {
    /// Scores are rounded to a coarse grid, so that ties are common.
    #[test]
    fn flagged_is_exactly_p_at_most_the_level(
        values in prop::collection::vec(0_u8..40, 1..200),
        test in 0_u8..45,
        per_mille in 1_u32..1000,
        confidence in 1_u32..1800,
    ) {
        let target = target_of(per_mille, confidence);
        let scores: Vec<f32> = values.iter().map(|value| f32::from(*value)).collect();
        let score = f32::from(test);
        match ScoreCalibration::new(scores.clone(), target) {
            Ok(calibration) => {
                let judgement = calibration.judge(crate::score::Score(score), None);
                let (p, level) = (judgement.p_value.unwrap(), calibration.all.level());
                prop_assert_eq!(judgement.flag, p <= level);
                // On average the level is as good as the rate itself. A confidence stays below it, where it is at least
                // 1 - 1/e, the largest probability that Beta(k, n + 1 - k) gives to what lies below its mean (k = 1,
                // n to infinity): such a law's mean is its level.
                match target.confidence {
                    None => prop_assert_eq!(judgement.flag, p <= target.rate),
                    Some(confidence) => prop_assert!(confidence < 0.633 || level <= target.rate),
                }
            }
            Err(error) => {
                let needed = target.needed_scores();
                prop_assert_eq!(error, CalibrateError::TooFew { found: scores.len(), needed, target });
                prop_assert!(scores.len() < needed);
            }
        }
    }

    #[test]
    fn the_named_number_of_scores_is_enough_and_one_less_is_not(
        per_mille in 1_u32..1000,
        confidence in 1_u32..1800,
    ) {
        let target = target_of(per_mille, confidence);
        let needed = target.needed_scores();
        prop_assert!(target.flagged_ranks(needed).is_ok());
        prop_assert!(needed == 1 || target.flagged_ranks(needed - 1).is_err());
    }
}

/// splitmix64: a seeded stream of numbers that needs no crate.
pub(super) struct Noise(pub(super) u64);

impl Noise {
    pub(super) fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    }
}

#[test]
fn over_a_thousand_resamplings_the_mean_flag_rate_is_the_rate() {
    let (n, m, rate, rounds) = (199, 100, 0.05, 1000);
    let mut noise = Noise(20_261_123);
    let rates: Vec<f64> = (0..rounds).map(|_| flag_rate_of_one_draw(&mut noise, n, m, rate)).collect();
    let mean = rates.iter().sum::<f64>() / f64::from(rounds);
    let variance = rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / f64::from(rounds - 1);
    let standard_error = (variance / f64::from(rounds)).sqrt();
    assert!((mean - rate).abs() <= 3.0 * standard_error, "mean {mean}, standard error {standard_error}");
    // (n + 1) * rate is whole, so the spread is the beta-binomial's: k = 10, n + 1 - k = 190.
    let (alpha, beta, m) = (10.0, 190.0, m as f64);
    let sum: f64 = alpha + beta;
    let expected = alpha * beta * (sum + m) / (m * sum * sum * (sum + 1.0));
    assert!((variance / expected - 1.0).abs() < 0.2, "variance {variance}, beta-binomial's {expected}");
}

fn flag_rate_of_one_draw(noise: &mut Noise, n: usize, m: usize, rate: f64) -> f64 {
    let limit = threshold(&(0..n).map(|_| noise.unit()).collect::<Vec<_>>(), rate).unwrap();
    (0..m).filter(|_| noise.unit() > limit).count() as f64 / m as f64
}

/// With a confidence, the share of calibration sets whose realised rate exceeds the target is what is left of it. The
/// true rate of a threshold through uniform scores is one minus the threshold.
#[test]
fn a_confidence_is_kept_over_a_thousand_resamplings() {
    let (n, rounds) = (300, 1000);
    let target = Target { rate: 0.1, confidence: Some(0.9) };
    let mut noise = Noise(99);
    let exceeded = (0..rounds).filter(|_| {
        let reference = Reference::new((0..n).map(|_| noise.unit()).collect(), target).unwrap();
        f64::from(1.0 - reference.threshold()) > target.rate
    });
    let share = exceeded.count() as f64 / f64::from(rounds);
    // Discrete ranks keep more than promised; three standard errors above a tenth.
    assert!(share <= 0.1 + 3.0 * (0.09_f64 / f64::from(rounds)).sqrt(), "{share}");
    assert!(share > 0.03, "a threshold this cautious promises more than was asked for: {share}");
}

#[test]
fn classes_have_thresholds_of_their_own_and_the_poor_one_is_named() {
    let scores: Vec<f32> = (0..40).map(|i| if i % 2 == 0 { i as f32 } else { 100.0 + i as f32 }).collect();
    let predicted: Vec<usize> = (0..40).map(|i| i % 2).collect();
    let calibration = ScoreCalibration::per_class(scores.clone(), &predicted, 2, Target::rate(0.1)).unwrap();
    let flag = |score: f32, class: usize| calibration.judge(crate::score::Score(score), Some(class)).flag;
    // 20 scores and 10 %: two ranks, so the threshold is the 19th of 20: 36 of 0, 2, .., 38 and 137 of 101, .., 139.
    assert_eq!((flag(36.0, 0), flag(37.0, 0), flag(137.0, 1), flag(138.0, 1)), (false, true, false, true));
    let error = ScoreCalibration::per_class(scores, &predicted, 3, Target::rate(0.1)).unwrap_err();
    assert!(error.to_string().starts_with("class 2: 0 calibration frames cannot set"), "{error}");
}

#[test]
fn a_score_that_is_no_number_is_flagged_and_has_no_p_value() {
    let calibration = ScoreCalibration::new(vec![1.0, 2.0, 3.0], Target::rate(0.25)).unwrap();
    let judged = |score: f32| calibration.judge(crate::score::Score(score), None);
    assert_eq!(judged(3.5), Judgement { score: Some(3.5), threshold: 3.0, p_value: Some(0.25), flag: true });
    assert_eq!(judged(f32::NAN), Judgement { score: None, threshold: 3.0, p_value: None, flag: true });
}
