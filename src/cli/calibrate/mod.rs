//! `oodwatch calibrate`: scores and thresholds on the user's own in-distribution footage, in a new package.
//!
//! The same footage gives the same package, byte for byte.

mod collect;
pub(super) mod policy;
mod tell;
mod view;

use std::path::{Path, PathBuf};

use oodwatch::calibrate::{self, Calibrated, Criterion, Fusion, Order, Target, Wanted};
use oodwatch::config::{Config, ModelConfig};
use oodwatch::decode::{DecodeConfig, Decoder};
use oodwatch::infer::ExecutionProvider;
use oodwatch::open::{self, Opened};
use oodwatch::package::{self, Calibration, Golden, Manifest, Package};
use oodwatch::score::{Parameters, ScoreName};
use oodwatch::source::images::are_recorded;
use oodwatch::view::ViewConfig;

use super::exit::CliError;
use super::lines;
use collect::{collect, progress_bar};
use policy::PolicyArguments;
use tell::tell;
use view::ViewArguments;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch calibrate --model models/cifar10-resnet20 --from footage.mp4 \
                  --false-alarm-rate 0.01 --out my-package\n  oodwatch calibrate --model models/cifar10-resnet20 \
                  --from pictures/ --false-alarm-rate 0.01 --confidence 0.95\n      --score energy --score knn \
                  --fuse 'fisher(energy,knn)' --out my-package\n\nThe first half of the footage fits the scores, the \
                  rest sets thresholds (with --fuse: half of the rest,\nthe other half calibrates the fusions). \
                  Between parts of footage as many frames are left out as resemble each other.\n\nAlarms over \
                  time, for a robot that may stop falsely once an hour (docs/DECISION.md):\n  oodwatch calibrate \
                  --model models/cifar10-resnet20 --from footage.mp4 --false-alarm-rate 0.01 --score energy\n      \
                  --max-false-alarms-per-hour 1 --max-delay-s 2 --out my-package\nScores are calibrated on the first \
                  third then, policies chosen on the second and tested on the last.\n\nFootage of a camera that is turned or \
                  masked, as the camera delivers it (docs/CAMERAS.md, \"View\"):\n  oodwatch calibrate --model \
                  models/cifar10-resnet20 --config robot.toml --camera rear\n      --from rear.mp4 --false-alarm-rate 0.01 \
                  --out rear-package")]
pub(crate) struct Arguments {
    /// Folder of the model package to start from
    #[arg(long, value_name = "PKG")]
    pub(super) model: PathBuf,
    /// Footage of nothing but the known world: a folder of pictures, a .txt list, a picture, or a video
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Wanted share of known frames that are flagged, between 0 and 1
    #[arg(long, value_name = "A")]
    pub(super) false_alarm_rate: f64,
    /// Keep the realised rate at or below --false-alarm-rate with this probability, instead of on average
    #[arg(long, value_name = "C")]
    confidence: Option<f64>,
    /// One threshold per predicted class
    #[arg(long)]
    per_class: bool,
    /// Score to calibrate; may be given several times [default: all that the package can have]
    #[arg(long = "score", value_name = "NAME")]
    scores: Vec<ScoreName>,
    /// Fusion to calibrate: fisher(A,B,...), stouffer(A,B,...) or simes(A,B,...); may be given several times
    #[arg(long = "fuse", value_name = "FUSION")]
    fusions: Vec<Fusion>,
    /// Settings of the scores; configs/scores.toml lists them [default: those of the package]
    #[arg(long, value_name = "FILE", conflicts_with = "keep_fit")]
    parameters: Option<PathBuf>,
    /// Keep what the package's scores were fitted to; all frames set thresholds
    #[arg(long)]
    keep_fit: bool,
    /// Whether frames follow one another [default: footage, but shuffled for a folder of pictures
    /// that `oodwatch init` did not record]
    #[arg(long, value_name = "ORDER", value_parser = order)]
    order: Option<Order>,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    view: ViewArguments,
    /// Folder of the new package
    #[arg(long, value_name = "PKG")]
    pub(super) out: PathBuf,
    /// Replace the package at --out
    #[arg(long)]
    pub(super) force: bool,
    /// Use at most this many frames, from the start
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_frames: Option<u64>,
    /// Execution provider: cpu, xnnpack, cuda or tensorrt [default: those of --config, or cpu]
    #[arg(long, value_name = "NAME")]
    pub(super) execution_provider: Option<ExecutionProvider>,
}

impl Arguments {
    /// For one score or fusion on recorded footage, and for a policy over time if one is wanted; as `oodwatch init` asks.
    pub(super) fn of_footage(
        from: &Path,
        view: &ViewConfig,
        criterion: &Criterion,
        max_false_alarms_per_hour: Option<f64>,
    ) -> Self {
        let (scores, fusions) = match criterion {
            Criterion::Score(score) => (vec![*score], Vec::new()),
            Criterion::Fusion(fusion) => (Vec::new(), vec![fusion.clone()]),
        };
        Self {
            model: PathBuf::new(),
            from: from.into(),
            false_alarm_rate: 0.0,
            confidence: None,
            per_class: false,
            scores,
            fusions,
            parameters: None,
            keep_fit: false,
            order: Some(Order::Footage),
            policy: PolicyArguments::new(max_false_alarms_per_hour),
            view: ViewArguments::new(view),
            out: PathBuf::new(),
            force: false,
            max_frames: None,
            execution_provider: None,
        }
    }
}

fn order(text: &str) -> Result<Order, String> {
    match text {
        "footage" => Ok(Order::Footage),
        "shuffled" => Ok(Order::Shuffled),
        _ => Err("wanted footage or shuffled".into()),
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let target = Target { rate: arguments.false_alarm_rate, confidence: arguments.confidence }.check()?;
    package::check_place(&arguments.out, arguments.force)?;
    let package = Package::begin(&arguments.model)?;
    let wanted = wanted(arguments, &package, target)?;
    if arguments.keep_fit && package.calibration.fitted.origin == wanted.origin {
        log::warn!(
            "calibrate: the scores were fitted on {} too; frames that fit a score look too familiar to it and set its \
             threshold too low",
            wanted.origin
        );
    }
    let config = arguments.view.config()?;
    let view = arguments.view.view(&package, config.as_ref())?;
    let decode = arguments.view.decode(&package, config.as_ref())?;
    let mut decoder = Decoder::new(decode, package.manifest.input.size_px(), &view);
    let cameras = config.as_ref().map_or(1, |config| config.camera.len());
    let Opened { mut pipeline, golden, .. } =
        open::open_to_calibrate(&package, &inference(arguments, config), cameras)?;
    pipeline.set_view(&view)?;
    let request = collect::Request {
        from: &arguments.from,
        frames_per_second: arguments.policy.frames_per_second,
        max_frames: arguments.max_frames,
        out: &arguments.out,
    };
    let mut collected = collect(&request, &package, &mut decoder, &mut pipeline)?;
    let mut unknown = policy::unknown(arguments, &package, &mut decoder, &mut pipeline)?;

    let progress = progress_bar("scoring");
    let spool = &mut collected.spool;
    let calibrated = calibrate::calibrate(spool, &package.manifest, &package.calibration, &wanted, &|| progress.inc(1));
    progress.finish_and_clear();
    let mut calibrated = calibrated?;
    refuse_what_was_asked_for(arguments, &calibrated)?;
    let without_policy = policy::choose(arguments, &package, &mut collected, &mut unknown, &mut calibrated)?;
    calibrated.calibration.precision = pipeline.precision().to_string();
    calibrated.calibration.execution_provider = pipeline.execution_provider().to_string();
    let decode = if collected.is_scaled() { decode } else { DecodeConfig::default() };
    let id = write(arguments, &package, view, decode, &calibrated.calibration, golden)?;
    tell(arguments, &calibrated, target)?;
    policy::tell(arguments, &calibrated.calibration, &without_policy)?;
    lines::text(&format!("package {id}"))?;
    for footage in [Some(&collected), unknown.as_ref()].into_iter().flatten().filter(|footage| footage.bad > 0) {
        let all = footage.bad + footage.spool.len() as u64;
        lines::note(&format!("{} of {all} frames could not be read", footage.bad));
    }
    Ok(())
}

/// On what the network runs: as the command line says, else as the monitor's config does.
fn inference(arguments: &Arguments, config: Option<Config>) -> ModelConfig {
    let plain = ModelConfig::new(&arguments.model);
    match (arguments.execution_provider, config) {
        (Some(provider), _) => ModelConfig { execution_providers: vec![provider], ..plain },
        (None, Some(config)) => ModelConfig { package: plain.package, ..config.model },
        (None, None) => plain,
    }
}

fn wanted(arguments: &Arguments, package: &Package, target: Target) -> anyhow::Result<Wanted> {
    let model = package.model();
    let mut scores = arguments.scores.clone();
    if scores.is_empty() && arguments.fusions.is_empty() {
        scores = ScoreName::PLAIN.iter().copied().filter(|score| model.lacks(*score).is_none()).collect();
    }
    let fused = arguments.fusions.iter().flat_map(|fusion| &fusion.scores);
    if let Some(lacking) = scores.iter().chain(fused).find_map(|score| model.lacks(*score)) {
        return Err(lacking.into());
    }
    Ok(Wanted {
        scores,
        fusions: arguments.fusions.clone(),
        refit: if arguments.keep_fit { None } else { Some(parameters(arguments, package)?) },
        target,
        per_class: arguments.per_class,
        policies: arguments.policy.goal().is_some(),
        order: policy::order(arguments)?,
        origin: arguments.from.display().to_string(),
    })
}

fn parameters(arguments: &Arguments, package: &Package) -> anyhow::Result<Parameters> {
    let Some(path) = &arguments.parameters else {
        return Ok(package.calibration.fitted.parameters.clone());
    };
    let unusable = |problem: &dyn std::fmt::Display| CliError::Usage(format!("{}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
    let parameters: Parameters = toml::from_str(&text).map_err(|error| unusable(&error))?;
    parameters.check().map_err(|error| unusable(&error))?;
    Ok(parameters)
}

/// Pictures of a folder are sorted by name, which says nothing about time, unless they were recorded.
fn usual_order(from: &Path) -> Order {
    if from.is_dir() && !are_recorded(from) { Order::Shuffled } else { Order::Footage }
}

/// A score that was named has to be there; of the default ones some may be left out.
fn refuse_what_was_asked_for(arguments: &Arguments, calibrated: &Calibrated) -> anyhow::Result<()> {
    let named = calibrated.left_out.iter().find(|(score, _)| arguments.scores.contains(score));
    named.map_or(Ok(()), |(_, error)| Err(error.clone().into()))
}

fn write(
    arguments: &Arguments,
    package: &Package,
    view: ViewConfig,
    decode: DecodeConfig,
    calibration: &Calibration,
    mut golden: Golden,
) -> anyhow::Result<String> {
    let save = if arguments.force { package::replace } else { package::write };
    let manifest = Manifest { view, decode, ..with_origin(&package.manifest, &package.id, arguments) };
    golden.score(&manifest, calibration)?;
    Ok(save(&arguments.out, &package.model_onnx()?, manifest, calibration, &golden)?)
}

/// The new package says which one it was made from, and how.
fn with_origin(manifest: &Manifest, id: &str, arguments: &Arguments) -> Manifest {
    let mut manifest = manifest.clone();
    let mut origin = toml::Table::new();
    origin.insert("package".into(), id.into());
    origin.insert("from".into(), arguments.from.display().to_string().into());
    origin.insert("false_alarm_rate".into(), arguments.false_alarm_rate.into());
    if let Some(confidence) = arguments.confidence {
        origin.insert("confidence".into(), confidence.into());
    }
    if let Some(frames) = arguments.max_frames {
        origin.insert("max_frames".into(), i64::try_from(frames).unwrap_or(i64::MAX).into());
    }
    arguments.policy.tell_origin(&mut origin);
    origin.insert("per_class".into(), arguments.per_class.into());
    origin.insert("keep_fit".into(), arguments.keep_fit.into());
    manifest.provenance.insert("calibrated".into(), origin.into());
    manifest
}
