//! The Weibull law of a class's largest distances, as libMR fits it.
//!
//! libMR takes the `tail` largest distances and moves them to `x = d - min(tail) + 10,000`, where a Weibull law with
//! shape s and scale l is fitted: `P(X <= x) = 1 - exp(-(x / l)^s)`. Here the maximum likelihood is solved to the last
//! digit; references stop their search at about 1e-4.
//!
//! With x that far from 0, s is of the order of 10,000 and x / l next to 1. The law is therefore kept as
//! `(x / l)^s = exp(s log(1 + (d - t) / l))` with t the distance at which x = l, which loses no digits.

/// What libMR adds to the distances.
const SHIFT: f64 = 10_000.0;

/// Fewest distances that determine a law.
const FEWEST: usize = 3;

/// Distances that differ by less than this share of the largest are the same: there the law has no finite shape.
const SAME: f64 = 1e-6;

/// The law of a class's distances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Law {
    /// t: the distance at which the probability is 1 - 1/e; for a step, the last distance with probability 0.
    threshold: f64,
    /// s; 0 for a step.
    shape: f64,
    /// l.
    scale: f64,
}

impl Law {
    /// The law of the `tail` largest distances: a step at the largest, where they do not determine one; a step below
    /// 0 (always improbable) where there are none.
    pub(super) fn fit(mut distances: Vec<f64>, tail: usize) -> Self {
        distances.sort_by(|a, b| b.total_cmp(a));
        distances.truncate(tail);
        let (Some(largest), Some(smallest)) = (distances.first(), distances.last()) else { return Self::step(-1.0) };
        let spread = largest - smallest;
        if distances.len() < FEWEST || spread <= SAME * largest {
            return Self::step(*largest);
        }
        let end = spread + SHIFT;
        let logs: Vec<f64> = distances.iter().map(|distance| ((distance - largest) / end).ln_1p()).collect();
        let shape = likeliest_shape(&logs);
        // l = (mean x^s)^(1/s), less the largest x.
        let beyond = end * (mean(logs.iter().map(|log| (shape * log).exp())).ln() / shape).exp_m1();
        Self { threshold: largest + beyond, shape, scale: end + beyond }
    }

    fn step(threshold: f64) -> Self {
        Self { threshold, shape: 0.0, scale: SHIFT }
    }

    /// The law whose [`Self::numbers`] are given.
    pub(super) fn from_numbers([threshold, shape, scale]: [f64; 3]) -> Self {
        Self { threshold, shape, scale }
    }

    /// Threshold, shape and scale.
    pub(super) fn numbers(self) -> [f64; 3] {
        [self.threshold, self.shape, self.scale]
    }

    /// Probability of a distance up to this one.
    pub(super) fn probability(&self, distance: f64) -> f64 {
        if self.shape == 0.0 {
            return if distance > self.threshold { 1.0 } else { 0.0 };
        }
        let from_scale = (distance - self.threshold) / self.scale;
        if from_scale <= -1.0 {
            return 0.0;
        }
        -(-(self.shape * from_scale.ln_1p()).exp()).exp_m1()
    }
}

/// Shape of the likeliest Weibull law of numbers whose logarithms, less that of the largest, are given: the root of
/// `sum x^s log x / sum x^s - 1/s - mean log x`, which grows with s.
fn likeliest_shape(logs: &[f64]) -> f64 {
    let mean_log = mean(logs.iter().copied());
    let slope = |shape: f64| {
        let weights = || logs.iter().map(|log| (shape * log).exp());
        weights().zip(logs).map(|(weight, log)| weight * log).sum::<f64>() / weights().sum::<f64>()
            - 1.0 / shape
            - mean_log
    };
    let (mut low, mut high) = (1e-3_f64, 1e15_f64);
    for _ in 0..100 {
        let middle = (low * high).sqrt();
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    (low * high).sqrt()
}

fn mean(numbers: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = numbers.len() as f64;
    numbers.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of libMR's shifted numbers, as it is written in textbooks.
    fn log_likelihood(x: &[f64], shape: f64, scale: f64) -> f64 {
        x.iter().map(|x| (shape / scale).ln() + (shape - 1.0) * (x / scale).ln() - (x / scale).powf(shape)).sum()
    }

    proptest! {
        /// Tolerance: the likelihood of 20 numbers loses about 1e-9 to the rounding of x / l at a shape of 1e5.
        #[test]
        fn no_other_law_is_likelier(distances in prop::collection::vec(0.5_f64..20.0, 8..40)) {
            let law = Law::fit(distances.clone(), 20);
            let mut tail = distances;
            tail.sort_by(|a, b| b.total_cmp(a));
            tail.truncate(20);
            let x: Vec<f64> = tail.iter().map(|distance| distance - tail[tail.len() - 1] + SHIFT).collect();
            let best = log_likelihood(&x, law.shape, law.scale);
            for (shape, scale) in [(1.01, 1.0), (0.99, 1.0), (1.0, 1.000_01), (1.0, 0.999_99)] {
                prop_assert!(log_likelihood(&x, law.shape * shape, law.scale * scale) <= best + 1e-7);
            }
        }

        #[test]
        fn probabilities_grow_with_the_distance(distances in prop::collection::vec(0.5_f64..20.0, 3..40)) {
            let law = Law::fit(distances, 20);
            let probabilities: Vec<f64> = (0..100).map(|step| law.probability(f64::from(step) * 0.5)).collect();
            prop_assert!(probabilities.is_sorted() && probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }

    #[test]
    fn the_probability_at_the_threshold_is_one_less_1_over_e() {
        let law = Law::fit(vec![1.0, 2.0, 3.5, 3.0, 0.5], 4);
        assert!((law.probability(law.threshold) - (1.0 - (-1.0_f64).exp())).abs() < 1e-12);
        assert_eq!(law.probability(law.threshold - 2.0 * law.scale), 0.0);
    }

    #[test]
    fn distances_that_determine_no_law_make_a_step() {
        for distances in [vec![3.0, 5.0], vec![5.0; 7], vec![5.0]] {
            let law = Law::fit(distances, 20);
            assert_eq!([law.probability(5.0), law.probability(5.001)], [0.0, 1.0]);
        }
        assert_eq!(Law::fit(Vec::new(), 20).probability(0.0), 1.0);
    }
}
