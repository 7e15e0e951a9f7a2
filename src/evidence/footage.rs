//! Runs footage through the way of a frame once: what was judged, what the health checks said, and what the footage is.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use image::RgbImage;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Bench, EvidenceError};
use crate::calibrate::{Judgement, Moment, effective_count};
use crate::decide::policy::STRANGEST;
use crate::decode::{Content, Decoder, Picture, decode};
use crate::health::{Finding, Health, Meta, View};
use crate::package::hex;
use crate::source::faults::picture;
use crate::source::{self, SourceConfig};

/// Most frames that are kept for the health checks and the faults.
const KEPT_FRAMES: usize = 64;
/// Most memory that they may take.
const KEPT_BYTES: usize = 256 << 20;

/// What a piece of footage is, so that somebody else can tell whether theirs is the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Footage {
    /// Where it lies.
    pub path: PathBuf,
    /// Frames that were judged.
    pub frames: usize,
    /// Frames that could not be read.
    pub bad: u64,
    /// Frames per second of its own times.
    pub frames_per_second: f64,
    /// Smallest and largest width and height.
    pub size_px: [(u32, u32); 2],
    /// sha256 of all pictures in order: for each its width and height (32 bits, little endian), then red, green, blue.
    pub sha256: String,
    /// Independent frames that the scores of these are worth.
    pub effective_frames: f64,
    /// Scores that were no numbers.
    pub not_finite: usize,
}

/// A frame that was judged.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) time_s: f64,
    pub(super) judgement: Judgement,
    pub(super) findings: Vec<Finding>,
}

/// Footage that was judged.
pub(super) struct Watched {
    pub(super) footage: Footage,
    pub(super) seen: Vec<Seen>,
    /// Some frames from its beginning, as they came.
    pub(super) kept: Vec<Content>,
}

impl Watched {
    /// Scores; what is no number is the strangest.
    pub(super) fn scores(&self) -> Vec<f32> {
        self.seen.iter().map(|seen| seen.judgement.score.unwrap_or(f32::INFINITY)).collect()
    }

    pub(super) fn p_values(&self) -> impl Iterator<Item = f64> {
        self.seen.iter().map(|seen| seen.judgement.p_value.unwrap_or(STRANGEST))
    }

    pub(super) fn flagged(&self) -> usize {
        self.seen.iter().filter(|seen| seen.judgement.flag).count()
    }

    /// What a policy over time gets to see.
    pub(super) fn moments(&self) -> Vec<Moment> {
        self.seen.iter().zip(self.p_values()).map(|(seen, p)| Moment { time_s: seen.time_s, p }).collect()
    }

    /// The same where each flagged frame is an alarm: a policy of level 0.5 then alarms on these and no others.
    pub(super) fn flags(&self) -> Vec<Moment> {
        let p = |seen: &Seen| if seen.judgement.flag { STRANGEST } else { 1.0 };
        self.seen.iter().map(|seen| Moment { time_s: seen.time_s, p: p(seen) }).collect()
    }

    /// Frames that belong together: twice the autocorrelation time of the scores.
    pub(super) fn block(&self) -> usize {
        let (frames, worth) = (self.seen.len() as f64, self.footage.effective_frames);
        if worth >= frames { 1 } else { (2.0 * frames / worth.max(1.0)).ceil() as usize }
    }
}

/// The source of a path; pictures stand for so many frames per second.
pub(super) fn config_of(path: &Path, frames_per_second: f64, realtime: bool) -> SourceConfig {
    let mut config = source::config_for_path(path);
    match &mut config {
        SourceConfig::Images(images) => {
            (images.frames_per_second, images.realtime) = (frames_per_second, realtime);
        }
        SourceConfig::Video(video) => video.realtime = realtime,
        SourceConfig::V4l2(_) | SourceConfig::Pipe(_) | SourceConfig::Faults(_) => {}
    }
    config
}

/// Judges footage to its end, or `max_frames` of it.
///
/// # Errors
/// Footage that cannot be opened, of which nothing can be read, or a network that fails.
pub(super) fn watch(
    path: &Path,
    frames_per_second: f64,
    max_frames: Option<u64>,
    bench: &mut Bench<'_>,
) -> Result<Watched, EvidenceError> {
    let (mut source, never) = (source::open(&config_of(path, frames_per_second, false))?, AtomicBool::new(false));
    let mut health = Health::new(&bench.config.health).with_view(&bench.camera.view);
    let mut decoder = Decoder::new(bench.camera.decode, bench.by.package.input_px, &bench.camera.view);
    let (mut reading, mut kept) = (Reading::default(), Kept::default());
    while max_frames.is_none_or(|max| reading.seen.len() as u64 + reading.bad < max) {
        let Some(frame) = source.next_frame(&never)? else { break };
        // Reading takes its time, which says nothing about a camera.
        let meta = Meta { age: std::time::Duration::ZERO, ..Meta::of(&frame) };
        kept.keep(&frame.content);
        // The footage is known by its whole pictures, however the monitor decodes them.
        let again = bench.camera.decode.scaled.then(|| picture::copy(&frame.content));
        match decode(frame.content) {
            Ok(image) => {
                let smaller = again.and_then(|content| decoder.picture(content).ok());
                let shown = smaller.unwrap_or(Picture::Rgb(&image));
                let findings = health.look(&View::of(shown), meta).list.clone();
                let judgement = bench.judge(shown)?;
                reading.add(&image, frame.captured_at, judgement, findings);
            }
            Err(error) => {
                log::error!("decode: frame {}: {}: {error}", frame.index, frame.path.display());
                reading.bad += 1;
                kept.forget_last();
            }
        }
        (bench.tick)(&path.display().to_string());
    }
    reading.finish(path, kept.frames)
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    hash: Sha256,
    first: Option<Timestamp>,
    sizes: Option<[(u32, u32); 2]>,
    seen: Vec<Seen>,
    bad: u64,
}

impl Reading {
    fn add(&mut self, image: &RgbImage, at: Timestamp, judgement: Judgement, findings: Vec<Finding>) {
        let (width, height) = image.dimensions();
        self.hash.update(width.to_le_bytes());
        self.hash.update(height.to_le_bytes());
        self.hash.update(image.as_raw());
        let [small, large] = self.sizes.unwrap_or([(width, height); 2]);
        self.sizes = Some([(small.0.min(width), small.1.min(height)), (large.0.max(width), large.1.max(height))]);
        let first = *self.first.get_or_insert(at);
        self.seen.push(Seen { time_s: at.duration_since(first).as_secs_f64(), judgement, findings });
    }

    fn finish(self, path: &Path, kept: Vec<Content>) -> Result<Watched, EvidenceError> {
        let (Some(size_px), [_, .., last]) = (self.sizes, self.seen.as_slice()) else {
            return Err(EvidenceError::TooFew { path: path.into(), found: self.seen.len(), bad: self.bad });
        };
        let finite: Vec<f32> = self.seen.iter().filter_map(|seen| seen.judgement.score).collect();
        let footage = Footage {
            path: path.into(),
            frames: self.seen.len(),
            bad: self.bad,
            frames_per_second: (self.seen.len() - 1) as f64 / last.time_s.max(1e-9),
            size_px,
            sha256: hex(&self.hash.finalize()),
            effective_frames: effective_count(&finite),
            not_finite: self.seen.len() - finite.len(),
        };
        Ok(Watched { footage, seen: self.seen, kept })
    }
}

/// Frames that are kept, within a bounded memory.
#[derive(Default)]
struct Kept {
    frames: Vec<Content>,
    bytes: usize,
    kept_last: bool,
}

impl Kept {
    fn keep(&mut self, content: &Content) {
        let bytes = match content {
            Content::Encoded(bytes) => bytes.len(),
            Content::Rgb(image) => image.as_raw().len(),
            Content::Raw(frame) => frame.bytes.len(),
            Content::Unreadable(_) => 0,
        };
        self.kept_last = self.frames.len() < KEPT_FRAMES && self.bytes + bytes <= KEPT_BYTES;
        if self.kept_last {
            self.bytes += bytes;
            self.frames.push(picture::copy(content));
        }
    }

    fn forget_last(&mut self) {
        if std::mem::take(&mut self.kept_last) {
            self.frames.pop();
        }
    }
}
