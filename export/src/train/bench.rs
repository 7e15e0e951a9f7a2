//! Times steps of training on made-up pictures: what the terms of a loss cost, and, by turns with another program, how two
//! programs compare.
//!
//! Times on one machine wander by more than what is to be shown. So two kinds of step take turns, and what is told is
//! the ratio of neighbours: its median, and a bound for that median that holds whatever the ratios' distribution.

use std::io::{BufRead, Write};
use std::time::Instant;

use tch::{Kind, Tensor};

use super::TrainError;
use super::epoch::{Learner, step};
use super::snapshot::learner;
use crate::config::TrainConfig;
use crate::data::Batch;
use crate::loss::{LossConfig, Moment};

/// Steps before anything is timed: libtorch chooses kernels and asks for memory in the first.
const WARM_UP: usize = 3;
/// Classes where the config names none.
const CLASSES: usize = 10;
/// Small enough for weights that stay finite on noise.
const RATE: f64 = 1e-4;

/// A network that takes steps with the config's loss, and one that takes them with cross-entropy alone.
pub struct Bench {
    with_terms: Learner,
    without: Learner,
    batch: Batch,
}

/// What was timed.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    /// Median pictures per second of a step with the config's terms.
    pub with_terms: f64,
    /// Median pictures per second of a step without.
    pub without: f64,
    /// How long a step with the terms takes, in steps without.
    pub cost: Ratio,
}

/// A paired ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Its median over the pairs.
    pub median: f64,
    /// What the median is at least, with 95 % confidence.
    pub at_least: f64,
    /// What the median is at most, with 95 % confidence.
    pub at_most: f64,
}

impl Bench {
    /// Networks and pictures as `config` says; no picture is read.
    ///
    /// # Errors
    /// Weights that cannot be read.
    pub fn new(config: &TrainConfig) -> Result<Self, TrainError> {
        tch::set_num_threads(config.threads);
        let classes = if config.data.classes.is_empty() { CLASSES } else { config.data.classes.len() };
        let plain = TrainConfig { loss: LossConfig::default(), ..config.clone() };
        let (with_terms, without) = (learner(config, classes)?, learner(&plain, classes)?);
        let [count, height, width] =
            [config.schedule.batch_size, config.data.height, config.data.width].map(|extent| extent as i64);
        let images = Tensor::randn([count, height, width, 3], tch::kind::FLOAT_CPU).permute([0, 3, 1, 2]);
        let targets = Tensor::randint(classes as i64, [count], (Kind::Int64, tch::Device::Cpu));
        let batch = Batch { images, targets }.to_device(without.net.device());
        let mut bench = Self { with_terms, without, batch };
        for terms in [true, false] {
            bench.seconds(terms, WARM_UP)?;
        }
        Ok(bench)
    }

    /// Seconds per step over `steps` steps, with the config's terms or without.
    ///
    /// # Errors
    /// A term that cannot be computed.
    pub fn seconds(&mut self, terms: bool, steps: usize) -> Result<f64, TrainError> {
        let learner = if terms { &mut self.with_terms } else { &mut self.without };
        finish_work(learner.net.device());
        let started = Instant::now();
        for at in 0..steps {
            // The last step of a run: every term has its full weight.
            let moment = Moment { epoch: usize::MAX, step: at, steps: 1 };
            step(learner, &self.batch, moment, RATE).map(drop)?;
        }
        finish_work(learner.net.device());
        Ok(started.elapsed().as_secs_f64() / steps as f64)
    }

    /// Times `pairs` of steps with and without the terms, in turns.
    ///
    /// # Errors
    /// A term that cannot be computed.
    pub fn run(&mut self, pairs: usize) -> Result<Timed, TrainError> {
        let mut times = Vec::with_capacity(pairs);
        for pair in 0..pairs {
            // Which comes first alternates, so that neither always follows the other.
            let first = self.seconds(pair % 2 == 0, 1)?;
            let second = self.seconds(pair % 2 != 0, 1)?;
            times.push(if pair % 2 == 0 { (first, second) } else { (second, first) });
        }
        let per_second = |seconds: Vec<f64>| self.batch.targets.size()[0] as f64 / median(seconds);
        Ok(Timed {
            with_terms: per_second(times.iter().map(|pair| pair.0).collect()),
            without: per_second(times.iter().map(|pair| pair.1).collect()),
            cost: Ratio::of(times.into_iter().map(|(with_terms, without)| with_terms / without).collect()),
        })
    }

    /// Answers each line `with N` or `without N` by the seconds that one of N such steps took, until the lines end.
    ///
    /// # Errors
    /// A line of another form, a term that cannot be computed, an output that is gone.
    pub fn serve(&mut self, lines: impl BufRead, mut out: impl Write) -> Result<(), TrainError> {
        let pipe = |source| TrainError::File { path: "standard input and output".into(), source };
        for line in lines.lines() {
            let line = line.map_err(pipe)?;
            let wanted = || pipe(std::io::Error::other(format!("line {line:?}, wanted \"with N\" or \"without N\"")));
            let (kind, steps) = line.split_once(' ').ok_or_else(wanted)?;
            let terms = match kind {
                "with" => true,
                "without" => false,
                _ => return Err(wanted()),
            };
            let steps = steps.parse().ok().filter(|&steps| steps > 0).ok_or_else(wanted)?;
            let seconds = self.seconds(terms, steps)?;
            writeln!(out, "{seconds:.9}").and_then(|()| out.flush()).map_err(pipe)?;
        }
        Ok(())
    }
}

impl Ratio {
    /// Of one ratio per pair. A bound is the order statistic that lies beyond the median in at most 5 % of all samples, by the
    /// binomial law of how many ratios fall below it; with fewer than 5 pairs there is none, and it is infinite.
    pub fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        let count = ratios.len();
        // P(at most `rank` of `count` fair coins show heads) as `rank` grows.
        let mut term = 0.5_f64.powi(count as i32);
        let mut below = term;
        let mut rank = 0;
        while below <= 0.05 && rank < count {
            rank += 1;
            term *= (count - rank + 1) as f64 / rank as f64;
            below += term;
        }
        let bound = |index: Option<usize>, none| index.and_then(|i| ratios.get(i).copied()).unwrap_or(none);
        let at_least = bound(rank.checked_sub(1), 0.0);
        let at_most = bound(rank.checked_sub(1).map(|low| count - 1 - low), f64::INFINITY);
        Self { median: median(ratios), at_least, at_most }
    }
}

impl std::fmt::Display for Timed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { with_terms, without, cost } = self;
        writeln!(f, "pictures per second: {with_terms:.1} with the terms of the loss, {without:.1} without")?;
        let percent = |ratio: f64| 100.0 * (ratio - 1.0);
        let Ratio { median, at_least, at_most } = *cost;
        let [median, at_least, at_most] = [median, at_least, at_most].map(percent);
        writeln!(
            f,
            "cost of the terms: {median:.1} % (median of pairs; 95 %: at least {at_least:.1}, at most {at_most:.1})"
        )
    }
}

/// CUDA goes on by itself after a call has returned.
fn finish_work(device: tch::Device) {
    if let tch::Device::Cuda(index) = device {
        tch::Cuda::synchronize(index as i64);
    }
}

/// NaN of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => 0.5 * (values[middle - 1] + values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_of_the_sign_test() {
        let ratio = Ratio::of((1..=20).map(f64::from).collect());
        // P(Bin(20, 1/2) <= 5) = 0.0207, P(<= 6) = 0.0577: the 6th smallest and the 6th largest.
        assert_eq!(ratio, Ratio { median: 10.5, at_least: 6.0, at_most: 15.0 });
        let few = Ratio::of(vec![2.0, 1.0, 3.0]);
        assert_eq!(few, Ratio { median: 2.0, at_least: 0.0, at_most: f64::INFINITY });
        // P(Bin(5, 1/2) <= 0) = 0.031: the smallest and the largest.
        assert_eq!(Ratio::of(vec![5.0, 1.0, 2.0, 4.0, 3.0]), Ratio { median: 3.0, at_least: 1.0, at_most: 5.0 });
    }

    #[test]
    fn steps_are_taken_with_and_without_the_terms_as_the_lines_ask() {
        let text = r#"
            out = "none"
            seed = 1
            model = { arch = "resnet20" }
            schedule = { epochs = 1, batch_size = 4, learning_rate = 0.1, momentum = 0.9, weight_decay = 0.0 }
            loss = { background = { lambda = 0.1, rule = { lowest = 0.3 } } }
            data = { train = { folder = "none" }, test = { folder = "none" }, normalise = { mean = [0, 0, 0], std = [1, 1, 1] } }
        "#;
        let mut bench = Bench::new(&toml::from_str(text).unwrap()).unwrap();
        let mut out = Vec::new();
        bench.serve("with 2\nwithout 1\n".as_bytes(), &mut out).unwrap();
        let seconds: Vec<f64> = String::from_utf8(out).unwrap().lines().map(|line| line.parse().unwrap()).collect();
        assert!(seconds.len() == 2 && seconds.iter().all(|&s| s > 0.0), "{seconds:?}");
        let text = bench.serve("often 3\n".as_bytes(), Vec::new()).unwrap_err().to_string();
        assert!(text.contains("\"often 3\", wanted \"with N\""), "{text}");
        assert!(bench.run(2).unwrap().to_string().contains("pictures per second"));
    }
}
