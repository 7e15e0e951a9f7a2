//! From an error to its exit code. The codes are a contract: scripts and supervisors act on them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use oodwatch::adopt::AdoptError;
use oodwatch::calibrate::{CalibrateError, FootageError};
use oodwatch::config::{CameraConfig, Config, ConfigError};
use oodwatch::decide::DecideError;
use oodwatch::engines::EngineError;
use oodwatch::evidence::EvidenceError;
use oodwatch::fit::FitError;
use oodwatch::infer::InferError;
use oodwatch::init::InitError;
use oodwatch::monitor::{Ended, MonitorError};
use oodwatch::open::OpenError;
use oodwatch::package::PackageError;
use oodwatch::pipeline::PipelineError;
use oodwatch::preprocess::PreprocessError;
use oodwatch::schedule::ScheduleError;
use oodwatch::score::ScoreError;
use oodwatch::self_test::SelfTestError;
use oodwatch::source::SourceError;

use super::lines;
use super::process::ProcessError;

const OTHER: u8 = 1;
const USAGE: u8 = 2;
const PACKAGE: u8 = 3;
const SOURCE: u8 = 4;
const INFERENCE: u8 = 5;
const FAULT: u8 = 6;
const UNMET: u8 = 7;

/// Errors that belong to the command line itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// Not one input could be read.
    #[error("none of {0} inputs could be read")]
    NothingRead(u64),
    /// One of several cameras cannot be opened.
    #[error("camera {camera}: {source}")]
    Camera {
        /// Its name.
        camera: String,
        /// Why not.
        source: Box<CliError>,
    },
    /// There is no camera to choose.
    #[error("there is no camera: no V4L2 capture device under /dev/video*; --source records something else")]
    NoCamera,
    /// A camera that gave nothing any more while it was recorded.
    #[error("the camera gave nothing for {after_s} s; {kept} frames are kept")]
    Silent {
        /// How long it was waited for, in seconds.
        after_s: u64,
        /// Frames that were recorded before.
        kept: u64,
    },
    /// A source cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A calibration does not give what the config demands.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// Two cameras are one.
    #[error("source: {}: is {}, which is camera {other} already", path.display(), device.display())]
    SharedDevice {
        /// The name in the config.
        path: PathBuf,
        /// Where it leads.
        device: PathBuf,
        /// The camera that has it.
        other: String,
    },
    /// Evidence speaks against what it is about.
    #[error("the page is written; {unmet} of what was promised did not hold{}", if *.self_test_failed { ": the self-test failed" } else { "" })]
    Unmet {
        /// How much did not hold.
        unmet: usize,
        /// Whether it is the self-test.
        self_test_failed: bool,
    },
    /// Some of several cameras ended badly; of each the log tells why.
    #[error("{} of {cameras} cameras failed: {}", failed.len(), failed.join(", "))]
    Cameras {
        /// Their names.
        failed: Vec<String>,
        /// How many cameras there are.
        cameras: usize,
        /// The highest of their exit codes.
        code: u8,
    },
}

impl CliError {
    /// Names the camera where there are several.
    pub(crate) fn in_camera(config: &Config, camera: &CameraConfig, error: impl Into<Self>) -> Self {
        match config.camera.as_slice() {
            [_] => error.into(),
            _ => Self::Camera { camera: camera.name.clone(), source: Box::new(error.into()) },
        }
    }

    /// What several cameras make of a run: nothing where all ended well.
    pub(crate) fn of_cameras(ended: &[Ended]) -> Option<Self> {
        let failures = || ended.iter().filter_map(|ended| ended.failure.as_ref().map(|failure| (ended, failure)));
        let code = failures().map(|(_, failure)| of_monitor(failure)).max()?;
        let failed = failures().map(|(ended, _)| ended.camera.clone()).collect();
        Some(Self::Cameras { failed, cameras: ended.len(), code })
    }
}

/// Whether a thread still runs the network.
static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

/// From here on the process ends without taking libraries down: ONNX Runtime and the drivers of an accelerator wait at exit for
/// what hangs in them, or crash under it.
pub(crate) fn leave_threads_behind() {
    LEFT_BEHIND.store(true, Ordering::Relaxed);
}

/// Ends the process with the code of this outcome, or of a panic, whose text is on stderr already.
pub(crate) fn end(outcome: thread::Result<anyhow::Result<()>>) -> ExitCode {
    let code = match outcome {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            lines::note(&format!("error: {error}"));
            code(&error)
        }
        Err(_) => FAULT,
    };
    if LEFT_BEHIND.load(Ordering::Relaxed) {
        // Every line was flushed when it was written.
        signal_hook::low_level::exit(code.into());
    }
    ExitCode::from(code)
}

fn code(error: &anyhow::Error) -> u8 {
    let known = [
        error.downcast_ref().map(|_: &ConfigError| USAGE),
        error.downcast_ref().map(|_: &ScheduleError| USAGE),
        error.downcast_ref().map(|_: &CalibrateError| USAGE),
        error.downcast_ref().map(of_footage),
        error.downcast_ref().map(of_fit),
        error.downcast_ref().map(of_score),
        error.downcast_ref().map(of_adopt),
        error.downcast_ref().map(of_cli),
        error.downcast_ref().map(of_package),
        error.downcast_ref().map(|_: &SourceError| SOURCE),
        error.downcast_ref().map(of_open),
        error.downcast_ref().map(of_pipeline),
        error.downcast_ref().map(of_infer),
        error.downcast_ref().map(of_engine),
        error.downcast_ref().map(of_monitor),
        error.downcast_ref().map(of_process),
        error.downcast_ref().map(of_evidence),
        error.downcast_ref().map(of_init),
    ];
    known.into_iter().flatten().next().unwrap_or(OTHER)
}

/// What the caller said of a network is usage; what the network itself is counts as a package.
fn of_adopt(error: &AdoptError) -> u8 {
    match error {
        AdoptError::Infer(error) => of_infer(error),
        AdoptError::SelfTest(_) => INFERENCE,
        AdoptError::Package(error) => of_package(error),
        AdoptError::NoTensor { .. }
        | AdoptError::WhichLogits { .. }
        | AdoptError::Classes { .. }
        | AdoptError::Preprocessing { .. } => USAGE,
        _ => PACKAGE,
    }
}

fn of_cli(error: &CliError) -> u8 {
    match error {
        CliError::Usage(_) => USAGE,
        CliError::NothingRead(_)
        | CliError::Silent { .. }
        | CliError::NoCamera
        | CliError::Source(_)
        | CliError::SharedDevice { .. } => SOURCE,
        CliError::Camera { source, .. } => of_cli(source),
        CliError::Decide(_) => PACKAGE,
        CliError::Cameras { code, .. } => *code,
        CliError::Unmet { self_test_failed: true, .. } => INFERENCE,
        CliError::Unmet { .. } => UNMET,
    }
}

fn of_evidence(error: &EvidenceError) -> u8 {
    match error {
        EvidenceError::Open(error) => of_open(error),
        EvidenceError::Decide(_) => PACKAGE,
        EvidenceError::Source(_) | EvidenceError::TooFew { .. } => SOURCE,
        EvidenceError::Pipeline(error) => of_pipeline(error),
        EvidenceError::Monitor(error) => of_monitor(error),
        EvidenceError::SamePictures { .. } | EvidenceError::Exists { .. } | EvidenceError::NotAPage { .. } => USAGE,
        EvidenceError::Evaluation(_)
        | EvidenceError::Read { .. }
        | EvidenceError::Write { .. }
        | EvidenceError::Json(_) => OTHER,
    }
}

fn of_footage(error: &FootageError) -> u8 {
    match error {
        FootageError::Spool(_) => OTHER,
        FootageError::Fit(error) => of_fit(error),
        FootageError::Score(error) => of_score(error),
        FootageError::Calibrate { source: CalibrateError::NotFinite { .. }, .. } => PACKAGE,
        FootageError::Calibrate { .. } => USAGE,
    }
}

/// Footage that gives no fit is the user's choice; a network that gives no numbers is not.
fn of_fit(error: &FitError) -> u8 {
    match error {
        FitError::Score(error) => of_score(error),
        FitError::NotFinite { .. } | FitError::Shape { .. } => PACKAGE,
        FitError::TooFew { .. } | FitError::Labels { .. } | FitError::Degenerate { .. } => USAGE,
    }
}

fn of_score(error: &ScoreError) -> u8 {
    match error {
        ScoreError::Unknown { .. } | ScoreError::Parameter { .. } | ScoreError::Twice { .. } => USAGE,
        ScoreError::Lacking { .. } | ScoreError::NotFitted { .. } | ScoreError::State { .. } => PACKAGE,
    }
}

/// Writing a package fails for the disk's reasons, not the package's.
fn of_package(error: &PackageError) -> u8 {
    match error {
        PackageError::Write { .. } => OTHER,
        PackageError::Exists { .. } | PackageError::NotAPackage { .. } => USAGE,
        _ => PACKAGE,
    }
}

fn of_open(error: &OpenError) -> u8 {
    match error {
        OpenError::Package(error) => of_package(error),
        OpenError::Calibration { source, .. } => of_open(source),
        OpenError::Pipeline(error) => of_pipeline(error),
        OpenError::Engine(error) => of_engine(error),
        OpenError::Infer(error) => of_infer(error),
        OpenError::SelfTest(error) => of_self_test(error),
        OpenError::OtherInference { .. } => INFERENCE,
        OpenError::NotCalibrated { .. }
        | OpenError::Uncalibrated { .. }
        | OpenError::OtherNetwork { .. }
        | OpenError::OtherMask { .. } => PACKAGE,
    }
}

fn of_self_test(error: &SelfTestError) -> u8 {
    match error {
        SelfTestError::Infer(error) => of_infer(error),
        SelfTestError::Score(error) => of_score(error),
        SelfTestError::Differs { .. } => INFERENCE,
    }
}

fn of_pipeline(error: &PipelineError) -> u8 {
    match error {
        PipelineError::Infer(error) => of_infer(error),
        PipelineError::Score(error) => of_score(error),
        PipelineError::Preprocess(PreprocessError::Masked { .. }) => USAGE,
        PipelineError::Preprocess(_) => OTHER,
    }
}

fn of_infer(error: &InferError) -> u8 {
    match error {
        InferError::Threads { .. } => USAGE,
        error if error.blames_package() => PACKAGE,
        _ => INFERENCE,
    }
}

fn of_engine(error: &EngineError) -> u8 {
    match error {
        EngineError::NoFolder { .. } => USAGE,
        EngineError::Write { .. } => OTHER,
        EngineError::Infer(error) => of_infer(error),
        EngineError::Package(error) => of_package(error),
        EngineError::SelfTest(error) => of_self_test(error),
        EngineError::NotBuilt { .. } | EngineError::Nothing { .. } => INFERENCE,
    }
}

fn of_monitor(error: &MonitorError) -> u8 {
    match error {
        MonitorError::Source(_) | MonitorError::NothingRead { .. } => SOURCE,
        MonitorError::SourcePanicked | MonitorError::Panicked { .. } | MonitorError::Latched { .. } => FAULT,
        MonitorError::Infer(error) => of_infer(error),
        MonitorError::Thread(_) | MonitorError::Sink(_) | MonitorError::SinkBlocked { .. } => OTHER,
    }
}

/// A process or pid file that was named wrongly is usage; what the system does not let one do is not.
fn of_process(error: &ProcessError) -> u8 {
    match error {
        ProcessError::File { .. } | ProcessError::Refused { .. } => OTHER,
        ProcessError::NotAPidFile { .. }
        | ProcessError::Taken { .. }
        | ProcessError::Gone(_)
        | ProcessError::Deaf { .. } => USAGE,
    }
}

/// A folder that was named wrongly is usage, a source that broke is a source; the rest is the disk's.
fn of_init(error: &InitError) -> u8 {
    match error {
        InitError::NotFootage { .. } => USAGE,
        InitError::Source(_) => SOURCE,
        _ => OTHER,
    }
}
