//! Draws the least likely of many samples of each class's Gaussian, without drawing the many.
//!
//! With x = mean + L e, L L^T the covariance and e standard normal in C dimensions, the density of x falls with ||e||
//! alone. ||e||^2 follows a chi-squared law of C degrees, independently of the direction e / ||e||, which is uniform.
//! So the s least likely of M samples are the s largest of M chi-squared numbers, each with a direction of its own:
//! the same law as drawing M vectors and sorting them by likelihood, at 1 / C of the cost.

use rand::Rng;
use rand_distr::{ChiSquared, ChiSquaredError, Distribution, StandardNormal};
use tch::{Kind, Tensor};

use super::queue::Gaussians;

/// The `select` least likely of `samples` draws from each class, FP32, [K * select, C].
pub(super) fn least_likely(
    gaussians: &Gaussians,
    samples: usize,
    select: usize,
    rng: &mut impl Rng,
) -> Result<Tensor, ChiSquaredError> {
    let (classes, channels) = (gaussians.means.size()[0], gaussians.means.size()[1]);
    let squared_length = ChiSquared::new(channels as f64)?;
    let mut noise = Vec::with_capacity(classes as usize * select * channels as usize);
    for _ in 0..classes {
        for length in largest_lengths(squared_length, samples, select, rng) {
            let direction: Vec<f64> = (0..channels).map(|_| StandardNormal.sample(rng)).collect();
            let norm = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
            noise.extend(direction.iter().map(|x| x / norm * length));
        }
    }
    let noise = Tensor::from_slice(&noise).view([classes, select as i64, channels]);
    // The ridge keeps the covariance positive definite; a factor of one that is not would be no number, and so
    // would the loss, which ends the run with a message.
    let (factor, _) = gaussians.covariance.linalg_cholesky_ex(false, false);
    let outliers = gaussians.means.unsqueeze(1) + noise.matmul(&factor.tr());
    Ok(outliers.view([-1, channels]).to_kind(Kind::Float))
}

/// The `select` largest of `samples` draws of ||e||, largest first.
fn largest_lengths(squared: ChiSquared<f64>, samples: usize, select: usize, rng: &mut impl Rng) -> Vec<f64> {
    let mut lengths: Vec<f64> = (0..samples).map(|_| squared.sample(rng)).collect();
    lengths.sort_unstable_by(|a, b| b.total_cmp(a));
    lengths.iter().take(select).map(|squared| squared.sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Mean and standard deviation.
    fn moments(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt())
    }

    /// Squared Mahalanobis length of the least likely of `samples` vectors that were really drawn.
    fn drawn(samples: usize, channels: usize, rng: &mut ChaCha8Rng) -> f64 {
        let length =
            |rng: &mut ChaCha8Rng| (0..channels).map(|_| rng.sample::<f64, _>(StandardNormal).powi(2)).sum::<f64>();
        (0..samples).map(|_| length(rng)).fold(0.0, f64::max)
    }

    #[test]
    fn the_shortcut_has_the_law_of_drawing_all_samples() {
        let (samples, channels, runs) = (50, 6, 2_000);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let slow: Vec<f64> = (0..runs).map(|_| drawn(samples, channels, &mut rng)).collect();
        let law = ChiSquared::new(channels as f64).unwrap();
        let fast: Vec<f64> = (0..runs).map(|_| largest_lengths(law, samples, 1, &mut rng)[0].powi(2)).collect();
        let ((slow_mean, slow_spread), (fast_mean, fast_spread)) = (moments(&slow), moments(&fast));
        // Five standard errors of the difference of two means; the seed is fixed.
        let bound = 5.0 * slow_spread * (2.0 / runs as f64).sqrt();
        assert!((slow_mean - fast_mean).abs() < bound, "{slow_mean} and {fast_mean}, bound {bound}");
        assert!((slow_spread / fast_spread - 1.0).abs() < 0.15, "{slow_spread} and {fast_spread}");
    }

    #[test]
    fn outliers_lie_around_their_class_as_the_covariance_says() {
        let covariance = Tensor::from_slice(&[4.0f64, 1.0, 1.0, 2.0]).view([2, 2]);
        let means = Tensor::from_slice(&[10.0f64, 0.0, 0.0, -20.0]).view([2, 2]);
        let gaussians = Gaussians { means, covariance };
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        // With every sample selected, this is plain sampling.
        let all = least_likely(&gaussians, 4_000, 4_000, &mut rng).unwrap().to_kind(Kind::Double).view([2, -1, 2]);
        let centred = &all - gaussians.means.unsqueeze(1);
        let shift = centred.mean_dim([1i64].as_slice(), false, Kind::Double).abs().max().double_value(&[]);
        let found = centred.transpose(1, 2).matmul(&centred) / 4_000.0;
        let off = (found - &gaussians.covariance).abs().max().double_value(&[]);
        // Standard errors: 2 / 63 of a mean, at most 4 * 1.42 / 63 of a covariance; five of them. The seed is fixed.
        assert!(shift < 0.16 && off < 0.46, "{shift}, {off}");
    }

    #[test]
    fn equal_generators_give_equal_outliers_and_select_of_each_class_are_given() {
        let unit = Tensor::eye(3, (Kind::Double, tch::Device::Cpu));
        let gaussians = Gaussians { means: unit.copy(), covariance: unit };
        let draw = |seed| least_likely(&gaussians, 100, 2, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
        assert_eq!(draw(1).size(), [6, 3]);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
