//! How much a sequence of scores is worth: consecutive video frames resemble each other, so n of them say less than
//! n independent ones.

/// Effective number of independent scores in a sequence, in the order in which they were taken: n / tau.
///
/// tau = 1 + 2 * sum of the autocorrelations is the integrated autocorrelation time, summed up to the first window W
/// with W >= 5 tau (Sokal, "Monte Carlo Methods in Statistical Mechanics", 1997). At least 1 and at most n; a constant
/// sequence is worth a single score.
pub fn effective_count(scores: &[f32]) -> f64 {
    let n = scores.len();
    if n < 2 {
        return n as f64;
    }
    let mean = scores.iter().map(|score| f64::from(*score)).sum::<f64>() / n as f64;
    let centred: Vec<f64> = scores.iter().map(|score| f64::from(*score) - mean).collect();
    let variance = covariance(&centred, 0);
    // Also where a score is no number, which says nothing.
    if !variance.is_finite() || variance <= f64::EPSILON * mean * mean {
        return 1.0;
    }
    let mut tau = 1.0;
    for lag in 1..n {
        tau += 2.0 * covariance(&centred, lag) / variance;
        if lag as f64 >= 5.0 * tau {
            break;
        }
    }
    (n as f64 / tau.max(1.0)).max(1.0)
}

/// Mean product of a centred sequence with itself `lag` places on, over all n places.
fn covariance(centred: &[f64], lag: usize) -> f64 {
    let products = centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b);
    products.sum::<f64>() / centred.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::tests::Noise;
    use super::*;

    /// x[i + 1] = phi x[i] + noise: its integrated autocorrelation time is (1 + phi) / (1 - phi).
    fn autoregressive(phi: f32, n: usize) -> Vec<f32> {
        let mut noise = Noise(7);
        let mut x = 0.0;
        (0..n)
            .map(|_| {
                x = phi * x + noise.unit() - 0.5;
                x
            })
            .collect()
    }

    #[test]
    fn independent_scores_count_in_full_and_correlated_ones_by_their_autocorrelation_time() {
        for (phi, tau) in [(0.0, 1.0), (0.5, 3.0), (0.9, 19.0)] {
            let n = 50_000;
            let found = effective_count(&autoregressive(phi, n));
            let wanted = n as f64 / tau;
            assert!((found / wanted - 1.0).abs() < 0.15, "phi {phi}: {found}, wanted about {wanted}");
        }
    }

    #[test]
    fn a_frozen_sequence_is_worth_one_score() {
        assert_eq!(effective_count(&[2.5; 100]), 1.0);
        assert_eq!(effective_count(&[2.5]), 1.0);
        assert_eq!(effective_count(&[]), 0.0);
    }

    #[test]
    fn no_sequence_is_worth_more_than_its_length() {
        let alternating: Vec<f32> = (0..100).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert_eq!(effective_count(&alternating), 100.0);
    }
}
