//! The last features of each class, from which the Gaussians are estimated.

use tch::{Kind, Tensor};

use crate::model::ModelError;

/// The last Q features of each of K classes: a ring per class.
#[derive(Debug)]
pub(super) struct Queue {
    /// [K, Q, C], row-major.
    values: Vec<f32>,
    /// Where the next feature of each class goes, [K].
    next: Vec<usize>,
    /// How many features each class has, [K].
    filled: Vec<usize>,
    length: usize,
    channels: usize,
}

/// Gaussians with one covariance, in FP64: means [K, C] and the covariance [C, C].
#[derive(Debug)]
pub(super) struct Gaussians {
    pub(super) means: Tensor,
    pub(super) covariance: Tensor,
}

impl Queue {
    pub(super) fn new(classes: usize, length: usize, channels: usize) -> Self {
        Self {
            values: vec![0.0; classes * length * channels],
            next: vec![0; classes],
            filled: vec![0; classes],
            length,
            channels,
        }
    }

    /// Takes in features, one after the other, [N, C] row-major, with their classes.
    pub(super) fn push(&mut self, features: &[f32], targets: &[i64]) {
        for (feature, &class) in features.chunks_exact(self.channels).zip(targets) {
            let class = class as usize;
            let at = (class * self.length + self.next[class]) * self.channels;
            self.values[at..at + self.channels].copy_from_slice(feature);
            self.next[class] = (self.next[class] + 1) % self.length;
            self.filled[class] = (self.filled[class] + 1).min(self.length);
        }
    }

    /// Whether every class has its Q features.
    pub(super) fn is_full(&self) -> bool {
        self.filled.iter().all(|&filled| filled == self.length)
    }

    /// Means per class and the tied covariance, `sum (z - mean)(z - mean)^T / (K Q) + ridge I`.
    pub(super) fn gaussians(&self, ridge: f64) -> Gaussians {
        let shape = [self.next.len() as i64, self.length as i64, self.channels as i64];
        let values = Tensor::from_slice(&self.values).view(shape).to_kind(Kind::Double);
        let means = values.mean_dim([1i64].as_slice(), true, Kind::Double);
        let centred = (values - &means).view([-1, shape[2]]);
        let unit = Tensor::eye(shape[2], (Kind::Double, centred.device()));
        let covariance = centred.tr().matmul(&centred) / centred.size()[0] as f64 + unit * ridge;
        Gaussians { means: means.squeeze_dim(1), covariance }
    }

    /// The state as named tensors: shape and row-major values.
    pub(super) fn export(&self) -> [(&'static str, Vec<usize>, Vec<f32>); 3] {
        // Both counts are at most Q, far below 2^24, so that FP32 holds them exactly.
        let counts = |of: &[usize]| of.iter().map(|&count| count as f32).collect();
        let classes = self.next.len();
        [
            ("queue.values", vec![classes, self.length, self.channels], self.values.clone()),
            ("queue.next", vec![classes], counts(&self.next)),
            ("queue.filled", vec![classes], counts(&self.filled)),
        ]
    }

    /// Takes over a state that [`export`](Self::export) gave; `lookup` finds shape and values by name.
    pub(super) fn load<'a>(
        &mut self,
        lookup: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>,
    ) -> Result<(), ModelError> {
        let mut found = Vec::new();
        for (name, wanted, _) in self.export() {
            let (shape, values) = lookup(name).ok_or_else(|| ModelError::MissingWeight { name: name.into() })?;
            if shape != wanted {
                let sizes = |shape: &[usize]| shape.iter().map(|&d| d as i64).collect();
                return Err(ModelError::WrongShape { name: name.into(), found: sizes(shape), wanted: sizes(&wanted) });
            }
            found.push(values);
        }
        let counts = |values: &[f32]| values.iter().map(|&count| count as usize).collect();
        self.values = found[0].to_vec();
        self.next = counts(found[1]);
        self.filled = counts(found[2]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_feature_of_a_class_makes_room_for_its_newest() {
        let mut queue = Queue::new(2, 2, 1);
        queue.push(&[1.0, 2.0, 3.0], &[0, 0, 1]);
        assert!(!queue.is_full());
        queue.push(&[4.0, 5.0], &[0, 1]);
        assert!(queue.is_full());
        assert_eq!(queue.values, [4.0, 2.0, 3.0, 5.0]);
    }

    #[test]
    fn means_and_covariance_are_those_worked_out_by_hand() {
        let mut queue = Queue::new(2, 2, 2);
        // Class 0: (0,0), (2,0), mean (1,0); class 1: (5,5), (5,9), mean (5,7).
        queue.push(&[0.0, 0.0, 2.0, 0.0, 5.0, 5.0, 5.0, 9.0], &[0, 0, 1, 1]);
        let found = queue.gaussians(0.5);
        assert_eq!(Vec::<f64>::try_from(found.means.view([-1])).unwrap(), [1.0, 0.0, 5.0, 7.0]);
        // Squares of the deviations: 1 + 1 and 4 + 4, over 4 features, and the ridge.
        assert_eq!(Vec::<f64>::try_from(found.covariance.reshape([-1])).unwrap(), [1.0, 0.0, 0.0, 2.5]);
    }

    #[test]
    fn a_state_goes_out_and_comes_back_and_another_shape_is_refused() {
        let mut queue = Queue::new(2, 3, 2);
        queue.push(&[1.0, 2.0, 3.0, 4.0], &[1, 1]);
        let state = queue.export();
        let find = |name: &str| state.iter().find(|s| s.0 == name).map(|s| (s.1.as_slice(), s.2.as_slice()));
        let mut other = Queue::new(2, 3, 2);
        other.load(find).unwrap();
        assert_eq!(other.export(), state);
        let text = Queue::new(2, 4, 2).load(find).unwrap_err().to_string();
        assert!(text.contains("queue.values") && text.contains("[2, 3, 2]"), "{text}");
    }
}
