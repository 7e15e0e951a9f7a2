//! Medians, quantiles, and ratios over paired repeats.

use std::fmt;

/// The median; of an even number of values the mean of the middle two. NaN of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// The smallest value that at least this share of them do not exceed. NaN of none.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let sorted = sorted(values);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// One number by another, each measured side by side in every repeat: the median of the quotients, and the least and the greatest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ratio {
    pub(super) median: f64,
    least: f64,
    greatest: f64,
}

impl Ratio {
    /// Of pairs (dividend, divisor).
    pub(super) fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let quotients: Vec<f64> = pairs.into_iter().map(|(dividend, divisor)| dividend / divisor).collect();
        Self { median: median(&quotients), least: quantile(&quotients, 0.0), greatest: quantile(&quotients, 1.0) }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.2} ({:.2}-{:.2})", self.median, self.least, self.greatest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_of_the_pairs_quotients_with_its_spread() {
        // Not the quotient of the medians, which would be 2.
        let ratio = Ratio::of([(2.0, 1.0), (9.0, 3.0), (4.0, 1.0)]);
        assert_eq!((ratio.median, ratio.least, ratio.greatest), (3.0, 2.0, 4.0));
        assert_eq!(ratio.to_string(), "3.00 (2.00-4.00)");
    }

    #[test]
    fn medians_and_quantiles_of_few_values() {
        assert_eq!(median(&[3.0, 1.0]), 2.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.99), 3.0);
        assert!(median(&[]).is_nan() && quantile(&[], 0.5).is_nan());
    }
}
