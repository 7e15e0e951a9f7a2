//! Counts in bins of one width.

use serde::Serialize;

/// How many values lie in each bin. The last bin holds its upper edge too; values beyond the edges lie in the outer bins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Edges of the bins, one more than there are bins.
    pub edges: Vec<f64>,
    /// Values per bin.
    pub counts: Vec<usize>,
}

impl Histogram {
    /// Edges of so many bins.
    pub(super) fn edges(from: f64, to: f64, bins: usize) -> Vec<f64> {
        let to = if to > from { to } else { from + 1.0 };
        (0..=bins).map(|edge| from + (to - from) * edge as f64 / bins as f64).collect()
    }

    /// Counts; NaN lies nowhere.
    pub(super) fn of(values: impl Iterator<Item = f64>, edges: &[f64]) -> Self {
        let mut counts = vec![0; edges.len().saturating_sub(1)];
        for value in values.filter(|value| !value.is_nan()) {
            let bin = edges.partition_point(|edge| *edge <= value).saturating_sub(1);
            if let Some(last) = counts.len().checked_sub(1) {
                counts[bin.min(last)] += 1;
            }
        }
        Self { edges: edges.to_vec(), counts }
    }

    /// Share of all values in each bin.
    pub(super) fn shares(&self) -> Vec<f64> {
        let all = self.counts.iter().sum::<usize>().max(1) as f64;
        self.counts.iter().map(|count| *count as f64 / all).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_lies_in_one_bin_also_those_beyond_the_edges() {
        let edges = Histogram::edges(0.0, 1.0, 4);
        let values = [-5.0, 0.0, 0.25, 0.4, 1.0, f64::INFINITY, f64::NAN];
        assert_eq!(Histogram::of(values.into_iter(), &edges).counts, [2, 2, 0, 2]);
        assert_eq!(Histogram::edges(3.0, 3.0, 2), [3.0, 3.5, 4.0]);
    }
}
