//! What goes wrong when: drawn by a seed, so that a run that failed can be run again.
//!
//! Time is cut into rounds. In each, faults follow one another on every camera with pauses of good frames between them;
//! the end of a round is quiet, and there the process itself is interrupted. Faults of different cameras overlap as they
//! like; those of one camera do not, since they would hide each other.
//!
//! The first fault of all cameras, at the same time, is the largest picture that they ever show. Memory is as large as the largest
//! pictures that came together wanted it; had they to be waited for, a run would grow each time they became larger, and hide a leak.

use std::path::Path;
use std::time::Duration;

use oodwatch::config::CameraConfig;
use oodwatch::decode::DecodeConfig;
use oodwatch::source::faults::{FaultConfig, FaultKind};
use oodwatch::source::{FaultsConfig, ImagesConfig, SourceConfig, VideoConfig};
use oodwatch::view::ViewConfig;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Names of the cameras.
pub(super) const CAMERAS: [&str; 2] = ["front", "rear"];
/// Of both cameras.
pub(super) const FRAMES_PER_SECOND: u32 = 10;
/// Between two frames.
pub(super) const INTERVAL: Duration = Duration::from_millis(1000 / FRAMES_PER_SECOND as u64);
/// Good frames at the start.
const FIRST: u64 = 30;
/// Length of a round, and how much of its end is quiet, in frames.
const ROUND: u64 = 200;
const QUIET: u64 = 80;
/// How long faults last, and good frames between them, in frames.
const LASTS: std::ops::Range<u64> = 15..30;
pub(super) const BETWEEN: std::ops::Range<u64> = 20..40;
/// How much larger pictures of another size are at most, along each side, and how long all cameras show those at the beginning, in frames.
const LARGEST: f64 = 3.0;
const OPENING: u64 = 25;

/// A whole run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) lasts: Duration,
    /// Per camera, in order of time.
    pub(super) faults: Vec<Vec<FaultConfig>>,
    /// In order of time.
    pub(super) interruptions: Vec<Interruption>,
}

/// Something that befalls the process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interruption {
    pub(super) kind: Interrupts,
    /// The frame before which it begins.
    pub(super) at_frame: u64,
}

/// What befalls the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupts {
    /// SIGSTOP, and SIGCONT after a deadline and a half.
    Stopped,
    /// Nobody reads its verdicts until they fill the pipe, and for half a deadline more.
    SlowReader,
}

impl Plan {
    /// A plan for a run of this length.
    pub(super) fn draw(seed: u64, lasts: Duration) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let frames = frames_in(lasts);
        let faults = CAMERAS.map(|_| faults(&mut rng, frames)).into();
        Self { seed, lasts, faults, interruptions: interruptions(&mut rng, frames) }
    }

    /// Frames that each camera shows.
    pub(super) fn frames(&self) -> u64 {
        frames_in(self.lasts)
    }

    /// The cameras of the config: a list of pictures on stdin, and a film.
    pub(super) fn cameras(&self, ffmpeg: &Path, film: &Path) -> Vec<CameraConfig> {
        let frames_per_second = f64::from(FRAMES_PER_SECOND);
        let list = ImagesConfig { frames_per_second, realtime: true, ..ImagesConfig::new(Path::new("-")) };
        let film = VideoConfig { ffmpeg: ffmpeg.into(), realtime: true, ..VideoConfig::new(film) };
        let sources = [SourceConfig::Images(list), SourceConfig::Video(film)];
        let camera = |((name, source), script): ((&str, SourceConfig), &Vec<FaultConfig>)| {
            let faults = FaultsConfig { source: Box::new(source), seed: self.seed, script: script.clone() };
            let source = SourceConfig::Faults(faults);
            CameraConfig {
                calibration: None,
                name: name.to_owned(),
                view: ViewConfig::default(),
                decode: DecodeConfig::default(),
                source,
            }
        };
        CAMERAS.into_iter().zip(sources).zip(&self.faults).map(camera).collect()
    }
}

fn frames_in(lasts: Duration) -> u64 {
    (lasts.as_secs_f64() * f64::from(FRAMES_PER_SECOND)) as u64
}

/// Whether a stretch of frames stays out of the quiet end of its round.
fn is_loud(from: u64, frames: u64) -> bool {
    (from - FIRST) % ROUND + frames <= ROUND - QUIET
}

fn faults(rng: &mut ChaCha8Rng, frames: u64) -> Vec<FaultConfig> {
    let mut faults = vec![FaultConfig { from_frame: Some(FIRST), for_frames: Some(OPENING), ..wrong_size(LARGEST) }];
    let mut at = FIRST + OPENING + rng.random_range(BETWEEN);
    loop {
        let lasts = rng.random_range(LASTS);
        // A fault needs good frames behind it, by which the recovery shows.
        if at + lasts + BETWEEN.end > frames {
            return faults;
        }
        if is_loud(at, lasts) {
            faults.push(FaultConfig { from_frame: Some(at), for_frames: Some(lasts), ..fault(rng) });
            at += lasts + rng.random_range(BETWEEN);
        } else {
            at = FIRST + (at - FIRST).next_multiple_of(ROUND) + rng.random_range(BETWEEN);
        }
    }
}

/// A fault of any kind, strong enough to be promised to be told but for another size, which footage may have.
fn fault(rng: &mut ChaCha8Rng) -> FaultConfig {
    use FaultKind::{
        Backlit, Black, Blocked, ColorCast, Corrupt, Freeze, LowVisibility, Noise, Overexposed, Stall, TimestampJump,
        Unplug, WrongSize,
    };
    let kinds = [
        Backlit,
        Black,
        Blocked,
        ColorCast,
        Corrupt,
        Freeze,
        LowVisibility,
        Noise,
        Overexposed,
        Stall,
        TimestampJump,
        Unplug,
        WrongSize,
    ];
    let kind = *kinds.choose(rng).unwrap_or(&Black);
    let mut fault = FaultConfig { from_frame: None, ..FaultConfig::of(kind) };
    match kind {
        Noise => fault.sigma = Some(rng.random_range(70.0..150.0)),
        Corrupt if rng.random() => fault.keep = Some(0.0),
        Corrupt => fault.damage = Some(rng.random_range(0.6..1.0)),
        TimestampJump => fault.milliseconds = Some(-rng.random_range(20_000..60_000)),
        WrongSize => fault = wrong_size(rng.random_range(0.2..LARGEST)),
        _ => {}
    }
    fault
}

fn wrong_size(factor: f64) -> FaultConfig {
    FaultConfig { from_frame: None, factor: Some(factor), ..FaultConfig::of(FaultKind::WrongSize) }
}

/// One in the quiet end of each round, by turns of both kinds; the last one leaves time to recover.
fn interruptions(rng: &mut ChaCha8Rng, frames: u64) -> Vec<Interruption> {
    let ends = (1..).map(|round| FIRST + round * ROUND - QUIET).take_while(|at| at + QUIET <= frames);
    let kinds = [Interrupts::Stopped, Interrupts::SlowReader].into_iter().cycle();
    // Faults end before the quiet end begins; what they are told by is through a few frames later.
    ends.zip(kinds).map(|(end, kind)| Interruption { kind, at_frame: end + rng.random_range(15..25) }).collect()
}
