//! Thresholds of ReAct and VRA: quantiles of all ID activations together.

use crate::fit::{FitError, Statistics};
use crate::score::{ScoreError, State};

/// ReAct's threshold.
///
/// # Errors
/// A setting out of range.
pub(in crate::score) fn fit_react(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let quantile = statistics.parameters.react.quantile;
    if !(quantile > 0.0 && quantile < 1.0) {
        return Err(wrong("react", "quantile", quantile, "a number between 0 and 1").into());
    }
    Ok(State::default().with_number("clip", activation_quantile(statistics, quantile)))
}

/// VRA's thresholds.
///
/// # Errors
/// A setting out of range.
pub(in crate::score) fn fit_vra(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let settings = &statistics.parameters.vra;
    let (low, high) = (settings.low_quantile, settings.high_quantile);
    if !(0.0..1.0).contains(&low) {
        return Err(wrong("vra", "low_quantile", low, "a number from 0 on, below 1").into());
    }
    if !(high > low && high <= 1.0) {
        return Err(wrong("vra", "high_quantile", high, "a number above low_quantile, at most 1").into());
    }
    Ok(State::default()
        .with_number("low", activation_quantile(statistics, low))
        .with_number("high", activation_quantile(statistics, high)))
}

fn wrong(score: &'static str, key: &'static str, found: f64, wanted: &'static str) -> ScoreError {
    ScoreError::Parameter { score, key, found: found.to_string(), wanted }
}

fn activation_quantile(statistics: &Statistics<'_>, quantile: f64) -> f64 {
    self::quantile(|| statistics.sample.features.iter().copied(), quantile)
}

/// Quantile of finite numbers, linear between neighbours (NumPy's default): of n ascending numbers the one at
/// `(n - 1) quantile`. The numbers are walked through, not copied: there may be 32 million.
fn quantile<I: Iterator<Item = f32>>(values: impl Fn() -> I, quantile: f64) -> f64 {
    let place = values().count().saturating_sub(1) as f64 * quantile;
    let low = f64::from(order_statistic(&values, place.floor() as usize));
    if place.fract() == 0.0 {
        return low;
    }
    low + place.fract() * (f64::from(order_statistic(&values, place.floor() as usize + 1)) - low)
}

/// The number of ascending rank `rank`, from 0 on, found by counting: first by the upper 16 bits of its key, then by the
/// lower ones. NaN if there are not so many.
fn order_statistic<I: Iterator<Item = f32>>(values: impl Fn() -> I, rank: usize) -> f32 {
    let (upper, rank) = nth(values().map(|value| key(value) >> 16), rank);
    let (lower, _) = nth(values().map(key).filter(|key| key >> 16 == upper).map(|key| key & 0xffff), rank);
    if lower > 0xffff { f32::NAN } else { from_key(upper << 16 | lower) }
}

/// Which 16-bit number has rank `rank`, and its rank among its equals; 65,536 if there are not so many.
fn nth(numbers: impl Iterator<Item = u32>, mut rank: usize) -> (u32, usize) {
    let mut counts = vec![0_usize; 1 << 16];
    numbers.for_each(|number| counts[number as usize] += 1);
    for (number, count) in (0_u32..).zip(counts) {
        if rank < count {
            return (number, rank);
        }
        rank -= count;
    }
    (1 << 16, 0)
}

/// A number that grows with `value`: negative ones are turned round.
fn key(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn from_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_of_five_numbers_are_those_worked_out_by_hand() {
        let numbers = [3.0, -1.0, 0.0, 7.0, 0.5];
        let of = |q| quantile(|| numbers.iter().copied(), q);
        assert_eq!([of(0.0), of(0.5), of(1.0)], [-1.0, 0.5, 7.0]);
        // Place 4 * 0.9 = 3.6, between 3 and 7.
        assert!((of(0.9) - (3.0 + 0.6 * 4.0)).abs() < 1e-12);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn order_statistics_are_those_of_sorted_numbers(
            numbers in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::ZERO, 1..30),
        ) {
            let mut sorted = numbers.clone();
            sorted.sort_by(f32::total_cmp);
            for (rank, want) in sorted.iter().enumerate() {
                prop_assert_eq!(order_statistic(|| numbers.iter().copied(), rank).to_bits(), want.to_bits());
            }
            prop_assert!(order_statistic(|| numbers.iter().copied(), numbers.len()).is_nan());
        }
    }
}
