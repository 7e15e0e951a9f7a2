//! Is the picture itself worth judging? A frozen camera looks perfectly familiar, and so does a dark one.
//!
//! ```text
//!  View ──► measure: points on a grid, in 5x5 blocks ──► readings ──► limits ──► held for some frames? ──► findings
//!  Meta ──► stream: order, change, rate ──────────────────┘
//! ```
//!
//! A [`Health`] belongs to one camera and looks at its frames in order. It reads a sample of the pixels, costs a fraction of
//! a millisecond at any size, and allocates nothing. What is found here says that a picture is bad, never that one is good:
//! the score decides on what is in it. Damaged frames and scores that are no numbers are found elsewhere ([`crate::decode`],
//! [`crate::decide`]). docs/HEALTH.md has every check with its threshold, where that comes from, and what it finds wrongly.

mod config;
mod finding;
mod line;
#[cfg(test)]
mod masked_tests;
mod measure;
mod points;
mod stream;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use jiff::Timestamp;

use crate::decode::Picture;
use crate::source::Frame;
use crate::view::{Mask, ViewConfig};
use measure::Measured;
use points::Points;
use stream::{Coming, Stream};

pub use config::{HealthConfig, Limits};
pub use finding::{Finding, Findings, Kind, Level, Readings};
pub use view::View;

/// Colourfulness from which on a camera is known to see colours.
const COLORFUL: f32 = 4.0;
/// Range that the liveliest channel needs before the others are held against it.
const LIVELY_RANGE: f32 = 40.0;
/// Mean brightness that the rest of a picture needs for its black part to count as covered.
const LIT: f32 = 40.0;

/// What a frame says besides its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Running number within its source.
    pub index: u64,
    /// When it was taken.
    pub captured_at: Timestamp,
    /// How old it is.
    pub age: Duration,
}

impl Meta {
    /// Of a frame, whose age is read now.
    pub fn of(frame: &Frame) -> Self {
        Self { index: frame.index, captured_at: frame.captured_at, age: frame.taken.elapsed() }
    }
}

/// Whether enough of a picture is left by the masks of this view to measure anything. Of pictures of this size, where it is not, only
/// the coming is looked at.
pub fn measures<'p>(view: &ViewConfig, picture: impl Into<Picture<'p>>) -> bool {
    Measured::new().take(&View::of(picture), &mut Points::new(view.lying_mask()), 0.0)
}

/// The health of one camera.
#[derive(Debug)]
pub struct Health {
    config: HealthConfig,
    points: Points,
    measured: Measured,
    stream: Stream,
    /// Whether it ever showed colours.
    colorful: bool,
    /// For how many frames in a row each kind has been a warning, and an error.
    held: [[u32; 2]; Kind::ALL.len()],
    findings: Findings,
}

impl Health {
    /// Of a camera that has shown nothing yet.
    pub fn new(config: &HealthConfig) -> Self {
        Self {
            config: config.clone(),
            points: Points::new(Mask::default()),
            measured: Measured::new(),
            stream: Stream::new(config.expected_rate),
            colorful: false,
            held: Default::default(),
            findings: Findings { list: Vec::with_capacity(Kind::ALL.len()), ..Findings::default() },
        }
    }

    /// Looks past what this view of the camera masks. Readings in blocks are those of the blocks that are left, as if there were 25.
    pub fn with_view(self, view: &ViewConfig) -> Self {
        Self { points: Points::new(view.lying_mask()), ..self }
    }

    /// Looks at the next frame. Pictures of fewer than 17 pixels a side are not measured, nor those of which a mask leaves too little
    /// ([`measures`]); their coming is.
    pub fn look(&mut self, view: &View<'_>, meta: Meta) -> &Findings {
        self.findings.list.clear();
        if !self.config.enabled {
            return &self.findings;
        }
        let measured = self.measured.take(view, &mut self.points, self.config.dark_below);
        let coming = self.stream.next(meta, self.measured.hash);
        self.findings.readings = Readings::default();
        self.read_coming(&coming, meta, measured);
        self.judge_coming(coming.out_of_order);
        if measured {
            self.read_picture();
            self.judge_picture();
        }
        &self.findings
    }

    fn read_coming(&mut self, coming: &Coming, meta: Meta, measured: bool) {
        let readings = &mut self.findings.readings;
        readings.frozen_s = if measured { coming.unchanged.as_secs_f32() } else { 0.0 };
        readings.late_ms = meta.age.as_secs_f32() * 1000.0;
        readings.rate_hz = coming.rate.map(|(rate, _)| rate as f32);
        readings.rate_share = coming.rate.map(|(_, share)| share as f32);
    }

    fn read_picture(&mut self) {
        let (config, measured, readings) = (&self.config, &self.measured, &mut self.findings.readings);
        let count = |which: &dyn Fn(&measure::Block) -> bool| {
            measured.of_all_blocks(measured.seen().filter(|block| which(block)).count() as f32)
        };
        readings.brightness = measured.brightness();
        readings.dark_blocks = count(&|block| block.brightness() < config.dark_below);
        readings.bright_blocks = count(&|block| block.brightness() > config.bright_above);
        let shadow = count(&|block| block.brightness() < config.shadow_below);
        readings.backlit_blocks = shadow.min(readings.bright_blocks);
        readings.covered_blocks = covered_blocks(measured, config.covered_share);
        readings.contrast = measured.contrast();
        readings.sharpness = measured.sharpness();
        readings.noise = measured.noise();
        if measured.has_color {
            let green = count(&|block| block.cast() > config.cast_from);
            let magenta = count(&|block| block.cast() < -config.cast_from);
            readings.cast_blocks = Some(green.max(magenta));
            readings.colorfulness = Some(measured.colorfulness());
            let [least, greatest] = measured.channel_ranges();
            readings.channel_range = (greatest >= LIVELY_RANGE).then_some(least);
            self.colorful |= measured.colorfulness() >= COLORFUL;
        }
    }

    fn judge_coming(&mut self, out_of_order: bool) {
        let (config, readings) = (&self.config, self.findings.readings);
        let (frozen, late, rate) = (config.frozen_s, config.late_ms, config.rate_share);
        self.above(Kind::Frozen, readings.frozen_s, frozen);
        self.above(Kind::OutOfOrder, f32::from(u8::from(out_of_order)), Limits { warn: 0.0, error: f32::INFINITY });
        self.above(Kind::Late, readings.late_ms, late);
        self.below(Kind::RateDrop, readings.rate_share, rate);
    }

    /// A dark picture has neither contrast nor detail nor colour: that it is dark says it all.
    fn judge_picture(&mut self) {
        let (config, readings) = (self.config.clone(), self.findings.readings);
        let lit = |reading: f32| (readings.dark_blocks <= config.dark_blocks.warn).then_some(reading);
        self.above(Kind::Dark, readings.dark_blocks, config.dark_blocks);
        self.above(Kind::Blocked, readings.covered_blocks, config.covered_blocks);
        self.below(Kind::LowVisibility, lit(readings.contrast), config.contrast);
        self.below(Kind::Defocus, lit(readings.sharpness), config.sharpness);
        self.above(Kind::Overexposed, readings.bright_blocks, config.bright_blocks);
        self.above(Kind::Backlit, readings.backlit_blocks, config.backlit_blocks);
        self.above(Kind::Noise, readings.noise, config.noise);
        self.below(Kind::DeadChannel, readings.channel_range, config.channel_range);
        let colorfulness = readings.colorfulness.filter(|_| self.colorful).and_then(lit);
        self.below(Kind::ColorLost, colorfulness, config.colorfulness);
        self.above(Kind::ColorCast, readings.cast_blocks.unwrap_or(0.0), config.cast_blocks);
    }

    fn above(&mut self, kind: Kind, value: f32, limits: Limits) {
        self.note(kind, value, limits, [value > limits.warn, value > limits.error]);
    }

    /// A reading that there is not is not below anything.
    fn below(&mut self, kind: Kind, value: Option<f32>, limits: Limits) {
        let beyond = [limits.warn, limits.error].map(|limit| value.is_some_and(|value| value < limit));
        self.note(kind, value.unwrap_or(0.0), limits, beyond);
    }

    /// Tells what has held for long enough; an error that has not yet may be a warning that has.
    fn note(&mut self, kind: Kind, value: f32, limits: Limits, beyond: [bool; 2]) {
        let held = &mut self.held[kind as usize];
        for (held, beyond) in held.iter_mut().zip(beyond) {
            *held = if beyond { held.saturating_add(1) } else { 0 };
        }
        let [warn, error] = held.map(|held| held >= self.config.consecutive_frames);
        let (level, threshold) = match (warn, error) {
            (_, true) => (Level::Error, limits.error),
            (true, false) => (Level::Warn, limits.warn),
            (false, false) => return,
        };
        self.findings.list.push(Finding { kind, level, value, threshold });
    }
}

/// Blocks that are nearly all black, in a picture whose other blocks are lit: at night everything is black.
fn covered_blocks(measured: &Measured, covered_share: f32) -> f32 {
    let (mut covered, mut others, mut light) = (0.0, 0.0, 0.0);
    for block in measured.seen() {
        if block.dark_share() > covered_share {
            covered += 1.0;
        } else {
            others += 1.0;
            light += block.brightness();
        }
    }
    if light >= LIT * others && others > 0.0 { measured.of_all_blocks(covered) } else { 0.0 }
}
