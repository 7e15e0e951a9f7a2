//! One camera's part of the judging thread: from its hand-over through the decoder and the network to its voice.
//!
//! Lanes share the network, nothing else: what one camera does or suffers changes no verdict of another.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::handover::{Handover, Received};
use super::judging::Judging;
use super::report::Reporter;
use super::{MonitorError, Shared};
use crate::board::Watched;
use crate::calibrate::{Judge, Judgement};
use crate::config::{CameraConfig, Config};
use crate::decide::{DecideError, Decider, Machine};
use crate::decode::{Content, Decoder};
use crate::drift::Drift;
use crate::health::{Finding, Health, Meta, View};
use crate::infer::InferError;
use crate::open::JudgedBy;
use crate::pipeline::{FittedScores, Judged, Lens, PipelineError, Timings};
use crate::source::{Frame, Source};

/// What a run needs for one camera.
pub struct Camera {
    /// Where its frames come from.
    pub source: Box<dyn Source>,
    /// Turns its frames into pictures.
    pub decoder: Decoder,
    /// Looks at whether they are worth judging.
    pub health: Health,
    /// Its view.
    pub lens: Lens,
    /// Which of the network's fitted scores are computed.
    pub fitted: FittedScores,
    /// Holds the scores against their calibration.
    pub judge: Judge,
    /// Turns judgements into states.
    pub machine: Machine,
    /// Compares its p-values with those of the calibration.
    pub drift: Drift,
    /// What is wrong with the board; nothing, where nobody watches it.
    pub board: Watched,
    /// Words its verdicts.
    pub reporter: Reporter,
}

impl Camera {
    /// A camera whose frames are judged by this calibration; its time to start counts from now.
    ///
    /// # Errors
    /// `[decide]` demands what the calibration does not give.
    pub fn new(
        source: Box<dyn Source>,
        camera: &CameraConfig,
        config: &Config,
        JudgedBy { lens, package: by }: JudgedBy<'_>,
        run_id: &str,
    ) -> Result<Self, DecideError> {
        let decide = &config.decide;
        let policy = decide.policy_of(by.judge.calibration())?;
        Ok(Self {
            source,
            decoder: Decoder::new(camera.decode, by.input_px, &camera.view),
            health: Health::new(&config.health).with_view(&camera.view),
            lens,
            fitted: by.fitted,
            judge: by.judge.clone(),
            machine: Machine::new(Decider::new(decide, Instant::now()).with_policy(policy), decide),
            drift: Drift::new(&config.drift),
            board: Watched::default(),
            reporter: Reporter::new(camera, by, decide, policy, run_id),
        })
    }
}

/// A camera at work, as the judging thread sees it.
pub(super) struct Lane {
    /// Among the cameras of the run.
    pub(super) place: usize,
    pub(super) handover: Arc<Handover>,
    pub(super) decoder: Decoder,
    pub(super) health: Health,
    pub(super) lens: Lens,
    pub(super) fitted: FittedScores,
    pub(super) judge: Judge,
    /// Of the last frame; its memory is used again.
    pub(super) judged: Judged,
    /// Whether frames may still come.
    pub(super) open: bool,
}

/// Where a frame came from.
pub(super) struct Origin {
    pub(super) index: u64,
    pub(super) path: PathBuf,
    pub(super) of_camera: bool,
    pub(super) captured_at: Timestamp,
    pub(super) taken: Instant,
}

/// A frame that has been judged.
pub(super) struct JudgedFrame {
    /// Index and softmax probability of the most probable class.
    pub(super) top_class: Option<(usize, f32)>,
    pub(super) timings: Timings,
    pub(super) judgement: Judgement,
    /// What is wrong with the picture.
    pub(super) health: Vec<Finding>,
    pub(super) decode_time: Duration,
    pub(super) health_time: Duration,
    /// When the scores were there.
    pub(super) deciding: Instant,
}

/// Why a frame was not judged.
enum BadFrame {
    /// It is no picture.
    Unreadable(Box<dyn std::error::Error>),
    /// The network failed, on a picture that could be read.
    Network(InferError),
}

impl Lane {
    /// Takes the camera's turn on the network: judges the frame that waits, or hears that none will come any more. False
    /// where there was neither.
    pub(super) fn turn(&mut self, network: &mut impl Judging, shared: &Shared) -> Result<bool, MonitorError> {
        match self.handover.take() {
            Received::Frame(frame) => self.on_frame(frame, network, shared)?,
            Received::Nothing => return Ok(false),
            Received::End(last_word) => {
                self.open = false;
                shared.with_speaker(|speaker| speaker.on_end(self.place, last_word))?;
            }
        }
        Ok(true)
    }

    fn on_frame(&mut self, frame: Frame, network: &mut impl Judging, shared: &Shared) -> Result<(), MonitorError> {
        let (meta, of_camera) = (Meta::of(&frame), matches!(frame.content, Content::Raw(_)));
        let Frame { index, path, captured_at, taken, content } = frame;
        let origin = Origin { index, path, of_camera, captured_at, taken };
        // Not while it speaks: a sink that holds verdicts up is no stalled network.
        let judged = shared.heartbeat.during(|| self.judge(content, meta, network));
        self.decoder.let_go();
        shared.with_speaker(|speaker| match judged {
            Ok(frame) => speaker.on_judged(self.place, &origin, frame),
            Err(BadFrame::Network(error)) => Err(error.into()),
            Err(BadFrame::Unreadable(error)) => {
                speaker.on_bad_frame(self.place, &origin, &*error);
                Ok(())
            }
        })
    }

    fn judge(&mut self, content: Content, meta: Meta, network: &mut impl Judging) -> Result<JudgedFrame, BadFrame> {
        let decoding = Instant::now();
        let picture = self.decoder.picture(content).map_err(|error| BadFrame::Unreadable(Box::new(error)))?;
        let decode_time = decoding.elapsed();
        let looking = Instant::now();
        let health = self.health.look(&View::of(picture), meta).list.clone();
        let health_time = looking.elapsed();
        network.judge_into(self.fitted, self.lens, picture, &mut self.judged).map_err(|error| match error {
            PipelineError::Infer(error) => BadFrame::Network(error),
            error => BadFrame::Unreadable(Box::new(error)),
        })?;
        let deciding = Instant::now();
        let Judged { scores, top_class, timings } = &self.judged;
        let judgement = self.judge.judge(scores, top_class.map(|(class, _)| class));
        Ok(JudgedFrame {
            top_class: *top_class,
            timings: *timings,
            judgement,
            health,
            decode_time,
            health_time,
            deciding,
        })
    }
}
