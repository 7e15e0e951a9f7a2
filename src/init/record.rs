//! From a source to a folder of pictures, until there is enough.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use image::RgbImage;
use jiff::Timestamp;

use super::{InitError, Recorder, Survey};
use crate::decode::Decoder;
use crate::health::Meta;
use crate::source::{Images, ImagesConfig, Source, WAIT_SLICE};

/// When there is enough. Whatever comes first.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// So many pictures in the folder.
    pub frames: Option<u64>,
    /// So many seconds of footage.
    pub seconds: Option<f64>,
    /// So many bytes of pictures in the folder.
    pub bytes: u64,
    /// A source that gives nothing for so long is given up.
    pub patience: Duration,
}

/// Why a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is as much as was wanted.
    Enough,
    /// The footage is over.
    SourceOver,
    /// There is no room for another picture.
    Full,
    /// It was told to stop.
    Stopped,
    /// The source gave nothing for too long.
    Silent,
}

/// How far a recording is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// Pictures kept.
    pub kept: u64,
    /// Frames that were none.
    pub unreadable: u64,
    /// Seconds of footage, without breaks.
    pub seconds: f64,
}

/// What became of a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recording {
    /// What there is now, with what was recorded before.
    pub progress: Progress,
    /// Width and height of the last picture, in pixels.
    pub size_px: (u32, u32),
    /// Why it ended.
    pub end: End,
}

/// Longest step between two frames that still is footage, in seconds; a longer one is a break.
const BREAK_S: f64 = 5.0;

/// Records until there is enough. `before` is what the folder held already. `tick` hears of every frame.
///
/// # Errors
/// The source breaks, or the disk refuses. What was kept until then is whole.
pub fn record(
    source: &mut dyn Source,
    recorder: &mut Recorder,
    survey: &mut Survey,
    limits: &Limits,
    before: Progress,
    stop: &AtomicBool,
    tick: &mut dyn FnMut(&Progress),
) -> Result<Recording, InitError> {
    let (unwanted, last_sign, over) = (AtomicBool::new(false), Mutex::new(Instant::now()), AtomicBool::new(false));
    thread::scope(|scope| {
        let watch = || watch(&unwanted, &over, &last_sign, limits.patience, stop);
        thread::Builder::new().name("patience".into()).spawn_scoped(scope, watch).map_err(InitError::Thread)?;
        let mut session = Session { recorder, survey, limits, progress: before, last: None, size_px: (0, 0) };
        let ended = session.run(source, &unwanted, &last_sign, tick);
        over.store(true, Ordering::Relaxed);
        let end = match ended? {
            Some(end) => end,
            None if stop.load(Ordering::Relaxed) => End::Stopped,
            None if unwanted.load(Ordering::Relaxed) => End::Silent,
            None => End::SourceOver,
        };
        Ok(Recording { progress: session.progress, size_px: session.size_px, end })
    })
}

/// Looks at what was recorded before, so that more can follow.
///
/// # Errors
/// The folder cannot be read.
pub fn review(dir: &Path, recorder: &Recorder, survey: &mut Survey) -> Result<Progress, InitError> {
    let mut progress = Progress::default();
    if recorder.pictures_before().is_empty() {
        return Ok(progress);
    }
    let (mut source, never) = (Images::open(&ImagesConfig::new(dir))?, AtomicBool::new(false));
    let (mut decoder, mut last) = (Decoder::default(), None);
    while let Some(frame) = source.next_frame(&never)? {
        let meta = Meta::of(&frame);
        match decoder.decode(frame.content) {
            Ok(image) => survey.look(image, meta),
            Err(error) => {
                log::error!("init: {}: {error}", frame.path.display());
                survey.on_unreadable();
                continue;
            }
        }
        progress.kept += 1;
        progress.seconds += step_s(last.replace(meta.captured_at), meta.captured_at);
    }
    Ok(progress)
}

/// Seconds of footage between two frames: none across a break.
fn step_s(last: Option<Timestamp>, now: Timestamp) -> f64 {
    let passed = last.map(|last| now.duration_since(last).as_secs_f64());
    passed.filter(|passed| (0.0..=BREAK_S).contains(passed)).unwrap_or(0.0)
}

/// Tells the source that it is no longer wanted: a camera may be waited for without end.
fn watch(unwanted: &AtomicBool, over: &AtomicBool, last_sign: &Mutex<Instant>, patience: Duration, stop: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let silent = last_sign.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if stop.load(Ordering::Relaxed) || silent > patience {
            unwanted.store(true, Ordering::Relaxed);
            return;
        }
        thread::sleep(WAIT_SLICE);
    }
}

struct Session<'a> {
    recorder: &'a mut Recorder,
    survey: &'a mut Survey,
    limits: &'a Limits,
    progress: Progress,
    last: Option<Timestamp>,
    size_px: (u32, u32),
}

impl Session<'_> {
    /// Records until a limit is reached; none where the source ended before.
    fn run(
        &mut self,
        source: &mut dyn Source,
        unwanted: &AtomicBool,
        last_sign: &Mutex<Instant>,
        tick: &mut dyn FnMut(&Progress),
    ) -> Result<Option<End>, InitError> {
        let mut decoder = Decoder::default();
        while !self.has_enough() {
            let Some(frame) = source.next_frame(unwanted)? else { return Ok(None) };
            *last_sign.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            let meta = Meta::of(&frame);
            match decoder.decode(frame.content) {
                Ok(image) if self.has_room(image) => self.keep(image, meta)?,
                Ok(_) => return Ok(Some(End::Full)),
                Err(error) => {
                    log::debug!("decode: frame {}: {}: {error}", frame.index, frame.path.display());
                    self.progress.unreadable += 1;
                    self.survey.on_unreadable();
                }
            }
            tick(&self.progress);
        }
        Ok(Some(End::Enough))
    }

    fn has_enough(&self) -> bool {
        self.limits.frames.is_some_and(|frames| self.progress.kept >= frames)
            || self.limits.seconds.is_some_and(|seconds| self.progress.seconds >= seconds)
    }

    /// Whether the picture fits, even if it cannot be compressed.
    fn has_room(&self, image: &RgbImage) -> bool {
        self.recorder.bytes() + most_bytes(image.dimensions()) <= self.limits.bytes
    }

    fn keep(&mut self, image: &RgbImage, meta: Meta) -> Result<(), InitError> {
        self.recorder.keep(image, meta.captured_at)?;
        self.survey.look(image, meta);
        self.progress.seconds += step_s(self.last.replace(meta.captured_at), meta.captured_at);
        self.progress.kept += 1;
        self.size_px = image.dimensions();
        Ok(())
    }
}

/// Most bytes that a picture of this size can take: its pixels, and a little for the file around them.
fn most_bytes((width, height): (u32, u32)) -> u64 {
    let pixels = (3 * u64::from(width) + 1) * u64::from(height);
    pixels + pixels / 1_000 + 1_024
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
