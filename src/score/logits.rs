//! The scores that read nothing but logits: MSP, max logit, energy, GEN and temperature-scaled MSP.
//!
//! They are functions of their own, because rectifiers take them on other logits.

use super::kernels::{exp_inline, log_sum_exp, maximum, sum_of, vectorised};
use super::scorers::{Built, Family, FrameOutputs, Wanted};
use super::{GenParameters, Model, OnLogits, Score, ScoreError, ScoreName};
use crate::fit::{FitError, Statistics};
use crate::score::State;

/// MSP: `-max_k softmax(y)_k`. Hendrycks & Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution
/// Examples in Neural Networks", ICLR 2017 (the sign is turned so that larger is stranger).
pub(super) fn msp(logits: &[f32]) -> f64 {
    msp_of(maximum(logits), log_sum_exp(logits))
}

/// MSP by the largest logit and the log-sum-exp of all, which cannot overflow.
fn msp_of(largest: f64, log_sum_exp: f64) -> f64 {
    -(largest - log_sum_exp).exp()
}

/// Max logit: `-max_k y_k`. Hendrycks et al., "Scaling Out-of-Distribution Detection for Real-World Settings",
/// ICML 2022.
pub(super) fn max_logit(logits: &[f32]) -> f64 {
    -maximum(logits)
}

/// Energy: `-log sum_k exp(y_k)`, temperature 1. Liu et al., "Energy-based Out-of-distribution Detection",
/// NeurIPS 2020.
pub(super) fn energy(logits: &[f32]) -> f64 {
    -log_sum_exp(logits)
}

/// Temperature-scaled MSP: `-max_k softmax(y / T)_k`. Guo et al., ICML 2017; with a large fixed T the part of ODIN
/// (Liang et al., ICLR 2018) that needs no gradient.
pub(super) fn temperature_msp(logits: &[f32], t: f64) -> f64 {
    let max = maximum(logits);
    if !max.is_finite() {
        return f64::NAN;
    }
    -1.0 / tempered_exp_sum(logits, max, t)
}

vectorised! {
    /// `sum_k exp((y_k - shift) / T)`.
    fn tempered_exp_sum(logits: &[f32], shift: f64, t: f64) -> f64 {
        sum_of(logits, |logit| exp_inline((f64::from(logit) - shift) / t))
    }
}

/// GEN: `sum (p (1 - p))^gamma` over the M largest softmax probabilities. Liu, Lochman & Zach, "GEN: Pushing the
/// Limits of Softmax-Based Out-of-Distribution Detection", CVPR 2023. The sum is the paper's and OpenOOD's; pytorch-ood
/// takes the mean of probabilities clamped to [1e-7, 1 - 1e-7], which ranks sure frames otherwise.
///
/// A sure network has probabilities of 1 - 1e-30, so the work is done on their logarithms: `ln (1 - p)` of the largest
/// is the log-sum-exp of all others less that of all.
#[derive(Debug)]
pub(super) struct GeneralisedEntropy {
    gamma: f64,
    top: usize,
    ordered: Vec<f32>,
}

impl GeneralisedEntropy {
    /// For K classes.
    ///
    /// # Errors
    /// A setting out of range.
    pub(super) fn new(parameters: &GenParameters, classes: usize) -> Result<Self, ScoreError> {
        let wrong = |key, found: String, wanted| ScoreError::Parameter { score: "gen", key, found, wanted };
        if !(parameters.gamma > 0.0 && parameters.gamma < 1.0) {
            return Err(wrong("gamma", parameters.gamma.to_string(), "a number between 0 and 1"));
        }
        if parameters.top == 0 {
            return Err(wrong("top", "0".into(), "at least 1"));
        }
        Ok(Self { gamma: parameters.gamma, top: parameters.top.min(classes), ordered: Vec::with_capacity(classes) })
    }

    /// The score of `logits`.
    pub(super) fn score(&mut self, logits: &[f32]) -> f64 {
        if !maximum(logits).is_finite() {
            return f64::NAN;
        }
        self.ordered.clear();
        self.ordered.extend_from_slice(logits);
        if self.top < self.ordered.len() {
            self.ordered.select_nth_unstable_by(self.top - 1, |a, b| b.total_cmp(a));
        }
        if let Some(largest) = (0..self.top).max_by(|a, b| self.ordered[*a].total_cmp(&self.ordered[*b])) {
            self.ordered.swap(0, largest);
        }
        let [largest, others @ ..] = self.ordered.as_slice() else { return f64::NAN };
        // ln of the odds against the largest, and of its probability.
        let against = log_sum_exp(others) - f64::from(*largest);
        let ln_largest = -against.exp().ln_1p();
        let all = f64::from(*largest) - ln_largest;
        let gamma = self.gamma;
        let first = (gamma * (2.0 * ln_largest + against)).exp();
        first + others[..self.top - 1].iter().map(|logit| term(f64::from(*logit) - all, gamma)).sum::<f64>()
    }
}

/// `(p (1 - p))^gamma` of `ln p`, for p at most 1/2.
fn term(ln_p: f64, gamma: f64) -> f64 {
    (gamma * (ln_p + (-ln_p.exp()).ln_1p())).exp()
}

/// One of the scores that rectified logits can be given to.
#[derive(Debug)]
pub(super) enum LogitScore {
    /// [`energy`].
    Energy,
    /// [`msp`].
    Msp,
    /// [`max_logit`].
    MaxLogit,
    /// [`GeneralisedEntropy`].
    Gen(GeneralisedEntropy),
}

impl LogitScore {
    /// The score `on`, with the model's settings.
    ///
    /// # Errors
    /// A setting out of range.
    pub(super) fn new(on: OnLogits, model: &Model<'_>) -> Result<Self, ScoreError> {
        Ok(match on {
            OnLogits::Energy => Self::Energy,
            OnLogits::Msp => Self::Msp,
            OnLogits::MaxLogit => Self::MaxLogit,
            OnLogits::Gen => Self::Gen(GeneralisedEntropy::new(&model.fitted.parameters.r#gen, model.classes)?),
        })
    }

    /// The score of `shift + relative`, for f64 logits of which `relative` is what they lack to the largest: f32 holds
    /// that to the last digit that counts, also where a rectifier made the logits huge.
    pub(super) fn score_of_relative(&mut self, relative: &[f32], shift: f64) -> Score {
        Score(match self {
            Self::Energy => energy(relative) - shift,
            Self::Msp => msp(relative),
            Self::MaxLogit => max_logit(relative) - shift,
            Self::Gen(entropy) => entropy.score(relative),
        } as f32)
    }

    /// The score of the logits as they are.
    fn score(&mut self, frame: &FrameOutputs<'_>) -> Score {
        Score(match self {
            Self::Energy => -frame.log_sum_exp(),
            Self::Msp => msp_of(maximum(frame.logits), frame.log_sum_exp()),
            Self::MaxLogit => max_logit(frame.logits),
            Self::Gen(entropy) => entropy.score(frame.logits),
        } as f32)
    }
}

/// The wanted scores of the logits as they are.
struct Logits {
    scores: Vec<(usize, LogitScore)>,
    temperature: Option<(usize, f64)>,
}

/// Builds the wanted scores of this file.
pub(super) fn build(wanted: Wanted<'_>, model: &Model<'_>) -> Built {
    let plain = [
        (ScoreName::Energy, OnLogits::Energy),
        (ScoreName::Msp, OnLogits::Msp),
        (ScoreName::MaxLogit, OnLogits::MaxLogit),
        (ScoreName::Gen, OnLogits::Gen),
    ];
    let scores = plain
        .into_iter()
        .filter_map(|(name, on)| Some((wanted.place(name)?, on)))
        .map(|(place, on)| Ok((place, LogitScore::new(on, model)?)))
        .collect::<Result<Vec<_>, ScoreError>>()?;
    let temperature = match wanted.place(ScoreName::Temperature) {
        Some(place) => Some((place, model.fitted.state("temperature")?.number("t")?)),
        None => None,
    };
    let any = !scores.is_empty() || temperature.is_some();
    Ok(any.then(|| Box::new(Logits { scores, temperature }) as Box<dyn Family>))
}

impl Family for Logits {
    fn score(&mut self, outputs: &FrameOutputs<'_>, scores: &mut [Score]) {
        for (place, score) in &mut self.scores {
            scores[*place] = score.score(outputs);
        }
        if let Some((place, t)) = self.temperature {
            scores[place] = Score(temperature_msp(outputs.logits, t) as f32);
        }
    }
}

/// The temperature: the one that was set, or the one under which the labels of the sample are most likely.
///
/// The mean negative log-likelihood is convex in 1/T, so its minimum is found by bisection of its slope
/// `mean(E_softmax(y/T)[y] - y_label)`; pytorch-ood runs L-BFGS on the same function.
///
/// # Errors
/// A temperature out of range, or none set and no labels to fit it to.
pub(super) fn fit_temperature(statistics: &mut Statistics<'_>) -> Result<State, FitError> {
    let wrong = |found: f64| ScoreError::Parameter {
        score: "temperature",
        key: "t",
        found: found.to_string(),
        wanted: "a number above 0",
    };
    match statistics.parameters.temperature.t {
        Some(t) if t.is_finite() && t > 0.0 => Ok(State::default().with_number("t", t)),
        Some(t) => Err(wrong(t).into()),
        None if !statistics.labelled => {
            Err(FitError::Labels { score: "temperature", instead: "set temperature.t (ODIN uses 1000)" })
        }
        None => Ok(State::default().with_number("t", 1.0 / likeliest_inverse_temperature(statistics))),
    }
}

fn likeliest_inverse_temperature(statistics: &Statistics<'_>) -> f64 {
    let sample = &statistics.sample;
    let slope = |inverse: f64| -> f64 {
        let of_row = |(logits, label): (ndarray::ArrayView1<'_, f32>, &usize)| {
            let max = f64::from(logits.fold(f32::NEG_INFINITY, |max, logit| max.max(*logit)));
            let (mut weight, mut weighted) = (0.0, 0.0);
            for logit in logits {
                let share = ((f64::from(*logit) - max) * inverse).exp();
                weight += share;
                weighted += share * f64::from(*logit);
            }
            weighted / weight - f64::from(logits[*label])
        };
        sample.logits.rows().into_iter().zip(&sample.labels).map(of_row).sum()
    };
    // Between T = 1e3 and T = 1e-3; the slope grows with 1/T.
    let (mut low, mut high) = (1e-3_f64, 1e3_f64);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    (low * high).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-7 * (1.0 + want.abs()), "{got}, wanted {want}");
    }

    fn entropy(gamma: f64, top: usize, logits: &[f32]) -> f64 {
        GeneralisedEntropy::new(&GenParameters { gamma, top }, logits.len()).unwrap().score(logits)
    }

    #[test]
    fn scores_of_two_logits_are_those_worked_out_by_hand() {
        let logits = [0.0, 3.0_f32.ln()];
        close(msp(&logits), -0.75);
        close(max_logit(&logits), -(3.0_f64.ln()));
        close(energy(&logits), -(4.0_f64.ln()));
        // softmax of half the logits: 1 : sqrt 3.
        close(temperature_msp(&logits, 2.0), -(3.0_f64.sqrt() / (1.0 + 3.0_f64.sqrt())));
        // p = 3/4 and 1/4: p (1 - p) = 3/16 for both, square root.
        close(entropy(0.5, 2, &logits), 2.0 * (3.0_f64 / 16.0).sqrt());
        close(entropy(0.5, 1, &logits), (3.0_f64 / 16.0).sqrt());
    }

    #[test]
    fn the_entropy_of_a_sure_network_keeps_its_digits() {
        // p is e^-60 of the second and third, 2 e^-60 against the first; beyond f64's 1 - p.
        let want = (2.0_f64.ln() - 60.0).exp().powf(0.1) + 2.0 * (-6.0_f64).exp();
        close(entropy(0.1, 3, &[60.0, 0.0, 0.0]), want);
        // Beyond the exponents of f64.
        let want = (0.1 * (2.0_f64.ln() - 6000.0)).exp() + 2.0 * (-600.0_f64).exp();
        assert!((entropy(0.1, 3, &[6000.0, 0.0, 0.0]) / want - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_nan_logit_makes_a_nan_score() {
        for logits in [[1.0, f32::NAN], [f32::NAN, 1.0]] {
            for score in [msp(&logits), max_logit(&logits), energy(&logits), temperature_msp(&logits, 2.0)] {
                assert!(score.is_nan());
            }
            assert!(entropy(0.1, 2, &logits).is_nan());
        }
    }

    #[test]
    fn a_sure_network_scores_lower_than_an_unsure_one() {
        for score in [msp, max_logit, energy, |logits: &[f32]| entropy(0.1, 3, logits)] {
            assert!(score(&[9.0, 0.0, 0.0]) < score(&[1.0, 1.0, 1.0]));
        }
    }
}
