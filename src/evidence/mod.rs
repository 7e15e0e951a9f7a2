//! The page that a safety case can refer to: what exactly was examined, and what a monitor does on known, unknown and broken
//! footage.
//!
//! ```text
//!  config, package ──► identity, self-test ──┐
//!  known footage ──► the way of a frame ─────┼──► flags, alarms, p-values ──┐
//!  unknown footage ──► the way of a frame ───┘    AUROC, delay              ├──► Evidence ──► JSON, Markdown, HTML
//!  known pictures ──► spoilt ──► health checks ─────────────────────────────┤
//!  known pictures ──► faults ──► the monitor, in real time ─────────────────┘
//! ```
//!
//! [`gather()`] does all of it and gives an [`Evidence`]; [`Evidence::write`] puts it into a folder. Everything on the page comes from
//! this run or from the package. Of two runs everything is the same but `created_at`, `machine`, and per fault what is
//! `measured`, for that is time. The page says plainly what it does not show ([`Evidence::limits`]). docs/EVIDENCE.md explains it to
//! its readers.

mod detection;
mod faults;
mod footage;
mod health;
mod histogram;
mod identity;
mod interval;
mod limits;
mod overlap;
mod page;
mod plots;
mod replay;
mod report;
mod spoilt;
mod svg;
mod text;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use image::RgbImage;
use jiff::Timestamp;
use serde::Serialize;

use crate::calibrate::{CalibratedPolicy, Judge, Judgement, Target};
use crate::config::{CameraConfig, Config};
use crate::decide::DecideError;
use crate::evaluation::EvaluationError;
use crate::monitor::MonitorError;
use crate::open::{CalibratedPackage, OpenError, OpenedCameras, open_cameras};
use crate::package::Package;
use crate::pipeline::PipelineError;
use crate::self_test::SelfTestError;
use crate::source::SourceError;
use detection::Raised;
pub use detection::{Flags, Known, Unknown};
use faults::SharedPipeline;
pub use faults::{FaultRun, Measured};
pub use footage::Footage;
pub use health::{Checks, FalseFinding, Outcome, Trial};
pub use histogram::Histogram;
pub use identity::{Identity, Machine};
pub use interval::{Interval, Series, bootstrap, share};
pub use overlap::Overlap;
pub use write::check_place;

/// Layout version of the JSON.
pub const SCHEMA: u32 = 1;
/// Seed of the bootstrap, the noise and the faults.
const SEED: u64 = 251_012_259;
/// What stands first on the page.
const STATEMENT: &str = "This page supports a safety case and replaces none. It says what one program with one package and one \
                         config did on the footage named here, and nothing about other footage.";

/// What is to be examined.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// The config of the monitor.
    pub config: &'r Config,
    /// Its file.
    pub config_path: &'r Path,
    /// The camera whose calibration judges.
    pub camera: &'r CameraConfig,
    /// Known footage, none of it of the calibration.
    pub id: &'r Path,
    /// Unknown footage.
    pub ood: &'r [PathBuf],
    /// Frames per second that pictures stand for.
    pub frames_per_second: f64,
    /// Frames of each footage at most.
    pub max_frames: Option<u64>,
}

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When, RFC 3339.
    pub created_at: String,
    /// What this is and what it is not.
    pub statement: &'static str,
    /// What did not hold of what was promised; empty where everything did.
    pub unmet: Vec<String>,
    /// What was examined.
    pub identity: Identity,
    /// Where.
    pub machine: Machine,
    /// Whether this machine computes what the package's maker computed.
    pub self_test: SelfTestResult,
    /// The rest; none where the self-test failed.
    pub results: Option<Results>,
    /// What is not shown.
    pub limits: Vec<String>,
}

/// The self-test of the package on this machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTestResult {
    /// Whether every output and score was within the tolerance.
    pub passed: bool,
    /// Golden inputs; none where it failed.
    pub inputs: Option<usize>,
    /// Largest deviation, relative to 1 + the wanted value; none where it failed.
    pub largest_deviation: Option<f32>,
    /// What a deviation may be.
    pub tolerance: f32,
    /// Why it failed.
    pub problem: Option<String>,
}

/// What a package that passed its self-test did.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// What the thresholds rest on.
    pub calibration: CalibrationFacts,
    /// On known footage.
    pub known: Known,
    /// On unknown footage, by piece.
    pub unknown: Vec<Unknown>,
    /// The health checks.
    pub health: Checks,
    /// Faults that were injected.
    pub faults: Vec<FaultRun>,
}

/// What the package says of its calibration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationFacts {
    /// Where its frames came from, in words.
    pub origin: String,
    /// Frames that set the threshold of this score.
    pub frames: usize,
    /// The score or fusion.
    pub score: String,
    /// Its threshold over all classes.
    pub threshold: f32,
    /// Whether each class has its own instead.
    pub per_class: bool,
    /// Wanted rate and confidence.
    pub target: Target,
    /// The policy over time with its evidence, as stored; none where each flagged frame is an alarm.
    pub policy: Option<CalibratedPolicy>,
    /// Upper limit of its false alarms per hour, from `tested_on`.
    pub policy_at_most_per_hour: Option<f64>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The package cannot be put to work.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// `[decide]` demands what the calibration does not give.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// Footage cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The network fails.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A run with a fault broke down.
    #[error("fault injection: {0}")]
    Monitor(#[from] MonitorError),
    /// Metrics cannot be worked out.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// Hardly any footage.
    #[error("{}: {found} frames could be read and {bad} could not; wanted 2 or more that can", path.display())]
    TooFew {
        /// The footage.
        path: PathBuf,
        /// Frames that were read.
        found: usize,
        /// Frames that could not be.
        bad: u64,
    },
    /// Known footage that set the threshold.
    #[error(
        "{}: these are pictures of the calibration: half of them or more have a score that set the threshold, which \
         therefore looks better on them than it is; wanted footage that the calibration has not seen", path.display()
    )]
    SamePictures {
        /// The footage.
        path: PathBuf,
    },
    /// Something is at the place of the page.
    #[error("{}: is there already; --force replaces a page that this program wrote, and an empty folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// What is there is no page.
    #[error("{}: is no evidence page (it has no evidence.json), and is left alone; name another folder", path.display())]
    NotAPage {
        /// The folder.
        path: PathBuf,
    },
    /// The page cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// The evidence cannot be put into JSON.
    #[error("evidence.json: {0}")]
    Json(#[from] serde_json::Error),
}

/// What every part of the examination uses.
struct Bench<'b> {
    config: &'b Config,
    camera: &'b CameraConfig,
    by: &'b CalibratedPackage,
    judge: Judge,
    pipeline: SharedPipeline,
    tick: &'b dyn Fn(&str),
}

impl Bench<'_> {
    fn judge(&mut self, picture: &RgbImage) -> Result<Judgement, EvidenceError> {
        let mut pipeline = self.pipeline.0.lock().unwrap_or_else(PoisonError::into_inner);
        let judged = pipeline.judge_by(self.by.fitted, picture)?;
        Ok(self.judge.judge(&judged.scores, judged.top_class.map(|(class, _)| class)))
    }
}

/// Examines a package under a config. `tick` is told what is being done, step by step; the faults take real time, some
/// seconds each.
///
/// A failed self-test and a promise that does not hold are in the evidence, not errors.
///
/// # Errors
/// What `run` would refuse, footage that cannot be read or is the calibration's, a network that fails.
pub fn gather(request: &Request<'_>, tick: &dyn Fn(&str)) -> Result<Evidence, EvidenceError> {
    let Request { config, config_path, camera, .. } = *request;
    tick("self-test");
    let dir = camera.calibration.as_ref().unwrap_or(&config.model.package);
    let package = Package::open(dir).map_err(OpenError::from)?;
    let opened = match open_cameras(config) {
        Ok(opened) => opened,
        Err(error) => {
            let problem = failed_self_test(&error).ok_or(error)?;
            let identity = Identity::of(config, config_path, camera, &package, None)?;
            return Ok(Evidence::new(identity, SelfTestResult::failed(&package, problem), None));
        }
    };
    let OpenedCameras { pipeline, calibrations, .. } = opened;
    let pipeline = SharedPipeline(Arc::new(Mutex::new(pipeline)));
    let by = calibrations.iter().find(|by| by.id == package.id).or(calibrations.first());
    let by = by.ok_or_else(|| OpenError::Uncalibrated { dir: package.dir.clone() })?;
    let identity = Identity::of(config, config_path, camera, &package, Some(by))?;
    let bench = Bench { config, camera, by, judge: by.judge.clone(), pipeline, tick };
    let results = examine(request, &package, bench)?;
    Ok(Evidence::new(identity, SelfTestResult::passed(by), Some(results)))
}

fn examine(request: &Request<'_>, package: &Package, mut bench: Bench<'_>) -> Result<Results, EvidenceError> {
    let Request { config, id, ood, frames_per_second, max_frames, .. } = *request;
    let calibration = CalibrationFacts::of(package, bench.by, config)?;
    let raised = match &calibration.policy {
        Some(calibrated) => Raised::By(calibrated.policy, calibrated.block_s),
        None => Raised::ByFrame,
    };
    let mut watch = |path: &Path| footage::watch(path, frames_per_second, max_frames, &mut bench);
    let known = watch(id)?;
    let all_unknown = ood.iter().map(|path| watch(path)).collect::<Result<Vec<_>, _>>()?;
    let edges = detection::score_edges(&[&known].into_iter().chain(&all_unknown).collect::<Vec<_>>());
    let on_known = detection::known(&known, &edges, raised, &bench)?;
    (bench.tick)("intervals");
    let on_unknown = all_unknown.iter().map(|watched| detection::unknown(&known, watched, &edges, raised));
    Ok(Results {
        calibration,
        known: on_known,
        unknown: on_unknown.collect::<Result<_, _>>()?,
        health: health::exercise(&config.health, &known, bench.tick),
        faults: faults::inject(&bench, &known)?,
    })
}

/// What a failed self-test says; none where the package was refused for another reason.
fn failed_self_test(error: &OpenError) -> Option<String> {
    match error {
        OpenError::SelfTest(failed @ SelfTestError::Differs { .. }) => Some(failed.to_string()),
        OpenError::Calibration { source, .. } => failed_self_test(source),
        _ => None,
    }
}

impl Evidence {
    fn new(identity: Identity, self_test: SelfTestResult, results: Option<Results>) -> Self {
        let mut unmet = Vec::from_iter(self_test.problem.clone());
        unmet.extend(results.iter().flat_map(Results::unmet));
        Self {
            schema: SCHEMA,
            created_at: format!("{:.0}", Timestamp::now()),
            statement: STATEMENT,
            unmet,
            limits: limits::limits(results.as_ref()),
            identity,
            machine: Machine::here(),
            self_test,
            results,
        }
    }
}

impl Results {
    /// What did not hold of what was promised.
    fn unmet(&self) -> Vec<String> {
        let not_told = self.health.trials.iter().filter(|trial| trial.outcome == Outcome::NotTold);
        let checks = not_told.map(|trial| {
            format!("health: {} was not told of pictures that are {}", report::kind(trial.kind), trial.spoilt)
        });
        let broken = self.faults.iter().filter(|run| run.held == Some(false));
        let faults = broken.map(|run| match run.measured.told_after_s {
            Some(after_s) => format!("fault {}: told after {after_s:.2} s, which is too late", run.title()),
            None => format!("fault {}: not told", run.title()),
        });
        checks.chain(faults).collect()
    }
}

impl SelfTestResult {
    fn passed(by: &CalibratedPackage) -> Self {
        Self {
            passed: true,
            inputs: Some(by.self_test.inputs),
            largest_deviation: Some(by.self_test.largest_deviation),
            tolerance: by.tolerance,
            problem: None,
        }
    }

    fn failed(package: &Package, problem: String) -> Self {
        let tolerance = package.golden.tolerance;
        Self { passed: false, inputs: None, largest_deviation: None, tolerance, problem: Some(problem) }
    }
}

impl CalibrationFacts {
    fn of(package: &Package, by: &CalibratedPackage, config: &Config) -> Result<Self, EvidenceError> {
        let calibration = by.judge.calibration();
        let in_use = config.decide.policy_of(calibration)?;
        let policy = calibration.policy.clone().filter(|_| in_use.is_some());
        Ok(Self {
            origin: package.calibration.origin.clone(),
            frames: calibration.all.scores().len(),
            score: by.judge.criterion().to_string(),
            threshold: calibration.all.threshold(),
            per_class: calibration.per_class.is_some(),
            target: calibration.target,
            policy_at_most_per_hour: policy.as_ref().map(|policy| policy.tested_on.at_most_per_hour()),
            policy,
        })
    }
}
