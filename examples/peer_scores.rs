//! oodwatch's side of `cargo xtask peers --scores`; `benches/peers/scores.py` is the other and knows the same orders.
//!
//! ```text
//! peer_scores CLASSES FEATURES
//! ```
//! Then a line `NAME RUNS` for each order on standard input, answered by the microseconds of a frame, over RUNS of them. Before its first answer
//! a score is fitted.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use oodwatch::score::synthetic::{Synthetic, SyntheticFrame};
use oodwatch::score::{Parameters, ScoreName, Scorers};
use rustix::time::{ClockId, clock_gettime};

/// Frames that are fitted on: as many as the bank of `knn` holds by default.
const FIT_FRAMES: usize = 10_000;
/// Different frames, by turns.
const FRAMES: usize = 64;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [classes, features] = &arguments[..] else { bail!("wanted the numbers of classes and features") };
    let mut synthetic = Synthetic::new(classes.parse()?, features.parse()?, 0);
    let frames: Vec<SyntheticFrame> = (0..FRAMES).map(|_| synthetic.frame()).collect();
    let mut fitted = BTreeMap::new();
    for line in io::stdin().lines() {
        let line = line?;
        let (name, runs) = line.split_once(' ').context("wanted a name and a number")?;
        if !fitted.contains_key(name) {
            fitted.insert(name.to_owned(), scorers(&mut synthetic, name.parse()?)?);
        }
        let scorers = fitted.get_mut(name).context("it was fitted just now")?;
        println!("{:.3}", microseconds(scorers, &frames, runs.parse()?));
        io::stdout().flush()?;
    }
    Ok(())
}

fn scorers(synthetic: &mut Synthetic, name: ScoreName) -> anyhow::Result<Scorers> {
    let fitted = synthetic.fit(&[name], Parameters::default(), FIT_FRAMES)?;
    Ok(Scorers::new(&[name], &synthetic.model(&fitted))?)
}

/// Of the processor, per frame: others on the same machine disturb that least.
fn microseconds(scorers: &mut Scorers, frames: &[SyntheticFrame], runs: usize) -> f64 {
    let started = processor_time();
    for frame in frames.iter().cycle().take(runs) {
        black_box(scorers.score(black_box(&frame.outputs())));
    }
    (processor_time() - started).as_secs_f64() * 1e6 / runs.max(1) as f64
}

/// Of this thread.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
