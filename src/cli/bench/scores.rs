//! `oodwatch bench --scores`: what each score costs per frame, and how much fitted state a package keeps for it, at a small and a large size;
//! and how fast one core gets at memory, to hold the large size against.

use std::hint::black_box;
use std::time::{Duration, Instant};

use oodwatch::score::synthetic::{Synthetic, SyntheticFrame};
use oodwatch::score::{Fitted, Parameters, ScoreName, Scorers};

use super::super::lines;
use super::quantile;

/// Classes and features of the two sizes: CIFAR-10 with a small network, ImageNet with a MobileNet.
const SIZES: [(usize, usize); 2] = [(10, 64), (1000, 1280)];
/// Frames that are fitted on: as many as the bank of `knn` holds by default.
const FIT_FRAMES: usize = 10_000;
/// Different frames, by turns.
const FRAMES: usize = 64;
/// Measured frames of one score.
const MEASURED: usize = 512;

/// What is read to see how fast the core gets at memory: about what all scores but `knn` read per frame at the large size, which no core's
/// own cache holds.
const READ_BYTES: usize = 8 << 20;
/// Streams by which it is read: the processor fetches ahead in each.
const STREAMS: usize = 4;

/// Measures every score alone, and all but `knn` together.
pub(super) fn run() -> anyhow::Result<()> {
    for (classes, features) in SIZES {
        size(classes, features)?;
    }
    let us = reading().as_secs_f64() * 1e6;
    let (mib, rate) = (READ_BYTES >> 20, READ_BYTES as f64 / us / 1e3);
    lines::text(&format!("for comparison, adding up {mib} MiB takes {us:.1} us, {rate:.1} GB/s"))
}

/// Median time of adding up [`READ_BYTES`], with nothing else to do.
fn reading() -> Duration {
    let values: Vec<u64> = (0..READ_BYTES as u64 / 8).collect();
    let mut times: Vec<Duration> = (0..MEASURED).map(|_| time_of(|| sum(black_box(&values)))).collect();
    times.sort();
    quantile(&times, 0.5)
}

/// Adds up in lanes, so that additions wait for memory and not for each other.
fn sum(values: &[u64]) -> u64 {
    let quarter = values.len() / STREAMS;
    let streams: [&[[u64; 8]]; STREAMS] =
        std::array::from_fn(|stream| values[stream * quarter..(stream + 1) * quarter].as_chunks().0);
    let mut sums = [[0_u64; 8]; STREAMS];
    for at in 0..quarter / 8 {
        for (sums, stream) in sums.iter_mut().zip(streams) {
            sums.iter_mut().zip(stream[at]).for_each(|(sum, value)| *sum = sum.wrapping_add(value));
        }
    }
    sums.iter().flatten().fold(0, |all, sum| all.wrapping_add(*sum))
}

fn size(classes: usize, features: usize) -> anyhow::Result<()> {
    lines::note(&format!("K={classes}, C={features}: fitting on {FIT_FRAMES} synthetic frames"));
    let mut synthetic = Synthetic::new(classes, features, 0);
    let parameters =
        Parameters { temperature: oodwatch::score::TemperatureParameters { t: Some(2.0) }, ..Parameters::default() };
    let fitted = synthetic.fit(ScoreName::PLAIN, parameters, FIT_FRAMES)?;
    let frames: Vec<SyntheticFrame> = (0..FRAMES).map(|_| synthetic.frame()).collect();
    let bench = Bench { synthetic, fitted, frames };

    lines::text(&format!("K={classes}, C={features}, one core"))?;
    lines::text(&format!("{:<22}{:>10}{:>10}{:>12}", "score", "p50 us", "p99 us", "fitted KiB"))?;
    for name in ScoreName::PLAIN {
        bench.row(name.to_string(), &[*name])?;
    }
    let without_knn: Vec<ScoreName> = ScoreName::PLAIN.iter().copied().filter(|name| *name != ScoreName::Knn).collect();
    bench.row("all but knn, together".into(), &without_knn)
}

struct Bench {
    synthetic: Synthetic,
    fitted: Fitted,
    frames: Vec<SyntheticFrame>,
}

impl Bench {
    fn row(&self, label: String, names: &[ScoreName]) -> anyhow::Result<()> {
        let mut scorers = Scorers::new(names, &self.synthetic.model(&self.fitted))?;
        let mut times: Vec<Duration> =
            self.frames.iter().cycle().take(FRAMES + MEASURED).map(|frame| time(&mut scorers, frame)).collect();
        // The first round warms caches.
        let times = &mut times[FRAMES..];
        times.sort();
        let us = |share: f64| quantile(times, share).as_secs_f64() * 1e6;
        let state = self.state_bytes(names) as f64 / 1024.0;
        lines::text(&format!("{label:<22}{:>10.1}{:>10.1}{state:>12.1}", us(0.5), us(0.99)))
    }

    /// Fitted state that the scores read, each state once.
    fn state_bytes(&self, names: &[ScoreName]) -> usize {
        let mut states: Vec<&str> = names.iter().filter_map(|name| Fitted::state_name(*name)).collect();
        states.sort_unstable();
        states.dedup();
        states.iter().filter_map(|state| self.fitted.states.get(*state)).map(|state| state.bytes()).sum()
    }
}

fn time(scorers: &mut Scorers, frame: &SyntheticFrame) -> Duration {
    time_of(|| {
        black_box(scorers.score(black_box(&frame.outputs())));
    })
}

fn time_of<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    black_box(work());
    started.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_added_up_once() {
        let values: Vec<u64> = (1..=320).collect();
        assert_eq!(sum(&values), 320 * 321 / 2);
    }
}
