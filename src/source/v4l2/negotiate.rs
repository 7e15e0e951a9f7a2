//! Comes to terms with a camera: format, size, rate. A driver may change any of them without calling it an error, so
//! what came out is compared with what was asked, and told.

use std::fmt;
use std::io;

use oodwatch_v4l2::{self as v4l2, FourCc, Interval, Wanted};

use super::capture::Capture;
use super::{OpenError, V4l2Config, color, controls};
use crate::decode::{Encoding, PixelFormat, RawLayout};

/// Rates closer than this are the same: 30 and 29.97 are.
const RATE_TOLERANCE: f64 = 0.005;
/// V4L2_FIELD_TOP, BOTTOM and ALTERNATE: frames that hold every other row.
const HALF_PICTURES: [u32; 3] = [2, 3, 7];

/// Whether to set a camera up, or only to ask what would come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    SetUp,
    Ask,
}

/// What a camera will deliver.
#[derive(Debug, Clone)]
pub(super) struct Agreed {
    /// How to read its frames.
    pub(super) layout: RawLayout,
    /// Time between frames, where the driver knows it.
    pub(super) interval: Option<Interval>,
    /// What is otherwise than asked, in words.
    pub(super) differences: Vec<String>,
    /// What it calls itself.
    pub(super) card: String,
}

impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Encoding { matrix, range } = self.layout.encoding();
        write!(f, "{}: {} at ", self.card, self.layout)?;
        match self.interval.and_then(Interval::rate) {
            Some(rate) => write!(f, "{rate:.3} frames/s")?,
            None => f.write_str("an unknown rate")?,
        }
        write!(f, ", rows of {} bytes, {matrix}, {range} range", self.layout.stride_bytes())
    }
}

/// One format as the camera would deliver it.
struct Offer {
    format: PixelFormat,
    found: v4l2::PixelFormat,
    interval: Option<Interval>,
    differences: Vec<String>,
}

/// Checks and sets up a camera, all but the start of its frames.
pub(super) fn negotiate(camera: &dyn Capture, config: &V4l2Config, mode: Mode) -> Result<Agreed, OpenError> {
    let card = check_kind(camera)?;
    let settings = controls::plan(camera, config)?;
    let mut offer = best_offer(camera, config, mode)?;
    let encoding = color::encoding(config, offer.format, &offer.found)?;
    let size_px = (offer.found.width_px, offer.found.height_px);
    let layout = RawLayout::new(offer.format, size_px, offer.found.stride_bytes, encoding)?;
    if HALF_PICTURES.contains(&offer.found.field) {
        return Err(OpenError::Interlaced { field: offer.found.field });
    }
    if mode == Mode::SetUp {
        offer.differences.extend(controls::set(camera, &settings)?);
    }
    if config.exact && !offer.differences.is_empty() {
        return Err(OpenError::NotExact(offer.differences.join("; ")));
    }
    Ok(Agreed { layout, interval: offer.interval, differences: offer.differences, card })
}

/// Whether it is a camera that this source can read, and what it calls itself.
fn check_kind(camera: &dyn Capture) -> Result<String, OpenError> {
    let about = camera.capability().map_err(OpenError::Ask)?;
    let hint = match (about.capture, about.streaming, about.multi_planar) {
        (true, true, _) => return Ok(about.card),
        (true, false, _) => " into memory-mapped buffers",
        (false, _, true) => " in one plane: multi-planar capture is not supported",
        (false, _, false) => "",
    };
    Err(OpenError::NotACamera { card: about.card, hint })
}

/// The first of the wanted formats that comes as asked, or else the first that comes at all.
fn best_offer(camera: &dyn Capture, config: &V4l2Config, mode: Mode) -> Result<Offer, OpenError> {
    let present = camera.formats();
    let candidates = candidates(config, &present);
    let mut fallback: Option<PixelFormat> = None;
    let mut refusal = None;
    for format in &candidates {
        match ask(camera, config, *format, mode) {
            Ok(Some(offer)) if offer.differences.is_empty() => return Ok(offer),
            Ok(Some(_)) => fallback = fallback.or(Some(*format)),
            Ok(None) => {}
            Err(error) => refusal = Some((*format, error)),
        }
    }
    // Asked again: what was tried after it has changed the camera's setting.
    if let Some(format) = fallback
        && let Ok(Some(offer)) = ask(camera, config, format, mode)
    {
        return Ok(offer);
    }
    Err(match refusal {
        Some((format, source)) => OpenError::Format { wanted: words(config, format), source },
        None => OpenError::NoFormat { wanted: list(&config.formats), present: list(&present) },
    })
}

/// The wanted formats that the camera lists; all of them where it lists none, as some drivers do before they are fed.
fn candidates(config: &V4l2Config, present: &[FourCc]) -> Vec<PixelFormat> {
    let understood: Vec<_> = present.iter().filter_map(|fourcc| PixelFormat::from_fourcc(fourcc.0)).collect();
    config.formats.iter().copied().filter(|format| present.is_empty() || understood.contains(format)).collect()
}

/// What comes of asking for a format; none where it is one that is not wanted.
fn ask(camera: &dyn Capture, config: &V4l2Config, format: PixelFormat, mode: Mode) -> io::Result<Option<Offer>> {
    let wanted = Wanted { fourcc: FourCc(format.fourcc()), width_px: config.width, height_px: config.height };
    let found = match mode {
        Mode::SetUp => camera.set_format(wanted)?,
        Mode::Ask => camera.try_format(wanted)?,
    };
    let Some(given) = PixelFormat::from_fourcc(found.fourcc.0).filter(|given| config.formats.contains(given)) else {
        return Ok(None);
    };
    let mut differences = Vec::new();
    if given != format {
        differences.push(format!("format is {given}, asked for {format}"));
    }
    let (width, height) = (found.width_px, found.height_px);
    if (width, height) != (config.width, config.height) {
        differences.push(format!("size is {width}x{height}, asked for {}x{}", config.width, config.height));
    }
    let interval = match mode {
        Mode::SetUp => rate(camera, config, &mut differences),
        Mode::Ask => {
            differences.extend(unlisted_rate(camera, config, &found));
            None
        }
    };
    Ok(Some(Offer { format: given, found, interval, differences }))
}

/// Sets the rate and tells where it came out otherwise. A camera that cannot set one keeps its own.
fn rate(camera: &dyn Capture, config: &V4l2Config, differences: &mut Vec<String>) -> Option<Interval> {
    let wanted = config.frames_per_second;
    if wanted == 0.0 {
        return camera.interval().ok().flatten();
    }
    let found = match camera.set_interval(Interval::from_rate(wanted)) {
        Ok(found) => found,
        Err(error) => {
            differences.push(format!("the rate cannot be set ({error}), asked for {wanted} frames/s"));
            return camera.interval().ok().flatten();
        }
    };
    match found.and_then(Interval::rate) {
        Some(rate) if (rate / wanted - 1.0).abs() <= RATE_TOLERANCE => {}
        Some(rate) => differences.push(format!("rate is {rate:.3} frames/s, asked for {wanted}")),
        None => differences.push(format!("the rate is not known, asked for {wanted} frames/s")),
    }
    found
}

/// What to say of a rate that is not among those that the camera lists. One that lists none may do anything.
fn unlisted_rate(camera: &dyn Capture, config: &V4l2Config, found: &v4l2::PixelFormat) -> Option<String> {
    let wanted = config.frames_per_second;
    let listed = camera.intervals(found.fourcc, (found.width_px, found.height_px));
    // The shortest time between frames is the highest rate.
    let ranges: Vec<(f64, f64)> =
        listed.iter().filter_map(|[short, long]| Some((long.rate()?, short.rate()?))).collect();
    let within = |(lowest, highest): &(f64, f64)| {
        (lowest * (1.0 - RATE_TOLERANCE)..=highest * (1.0 + RATE_TOLERANCE)).contains(&wanted)
    };
    if wanted == 0.0 || ranges.is_empty() || ranges.iter().any(within) {
        return None;
    }
    let highest = ranges.iter().map(|(_, highest)| *highest).fold(0.0, f64::max);
    Some(format!("the camera lists no rate of {wanted} frames/s; its highest is {highest:.3}"))
}

fn words(config: &V4l2Config, format: PixelFormat) -> String {
    format!("{format} {}x{}", config.width, config.height)
}

fn list<T: ToString>(items: &[T]) -> String {
    match items {
        [] => "none".into(),
        items => items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
