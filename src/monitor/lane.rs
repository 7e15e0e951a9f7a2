//! One camera's own part of a run: its hand-over, its state over time, its counts, and the verdicts on it.
//!
//! Lanes share the network and the sinks, nothing else: what one camera does or suffers changes no verdict of another.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::bell::Bell;
use super::handover::{Handover, Received};
use super::report::{self, Reporter, Spoken};
use super::{Ended, Monitor, MonitorError, Summary};
use crate::calibrate::Judge;
use crate::decide::Decider;
use crate::decode::{Content, Decoder};
use crate::pipeline::{FittedScores, PipelineError};
use crate::sink::{SinkError, Sinks};
use crate::source::{Condition, Frame, Source};

/// What a run needs for one camera.
pub struct Camera {
    /// Where its frames come from.
    pub source: Box<dyn Source>,
    /// Turns its frames into pictures.
    pub decoder: Decoder,
    /// Which of the pipeline's fitted scores are computed.
    pub fitted: FittedScores,
    /// Holds the scores against their calibration.
    pub judge: Judge,
    /// Turns judgements into states.
    pub decider: Decider,
    /// Words its verdicts.
    pub reporter: Reporter,
}

/// A camera at work.
pub(super) struct Lane {
    handover: Handover,
    decoder: Decoder,
    fitted: FittedScores,
    judge: Judge,
    decider: Decider,
    reporter: Reporter,
    summary: Summary,
    /// When to speak without a frame.
    due: Instant,
    /// What was last said of the source.
    told: Condition,
    /// The source's end, once it has come to one.
    end: Option<Result<(), MonitorError>>,
    /// Whether there are other cameras, for which the run goes on when this one fails.
    beside_others: bool,
    closed: bool,
}

/// Where a frame came from.
struct Origin {
    index: u64,
    path: PathBuf,
    of_camera: bool,
}

impl Lane {
    pub(super) fn start(
        camera: Camera,
        max_frames: Option<u64>,
        bell: &Arc<Bell>,
        beside_others: bool,
    ) -> Result<Self, MonitorError> {
        let Camera { source, decoder, fitted, judge, decider, reporter } = camera;
        Ok(Self {
            handover: Handover::start(source, max_frames, bell)?,
            decoder,
            fitted,
            judge,
            due: Instant::now() + decider.deadline(),
            decider,
            reporter,
            summary: Summary::default(),
            told: Condition::Streaming,
            end: None,
            beside_others,
            closed: false,
        })
    }

    /// Whether frames may still come.
    pub(super) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Whether anybody is to hear of this camera: not when its footage is over, and not when there is nothing else to say
    /// than the error with which the run ends.
    fn is_spoken_of(&self) -> bool {
        match &self.end {
            None => true,
            Some(Ok(())) => false,
            Some(Err(_)) => self.beside_others,
        }
    }

    /// When this camera wants to be heard of at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        self.is_spoken_of().then_some(self.due)
    }

    /// Takes the camera's turn on the network: judges the frame that waits, or hears that none will come any more. False
    /// where there was neither.
    pub(super) fn turn(&mut self, monitor: &mut Monitor) -> Result<bool, MonitorError> {
        match self.handover.take() {
            Received::Frame(frame) => self.on_frame(frame, monitor)?,
            Received::Nothing => return Ok(false),
            Received::End(last_word) => self.on_end(last_word, &mut monitor.sinks)?,
        }
        Ok(true)
    }

    /// Speaks without a frame where that is due: because the deadline has passed, or the source's condition has changed.
    /// Also after a frame: bad ones that keep coming are no reason to fall silent.
    pub(super) fn keep_talking(&mut self, sinks: &mut Sinks) -> Result<(), SinkError> {
        if !self.is_spoken_of() {
            return Ok(());
        }
        let (now, condition) = (Instant::now(), self.handover.condition());
        if now >= self.due {
            self.summary.silent += 1;
            let decision = match &self.end {
                None => self.decider.on_silence(now, condition),
                Some(_) => self.decider.on_failure(),
            };
            self.speak(Spoken::without_frame(decision), sinks)?;
            self.due = Instant::now() + self.decider.deadline();
        } else if self.is_open()
            && condition != self.told
            && let Some(decision) = self.decider.on_condition(now, condition)
        {
            self.speak(Spoken::without_frame(decision), sinks)?;
        }
        self.told = condition;
        Ok(())
    }

    fn on_end(&mut self, last_word: Result<(), MonitorError>, sinks: &mut Sinks) -> Result<(), SinkError> {
        self.set_end(last_word);
        if self.beside_others && self.is_spoken_of() {
            let decision = self.decider.on_failure();
            self.speak(Spoken::without_frame(decision), sinks)?;
        }
        self.due = Instant::now() + self.decider.deadline();
        Ok(())
    }

    /// Tells of a failure where the run does not end with it.
    fn set_end(&mut self, last_word: Result<(), MonitorError>) {
        if let Err(error) = &last_word
            && self.beside_others
        {
            log::error!("camera {}: {error}", self.reporter.camera);
        }
        self.end = Some(last_word);
    }

    fn on_frame(&mut self, frame: Frame, monitor: &mut Monitor) -> Result<(), MonitorError> {
        let of_camera = matches!(frame.content, Content::Raw(_));
        let origin = Origin { index: frame.index, path: frame.path, of_camera };
        let decoding = Instant::now();
        let decoded = self.decoder.decode(frame.content);
        let decode_time = decoding.elapsed();
        let judged = match decoded.map(|image| monitor.pipeline.judge_by(self.fitted, image)) {
            Ok(Ok(judged)) => judged,
            Ok(Err(PipelineError::Infer(error))) => return Err(error.into()),
            Ok(Err(error)) => {
                self.on_bad_frame(&origin, &error);
                return Ok(());
            }
            Err(error) => {
                self.on_bad_frame(&origin, &error);
                return Ok(());
            }
        };
        let deciding = Instant::now();
        let judgement = self.judge.judge(&judged.scores, judged.top_class.map(|(class, _)| class));
        let decision = self.decider.on_judged(&judgement, frame.taken.elapsed());
        self.summary.judged += 1;
        self.summary.flagged += u64::from(judgement.flag);
        let stages = report::stages(decode_time, &judged.timings, deciding.elapsed());
        let about = Some((origin.index, frame.captured_at, frame.taken));
        let spoken = Spoken { decision, frame: about, judged: Some((judged, judgement)), stages };
        self.speak(spoken, &mut monitor.sinks)?;
        self.due = Instant::now() + self.decider.deadline();
        self.told = Condition::Streaming;
        Ok(())
    }

    /// Counts a frame and tells of it; of a camera's only the first in a row, lest one that sends nothing else fill the disk.
    fn on_bad_frame(&mut self, frame: &Origin, error: &dyn std::error::Error) {
        let first = self.decider.on_bad_frame();
        let level = if first || !frame.of_camera { log::Level::Error } else { log::Level::Debug };
        log::log!(level, "decode: frame {}: {}: {error}", frame.index, frame.path.display());
        self.summary.bad += 1;
    }

    fn speak(&mut self, spoken: Spoken, sinks: &mut Sinks) -> Result<(), SinkError> {
        self.handover.count(&mut self.summary);
        sinks.send(&self.reporter.word(spoken, &self.summary))
    }

    /// Tells the source that it is no longer wanted.
    pub(super) fn release(&self) {
        self.handover.release();
    }

    /// Whether nothing is left to do for this camera.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the source's thread is gone.
    pub(super) fn is_over(&self) -> bool {
        self.handover.is_over()
    }

    /// Hears what the source said when it was released, and tells the listeners where the run was `stopped`. A source that
    /// hangs is left to the end of the process.
    pub(super) fn close(&mut self, stopped: bool, sinks: &mut Sinks) -> Result<(), SinkError> {
        self.closed = true;
        self.summary.stopped = stopped;
        if !self.is_over() {
            log::warn!("source: {} does not stop; leaving it behind", self.reporter.camera);
        }
        if let Received::End(Err(error)) = self.handover.take() {
            self.set_end(Err(error));
        }
        self.handover.count(&mut self.summary);
        if stopped && self.is_spoken_of() {
            let decision = self.decider.on_stop();
            self.speak(Spoken::without_frame(decision), sinks)?;
        }
        Ok(())
    }

    /// What became of the camera.
    pub(super) fn ended(mut self) -> Ended {
        self.handover.count(&mut self.summary);
        let Summary { judged, captured, stopped, .. } = self.summary;
        if judged == 0 && !stopped && !matches!(self.end, Some(Err(_))) {
            self.set_end(Err(MonitorError::NothingRead { captured }));
        }
        Ended { camera: self.reporter.camera, summary: self.summary, failure: self.end.and_then(Result::err) }
    }
}
