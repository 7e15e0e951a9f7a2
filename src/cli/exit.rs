//! From an error to its exit code. The codes are a contract: scripts and supervisors act on them.

use std::process::ExitCode;

use oodwatch::adopt::AdoptError;
use oodwatch::calibrate::{CalibrateError, FootageError};
use oodwatch::config::ConfigError;
use oodwatch::decide::DecideError;
use oodwatch::fit::FitError;
use oodwatch::infer::InferError;
use oodwatch::monitor::MonitorError;
use oodwatch::open::OpenError;
use oodwatch::package::PackageError;
use oodwatch::pipeline::PipelineError;
use oodwatch::score::ScoreError;
use oodwatch::self_test::SelfTestError;
use oodwatch::source::SourceError;

use super::lines;

const OTHER: u8 = 1;
const USAGE: u8 = 2;
const PACKAGE: u8 = 3;
const SOURCE: u8 = 4;
const INFERENCE: u8 = 5;
const FAULT: u8 = 6;

/// Errors that belong to the command line itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// Not one input could be read.
    #[error("none of {0} inputs could be read")]
    NothingRead(u64),
}

/// Tells the error on stderr and gives its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    lines::note(&format!("error: {error}"));
    ExitCode::from(code(error))
}

/// The exit code after a panic, whose text is on stderr already.
pub(crate) fn after_panic() -> ExitCode {
    ExitCode::from(FAULT)
}

fn code(error: &anyhow::Error) -> u8 {
    let known = [
        error.downcast_ref().map(|_: &ConfigError| USAGE),
        error.downcast_ref().map(|_: &CalibrateError| USAGE),
        error.downcast_ref().map(of_footage),
        error.downcast_ref().map(of_fit),
        error.downcast_ref().map(of_score),
        error.downcast_ref().map(of_adopt),
        error.downcast_ref().map(of_cli),
        error.downcast_ref().map(of_package),
        error.downcast_ref().map(|_: &SourceError| SOURCE),
        error.downcast_ref().map(|_: &DecideError| PACKAGE),
        error.downcast_ref().map(of_open),
        error.downcast_ref().map(of_pipeline),
        error.downcast_ref().map(of_monitor),
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
        CliError::NothingRead(_) => SOURCE,
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
        OpenError::Pipeline(error) => of_pipeline(error),
        OpenError::SelfTest(SelfTestError::Infer(error)) => of_infer(error),
        OpenError::SelfTest(SelfTestError::Score(error)) => of_score(error),
        OpenError::SelfTest(SelfTestError::Differs { .. }) | OpenError::OtherInference { .. } => INFERENCE,
        OpenError::NotCalibrated { .. } | OpenError::Uncalibrated { .. } => PACKAGE,
    }
}

fn of_pipeline(error: &PipelineError) -> u8 {
    match error {
        PipelineError::Infer(error) => of_infer(error),
        PipelineError::Score(error) => of_score(error),
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

fn of_monitor(error: &MonitorError) -> u8 {
    match error {
        MonitorError::Source(_) | MonitorError::NothingRead { .. } => SOURCE,
        MonitorError::SourcePanicked => FAULT,
        MonitorError::Infer(error) => of_infer(error),
        MonitorError::Thread(_) | MonitorError::Sink(_) => OTHER,
    }
}
