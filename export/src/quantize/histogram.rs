//! How large the values of a tensor are, over any number of pictures, in a fixed amount of memory; and the range that is worth its
//! 8 bits.

use serde::{Deserialize, Serialize};

/// Bins of a histogram; a step of 8 bits is eight of them at the least.
const BINS: usize = 2048;

/// Ranges that are tried for the smallest error, as parts of the largest value.
const TRIED: usize = 200;

/// How the range of a tensor follows from its values on known pictures. Values beyond it are clipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum RangeRule {
    /// The largest value.
    Largest,
    /// 99.99 % of the values.
    Percentile,
    /// The least mean squared error of what is rounded and what is clipped.
    #[default]
    SquaredError,
}

/// Share of the values within a range of [`RangeRule::Percentile`].
const PERCENTILE: f64 = 0.9999;

/// Magnitudes of a tensor's values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    /// Values by magnitude, in equal steps from 0 to `limit`.
    counts: Vec<u64>,
    /// Upper end of the last bin; 0 before the first value that is not 0.
    limit: f32,
    /// The largest magnitude.
    largest: f32,
    /// Whether a value was below 0.
    negative: bool,
    /// Whether a value was infinite or no number.
    finite: bool,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BINS], limit: 0.0, largest: 0.0, negative: false, finite: true }
    }
}

impl Histogram {
    /// Counts values.
    pub(super) fn add<'v>(&mut self, values: impl Iterator<Item = &'v f32> + Clone) {
        let fold = |(largest, smallest, finite): (f32, f32, bool), value: &f32| {
            (largest.max(value.abs()), smallest.min(*value), finite && value.is_finite())
        };
        let (largest, smallest, finite) = values.clone().fold((0.0, 0.0, true), fold);
        self.finite &= finite;
        self.negative |= smallest < 0.0;
        if !finite {
            return;
        }
        self.largest = self.largest.max(largest);
        self.reach(largest);
        let scale = if self.limit > 0.0 { BINS as f32 / self.limit } else { 0.0 };
        for value in values {
            self.counts[((value.abs() * scale) as usize).min(BINS - 1)] += 1;
        }
    }

    /// Doubles the bins' width until the last one holds `largest`.
    fn reach(&mut self, largest: f32) {
        if self.limit == 0.0 {
            self.limit = largest;
        }
        while self.limit < largest {
            let pairs: Vec<u64> = self.counts.chunks_exact(2).map(|pair| pair.iter().sum()).collect();
            self.counts.fill(0);
            self.counts[..pairs.len()].copy_from_slice(&pairs);
            self.limit *= 2.0;
        }
    }

    /// The largest magnitude.
    pub(super) fn largest(&self) -> f32 {
        self.largest
    }

    /// Whether a value was below 0.
    pub(super) fn negative(&self) -> bool {
        self.negative
    }

    /// Whether all values were numbers.
    pub(super) fn finite(&self) -> bool {
        self.finite
    }

    /// The end of the range from 0 that `levels` steps are to cover; above 0.
    pub(super) fn range(&self, rule: RangeRule, levels: u16) -> f32 {
        // Of a tensor that is always 0, any range is as good.
        if self.largest == 0.0 {
            return 1.0;
        }
        match rule {
            RangeRule::Largest => self.largest,
            RangeRule::Percentile => self.percentile().min(self.largest),
            RangeRule::SquaredError => {
                let tried = (1..=TRIED).map(|part| self.largest * part as f32 / TRIED as f32);
                let of = tried.map(|range| (self.squared_error(range, levels), range));
                of.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(self.largest, |(_, range)| range)
            }
        }
    }

    /// The end of the first bin by which [`PERCENTILE`] of the values have come.
    fn percentile(&self) -> f32 {
        let wanted = self.counts.iter().sum::<u64>() as f64 * PERCENTILE;
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += count;
            seen as f64 >= wanted
        });
        self.limit * (reached.map_or(BINS, |bin| bin + 1)) as f32 / BINS as f32
    }

    /// Sum of the squared differences between values and what `levels` steps up to `range` make of them.
    fn squared_error(&self, range: f32, levels: u16) -> f64 {
        let (width, step) = (f64::from(self.limit) / BINS as f64, f64::from(range) / f64::from(levels));
        let error = |(bin, count): (usize, &u64)| {
            // ReLU makes many values that are 0 and stay 0; the first bin stands for them.
            let value = if bin == 0 { 0.0 } else { (bin as f64 + 0.5) * width };
            let kept = (value / step).round().min(f64::from(levels)) * step;
            *count as f64 * (value - kept).powi(2)
        };
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(error).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.add(values.iter());
        histogram
    }

    #[test]
    fn values_in_any_batches_and_order_give_the_same_range_within_a_bin() {
        let values: Vec<f32> = (0..5000).map(|i| ((i * 7919) % 5000) as f32 / 1000.0).collect();
        let whole = of(&values);
        let mut parts = Histogram::default();
        values.iter().for_each(|value| parts.add([value].into_iter()));
        for rule in [RangeRule::Largest, RangeRule::Percentile, RangeRule::SquaredError] {
            let (whole, parts) = (whole.range(rule, 127), parts.range(rule, 127));
            assert!((whole - parts).abs() <= 4.0 * 5.0 / BINS as f32 + 5.0 / TRIED as f32, "{rule:?} {whole} {parts}");
        }
        assert_eq!(parts.counts.iter().sum::<u64>(), 5000);
    }

    #[test]
    fn one_far_value_stretches_the_largest_alone() {
        let mut values: Vec<f32> = (0..100_000).map(|i| (i % 1000) as f32 / 1000.0).collect();
        values.push(50.0);
        let histogram = of(&values);
        assert_eq!(histogram.range(RangeRule::Largest, 127), 50.0);
        assert!(histogram.range(RangeRule::Percentile, 127) <= 1.05);
        // (50 - r)^2 is lost once, (r / 127)^2 / 12 by each of 100,000 rounded values: least at r = 33.
        let least = histogram.range(RangeRule::SquaredError, 127);
        assert!((30.0..36.0).contains(&least), "{least}");
    }

    #[test]
    fn the_range_of_least_error_is_the_one_that_a_direct_search_over_the_values_finds() {
        let values: Vec<f32> = (0..20_000).map(|i| (-(1.0 - i as f32 / 20_000.5).ln()).powi(2)).collect();
        let direct = |range: f32| -> f64 {
            let step = f64::from(range) / 127.0;
            let error =
                |value: &f32| (f64::from(*value) - (f64::from(*value) / step).round().min(127.0) * step).powi(2);
            values.iter().map(error).sum()
        };
        let found = of(&values).range(RangeRule::SquaredError, 127);
        let largest = values.iter().fold(0.0_f32, |a, b| a.max(*b));
        let best = (1..=TRIED).map(|part| direct(largest * part as f32 / TRIED as f32)).fold(f64::INFINITY, f64::min);
        assert!(direct(found) <= 1.05 * best, "{} against {best}", direct(found));
    }

    #[test]
    fn signs_zeros_and_what_is_no_number_are_told() {
        assert!(of(&[1.0, -1e-6]).negative() && !of(&[0.0, 2.0, -0.0]).negative());
        assert_eq!(of(&[0.0; 4]).range(RangeRule::SquaredError, 255), 1.0);
        assert!(!of(&[1.0, f32::NAN]).finite() && !of(&[f32::INFINITY]).finite());
    }
}
