//! A frame's features, sorted by levels: above a threshold, or among the k largest.
//!
//! Levels are nested: of two of them one holds all features that the other holds. A feature is therefore sorted by
//! counting the levels that it is not above.

use crate::score::kernels::vectorised;

/// What a level holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// Features above this one.
    Above(f32),
    /// So many of the largest features; of equal ones those that come first.
    Largest(usize),
}

impl Rule {
    /// Features above `threshold`.
    pub(super) fn above(threshold: f64) -> Self {
        let nearest = threshold as f32;
        Self::Above(if f64::from(nearest) > threshold { nearest.next_down() } else { nearest })
    }

    /// Features from `threshold` on.
    pub(super) fn from(threshold: f64) -> Self {
        let nearest = threshold as f32;
        Self::Above(if f64::from(nearest) >= threshold { nearest.next_down() } else { nearest })
    }
}

#[derive(Debug)]
struct Level {
    rule: Rule,
    /// Features above this one belong to it.
    threshold: f32,
    /// So many features that follow the threshold, all equal, belong to it too.
    ties: usize,
    /// Features that belong to it.
    size: usize,
    /// Their sum, for the largest.
    kept_sum: f64,
}

/// Levels, and the frame's features sorted by them.
#[derive(Debug)]
pub(super) struct Levels {
    levels: Vec<Level>,
    /// Places of the levels, the smallest level first.
    ascending: Vec<usize>,
    /// Per feature, how many levels it is not above [C].
    outside: Vec<u8>,
    /// Features sorted by that [C]: first those in the smallest level, last those in none.
    sorted: Vec<u32>,
    /// Per number of levels, where the next such feature goes.
    next: Vec<usize>,
    /// Features in the order that a selection left them in [C].
    ordered: Vec<f32>,
}

impl Levels {
    /// No levels, for C features.
    pub(super) fn new(features: usize) -> Self {
        Self {
            levels: Vec::new(),
            ascending: Vec::new(),
            outside: vec![0; features],
            sorted: vec![0; features],
            next: vec![0],
            ordered: vec![0.0; features],
        }
    }

    /// The place of the level with this rule, which is added if there is none.
    pub(super) fn add(&mut self, rule: Rule) -> usize {
        let known = self.levels.iter().position(|level| level.rule == rule);
        known.unwrap_or_else(|| {
            self.levels.push(Level { rule, threshold: f32::INFINITY, ties: 0, size: 0, kept_sum: 0.0 });
            self.ascending.push(self.ascending.len());
            self.next.push(0);
            self.levels.len() - 1
        })
    }

    /// Sorts a frame's C features, none of them NaN.
    pub(super) fn find(&mut self, features: &[f32]) {
        for level in &mut self.levels {
            level.find(features, &mut self.ordered);
        }
        self.count_outside(features);
        let levels = &self.levels;
        self.ascending.sort_unstable_by_key(|place| levels[*place].size);
        self.next[0] = 0;
        for (next, place) in self.next[1..].iter_mut().zip(&self.ascending) {
            *next = levels[*place].size;
        }
        for (feature, outside) in (0_u32..).zip(&self.outside) {
            let next = &mut self.next[usize::from(*outside)];
            if let Some(place) = self.sorted.get_mut(*next) {
                *place = feature;
            }
            *next += 1;
        }
    }

    fn count_outside(&mut self, features: &[f32]) {
        self.outside.fill(0);
        for level in &self.levels {
            add_not_above(features, level.threshold, &mut self.outside);
            if level.ties > 0 {
                let tied = self.outside.iter_mut().zip(features).filter(|(_, z)| **z == level.threshold);
                tied.take(level.ties).for_each(|(outside, _)| *outside -= 1);
            }
        }
    }

    /// How many features are above a level.
    pub(super) fn size(&self, place: usize) -> usize {
        self.levels[place].size
    }

    /// Their sum, where the rule is [`Rule::Largest`].
    pub(super) fn kept_sum(&self, place: usize) -> f64 {
        self.levels[place].kept_sum
    }

    /// The levels, the smallest first, each with the features that no smaller one has.
    pub(super) fn ascending(&self) -> impl Iterator<Item = (usize, &[u32])> {
        let starts = std::iter::once(0).chain(self.ascending.iter().map(|place| self.levels[*place].size));
        let segment = |(start, place): (usize, &usize)| (*place, &self.sorted[start..self.levels[*place].size]);
        starts.zip(&self.ascending).map(segment)
    }

    /// The features that are in no level.
    pub(super) fn rest(&self) -> &[u32] {
        &self.sorted[self.largest_size()..]
    }

    /// Whether a level is the largest, and holds more features beyond the others than are left that are not 0.
    pub(super) fn rest_is_shorter(&self, place: usize, features: &[f32]) -> bool {
        let others = self.levels.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, level)| level.size);
        let size = self.levels[place].size;
        let left = || self.rest().iter().filter(|feature| features[**feature as usize] != 0.0).count();
        size == self.largest_size() && size - others.max().unwrap_or(0) > left()
    }

    fn largest_size(&self) -> usize {
        self.levels.iter().map(|level| level.size).max().unwrap_or(0)
    }
}

impl Level {
    /// Finds the threshold of a frame.
    fn find(&mut self, features: &[f32], ordered: &mut [f32]) {
        match self.rule {
            Rule::Above(threshold) => {
                self.threshold = threshold;
                self.size = count_above(features, threshold);
            }
            Rule::Largest(kept) => {
                ordered.copy_from_slice(features);
                self.size = kept.min(features.len());
                let Some(last) = self.size.checked_sub(1) else { return };
                let (larger, threshold, _) = ordered.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
                self.kept_sum = larger.iter().map(|z| f64::from(*z)).sum::<f64>() + f64::from(*threshold);
                // Mostly all that equal the threshold are kept: then they are those above the next smaller number.
                let below = threshold.next_down();
                let all_kept = count_above(features, below) == self.size && threshold.is_finite();
                self.threshold = if all_kept { below } else { *threshold };
                self.ties = if all_kept { 0 } else { self.size.saturating_sub(count_above(features, *threshold)) };
            }
        }
    }
}

vectorised! {
    fn count_above(features: &[f32], threshold: f32) -> usize {
        let mut count = 0_u32;
        for z in features {
            count = count.wrapping_add(u32::from(*z > threshold));
        }
        count as usize
    }

    /// Adds 1 for each feature that is not above the threshold.
    fn add_not_above(features: &[f32], threshold: f32, counts: &mut [u8]) -> () {
        for (count, z) in counts.iter_mut().zip(features) {
            *count = count.wrapping_add(u8::from(*z <= threshold));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_equal_features_the_first_are_kept() {
        let mut levels = Levels::new(6);
        let place = levels.add(Rule::Largest(3));
        levels.find(&[0.0, 2.0, 5.0, 2.0, 2.0, 1.0]);
        assert_eq!(levels.ascending().collect::<Vec<_>>(), [(place, &[1, 2, 3][..])]);
        assert_eq!((levels.rest(), levels.size(place), levels.kept_sum(place)), (&[0, 4, 5][..], 3, 9.0));
        levels.find(&[0.0; 6]);
        assert_eq!((levels.rest(), levels.kept_sum(place)), (&[3, 4, 5][..], 0.0));
    }

    #[test]
    fn a_threshold_between_two_f32_numbers_or_on_one_divides_them_as_it_should() {
        let between = f64::from(1.0_f32) + 1e-9;
        assert_eq!((Rule::above(between), Rule::from(between)), (Rule::Above(1.0), Rule::Above(1.0)));
        assert_eq!((Rule::above(1.0), Rule::from(1.0)), (Rule::Above(1.0), Rule::Above(1.0_f32.next_down())));
    }

    proptest! {
        /// Quarters, so that many are equal, on thresholds too.
        #[test]
        fn features_are_sorted_as_the_rules_say(
            quarters in prop::collection::vec(-8_i8..12, 1..80),
            thresholds in prop::collection::vec(-9_i8..13, 0..3),
            kept in prop::collection::vec(1_usize..80, 0..3),
        ) {
            let features: Vec<f32> = quarters.iter().map(|quarter| f32::from(*quarter) / 4.0).collect();
            let mut levels = Levels::new(features.len());
            let above = thresholds.iter().map(|quarter| Rule::Above(f32::from(*quarter) / 4.0));
            let largest = kept.iter().map(|kept| Rule::Largest((*kept).min(features.len())));
            let rules: Vec<(usize, Rule)> = above.chain(largest).map(|rule| (levels.add(rule), rule)).collect();
            levels.find(&features);

            let mut order: Vec<u32> = (0..features.len() as u32).collect();
            order.sort_by(|a, b| features[*b as usize].total_cmp(&features[*a as usize]));
            for (place, rule) in rules {
                let size = match rule {
                    Rule::Above(threshold) => features.iter().filter(|z| **z > threshold).count(),
                    Rule::Largest(kept) => kept,
                };
                let mut held: Vec<u32> = Vec::new();
                for (level, segment) in levels.ascending() {
                    held.extend(segment);
                    if level == place {
                        break;
                    }
                }
                let mut want = order[..size].to_vec();
                held.sort_unstable();
                want.sort_unstable();
                prop_assert_eq!((levels.size(place), &held), (size, &want), "{:?}", rule);
            }
        }
    }
}
