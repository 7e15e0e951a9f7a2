//! A seeded, even sample of a stream of frames: all of them while they fit, each with the same chance afterwards.

use ndarray::Array2;

/// Frames that were kept: row i of both matrices and label i belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Pooled features [n, C].
    pub features: Array2<f32>,
    /// Logits [n, K].
    pub logits: Array2<f32>,
    /// Class of each, n of them: the true one where it was given, else the predicted one.
    pub labels: Vec<usize>,
}

impl Sample {
    /// At most `limit` of the frames' row numbers, ascending: all, or a seeded choice with the same chance for each.
    pub fn choose(&self, limit: usize, seed: u64) -> Vec<usize> {
        let mut chosen =
            fastrand::Rng::with_seed(seed).choose_multiple(0..self.labels.len(), limit.min(self.labels.len()));
        chosen.sort_unstable();
        chosen
    }
}

/// Reservoir sampling (Vitter, "Random Sampling with a Reservoir", ACM TOMS 1985, algorithm R).
#[derive(Debug)]
pub(super) struct Reservoir {
    capacity: usize,
    seen: u64,
    random: fastrand::Rng,
    features: Vec<f32>,
    logits: Vec<f32>,
    labels: Vec<usize>,
}

impl Reservoir {
    /// Of at most `capacity` frames.
    pub(super) fn new(capacity: usize, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { capacity, seen: 0, random, features: Vec::new(), logits: Vec::new(), labels: Vec::new() }
    }

    /// Takes in one frame, perhaps in the place of another.
    pub(super) fn add(&mut self, features: &[f32], logits: &[f32], label: usize) {
        self.seen += 1;
        if self.labels.len() < self.capacity {
            self.features.extend_from_slice(features);
            self.logits.extend_from_slice(logits);
            self.labels.push(label);
            return;
        }
        let place = self.random.u64(..self.seen) as usize;
        if place < self.capacity {
            replace(&mut self.features, place, features);
            replace(&mut self.logits, place, logits);
            self.labels[place] = label;
        }
    }

    /// What was kept, of `features` and `classes` numbers per frame.
    pub(super) fn into_sample(self, features: usize, classes: usize) -> Sample {
        let count = self.labels.len();
        Sample {
            features: matrix(count, features, self.features),
            logits: matrix(count, classes, self.logits),
            labels: self.labels,
        }
    }
}

fn replace(rows: &mut [f32], place: usize, row: &[f32]) {
    rows[place * row.len()..(place + 1) * row.len()].copy_from_slice(row);
}

/// The rows were checked to have `columns` numbers when they came in.
fn matrix(rows: usize, columns: usize, values: Vec<f32>) -> Array2<f32> {
    let mut values = values.into_iter();
    Array2::from_shape_simple_fn((rows, columns), || values.next().unwrap_or(f32::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_of(stream: usize, capacity: usize, seed: u64) -> Sample {
        let mut reservoir = Reservoir::new(capacity, seed);
        for i in 0..stream {
            reservoir.add(&[i as f32, -(i as f32)], &[2.0 * i as f32], i);
        }
        reservoir.into_sample(2, 1)
    }

    #[test]
    fn a_stream_that_fits_is_kept_whole_and_in_order() {
        let sample = sample_of(50, 50, 1);
        assert_eq!(sample.labels, (0..50).collect::<Vec<_>>());
        assert_eq!(sample.features.row(7).to_vec(), [7.0, -7.0]);
    }

    #[test]
    fn rows_and_labels_stay_together_and_the_seed_decides() {
        let sample = sample_of(5_000, 100, 3);
        assert_eq!(sample.labels.len(), 100);
        for (row, label) in sample.labels.iter().enumerate() {
            assert_eq!((sample.features[[row, 1]], sample.logits[[row, 0]]), (-(*label as f32), 2.0 * *label as f32));
        }
        assert_eq!(sample, sample_of(5_000, 100, 3));
        assert_ne!(sample, sample_of(5_000, 100, 4));
    }

    #[test]
    fn a_choice_is_seeded_ascending_and_no_larger_than_asked() {
        let sample = sample_of(50, 50, 1);
        let chosen = sample.choose(20, 5);
        assert_eq!(chosen.len(), 20);
        assert!(chosen.is_sorted_by(|a, b| a < b));
        assert_eq!(chosen, sample.choose(20, 5));
        assert_ne!(chosen, sample.choose(20, 6));
        assert_eq!(sample.choose(80, 5), (0..50).collect::<Vec<_>>());
    }

    /// Every frame is kept with chance 100 / 1000; over 300 seeds the first and the last tenth of the stream should
    /// each give a tenth of the sample, 3,000 of 30,000, standard deviation below 52.
    #[test]
    fn early_and_late_frames_have_the_same_chance() {
        let mut tenths = [0_i32; 10];
        for seed in 0..300 {
            sample_of(1_000, 100, seed).labels.iter().for_each(|label| tenths[label / 100] += 1);
        }
        assert!(tenths.iter().all(|count| (count - 3_000).abs() < 260), "{tenths:?}");
    }
}
