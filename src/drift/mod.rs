//! Whether the p-values of what a camera sees still are those of its calibration.
//!
//! A calibrated score gives known frames p-values that are uniform between 0 and 1. When the light, the lens or the site has
//! changed, frames look stranger (p-values too low) long before each is an alarm; where the calibration footage was more varied than
//! what is seen now, they are too high or lie too close together, and the thresholds are blunt. Neither is an alarm: both say
//! that it is time to calibrate again (docs/RECALIBRATE.md).
//!
//! Frames of a video resemble each other, so a test for uniform p-values that counts frames would cry wolf. Here time is cut
//! into 60 blocks; the mean p-value of each is one observation, and the spread between them says how far chance
//! moves it: the method of batch means (Law & Kelton, "Simulation Modeling and Analysis"), where blocks that still
//! resemble each other count for less ([`effective_count`]). A drift is told when
//!
//! - the mean is off by more than `shift`: a calibration is a finite sample, and its own p-values are not quite uniform; and
//! - Student's t of the block means says that chance does that once in 10,000 looks, one look a block; and
//! - that has held for three blocks in a row.
//!
//! The spread of p-values, |2p - 1|, of mean 1/2, is tested in the same way for being too small. Only capture times count, so that
//! a replay finds the same.

mod block;
mod config;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::calibrate::{effective_count, time_of};
use crate::health::{Finding, Kind, Level};
use block::Block;
pub use block::TENTHS;
pub use config::DriftConfig;

/// Blocks in a window.
const BLOCKS: usize = 60;
/// Blocks before anything is said.
const FEWEST_BLOCKS: usize = 20;
/// Fewest independent blocks from which a spread can be told.
const FEWEST_INDEPENDENT: f64 = 5.0;
/// How rarely chance alone may look like a drift.
const RARE: f64 = 1e-4;
/// Blocks in a row for which a drift has to hold.
const HELD: u32 = 3;
/// Blocks whose means differ by less than this, in standard deviation, are as good as equal: nothing is left to chance.
const AS_GOOD_AS_EQUAL: f64 = 0.02;
/// Mean of p, and of |2p - 1|, where p is uniform.
const UNIFORM_MEAN: f64 = 0.5;

/// The p-values of a camera over the last window.
#[derive(Debug)]
pub struct Drift {
    config: DriftConfig,
    block: Block,
    window: VecDeque<Block>,
    /// For how many blocks in a row p-values were too low, and too high or too close together.
    held: [u32; 2],
    /// What holds since the last block.
    told: Vec<Finding>,
}

/// What the p-values of a window look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftReading {
    /// Judged frames.
    pub frames: u64,
    /// Seconds from the first to the last.
    pub seconds: f64,
    /// Independent blocks that they are worth.
    pub independent: f64,
    /// Mean p-value; 0.5 where they are uniform.
    pub mean: f64,
    /// Mean of |2p - 1|; 0.5 where they are uniform, less where they lie close together.
    pub spread: f64,
    /// Share of frames with a p-value in each tenth, from 0 on.
    pub tenths: [f64; TENTHS],
}

impl Drift {
    /// Of a camera that has shown nothing yet.
    pub fn new(config: &DriftConfig) -> Self {
        let window = VecDeque::with_capacity(BLOCKS);
        Self { config: *config, block: Block::default(), window, held: [0; 2], told: Vec::new() }
    }

    /// Takes note of a judged frame, and adds to `findings` what holds after it.
    pub fn see(&mut self, p_value: f64, captured_at: Timestamp, findings: &mut Vec<Finding>) {
        if self.config.window_s <= 0.0 {
            return;
        }
        if self.block.is_full(captured_at, self.config.window_s / BLOCKS as f64) {
            self.close_block();
        }
        self.block.add(p_value, captured_at);
        findings.extend_from_slice(&self.told);
    }

    fn close_block(&mut self) {
        if self.window.len() == BLOCKS {
            self.window.pop_front();
        }
        self.window.push_back(std::mem::take(&mut self.block));
        let found = self.is_off();
        for (held, found) in self.held.iter_mut().zip(found) {
            *held = if found { held.saturating_add(1) } else { 0 };
        }
        self.told = self.findings();
    }

    /// Whether p-values are too low, and whether they are too high or too close together.
    fn is_off(&self) -> [bool; 2] {
        if self.window.len() < FEWEST_BLOCKS {
            return [false; 2];
        }
        let (means, spreads) =
            (Means::of(self.window.iter().map(Block::mean)), Means::of(self.window.iter().map(Block::spread)));
        let shift = self.config.shift;
        [means.is_below(shift), means.is_above(shift) || spreads.is_below(shift)]
    }

    fn findings(&self) -> Vec<Finding> {
        let [too_low, blunt] = self.held.map(|held| held >= HELD);
        let (reading, shift) = (self.reading(), self.config.shift);
        let low = reading.filter(|_| too_low).map(|reading| (Kind::ScoreDrift, reading.mean, UNIFORM_MEAN - shift));
        let blunt = reading.filter(|_| blunt).map(|reading| match reading.mean > UNIFORM_MEAN + shift {
            true => (Kind::ScoreSlack, reading.mean, UNIFORM_MEAN + shift),
            false => (Kind::ScoreSlack, reading.spread, UNIFORM_MEAN - shift),
        });
        let finding = |(kind, value, threshold): (Kind, f64, f64)| Finding {
            kind,
            level: Level::Warn,
            value: value as f32,
            threshold: threshold as f32,
        };
        low.into_iter().chain(blunt).map(finding).collect()
    }

    /// The window as it is, without the block that is not full yet; nothing before the first is.
    pub fn reading(&self) -> Option<DriftReading> {
        let (first, last) = (self.window.front()?, self.window.back()?);
        let frames: u64 = self.window.iter().map(Block::frames).sum();
        let mean_of = |sum: fn(&Block) -> f64| self.window.iter().map(sum).sum::<f64>() / frames as f64;
        let mut tenths = [0.0; TENTHS];
        for (place, share) in tenths.iter_mut().enumerate() {
            *share = self.window.iter().map(|block| block.tenths()[place]).sum::<u64>() as f64 / frames as f64;
        }
        Some(DriftReading {
            frames,
            seconds: last.seconds_since(first),
            independent: Means::of(self.window.iter().map(Block::mean)).independent,
            mean: mean_of(Block::sum),
            spread: mean_of(Block::spread_sum),
            tenths,
        })
    }
}

impl fmt::Display for DriftReading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths: Vec<String> = self.tenths.iter().map(|share| format!("{:.0}", 100.0 * share)).collect();
        write!(
            formatter,
            "p-values of {} frames in {}: mean {:.2}, spread {:.2} (0.50 each as calibrated); by tenths {} %",
            self.frames,
            time_of(self.seconds / 3600.0),
            self.mean,
            self.spread,
            tenths.join(" ")
        )
    }
}

/// What the blocks say together.
struct Means {
    mean: f64,
    /// Standard deviation between blocks.
    deviation: f64,
    /// Blocks, less what they have in common.
    independent: f64,
}

impl Means {
    fn of(blocks: impl Iterator<Item = f64>) -> Self {
        let blocks: Vec<f64> = blocks.collect();
        let count = blocks.len() as f64;
        let mean = blocks.iter().sum::<f64>() / count;
        let squares = blocks.iter().map(|block| (block - mean).powi(2)).sum::<f64>();
        let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
        let as_scores: Vec<f32> = blocks.iter().map(|block| *block as f32).collect();
        let independent = if deviation < AS_GOOD_AS_EQUAL { count } else { effective_count(&as_scores) };
        Self { mean, deviation, independent }
    }

    fn is_below(&self, shift: f64) -> bool {
        self.mean < UNIFORM_MEAN - shift && self.t() < -self.critical()
    }

    fn is_above(&self, shift: f64) -> bool {
        self.mean > UNIFORM_MEAN + shift && self.t() > self.critical()
    }

    /// Infinite where all blocks are equal.
    fn t(&self) -> f64 {
        (self.mean - UNIFORM_MEAN) * self.independent.sqrt() / self.deviation
    }

    /// What |t| must be above, on one side; never reached by blocks of which too few are independent.
    fn critical(&self) -> f64 {
        if self.independent < FEWEST_INDEPENDENT {
            return f64::INFINITY;
        }
        StudentsT::new(0.0, 1.0, self.independent - 1.0)
            .map_or(f64::INFINITY, |student| student.inverse_cdf(1.0 - RARE))
    }
}
