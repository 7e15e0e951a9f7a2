//! Any other source, with faults by a script: a rehearsal of what happens when the camera breaks, on one's own footage.
//!
//! ```text
//!  inner source ──► which faults hold now? ──► stall, unplug: the frame is taken away, and the condition tells of it
//!                                         └──► otherwise: each fault that holds alters the frame, in the script's order
//! ```
//!
//! Footage at its own pace (`realtime`) becomes a camera: its newest frame wins, and it is silent or lost when the script
//! says so. Frames that a stall or an unplug takes away were never captured: they are in no count, but their numbers are missing.
//! Those that a lower rate takes away leave no gap: a camera that exposes for longer numbers its frames one after the other.

mod config;
mod expected;
pub(crate) mod picture;
mod promised;
mod script;
pub(crate) mod spoil;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Condition, Frame, Live, Source, SourceConfig, SourceError};
use picture::Noise;
use script::{Cue, Fault};

pub use config::{FaultConfig, FaultKind, FaultsConfig};
pub use expected::{Circumstances, Expectation, Sign, taken_ns};

/// A camera's frame is late after this many of its intervals, and not before this time: as [`super::V4l2`] has it.
const LATE_INTERVALS: u32 = 5;
const LATE_AT_LEAST: Duration = Duration::from_millis(250);
/// A camera that is silent for longer is closed and opened anew: the default of `camera.source.v4l2.stall_timeout_ms`.
const STALL_TIMEOUT: Duration = Duration::from_secs(2);

/// A source whose frames go through a script of faults.
pub struct Faults {
    inner: Box<dyn Source>,
    /// Whether the inner source is a camera, whose frames have a time of their own on the monotonic clock.
    of_camera: bool,
    live: Option<Arc<Live>>,
    seed: u64,
    cues: Vec<Cue>,
    /// Of each cue, where it is noise.
    noises: Vec<Option<Noise>>,
    first: Option<Stamp>,
    /// When the last frames were taken and given out, after the first one.
    last_taken: Duration,
    last_given: Duration,
    /// Frames that a lower rate took away, by which the numbers of the others are lower.
    unnumbered: u64,
}

/// When a frame was taken, on both clocks.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    captured_at: Timestamp,
    taken: std::time::Instant,
}

impl Faults {
    /// Opens the wrapped source; `camera` is whose it is, for the log.
    ///
    /// # Errors
    /// A script with a wrong value, or a source that cannot be opened.
    pub fn open(config: &FaultsConfig, camera: &str) -> Result<Self, SourceError> {
        Self::around(super::open_as(camera, &config.source)?, config)
    }

    /// Wraps a source that is open already.
    pub(crate) fn around(inner: Box<dyn Source>, config: &FaultsConfig) -> Result<Self, SourceError> {
        let steps = config.steps()?;
        let beneath = inner.live();
        let of_camera = beneath.is_some();
        let live = of_camera || config.source.footage_in_a_hurry().is_none();
        let noise = |fault| if let Fault::Noise { sigma } = fault { Some(Noise::new(sigma)) } else { None };
        Ok(Self {
            inner,
            of_camera,
            live: live.then(|| Arc::new(Live::above(beneath))),
            seed: config.seed,
            noises: steps.iter().map(|step| noise(step.fault)).collect(),
            cues: steps.into_iter().map(Cue::new).collect(),
            first: None,
            last_taken: Duration::ZERO,
            last_given: Duration::ZERO,
            unnumbered: 0,
        })
    }

    /// When a frame was taken, after the first one: of footage by its own times, which are the same in every run.
    fn time_of(&mut self, frame: &Frame) -> Duration {
        let now = Stamp { captured_at: frame.captured_at, taken: frame.taken };
        let first = *self.first.get_or_insert(now);
        if self.of_camera {
            return now.taken.saturating_duration_since(first.taken);
        }
        Duration::try_from(now.captured_at.duration_since(first.captured_at)).unwrap_or_default()
    }

    /// What a camera would be in without a frame at `time`, or none where frames come.
    fn condition(&self, holding: &[bool], time: Duration, interval: Duration) -> Option<Condition> {
        let holds = |fault| self.cues.iter().zip(holding).any(|(cue, holds)| *holds && cue.step.fault == fault);
        let silence = time.saturating_sub(self.last_given);
        if holds(Fault::Unplug) {
            Some(Condition::Lost)
        } else if !holds(Fault::Stall) {
            None
        } else if silence >= STALL_TIMEOUT {
            Some(Condition::Lost)
        } else if silence >= LATE_AT_LEAST.max(LATE_INTERVALS * interval) {
            Some(Condition::Silent)
        } else {
            Some(Condition::Streaming)
        }
    }

    /// Whether a lower rate takes this frame away.
    fn withholds(&self, holding: &[bool], index: u64) -> bool {
        self.cues.iter().zip(holding).any(|(cue, holds)| *holds && cue.withholds(index))
    }

    fn set_condition(&self, condition: Condition) {
        if let Some(live) = &self.live {
            live.set_condition(condition);
        }
    }

    fn altered(&mut self, mut frame: Frame, holding: &[bool]) -> Frame {
        for (number, cue) in self.cues.iter_mut().enumerate().filter(|(number, _)| holding[*number]) {
            let mut rng = random_numbers(self.seed, number, frame.index);
            match (cue.step.fault, &self.noises[number]) {
                (Fault::Freeze, _) => match &cue.still {
                    Some(still) => frame.content = picture::copy(still),
                    None => cue.still = Some(picture::copy(&frame.content)),
                },
                (Fault::Black, _) => frame.content = picture::on_pixels(frame.content, picture::blacken),
                (Fault::Noise { .. }, Some(noise)) => {
                    frame.content = picture::on_pixels(frame.content, |image| noise.add(image, &mut rng));
                }
                (Fault::Corrupt(damage), _) => frame.content = picture::corrupt(frame.content, damage, &mut rng),
                (Fault::WrongSize(size), _) => frame.content = picture::resize(frame.content, size),
                (Fault::TimestampJump { by_ms }, _) => jump(&mut frame, by_ms),
                (Fault::Spoil(spoil), _) => {
                    frame.content = picture::on_pixels(frame.content, |image| spoil.apply(image));
                }
                (Fault::Stall | Fault::Unplug | Fault::Noise { .. } | Fault::RateDrop { .. }, _) => {}
            }
        }
        frame
    }
}

/// The random numbers of one fault in one frame: they depend on no other frame.
fn random_numbers(seed: u64, fault: usize, frame: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (place, part) in key.chunks_exact_mut(8).zip([seed, fault as u64, frame]) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Moves a frame's times. Into the past it ages; one from the future is as old as its arrival, which is what counts with
/// cameras too.
fn jump(frame: &mut Frame, by_ms: i64) {
    let by = SignedDuration::from_millis(by_ms);
    frame.captured_at = frame.captured_at.saturating_add(by).unwrap_or(frame.captured_at);
    if by_ms < 0 {
        frame.taken = frame.taken.checked_sub(by.unsigned_abs()).unwrap_or(frame.taken);
    }
}

impl Source for Faults {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        while let Some(frame) = self.inner.next_frame(stop)? {
            let time = self.time_of(&frame);
            let interval = time.saturating_sub(self.last_taken);
            self.last_taken = time;
            let holding: Vec<bool> = self.cues.iter_mut().map(|cue| cue.holds(frame.index, time)).collect();
            match self.condition(&holding, time, interval) {
                Some(condition) => self.set_condition(condition),
                None if self.withholds(&holding, frame.index) => self.unnumbered += 1,
                None => {
                    self.last_given = time;
                    self.set_condition(Condition::Streaming);
                    let mut frame = self.altered(frame, &holding);
                    frame.index -= self.unnumbered;
                    return Ok(Some(frame));
                }
            }
        }
        Ok(None)
    }

    fn live(&self) -> Option<Arc<Live>> {
        self.live.clone()
    }
}

impl SourceConfig {
    /// Of footage that is not held back to its own pace, the key that says so.
    fn footage_in_a_hurry(&self) -> Option<&'static str> {
        match self {
            Self::Images(images) => (!images.realtime).then_some("images.realtime"),
            Self::Video(video) => (!video.realtime).then_some("video.realtime"),
            Self::Pipe(pipe) => (!pipe.live).then_some("pipe.live"),
            Self::V4l2(_) | Self::Faults(_) => None,
        }
    }
}
