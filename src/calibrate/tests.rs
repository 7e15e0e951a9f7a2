//! Hand-worked thresholds, and the properties that make them conformal.

use proptest::prelude::*;

use super::*;

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
    assert_eq!(error, CalibrateError::TooFew { found: 18, needed: 19, rate: 0.05 });
    assert_eq!(error.to_string(), "18 calibration frames cannot set a false-alarm rate of 0.05; it takes at least 19");
}

#[test]
fn a_rate_that_is_none_is_refused() {
    for rate in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(matches!(threshold(&ascending(99), rate), Err(CalibrateError::Rate { .. })));
    }
}

#[test]
fn a_rate_whose_product_is_rounded_down_still_counts_its_full_rank() {
    // 100 * 0.29 is 28.999999999999996 in f64, but 29/100 == 0.29.
    assert_eq!(flagged_ranks(99, 0.29), Ok(29));
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

proptest! {
    /// Scores are rounded to a coarse grid, so that ties are common.
    #[test]
    fn flagged_is_exactly_p_at_most_the_rate(
        values in prop::collection::vec(0_u8..40, 1..200),
        test in 0_u8..45,
        per_mille in 1_u32..1000,
    ) {
        let rate = f64::from(per_mille) / 1000.0;
        let scores = sorted(values.iter().map(|value| f32::from(*value)).collect()).unwrap();
        let score = f32::from(test);
        match threshold(&scores, rate) {
            Ok(limit) => prop_assert_eq!(score > limit, p_value(&scores, score) <= rate),
            Err(error) => {
                prop_assert_eq!(error, CalibrateError::TooFew {
                    found: scores.len(), needed: needed_scores(rate), rate,
                });
                prop_assert!(scores.len() < needed_scores(rate));
            }
        }
    }

    #[test]
    fn the_named_number_of_scores_is_enough_and_one_less_is_not(per_mille in 1_u32..1000) {
        let rate = f64::from(per_mille) / 1000.0;
        let needed = needed_scores(rate);
        if needed > 0 {
            prop_assert!(threshold(&ascending(needed), rate).is_ok());
            prop_assert!(threshold(&ascending(needed - 1), rate).is_err());
        }
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
    let scores = sorted((0..n).map(|_| noise.unit()).collect()).unwrap();
    let limit = threshold(&scores, rate).unwrap();
    (0..m).filter(|_| noise.unit() > limit).count() as f64 / m as f64
}
