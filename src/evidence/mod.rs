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

mod contents;
mod detection;
mod error;
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
mod watching;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::calibrate::{Judge, Judgement};
use crate::config::{CameraConfig, Config};
use crate::decode::Picture;
use crate::open::{JudgedBy, OpenError, OpenedCameras, open_cameras};
use crate::package::Package;
use crate::pipeline::Judged;
use crate::self_test::SelfTestError;
pub use contents::{CalibrationFacts, Evidence, Results, SCHEMA, SelfTestResult};
use detection::Raised;
pub use detection::{Flags, Known, Unknown};
pub use error::EvidenceError;
pub use faults::FaultRun;
use faults::SharedPipeline;
pub use footage::Footage;
pub use health::{Checks, FalseFinding, Outcome, Trial};
pub use histogram::Histogram;
pub use identity::{Identity, Machine, OnnxRuntime};
pub use interval::{Interval, Series, bootstrap, share};
pub use overlap::Overlap;
pub use watching::Measured;
pub use write::check_place;

/// Seed of the bootstrap, the noise and the faults.
const SEED: u64 = 251_012_259;
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

/// What every part of the examination uses.
struct Bench<'b> {
    config: &'b Config,
    camera: &'b CameraConfig,
    by: JudgedBy<'b>,
    judge: Judge,
    pipeline: SharedPipeline,
    tick: &'b dyn Fn(&str),
}

impl Bench<'_> {
    fn judge(&mut self, picture: Picture<'_>) -> Result<Judgement, EvidenceError> {
        let mut pipeline = self.pipeline.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut judged = Judged::default();
        pipeline.judge_into(self.by.package.fitted, self.by.lens, picture, &mut judged)?;
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
    // All of it, and the network's too: the page tells the sha256 of each file, and a prepared network runs without model.onnx being read.
    let package = Package::open(dir).map_err(OpenError::from)?;
    if dir != &config.model.package {
        Package::open(&config.model.package).map_err(OpenError::from)?;
    }
    let opened = match open_cameras(config) {
        Ok(opened) => opened,
        Err(error) => {
            let problem = failed_self_test(&error).ok_or(error)?;
            let identity = Identity::of(config, config_path, camera, &package, None)?;
            let tolerance = package.golden().map_err(OpenError::from)?.tolerance;
            return Ok(Evidence::new(identity, SelfTestResult::failed(tolerance, problem), None));
        }
    };
    let place = config.camera.iter().position(|other| other.name == camera.name);
    let by = place.and_then(|place| opened.of_cameras().nth(place));
    let by = by.ok_or_else(|| OpenError::Uncalibrated { dir: package.dir.clone() })?;
    let (lens, id) = (by.lens, by.package.id.clone());
    let prepared = opened.pipeline.network_options().prepared.clone();
    let OpenedCameras { pipeline, calibrations, .. } = opened;
    let pipeline = SharedPipeline(Arc::new(Mutex::new(pipeline)));
    let package_in_use = calibrations.iter().find(|by| by.id == id);
    let by = package_in_use.ok_or_else(|| OpenError::Uncalibrated { dir: package.dir.clone() })?;
    let identity = Identity { prepared, ..Identity::of(config, config_path, camera, &package, Some(by))? };
    let judged_by = JudgedBy { lens, package: by };
    let bench = Bench { config, camera, by: judged_by, judge: by.judge.clone(), pipeline, tick };
    let results = examine(request, &package, bench)?;
    Ok(Evidence::new(identity, SelfTestResult::passed(by), Some(results)))
}

fn examine(request: &Request<'_>, package: &Package, mut bench: Bench<'_>) -> Result<Results, EvidenceError> {
    let Request { config, id, ood, frames_per_second, max_frames, .. } = *request;
    let calibration = CalibrationFacts::of(package, bench.by.package, config)?;
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
        health: health::exercise(&config.health, &bench.camera.view, &known, bench.tick),
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
