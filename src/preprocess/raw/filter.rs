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
        Self { start, step: length / outputs as f64, outputs, limit }
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

    /// How far an output reaches to either side: as far as the next, or as far as the next source sample when enlarging.
    pub(super) fn reach(&self) -> f64 {
        self.step.max(1.0)
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
