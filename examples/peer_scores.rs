//! oodwatch's side of `cargo xtask peers --scores`; `benches/peers/scores.py` is the other and knows the same orders.
//!
//! ```text
//! peer_scores CLASSES FEATURES
//! ```
//! Then a line `NAME RUNS` for each order on standard input, answered by the median microseconds of RUNS frames. Before its first answer
//! a score is fitted.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use anyhow::{Context, bail};
use oodwatch::score::synthetic::{Synthetic, SyntheticFrame};
use oodwatch::score::{Parameters, ScoreName, Scorers};

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

/// Of the median frame.
fn microseconds(scorers: &mut Scorers, frames: &[SyntheticFrame], runs: usize) -> f64 {
    let laps = frames.iter().cycle().take(runs).map(|frame| {
        let started = Instant::now();
        black_box(scorers.score(black_box(&frame.outputs())));
        started.elapsed()
    });
    let mut laps: Vec<_> = laps.collect();
    laps.sort();
    laps.get(laps.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e6
}
