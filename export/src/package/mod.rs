//! Turns a checkpoint into a model package that the runtime takes.
//!
//! The network is written as ONNX, held against libtorch on real pictures, calibrated on ID pictures
//! that it was never trained on, and given golden vectors. The package is first written to a
//! temporary folder and opened again by the runtime's own code; only what passes there is put in
//! place, so a refused package leaves nothing behind.

pub(crate) mod calibrate;
mod golden;
mod manifest;
mod parity;

use std::path::{Path, PathBuf};

use oodwatch::calibrate::{CalibrateError, Target};
use oodwatch::fit::FitError;
use oodwatch::infer::{ExecutionProvider, InferError, Network, NetworkOptions};
use oodwatch::package::{self, Calibration, Golden, Manifest, Package, PackageError};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::{Parameters, ScoreError, ScoreName};
use oodwatch::self_test::{self, SelfTestError};
use thiserror::Error;

pub use parity::Parity;

use crate::data::DataSource;
use crate::onnx::{OnnxError, network};
use crate::pictures::{Half, PictureError, Pictures};
use crate::trained::{Trained, TrainedError};
use crate::weights::WeightsError;

/// How a package is to be made.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// ID pictures that set the thresholds and that ONNX Runtime is held against libtorch on; without,
    /// those that the checkpoint names as held out from its training.
    pub calibration: Option<DataSource>,
    /// Which of them.
    pub half: Half,
    /// ID pictures with their classes that scores are fitted on; without, those that the checkpoint names as its
    /// training pictures, and if it names none, only scores that need no fit are calibrated.
    pub fit: Option<DataSource>,
    /// The scores to calibrate; empty for every one that the pictures allow. Some keep much: `knn` every fitted picture's
    /// features, `mahalanobis` and `vim` a square of the number of features.
    pub scores: Vec<ScoreName>,
    /// Settings of the scores.
    pub parameters: Parameters,
    /// What the thresholds promise.
    pub target: Target,
    /// JSON file with the network's measured metrics, taken over into the manifest.
    pub metrics: Option<PathBuf>,
    /// Whether a package at the same place is replaced.
    pub force: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            calibration: None,
            half: Half::Validation,
            fit: None,
            scores: Vec::new(),
            parameters: Parameters::default(),
            target: Target::rate(0.05),
            metrics: None,
            force: false,
        }
    }
}

/// What was exported.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The package's id.
    pub id: String,
    /// ONNX Runtime against libtorch.
    pub parity: Parity,
    /// Pictures that scores were fitted on.
    pub fit_pictures: usize,
    /// Pictures that set the thresholds.
    pub calibration_pictures: usize,
    /// Share of them whose class is right, where their classes are known.
    pub accuracy: Option<f64>,
}

/// Why no package was written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Trained(#[from] TrainedError),
    /// A weight is not what it should be.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The network cannot be written as ONNX.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The calibration pictures cannot be read.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// Nothing says which pictures set the thresholds.
    #[error("export: the checkpoint does not name pictures held out from its training; name some with --calibration")]
    NoCalibration,
    /// A score was asked for that has to be fitted.
    #[error("export: score {name} has to be fitted, and nothing names the training pictures; name some with --fit")]
    NoFit {
        /// The score.
        name: ScoreName,
    },
    /// Too few pictures to compare on.
    #[error("export: {found} calibration pictures, at least {wanted} are needed to compare ONNX Runtime with libtorch", wanted = parity::PICTURES)]
    TooFew {
        /// Pictures there are.
        found: usize,
    },
    /// ONNX Runtime computes something else than libtorch.
    #[error("export: {output} of ONNX Runtime and libtorch differ by {difference} on {pictures} pictures (of values above 1: relative to them), at most {limit} is allowed; nothing was written", limit = parity::TOLERANCE)]
    Disagree {
        /// The output.
        output: &'static str,
        /// Largest difference.
        difference: f32,
        /// Pictures compared.
        pictures: usize,
    },
    /// No threshold for such a rate.
    #[error("export: {0}")]
    Calibrate(#[from] CalibrateError),
    /// The scores cannot be fitted.
    #[error("export: {0}")]
    Fit(#[from] FitError),
    /// A score cannot be computed.
    #[error("export: {0}")]
    Score(#[from] ScoreError),
    /// The metrics file cannot be read.
    #[error("export: {path}: {source}", path = path.display())]
    Metrics {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// ONNX Runtime is missing or refuses the network.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The package cannot be written or read back.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The package that was read back does not pass its own start-up test.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// The temporary folder cannot be made.
    #[error("export: {path}: {source}", path = path.display())]
    Temporary {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Makes a package at `out` from a checkpoint.
///
/// # Errors
/// [`ExportError`]; then `out` is as it was.
pub fn export(checkpoint: &Path, out: &Path, options: &ExportOptions) -> Result<Exported, ExportError> {
    package::check_place(out, options.force)?;
    export_trained(&Trained::open(checkpoint)?, out, options)
}

/// As [`export`], from a network in memory.
///
/// # Errors
/// As [`export`].
pub fn export_trained(trained: &Trained, out: &Path, options: &ExportOptions) -> Result<Exported, ExportError> {
    let metrics = options.metrics.as_deref().map(read_json).transpose()?;
    let source = options.calibration.as_ref().or(trained.held_out.as_ref()).ok_or(ExportError::NoCalibration)?;
    let pictures = Pictures::unlabelled(source)?;
    let indices = options.half.indices(pictures.len());
    let compared = evenly_spread(&indices, parity::PICTURES).ok_or(ExportError::TooFew { found: indices.len() })?;

    let scale = norm_scale(trained, &pictures, &compared)?;
    let model_onnx = network::to_bytes(&trained.tensors, &trained.net.plan, trained.input.height as usize, scale)?;
    let mut manifest = manifest::manifest(trained);
    let mut network = Network::from_onnx(&model_onnx, &manifest, &on_cpu())?;
    let parity = compare(trained, &mut network, &pictures, &compared)?;

    let origin = origin(source, options.half);
    let fit = options.fit.as_ref().or(trained.training.as_ref());
    if fit.is_none() {
        log::warn!(
            "export: the checkpoint names no training pictures, so fitted scores are left out; --fit names some"
        );
    }
    let wanted = calibrate::Wanted {
        pictures: &pictures,
        indices: &indices,
        origin,
        fit,
        scores: &options.scores,
        parameters: &options.parameters,
        target: &|_| options.target,
    };
    let head = trained.head()?;
    let subject = calibrate::Subject { manifest: &manifest, head: Some(&head) };
    let calibrated = calibrate::calibrate(&subject, &mut network, wanted)?;
    manifest::add_measurements(&mut manifest, &parity, calibrated.accuracy, metrics.as_ref());

    let golden = golden::golden(trained, &manifest, &calibrated.calibration)?;
    let fit_pictures = calibrated.calibration.fitted.images;
    let contents = Contents { model_onnx, manifest, calibration: calibrated.calibration, golden };
    rehearse(&contents, out)?;
    let id = contents.write(out, options.force)?;
    Ok(Exported { id, parity, fit_pictures, calibration_pictures: indices.len(), accuracy: calibrated.accuracy })
}

/// All that a package is written from.
pub(crate) struct Contents {
    pub(crate) model_onnx: Vec<u8>,
    pub(crate) manifest: Manifest,
    pub(crate) calibration: Calibration,
    pub(crate) golden: Golden,
}

impl Contents {
    pub(crate) fn write(&self, dir: &Path, replace: bool) -> Result<String, PackageError> {
        let write = if replace { package::replace } else { package::write };
        write(dir, &self.model_onnx, self.manifest.clone(), &self.calibration, &self.golden)
    }
}

/// Writes the package to a temporary folder on the same disk and puts it to work from there, as a robot
/// would at its start.
pub(crate) fn rehearse(contents: &Contents, out: &Path) -> Result<(), ExportError> {
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = |source| ExportError::Temporary { path: parent.into(), source };
    std::fs::create_dir_all(parent).map_err(temporary)?;
    let folder = tempfile::Builder::new().prefix(".rehearsal-").tempdir_in(parent).map_err(temporary)?;
    let dir = folder.path().join("package");
    contents.write(&dir, false)?;
    let package = Package::open(&dir)?;
    let mut network = Network::open(&package, &on_cpu())?;
    self_test::run(&mut network, &package.golden()?, &package.model(), None)?;
    Ok(())
}

/// Runs the pictures through both and refuses a difference beyond [`parity::TOLERANCE`].
fn compare(
    trained: &Trained,
    network: &mut Network,
    pictures: &Pictures,
    indices: &[usize],
) -> Result<Parity, ExportError> {
    let mut preprocessor = Preprocessor::new(&trained.input).map_err(PictureError::from)?;
    let real = pictures.batch(indices, &mut preprocessor, trained.input.chw())?;
    let synthetic = golden::inputs(&trained.input)?;
    let mut parity = Parity::default();
    for batch in [real.view(), synthetic.view()] {
        parity.add(&network.run(batch)?, &trained.outputs(&trained.forward(batch))?);
    }
    match parity.worst() {
        (_, difference) if difference <= parity::TOLERANCE => Ok(parity),
        (output, difference) => Err(ExportError::Disagree { output, difference, pictures: parity.pictures }),
    }
}

/// The power of two nearest to the mean local norm: see [`crate::onnx::outputs::add`].
fn norm_scale(trained: &Trained, pictures: &Pictures, indices: &[usize]) -> Result<f32, ExportError> {
    let mut preprocessor = Preprocessor::new(&trained.input).map_err(PictureError::from)?;
    let batch = pictures.batch(indices, &mut preprocessor, trained.input.chw())?;
    let norms = trained.outputs(&trained.forward(batch.view()))?.local_norms;
    let mean = norms.and_then(|norms| norms.mean()).filter(|mean| mean.is_normal());
    Ok(mean.map_or(1.0, |mean| mean.abs().log2().round().exp2()))
}

/// `count` of the indices, from the first to the last in equal steps, so that every class of an ordered
/// set is met; nothing if there are not so many.
pub(crate) fn evenly_spread(indices: &[usize], count: usize) -> Option<Vec<usize>> {
    (indices.len() >= count).then(|| (0..count).map(|i| indices[i * indices.len() / count]).collect())
}

pub(crate) fn on_cpu() -> NetworkOptions {
    NetworkOptions { execution_providers: vec![ExecutionProvider::Cpu], ..NetworkOptions::default() }
}

/// Where calibration pictures come from, in words.
pub(crate) fn origin(source: &DataSource, half: Half) -> String {
    let half = match half {
        Half::Validation => "pictures of even index",
        Half::Test => "pictures of odd index",
        Half::All => "all pictures",
    };
    match source {
        DataSource::Cifar(files) => {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            format!("{half} of {}", files.join(", "))
        }
        DataSource::Folder(folder) => format!("{half} of folder {}, paths sorted", folder.display()),
    }
}

fn read_json(path: &Path) -> Result<serde_json::Value, ExportError> {
    let failed = |source| ExportError::Metrics { path: path.into(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests;
