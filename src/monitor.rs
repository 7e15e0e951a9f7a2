//! The run loop: a source thread reads ahead by a bounded number of frames; this thread judges and speaks.
//!
//! Files are replayed without drops: a full hand-over makes the source wait. Of a camera the newest frame is judged, and
//! the others are counted as dropped. When no frame can be judged within the deadline the loop speaks anyway, so that its
//! listeners can tell silence from death; when a camera stops delivering, it says so at once.

mod handover;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::calibrate::Judge;
use crate::decide::Decider;
use crate::decode::{Content, Decoder};
use crate::infer::InferError;
use crate::pipeline::{Pipeline, PipelineError};
use crate::sink::{SinkError, Sinks};
use crate::source::{Condition, Frame, Source, SourceError, WAIT_SLICE};
use handover::{Handover, Received};
pub use report::Reporter;
use report::Spoken;

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// After this many frames of the source, bad ones included.
    pub max_frames: Option<u64>,
    /// After this time.
    pub duration: Option<Duration>,
}

/// What a run did. captured = judged + dropped + bad, once it has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames that the source delivered, and of a camera also those that it is known to have lost: gaps in the driver's
    /// numbers, damaged and repeated frames. What a camera might have seen while it was gone is not known, and not counted.
    pub captured: u64,
    /// Frames that got a verdict.
    pub judged: u64,
    /// Frames that were flagged.
    pub flagged: u64,
    /// Frames that nobody will judge: newer ones had come, the camera lost them, or the run ended while they waited.
    pub dropped: u64,
    /// Frames that could not be judged.
    pub bad: u64,
    /// Verdicts without a frame, because none came in time.
    pub silent: u64,
    /// Whether a signal ended the run.
    pub stopped: bool,
}

/// Why a run ended badly.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The source broke.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source's thread died.
    #[error("source: its thread panicked")]
    SourcePanicked,
    /// The source's thread could not be started.
    #[error("source: its thread cannot be started: {0}")]
    Thread(std::io::Error),
    /// A verdict could not be delivered.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The network failed; on a picture that could be read this is no bad frame but a broken machine.
    #[error("infer: {0}")]
    Infer(#[from] InferError),
    /// Not one frame could be read.
    #[error("source: none of {captured} frames could be read")]
    NothingRead {
        /// Frames that the source delivered.
        captured: u64,
    },
}

/// Where a frame came from.
struct Origin {
    index: u64,
    path: PathBuf,
    of_camera: bool,
}

/// The parts that a run puts to work.
pub struct Monitor {
    /// Turns frames into pictures.
    pub decoder: Decoder,
    /// Preprocess, infer, score.
    pub pipeline: Pipeline,
    /// Holds the scores against their calibration.
    pub judge: Judge,
    /// Turns judgements into states.
    pub decider: Decider,
    /// Words verdicts.
    pub reporter: Reporter,
    /// Delivers them.
    pub sinks: Sinks,
}

impl Monitor {
    /// Judges `source` until it ends, a limit is reached, or `stop` is set.
    ///
    /// # Errors
    /// A broken source, network or sink, or a source without one readable frame.
    pub fn run(
        mut self,
        source: Box<dyn Source>,
        limits: Limits,
        stop: &Arc<AtomicBool>,
    ) -> Result<Summary, MonitorError> {
        let mut handover = Handover::start(source, limits.max_frames)?;
        let mut summary = Summary::default();
        let outcome = self.listen(&mut handover, limits, stop, &mut summary);
        let ended = handover.finish(&mut summary);
        summary.stopped = stop.load(Ordering::Relaxed);
        outcome.and(ended)?;
        if summary.stopped {
            let decision = self.decider.on_stop();
            self.speak(Spoken::without_frame(decision), &summary)?;
        }
        match summary {
            Summary { judged: 0, captured, stopped: false, .. } => Err(MonitorError::NothingRead { captured }),
            _ => Ok(summary),
        }
    }

    fn listen(
        &mut self,
        handover: &mut Handover,
        limits: Limits,
        stop: &AtomicBool,
        summary: &mut Summary,
    ) -> Result<(), MonitorError> {
        let started = Instant::now();
        // When to speak without a frame, and what was last said of the source.
        let mut due = started + self.decider.deadline();
        let mut told = Condition::Streaming;
        while !stop.load(Ordering::Relaxed) && limits.duration.is_none_or(|limit| started.elapsed() < limit) {
            let received = handover.receive(due.saturating_duration_since(Instant::now()).min(WAIT_SLICE));
            handover.count(summary);
            match received {
                Received::Frame(frame) => {
                    if self.on_frame(frame, summary)? {
                        due = Instant::now() + self.decider.deadline();
                        told = Condition::Streaming;
                    }
                }
                Received::Nothing => {}
                Received::End => return Ok(()),
            }
            let condition = handover.condition();
            // Also after a frame: bad ones that keep coming are no reason to fall silent.
            if Instant::now() >= due {
                summary.silent += 1;
                let decision = self.decider.on_silence(Instant::now(), condition);
                self.speak(Spoken::without_frame(decision), summary)?;
                due = Instant::now() + self.decider.deadline();
            } else if condition != told
                && let Some(decision) = self.decider.on_condition(Instant::now(), condition)
            {
                self.speak(Spoken::without_frame(decision), summary)?;
            }
            told = condition;
        }
        Ok(())
    }

    /// Judges one frame; whether there was a verdict on it.
    fn on_frame(&mut self, frame: Frame, summary: &mut Summary) -> Result<bool, MonitorError> {
        let of_camera = matches!(frame.content, Content::Raw(_));
        let origin = Origin { index: frame.index, path: frame.path, of_camera };
        let decoding = Instant::now();
        let decoded = self.decoder.decode(frame.content);
        let decode_time = decoding.elapsed();
        let judged = match decoded.map(|image| self.pipeline.judge(image)) {
            Ok(Ok(judged)) => judged,
            Ok(Err(PipelineError::Infer(error))) => return Err(error.into()),
            Ok(Err(error)) => {
                self.on_bad_frame(&origin, &error, summary);
                return Ok(false);
            }
            Err(error) => {
                self.on_bad_frame(&origin, &error, summary);
                return Ok(false);
            }
        };
        let deciding = Instant::now();
        let judgement = self.judge.judge(&judged.scores, judged.top_class.map(|(class, _)| class));
        let decision = self.decider.on_judged(&judgement, frame.captured_at, frame.taken.elapsed());
        summary.judged += 1;
        summary.flagged += u64::from(judgement.flag);
        let stages = report::stages(decode_time, &judged.timings, deciding.elapsed());
        let about = Some((origin.index, frame.captured_at, frame.taken));
        let reading = self.decider.reading();
        let spoken = Spoken { decision, frame: about, judged: Some((judged, judgement)), reading, stages };
        self.speak(spoken, summary)?;
        Ok(true)
    }

    /// Counts a frame and tells of it; of a camera's only the first in a row, lest one that sends nothing else fill the disk.
    fn on_bad_frame(&mut self, frame: &Origin, error: &dyn std::error::Error, summary: &mut Summary) {
        let first = self.decider.on_bad_frame();
        let level = if first || !frame.of_camera { log::Level::Error } else { log::Level::Debug };
        log::log!(level, "decode: frame {}: {}: {error}", frame.index, frame.path.display());
        summary.bad += 1;
    }

    fn speak(&mut self, spoken: Spoken, summary: &Summary) -> Result<(), SinkError> {
        let verdict = self.reporter.word(spoken, summary);
        self.sinks.send(&verdict)
    }
}
