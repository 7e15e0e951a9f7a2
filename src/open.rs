//! Puts a package to work on this machine: opens its network, proves it by the golden vectors, and finds the
//! calibration that fits. Everything that `run`, `check`, `score` and `calibrate` must refuse is refused here.

mod cameras;

use std::path::{Path, PathBuf};

use crate::calibrate::{Criterion, Judge};
use crate::config::ModelConfig;
use crate::engines::{EngineError, Key, Store, find_prepared};
use crate::infer::{ExecutionProvider, InferError, Precision};
use crate::package::{Calibration, GOLDEN_TOLERANCE, Golden, Package, PackageError};
use crate::pipeline::{Pipeline, PipelineError};
use crate::score::ScoreName;
use crate::self_test::{self, SelfTest, SelfTestError};
use crate::view::Mask;
pub use cameras::{CalibratedPackage, JudgedBy, OpenedCameras, open_cameras};

/// Why a package cannot be put to work.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A package cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A camera's own calibration cannot be put to work.
    #[error("calibration {}: {source}", dir.display())]
    Calibration {
        /// The package's folder.
        dir: PathBuf,
        /// Why not.
        source: Box<OpenError>,
    },
    /// A camera's own calibration is that of another network.
    #[error(
        "{} is no calibration of the network in {}: its {what} is {found}, wanted {wanted}; `oodwatch calibrate \
         --model {}` makes one", dir.display(), model.display(), model.display()
    )]
    OtherNetwork {
        /// The calibration's folder.
        dir: PathBuf,
        /// The folder of `[model] package`.
        model: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the calibration's package has.
        found: String,
        /// What the model's package has.
        wanted: String,
    },
    /// A camera's own calibration is that of another mask.
    #[error(
        "camera {camera}: {} was calibrated with {wanted}, [camera.view] has {found}; `oodwatch calibrate --config FILE \
         --camera {camera} ...` calibrates for the camera's view", dir.display()
    )]
    OtherMask {
        /// The camera.
        camera: String,
        /// The calibration's folder.
        dir: PathBuf,
        /// The mask of the camera.
        found: Box<Mask>,
        /// The mask of the calibration.
        wanted: Box<Mask>,
    },
    /// The network does not open.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// TensorRT has no engine for it, or nobody has prepared it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// ONNX Runtime cannot be loaded.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// This machine computes something else than the package's maker.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// The package has no calibration for the score.
    #[error("score {found}: the package is not calibrated for it; {present}")]
    NotCalibrated {
        /// The score or fusion asked for.
        found: Criterion,
        /// What there is.
        present: String,
    },
    /// The package has no calibration at all, as one has that `oodwatch adopt` just made.
    #[error(
        "{}: the package is not calibrated yet; run `oodwatch calibrate --model {} --from PICTURES \
         --false-alarm-rate 0.01 --out PKG` with pictures of what your robot is to know, and use the package that it \
         writes", dir.display(), dir.display()
    )]
    Uncalibrated {
        /// The package's folder.
        dir: PathBuf,
    },
    /// The package was calibrated on another kind of inference.
    #[error(
        "the package was calibrated for {wanted}, this run would use {found}; run `oodwatch calibrate` with that \
         execution provider, or ask for the other"
    )]
    OtherInference {
        /// Precision and execution provider of this run.
        found: String,
        /// Precision and execution provider of the calibration.
        wanted: String,
    },
}

/// A pipeline that has passed its self-test.
pub struct Opened {
    /// Preprocess, infer, score.
    pub pipeline: Pipeline,
    /// What the self-test found.
    pub self_test: SelfTest,
    /// The golden vectors that it passed on.
    pub golden: Golden,
}

/// Opens a package's network as the config asks and runs the golden vectors through it.
///
/// With `fallback`, execution providers that cannot be had are left out one after the other, with a warning.
///
/// # Errors
/// No ONNX Runtime, no execution provider, a network that disagrees with its manifest, a failed self-test.
pub fn open(package: &Package, config: &ModelConfig, scores: &[ScoreName]) -> Result<Opened, OpenError> {
    open_for(package, config, 1, scores)
}

/// Opens a package to calibrate it for an inference that it was not calibrated for: the golden vectors come back with the tolerance to which
/// they are held on this one. In FP32 that is the package's own. Other number formats are off by more, each by its
/// own amount: the tolerance is twice what is found here, and what is further off than
/// [`Precision::widest_tolerance`](crate::infer::Precision::widest_tolerance) is refused. A network that is
/// written in halves or integers has a tolerance of its own, which stays.
///
/// # Errors
/// As [`open()`].
pub fn open_to_calibrate(package: &Package, config: &ModelConfig, cameras: usize) -> Result<Opened, OpenError> {
    let mut pipeline = open_pipeline(package, config, cameras, &[])?;
    let mut golden = package.golden()?;
    let widest = pipeline.network_options().precision().widest_tolerance(golden.measure);
    golden.tolerance = match (widest, pipeline.precision()) {
        (Some(widest), _) => widest,
        (None, Precision::Fp32) => golden.tolerance.min(GOLDEN_TOLERANCE),
        (None, Precision::Fp16 | Precision::Int8) => golden.tolerance,
    };
    let self_test = prove(&mut pipeline, package, &golden, &[])?;
    if let Some(widest) = widest {
        golden.tolerance = (2.0 * self_test.largest_deviation).clamp(GOLDEN_TOLERANCE, widest);
    }
    Ok(Opened { pipeline, self_test, golden })
}

/// As [`open()`], for a network that so many cameras share.
fn open_for(
    package: &Package,
    config: &ModelConfig,
    cameras: usize,
    scores: &[ScoreName],
) -> Result<Opened, OpenError> {
    let mut pipeline = open_pipeline(package, config, cameras, scores)?;
    let golden = package.golden()?;
    let self_test = prove(&mut pipeline, package, &golden, scores)?;
    Ok(Opened { pipeline, self_test, golden })
}

fn prove(
    pipeline: &mut Pipeline,
    package: &Package,
    golden: &Golden,
    scores: &[ScoreName],
) -> Result<SelfTest, OpenError> {
    let self_test = self_test::run(pipeline.network_mut(), golden, &package.model(), Some(scores))?;
    log::info!(
        "infer: {} passed the self-test: {} inputs, largest deviation {:.1e}, tolerance {:.1e}",
        pipeline.execution_provider(),
        self_test.inputs,
        self_test.largest_deviation,
        golden.tolerance
    );
    Ok(self_test)
}

fn open_pipeline(
    package: &Package,
    config: &ModelConfig,
    cameras: usize,
    scores: &[ScoreName],
) -> Result<Pipeline, OpenError> {
    let mut options = config.network_options(cameras);
    if options.execution_providers.contains(&ExecutionProvider::TensorRt)
        && ExecutionProvider::TensorRt.is_available()?
    {
        let key = Key::of_tensorrt(Path::new("/"), &package.manifest, &options);
        options.engines = Some(Store::of_tensorrt(&config.tensorrt)?.find(&key)?);
    }
    if config.cpu.prepared {
        // Loads ONNX Runtime, of which the key speaks.
        ExecutionProvider::Cpu.is_available()?;
        let key = Key::of_cpu(Path::new("/"), &package.manifest);
        let prepared = find_prepared(&Store::of_cpu(&config.cpu)?, &key)?;
        log::info!("infer: prepared network {}", prepared.file.display());
        options.prepared = Some(prepared);
    }
    loop {
        match Pipeline::open(package, &options, scores) {
            Err(PipelineError::Infer(
                error @ (InferError::ProviderMissing { provider, .. } | InferError::ProviderFailed { provider, .. }),
            )) if config.fallback && options.execution_providers.len() > 1 => {
                log::warn!("infer: {error}; falling back, as [model] fallback allows");
                options.execution_providers.retain(|other| *other != provider);
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// What judges by `criterion`, for the inference that `pipeline` does.
///
/// # Errors
/// The package is not calibrated for it, or for another precision or execution provider.
pub fn judge(package: &Package, pipeline: &Pipeline, criterion: &Criterion) -> Result<Judge, OpenError> {
    let calibration = &package.calibration;
    if calibration.scores.is_empty() {
        return Err(OpenError::Uncalibrated { dir: package.dir.clone() });
    }
    let not_calibrated = || OpenError::NotCalibrated { found: criterion.clone(), present: present(calibration) };
    if criterion.calibration(calibration).is_none() {
        return Err(not_calibrated());
    }
    let wanted = format!("{} on {}", calibration.precision, calibration.execution_provider);
    let found = format!("{} on {}", pipeline.precision(), pipeline.execution_provider());
    if wanted != found {
        return Err(OpenError::OtherInference { found, wanted });
    }
    Judge::new(criterion, calibration, pipeline.scores()).ok_or_else(not_calibrated)
}

fn present(calibration: &Calibration) -> String {
    let scores = calibration.scores.keys().map(ToString::to_string);
    let names: Vec<String> = scores.chain(calibration.fusions.keys().map(ToString::to_string)).collect();
    format!("it has {}", names.join(", "))
}
