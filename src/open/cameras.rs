//! Puts a config's packages to work: one network for all cameras, and for each camera the calibration that judges it.
//!
//! A package is opened and proved by its golden vectors once, and its fitted scores are held in memory once, however many
//! cameras it judges.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{OpenError, Opened, judge, open_for};
use crate::calibrate::Judge;
use crate::config::{CameraConfig, Config};
use crate::infer::{ExecutionProvider, Precision};
use crate::package::{Golden, Package};
use crate::pipeline::{FittedScores, Lens, Pipeline, PipelineError};
use crate::score::ScoreName;
use crate::self_test::{self, SelfTest};
use crate::view::ViewConfig;

/// A calibration at work, and where it comes from.
#[derive(Debug)]
pub struct CalibratedPackage {
    /// The package's folder.
    pub dir: PathBuf,
    /// Its id.
    pub id: String,
    /// Names of the classes, by index.
    pub classes: Vec<String>,
    /// Width and height of the network's input, in pixels.
    pub input_px: (u32, u32),
    /// Execution provider of the network.
    pub execution_provider: ExecutionProvider,
    /// Number format of the network.
    pub precision: Precision,
    /// What the golden vectors of this package found.
    pub self_test: SelfTest,
    /// How far they may deviate.
    pub tolerance: f32,
    /// Those vectors, for another self-test later.
    pub golden: Arc<Golden>,
    /// Its fitted scores in the pipeline.
    pub fitted: FittedScores,
    /// Holds scores against its thresholds; every camera needs a copy of its own.
    pub judge: Judge,
}

impl CalibratedPackage {
    fn new(package: &Package, pipeline: &Pipeline, proven: ProvenScores, judge: Judge) -> Self {
        let ProvenScores { fitted, self_test, golden } = proven;
        Self {
            dir: package.dir.clone(),
            id: package.id.clone(),
            classes: package.manifest.classes.clone(),
            input_px: package.manifest.input.size_px(),
            execution_provider: pipeline.execution_provider(),
            precision: pipeline.precision(),
            self_test,
            tolerance: golden.tolerance,
            golden: Arc::new(golden),
            fitted,
            judge,
        }
    }
}

/// Fitted scores in the pipeline that have passed a self-test, on these golden vectors.
struct ProvenScores {
    fitted: FittedScores,
    self_test: SelfTest,
    golden: Golden,
}

/// What the cameras of a config need.
pub struct OpenedCameras {
    /// One network for all.
    pub pipeline: Pipeline,
    /// `[model] package`, whose network it is, without what scores were fitted to that nothing reads.
    pub model: Package,
    /// The calibrations in use, in the order in which cameras ask for them.
    pub calibrations: Vec<CalibratedPackage>,
    /// Per camera: its view in the pipeline, and the place of its calibration.
    places: Vec<(Lens, usize)>,
}

/// What judges one camera.
#[derive(Debug, Clone, Copy)]
pub struct JudgedBy<'o> {
    /// Its view in the pipeline.
    pub lens: Lens,
    /// Its calibration.
    pub package: &'o CalibratedPackage,
}

impl OpenedCameras {
    /// What judges each camera, in the config's order.
    pub fn of_cameras(&self) -> impl Iterator<Item = JudgedBy<'_>> {
        self.places.iter().map(|(lens, place)| JudgedBy { lens: *lens, package: &self.calibrations[*place] })
    }
}

/// Opens what the config's cameras need.
///
/// # Errors
/// As [`open`](super::open()) and [`judge`](super::judge()), for every package in use; a calibration of another network, or of
/// pictures with another mask.
pub fn open_cameras(config: &Config) -> Result<OpenedCameras, OpenError> {
    let scores = config.score.name.scores();
    let model = begin(&config.model.package, scores)?;
    let named = open_named(config, &model)?;
    let (used, places) = packages_in_use(config, &model, &named);
    for (camera, place) in config.camera.iter().zip(&places) {
        check_view(camera, used[*place])?;
        compare_decoding(camera, used[*place]);
    }
    let Opened { mut pipeline, self_test, golden } =
        open_for(used[0], &config.model, config.camera.len(), scores).map_err(in_package(&model, used[0]))?;
    let mut at_work = vec![ProvenScores { fitted: FittedScores::default(), self_test, golden }];
    for package in &used[1..] {
        at_work.push(add(&mut pipeline, package).map_err(in_package(&model, package))?);
    }
    let calibrations = used.iter().zip(at_work).map(|(package, proven)| {
        let judge = judge(package, &pipeline, &config.score.name).map_err(in_package(&model, package))?;
        Ok(CalibratedPackage::new(package, &pipeline, proven, judge))
    });
    let calibrations = calibrations.collect::<Result<_, OpenError>>()?;
    let lenses = config.camera.iter().map(|camera| pipeline.add_lens(&camera.view));
    let places = lenses.zip(places).map(|(lens, place)| Ok((lens?, place))).collect::<Result<_, PipelineError>>()?;
    Ok(OpenedCameras { calibrations, pipeline, model, places })
}

/// A package with what these scores read of its calibration.
fn begin(dir: &Path, scores: &[ScoreName]) -> Result<Package, OpenError> {
    let mut package = Package::begin(dir)?;
    package.keep_for(scores);
    Ok(package)
}

/// The packages that cameras name beside `[model] package`, each once.
fn open_named(config: &Config, model: &Package) -> Result<Vec<Package>, OpenError> {
    let mut named: Vec<Package> = Vec::new();
    for dir in config.camera.iter().filter_map(|camera| camera.calibration.as_ref()) {
        if named.iter().all(|package| package.dir != *dir) {
            let package = begin(dir, config.score.name.scores())?;
            check_network(model, &package)?;
            named.push(package);
        }
    }
    Ok(named)
}

/// The packages whose calibrations judge, each once, and per camera the place of its own. Never empty.
fn packages_in_use<'p>(config: &Config, model: &'p Package, named: &'p [Package]) -> (Vec<&'p Package>, Vec<usize>) {
    let mut used: Vec<&Package> = Vec::new();
    let mut places = Vec::new();
    for camera in &config.camera {
        let wanted = |package: &&Package| camera.calibration.as_ref() == Some(&package.dir);
        let package = named.iter().find(wanted).unwrap_or(model);
        let known = used.iter().position(|other| other.id == package.id);
        places.push(known.unwrap_or(used.len()));
        if known.is_none() {
            used.push(package);
        }
    }
    if used.is_empty() {
        used.push(model);
    }
    (used, places)
}

/// Adds a package's fitted scores to the pipeline, and proves them.
fn add(pipeline: &mut Pipeline, package: &Package) -> Result<ProvenScores, OpenError> {
    let fitted = pipeline.add(package)?;
    let scores = pipeline.scores().to_vec();
    let golden = package.golden()?;
    let self_test = self_test::run(pipeline.network_mut(), &golden, &package.model(), Some(&scores))?;
    log::info!("infer: calibration {} passed the self-test: {} inputs", package.dir.display(), self_test.inputs);
    Ok(ProvenScores { fitted, self_test, golden })
}

/// Says which package an error is about, where that is not the obvious one.
fn in_package(model: &Package, package: &Package) -> impl FnOnce(OpenError) -> OpenError + use<> {
    let dir = (package.id != model.id).then(|| package.dir.clone());
    |source| match dir {
        Some(dir) => OpenError::Calibration { dir, source: Box::new(source) },
        None => source,
    }
}

/// Smaller pictures are nearly what whole ones become; docs/CAMERAS.md says how nearly.
fn compare_decoding(camera: &CameraConfig, package: &Package) {
    let (found, calibrated) = (camera.decode, package.manifest.decode);
    if found != calibrated {
        log::warn!(
            "decode: camera {}: {} was calibrated on {calibrated}; [camera.decode] has {found}",
            camera.name,
            package.dir.display()
        );
    }
}

/// What was calibrated on one part of the picture says nothing of another part. How the camera hangs is another matter: a calibration
/// on upright pictures holds for whatever is turned upright; only one that had to turn its own pictures makes one wonder.
fn check_view(camera: &CameraConfig, package: &Package) -> Result<(), OpenError> {
    let (found, calibrated): (_, &ViewConfig) = (&camera.view, &package.manifest.view);
    if found.mask() != calibrated.mask() {
        return Err(OpenError::OtherMask {
            camera: camera.name.clone(),
            dir: package.dir.clone(),
            found: Box::new(found.mask()),
            wanted: Box::new(calibrated.mask()),
        });
    }
    if !calibrated.turn().is_none() && calibrated.turn() != found.turn() {
        log::warn!(
            "preprocess: camera {}: {} was calibrated with {calibrated}; the camera has {found}",
            camera.name,
            package.dir.display()
        );
    }
    Ok(())
}

/// A calibration holds for one network alone, fed in one way.
fn check_network(model: &Package, other: &Package) -> Result<(), OpenError> {
    let (wanted, found) = (&model.manifest, &other.manifest);
    let differs = |what, found: String, wanted: String| {
        let (dir, model) = (other.dir.clone(), model.dir.clone());
        Err(OpenError::OtherNetwork { dir, model, what, found, wanted })
    };
    if found.model_sha256() != wanted.model_sha256() {
        return differs("sha256 of model.onnx", found.model_sha256().into(), wanted.model_sha256().into());
    }
    if found.classes.len() != wanted.classes.len() {
        return differs("number of classes", found.classes.len().to_string(), wanted.classes.len().to_string());
    }
    if let Some((found, wanted)) = found.classes.iter().zip(&wanted.classes).find(|(found, wanted)| found != wanted) {
        return differs("class", format!("{found:?}"), format!("{wanted:?}"));
    }
    if found.input != wanted.input {
        return differs("[input]", format!("{:?}", found.input), format!("{:?}", wanted.input));
    }
    if found.output != wanted.output {
        return differs("[output]", format!("{:?}", found.output), format!("{:?}", wanted.output));
    }
    Ok(())
}
