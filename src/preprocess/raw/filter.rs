//! The antialiased triangle filter of Pillow and of torchvision, along one axis.

use std::ops::Range;

/// One axis of a resampling: output samples spread evenly over a part of the source samples.
///
/// The weight of source sample s for output o is `1 - |s + 0.5 - centre(o)| / reach` where that is positive, divided by the sum of
/// all such weights (Pillow's `precompute_coeffs` with its `bilinear_filter`). Samples outside the part count too, as far as
/// the filter reaches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    start: f64,
    step: f64,
    reach: f64,
    outputs: usize,
    limit: usize,
}

/// Source samples of one output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Taps {
    /// The first of them.
    pub(super) first: usize,
    /// Their weights; none is 0 at either end, and their sum is 1.
    pub(super) weights: Vec<f64>,
    /// The sum of the weights before it became 1.
    pub(super) total: f64,
}

impl Axis {
    /// `outputs` samples over `length` of `limit` source samples, from `start` on.
    pub(super) fn new(start: f64, length: f64, outputs: usize, limit: usize) -> Self {
        let step = length / outputs as f64;
        Self { start, step, reach: step.max(1.0), outputs, limit }
    }

    /// The same for source samples that are averages of so many others each: as wide a filter on these as it would be without averaging.
    ///
    /// Widths, as standard deviations are, add up by their squares: a triangle that reaches so far has reach^2 / 6, the average of n
    /// samples, as long as one of these source samples, (1 - 1 / n^2) / 12.
    pub(super) fn averaged(self, count: u32) -> Self {
        if count == 1 {
            return self;
        }
        let narrower = self.step * self.step - (1.0 - 1.0 / f64::from(count * count)) / 2.0;
        Self { reach: narrower.max(1.0).sqrt(), ..self }
    }

    /// Number of output samples.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Distance between the centres of two outputs, in source samples.
    pub(super) fn step(&self) -> f64 {
        self.step
    }

    /// Where an output lies; the first source sample reaches from 0 to 1.
    pub(super) fn centre(&self, output: usize) -> f64 {
        self.start + (output as f64 + 0.5) * self.step
    }

    /// How far an output reaches to either side: as far as the next, or as far as the next source sample when enlarging; less where
    /// source samples are averages already.
    pub(super) fn reach(&self) -> f64 {
        self.reach
    }

    /// The source samples that lie from one place to another, by their centres; those beyond the edges do not exist.
    pub(super) fn samples(&self, from: f64, to: f64) -> Range<usize> {
        let index = |place: f64| (place - 0.5).ceil().clamp(0.0, self.limit as f64) as usize;
        index(from)..index(to).max(index(from))
    }

    /// What one output is made of.
    pub(super) fn taps(&self, output: usize) -> Taps {
        let (centre, reach) = (self.centre(output), self.reach());
        let near = self.samples(centre - reach, centre + reach);
        let weight = |sample: usize| 1.0 - (sample as f64 + 0.5 - centre).abs() / reach;
        let first = near.clone().find(|sample| weight(*sample) > 0.0).unwrap_or(near.start);
        let weights: Vec<f64> = (first..near.end).map(weight).take_while(|weight| *weight > 0.0).collect();
        let total = weights.iter().sum::<f64>();
        Taps { first, weights: weights.iter().map(|weight| weight / total).collect(), total }
    }

    /// Every source sample that counts for some output.
    pub(super) fn used(&self) -> Range<usize> {
        let last = self.taps(self.outputs - 1);
        self.taps(0).first..last.first + last.weights.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of where the samples lie that an output is made of, in samples of the whole picture.
    fn spread(axis: &Axis, output: usize, count: u32) -> (f64, f64) {
        let (Taps { first, weights, .. }, count) = (axis.taps(output), f64::from(count));
        let places = || weights.iter().zip(first..).map(|(weight, sample)| (weight, count * (sample as f64 + 0.5)));
        let mean: f64 = places().map(|(weight, place)| weight * place).sum();
        let variance: f64 = places().map(|(weight, place)| weight * (place - mean).powi(2)).sum();
        // That of one average: of `count` samples side by side.
        (mean, variance + (count * count - 1.0) / 12.0)
    }

    #[test]
    fn what_is_made_of_averages_is_as_wide_as_what_is_made_of_all_samples() {
        let (length, outputs) = (512, 20);
        let whole = Axis::new(0.0, f64::from(length), outputs, length as usize);
        for count in [2, 4, 8] {
            let smaller = f64::from(length / count);
            let untold = Axis::new(0.0, smaller, outputs, (length / count) as usize);
            let told = untold.averaged(count);
            // Not at the edges, where filters are cut off. Single outputs differ by where their few samples lie.
            let variance = |axis: &Axis, count| {
                (1..outputs - 1).map(|output| spread(axis, output, count).1).sum::<f64>() / (outputs - 2) as f64
            };
            let [wanted, found, wider] =
                [(&whole, 1), (&told, count), (&untold, count)].map(|(axis, count)| variance(axis, count));
            assert!((found / wanted - 1.0).abs() < 0.003, "{count}: {found}, wanted {wanted}");
            let wrong = f64::from(count * count - 1) / 12.0 / wanted;
            assert!(
                (wider / wanted - 1.0 - wrong).abs() < 0.003,
                "{count}: {wider} without being told, wanted {wanted}"
            );
            for output in 1..outputs - 1 {
                let [(wanted, _), (found, _)] = [spread(&whole, output, 1), spread(&told, output, count)];
                assert!((found - wanted).abs() < 0.05 * f64::from(count), "{count}: {found}, wanted {wanted}");
            }
        }
    }

    #[test]
    fn a_whole_picture_is_resampled_as_ever() {
        let axis = Axis::new(3.0, 100.7, 32, 120);
        assert_eq!(axis.averaged(1), axis);
        // Next to nothing is left to be taken off where hardly anything is shrunk.
        assert_eq!(Axis::new(0.0, 33.0, 32, 33).averaged(8).reach(), 1.0);
    }
}
