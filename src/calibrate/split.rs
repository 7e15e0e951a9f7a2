//! Which frames fit the scores, which set thresholds, which calibrate fusions: disjoint, and in footage apart.

use serde::{Deserialize, Serialize};

/// What the order of frames means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Frames were taken one after the other: neighbours resemble each other.
    Footage,
    /// Frames stand in no order that matters: a seeded shuffle splits them.
    Shuffled,
}

/// Numbers of the frames of each part, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Fit the scores.
    pub fit: Vec<usize>,
    /// Set the thresholds of single scores.
    pub thresholds: Vec<usize>,
    /// Calibrate fusions.
    pub fusions: Vec<usize>,
    /// Choose policies over time.
    pub choice: Vec<usize>,
    /// Test them.
    pub test: Vec<usize>,
    /// Frames left out between two parts of footage.
    pub gap: usize,
}

impl Parts {
    /// Splits `frames` frames. Each part is there only if it is needed; without a fit every frame sets thresholds.
    /// Fitting takes the first half; with fusions the rest is halved again.
    ///
    /// `gap` frames between parts of footage are left out; shuffled frames need no gap.
    pub fn new(frames: usize, fit: bool, fusions: bool, order: Order, gap: usize, seed: u64) -> Self {
        let gap = if order == Order::Footage { gap } else { 0 };
        let numbers = numbers(frames, order, seed);
        let (first, rest) = if fit { halves(&numbers, gap) } else { (&[][..], &numbers[..]) };
        let (second, third) = if fusions { halves(rest, gap) } else { (rest, &[][..]) };
        let ascending = |numbers: &[usize]| {
            let mut numbers = numbers.to_vec();
            numbers.sort_unstable();
            numbers
        };
        Self {
            fit: ascending(first),
            thresholds: ascending(second),
            fusions: ascending(third),
            choice: Vec::new(),
            test: Vec::new(),
            gap,
        }
    }

    /// How many of `frames` frames of footage calibrate scores if policies are calibrated too: the first third.
    pub fn before_policies(frames: usize) -> usize {
        frames / 3
    }

    /// Gives the second third of `frames` frames to the choice of policies and the last to their test, a gap before each.
    #[must_use]
    pub fn with_policies(self, frames: usize) -> Self {
        let (second, third) = (Self::before_policies(frames), frames - frames / 3);
        let after_gap = |start: usize, end: usize| ((start + self.gap).min(end)..end).collect();
        Self { choice: after_gap(second, third), test: after_gap(third, frames), ..self }
    }
}

fn numbers(frames: usize, order: Order, seed: u64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..frames).collect();
    if order == Order::Shuffled {
        fastrand::Rng::with_seed(seed).shuffle(&mut numbers);
    }
    numbers
}

/// The first half, and what comes `gap` after it.
fn halves(numbers: &[usize], gap: usize) -> (&[usize], &[usize]) {
    let (first, rest) = numbers.split_at(numbers.len() / 2);
    (first, &rest[gap.min(rest.len())..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footage_is_fitted_on_its_first_half_and_the_parts_are_a_gap_apart() {
        let parts = Parts::new(100, true, true, Order::Footage, 5, 0);
        assert_eq!(parts.fit, (0..50).collect::<Vec<_>>());
        assert_eq!(parts.thresholds, (55..77).collect::<Vec<_>>());
        assert_eq!(parts.fusions, (82..100).collect::<Vec<_>>());
    }

    #[test]
    fn shuffled_frames_are_split_without_a_gap_and_the_seed_decides() {
        let parts = Parts::new(100, true, true, Order::Shuffled, 5, 7);
        let mut all = [parts.fit.clone(), parts.thresholds.clone(), parts.fusions.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_ne!(parts.fit, (0..50).collect::<Vec<_>>());
        assert_eq!(parts, Parts::new(100, true, true, Order::Shuffled, 0, 7));
        assert_ne!(parts, Parts::new(100, true, true, Order::Shuffled, 5, 8));
    }

    #[test]
    fn without_a_fit_every_frame_sets_thresholds() {
        assert_eq!(Parts::new(10, false, false, Order::Footage, 3, 0).thresholds.len(), 10);
    }

    #[test]
    fn policies_are_chosen_on_the_second_third_and_tested_on_the_last() {
        let parts = Parts::new(Parts::before_policies(100), false, false, Order::Footage, 5, 0).with_policies(100);
        assert_eq!(parts.thresholds, (0..33).collect::<Vec<_>>());
        assert_eq!(parts.choice, (38..67).collect::<Vec<_>>());
        assert_eq!(parts.test, (72..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_gap_longer_than_the_footage_leaves_nothing_rather_than_overlapping() {
        let parts = Parts::new(10, true, false, Order::Footage, 50, 0);
        assert_eq!((parts.fit.len(), parts.thresholds.len()), (5, 0));
    }
}
