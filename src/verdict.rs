//! A verdict: what is said about one frame, or about the absence of one. One JSON line each.
//!
//! Other programs rely on these fields. The schema number grows when fields are added; no field ever changes its
//! meaning. Fields without a value are null.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calibrate::Criterion;
use crate::health::Finding;

/// Layout version of [`Verdict`].
pub const SCHEMA: u32 = 3;

/// One verdict line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Always `verdict`.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Name of the camera in the config.
    pub camera: String,
    /// Running number of the frame within its source, from 0; null where there was no frame.
    pub frame: Option<u64>,
    /// When the picture was taken: RFC 3339, camera clock mapped to wall.
    pub captured_at: Option<String>,
    /// Age of the frame when this was said, in milliseconds.
    pub age_ms: Option<f64>,
    /// Counts every verdict on this camera in this run from 1; a consumer that sees it stand still is blind there.
    pub alive: u64,
    /// What to make of it.
    pub state: State,
    /// True in [`State::Nominal`] alone.
    pub safe: bool,
    /// Whether this frame alone is out of distribution. Under a policy over time a single one is no alarm.
    pub flag: Option<bool>,
    /// Why the state is not nominal.
    pub reasons: Vec<Reason>,
    /// What is wrong with the picture, its coming or the board, warnings included; an error makes the state degraded.
    pub health: Vec<Finding>,
    /// The score; larger is stranger.
    pub score: Option<f32>,
    /// Which score or fusion.
    pub score_name: Criterion,
    /// A score above this is flagged; where thresholds are per class, that of the frame's class.
    pub threshold: f32,
    /// Conformal p-value of the score.
    pub p_value: Option<f64>,
    /// What raises the alarm: `frame` (each flagged frame), or the policy over time: `k_of_n`, `cusum`, `martingale`.
    pub policy: String,
    /// What the policy counts, after this frame; null for `frame`.
    pub alarm_statistic: Option<f64>,
    /// The count at which the policy raises its alarm; null for `frame`.
    pub alarm_threshold: Option<f64>,
    /// Name of the most probable class.
    pub class: Option<String>,
    /// Its softmax probability.
    pub confidence: Option<f32>,
    /// Frames of this camera dropped so far.
    pub dropped: u64,
    /// Frames of this camera so far that could not be judged.
    pub bad: u64,
    /// Frames of this camera judged so far whose verdict came later than `deadline_ms` after they were taken; each is a fault
    /// with the reason `frame_too_old`.
    pub late: u64,
    /// How long each stage took.
    pub stages_us: StagesUs,
    /// Execution provider of the network.
    pub execution_provider: String,
    /// Id of the package whose calibration judged the frame.
    pub model: String,
    /// Tells runs apart.
    pub run_id: String,
    /// CLOCK_MONOTONIC when this was said, in nanoseconds.
    pub monotonic_ns: u64,
    /// Without a new `alive` for this long, treat the robot as blind. Milliseconds.
    pub deadline_ms: u64,
}

/// The type of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A verdict.
    Verdict,
}

/// What a robot should make of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No frame has been judged yet.
    Starting,
    /// The camera sees what the network was trained for.
    Nominal,
    /// The camera sees something else.
    Ood,
    /// Frames come but cannot all be trusted, or the camera has just stopped delivering them.
    Degraded,
    /// No verdict on a fresh frame within the deadline, a latched fault, or nobody watches any more.
    Fault,
}

/// Why a state is not nominal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No frame has come yet.
    NoFrameYet,
    /// The score is above the threshold, and each frame stands for itself: policy `frame`, or frames that are too
    /// far apart for the policy to weigh together.
    ScoreAboveThreshold,
    /// The policy over time has raised its alarm and not yet cleared it.
    Alarm,
    /// The score is NaN or infinite.
    ScoreNotFinite,
    /// The picture or its coming is bad: `health` says how.
    Unhealthy,
    /// At least one frame since the last judged one could not be judged.
    BadFrame,
    /// The camera delivers nothing for longer than its rate explains.
    CameraSilent,
    /// The camera delivers the same frame again and again.
    CameraFrozen,
    /// The camera is gone or broken down, and is being opened anew.
    CameraLost,
    /// The camera's source has ended in an error and will not come back in this run; the log says which.
    CameraFailed,
    /// The frame was older than the deadline when it was judged.
    FrameTooOld,
    /// No frame was judged within the deadline.
    NoFrameWithinDeadline,
    /// One frame has kept the judging thread busy for longer than the deadline.
    JudgingStalled,
    /// The network computes something else than its package's golden vectors want.
    SelfTestFailed,
    /// More faults within an hour than the config allows. Told where it is latched.
    RepeatedFaults,
    /// A fault that needs `oodwatch reset`; it stands beside, as of now or from before.
    Latched,
    /// The network failed on a picture that could be read; the run ends.
    JudgingFailed,
    /// The judging thread panicked; the run ends.
    Panicked,
    /// The monitor was told to stop.
    Stopped,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 19] = [
        Self::NoFrameYet,
        Self::ScoreAboveThreshold,
        Self::Alarm,
        Self::ScoreNotFinite,
        Self::Unhealthy,
        Self::BadFrame,
        Self::CameraSilent,
        Self::CameraFrozen,
        Self::CameraLost,
        Self::CameraFailed,
        Self::FrameTooOld,
        Self::NoFrameWithinDeadline,
        Self::JudgingStalled,
        Self::SelfTestFailed,
        Self::RepeatedFaults,
        Self::Latched,
        Self::JudgingFailed,
        Self::Panicked,
        Self::Stopped,
    ];
}

impl fmt::Display for State {
    /// Its name in a verdict.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

impl fmt::Display for Reason {
    /// Its name in a verdict.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

/// Reasons in a sentence.
pub(crate) fn list(reasons: &[Reason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Duration of each stage in microseconds; null where the stage did not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagesUs {
    /// From the source's bytes to an RGB picture; of a camera's uncompressed frame only the check of its length.
    pub decode: Option<u64>,
    /// The look at whether the picture is worth judging.
    pub health: Option<u64>,
    /// From the picture, or the camera's uncompressed frame, to the network's input.
    pub preprocess: Option<u64>,
    /// The network.
    pub infer: Option<u64>,
    /// From outputs to the score.
    pub score: Option<u64>,
    /// From the score to the state.
    pub decide: Option<u64>,
}
