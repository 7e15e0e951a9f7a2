//! Words the verdicts on one camera: joins what is known about a frame with what is constant over a run.

use std::fmt::{self, Write};
use std::process;
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use super::Summary;
use crate::calibrate::{Criterion, Judgement};
use crate::config::CameraConfig;
use crate::decide::{DecideConfig, Decision, Policy, Reading};
use crate::health::Finding;
use crate::open::CalibratedPackage;
use crate::pipeline::Timings;
use crate::verdict::{Kind, SCHEMA, StagesUs, State, Verdict};

/// What all verdicts on a camera share, and their running number.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// Name of the camera.
    pub camera: String,
    /// Class names, by index.
    pub classes: Vec<String>,
    /// The score or fusion that decides.
    pub criterion: Criterion,
    /// Its threshold over all classes, for verdicts without a frame.
    pub threshold: f32,
    /// What raises the alarm.
    pub policy: &'static str,
    /// Execution provider of the network.
    pub execution_provider: String,
    /// Id of the package whose calibration judges the frames.
    pub model: String,
    /// Tells runs apart; the same for all cameras of a run.
    pub run_id: String,
    /// Longest time between two verdicts, in milliseconds.
    pub deadline_ms: u64,
    /// Verdicts on this camera so far.
    pub alive: u64,
}

/// The part of a verdict that is new.
pub(super) struct Spoken {
    pub(super) decision: Decision,
    /// Number, capture time and age of the frame. The age is the one that was decided on, so that it never contradicts the state.
    pub(super) frame: Option<(u64, Timestamp, Duration)>,
    /// The most probable class with its probability, and what the score says.
    pub(super) judged: Option<(Option<(usize, f32)>, Judgement)>,
    /// What is wrong with the picture.
    pub(super) health: Vec<Finding>,
    /// Where the policy over time stands after the frame.
    pub(super) reading: Option<Reading>,
    pub(super) stages: StagesUs,
}

impl Spoken {
    /// A verdict on the absence of frames.
    pub(super) fn without_frame(decision: Decision) -> Self {
        Self { decision, frame: None, judged: None, health: Vec::new(), reading: None, stages: StagesUs::default() }
    }
}

impl Reporter {
    /// For a camera that is judged by this calibration, and whose alarms a policy over time raises where there is one.
    pub fn new(
        camera: &CameraConfig,
        by: &CalibratedPackage,
        decide: &DecideConfig,
        policy: Option<Policy>,
        run_id: &str,
    ) -> Self {
        Self {
            camera: camera.name.clone(),
            classes: by.classes.clone(),
            criterion: by.judge.criterion().clone(),
            threshold: by.judge.calibration().all.threshold(),
            policy: policy.map_or("frame", |policy| policy.name()),
            execution_provider: by.execution_provider.to_string(),
            model: by.id.clone(),
            run_id: run_id.into(),
            deadline_ms: decide.deadline_ms,
            alive: 0,
        }
    }

    /// An identifier for a run that starts now: its time and process.
    pub fn new_run_id() -> String {
        format!("{}-{}", Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ"), process::id())
    }

    /// A verdict that holds what all of them share; [`Self::word`] fills in the rest, again and again.
    pub(super) fn blank(&self) -> Verdict {
        Verdict {
            schema: SCHEMA,
            kind: Kind::Verdict,
            camera: self.camera.clone(),
            frame: None,
            captured_at: None,
            age_ms: None,
            alive: self.alive,
            safe: false,
            state: State::Starting,
            reasons: Vec::new(),
            flag: None,
            health: Vec::new(),
            score: None,
            score_name: self.criterion.clone(),
            threshold: self.threshold,
            p_value: None,
            policy: self.policy.into(),
            alarm_statistic: None,
            alarm_threshold: None,
            class: None,
            confidence: None,
            dropped: 0,
            bad: 0,
            late: 0,
            stages_us: StagesUs::default(),
            execution_provider: self.execution_provider.clone(),
            model: self.model.clone(),
            run_id: self.run_id.clone(),
            monotonic_ns: 0,
            deadline_ms: self.deadline_ms,
        }
    }

    /// The next verdict, in place of the last one.
    pub(super) fn word(&mut self, spoken: Spoken, summary: &Summary, verdict: &mut Verdict) {
        self.alive += 1;
        let Spoken { decision, frame, judged, health, reading, stages } = spoken;
        let (top, judgement) = judged.unzip();
        let top = top.flatten();
        verdict.alive = self.alive;
        verdict.frame = frame.map(|(index, _, _)| index);
        put(&mut verdict.captured_at, frame.map(|(_, at, _)| at), |text, at| write!(text, "{at:.3}"));
        verdict.age_ms = frame.map(|(_, _, age)| milliseconds(age));
        verdict.safe = decision.is_safe();
        verdict.state = decision.state;
        verdict.reasons = decision.reasons;
        verdict.health = health;
        verdict.flag = judgement.map(|judgement| judgement.flag);
        verdict.score = judgement.and_then(|judgement| judgement.score);
        verdict.threshold = judgement.map_or(self.threshold, |judgement| judgement.threshold);
        verdict.p_value = judgement.and_then(|judgement| judgement.p_value);
        verdict.alarm_statistic = reading.map(|reading| reading.statistic);
        verdict.alarm_threshold = reading.map(|reading| reading.threshold);
        put(&mut verdict.class, top.and_then(|(index, _)| self.classes.get(index)), |text, class| {
            text.write_str(class)
        });
        verdict.confidence = top.map(|(_, confidence)| confidence).filter(|confidence| confidence.is_finite());
        (verdict.dropped, verdict.bad, verdict.late) = (summary.dropped, summary.bad, summary.late);
        verdict.stages_us = stages;
        verdict.monotonic_ns = monotonic_ns();
    }
}

/// A text in place of another, in its memory.
fn put<T>(text: &mut Option<String>, new: Option<T>, write: impl FnOnce(&mut String, T) -> fmt::Result) {
    let Some(new) = new else {
        *text = None;
        return;
    };
    let text = text.get_or_insert_default();
    text.clear();
    // Writing to a string does not fail.
    let _ = write(text, new);
}

/// The durations of a verdict's stages.
pub(super) fn stages(decode: Duration, health: Duration, timings: &Timings, decide: Duration) -> StagesUs {
    let us = |time: Duration| Some(time.as_micros() as u64);
    StagesUs {
        decode: us(decode),
        health: us(health),
        preprocess: us(timings.preprocess),
        infer: us(timings.infer),
        score: us(timings.score),
        decide: us(decide),
    }
}

/// Milliseconds with microseconds behind the point.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
