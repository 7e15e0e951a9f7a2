//! `oodwatch calibrate`: scores and thresholds on the user's own in-distribution footage, in a new package.
//!
//! The same footage gives the same package, byte for byte.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use indicatif::{ProgressBar, ProgressStyle};
use oodwatch::calibrate::{self, Calibrated, Fusion, Order, Reference, ScoreCalibration, Spool, Target, Wanted};
use oodwatch::config::ModelConfig;
use oodwatch::decode::decode;
use oodwatch::infer::{ExecutionProvider, PRECISION};
use oodwatch::open;
use oodwatch::package::{self, Calibration, Manifest, Package};
use oodwatch::pipeline::Pipeline;
use oodwatch::score::{Parameters, ScoreName};
use oodwatch::source;

use super::exit::CliError;
use super::lines;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch calibrate --model models/cifar10-resnet20 --from footage.mp4 \
                  --false-alarm-rate 0.01 --out my-package\n  oodwatch calibrate --model models/cifar10-resnet20 \
                  --from pictures/ --false-alarm-rate 0.01 --confidence 0.95\n      --score energy --score knn \
                  --fuse 'fisher(energy,knn)' --out my-package\n\nThe first half of the footage fits the scores, the \
                  rest sets thresholds (with --fuse: half of the rest,\nthe other half calibrates the fusions). \
                  Between parts of footage as many frames are left out as resemble each other.")]
pub(crate) struct Arguments {
    /// Folder of the model package to start from
    #[arg(long, value_name = "PKG")]
    model: PathBuf,
    /// Footage of nothing but the known world: a folder of pictures, a .txt list, a picture, or a video
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Wanted share of known frames that are flagged, between 0 and 1
    #[arg(long, value_name = "A")]
    false_alarm_rate: f64,
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
    /// Whether frames follow one another [default: footage, but shuffled for a folder of pictures]
    #[arg(long, value_name = "ORDER", value_parser = order)]
    order: Option<Order>,
    /// Folder of the new package
    #[arg(long, value_name = "PKG")]
    out: PathBuf,
    /// Replace the package at --out
    #[arg(long)]
    force: bool,
    /// Use at most this many frames, from the start
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_frames: Option<u64>,
    /// Execution provider: cpu, cuda or tensorrt
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    execution_provider: ExecutionProvider,
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
    let package = Package::open(&arguments.model)?;
    let wanted = wanted(arguments, &package, target)?;
    if arguments.keep_fit && package.calibration.fitted.origin == wanted.origin {
        log::warn!(
            "calibrate: the scores were fitted on {} too; frames that fit a score look too familiar to it and set its \
             threshold too low",
            wanted.origin
        );
    }
    let model =
        ModelConfig { execution_providers: vec![arguments.execution_provider], ..ModelConfig::new(&arguments.model) };
    let pipeline = open::open(&package, &model, &[])?.pipeline;
    let mut collected = collect(arguments, &package, pipeline)?;

    let progress = progress_bar("scoring");
    let spool = &mut collected.spool;
    let calibrated = calibrate::calibrate(spool, &package.manifest, &package.calibration, &wanted, &|| progress.inc(1));
    progress.finish_and_clear();
    let mut calibrated = calibrated?;
    refuse_what_was_asked_for(arguments, &calibrated)?;
    calibrated.calibration.precision = PRECISION.into();
    calibrated.calibration.execution_provider = arguments.execution_provider.to_string();
    let id = write(arguments, &package, &calibrated.calibration)?;
    tell(arguments, &calibrated, target, &id)?;
    if collected.bad > 0 {
        let all = collected.bad + collected.spool.len() as u64;
        lines::note(&format!("{} of {all} frames could not be read", collected.bad));
    }
    Ok(())
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
        order: arguments.order.unwrap_or_else(|| usual_order(&arguments.from)),
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

/// Pictures of a folder are sorted by name, which says nothing about time.
fn usual_order(from: &Path) -> Order {
    if from.is_dir() { Order::Shuffled } else { Order::Footage }
}

/// The network's outputs on all frames.
struct Collected {
    spool: Spool,
    bad: u64,
}

fn collect(arguments: &Arguments, package: &Package, mut pipeline: Pipeline) -> anyhow::Result<Collected> {
    let (config, never) = (source::config_for_path(&arguments.from), AtomicBool::new(false));
    let mut source = source::open(&config)?;
    let progress = progress_bar("frames");
    let output = &package.manifest.output;
    let local_norms = output.local.map_or(0, |local| local.height * local.width);
    let beside = arguments.out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let spool = Spool::new(beside, package.manifest.class_count(), output.features, local_norms)?;
    let mut collected = Collected { spool, bad: 0 };
    while arguments.max_frames.is_none_or(|max| collected.frames() < max) {
        let Some(frame) = source.next_frame(&never)? else { break };
        match decode(frame.content) {
            Ok(image) => {
                for outputs in pipeline.infer(&image)?.images() {
                    collected.spool.push(&outputs)?;
                }
            }
            Err(error) => {
                log::error!("decode: frame {}: {}: {error}", frame.index, frame.path.display());
                collected.bad += 1;
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    if collected.spool.is_empty() {
        return Err(CliError::NothingRead(collected.bad).into());
    }
    Ok(collected)
}

impl Collected {
    fn frames(&self) -> u64 {
        self.spool.len() as u64 + self.bad
    }
}

/// How many frames of footage there are is only known at its end.
fn progress_bar(of: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} {msg}, {per_sec}, {elapsed}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())).with_message(of)
}

/// A score that was named has to be there; of the default ones some may be left out.
fn refuse_what_was_asked_for(arguments: &Arguments, calibrated: &Calibrated) -> anyhow::Result<()> {
    let named = calibrated.left_out.iter().find(|(score, _)| arguments.scores.contains(score));
    named.map_or(Ok(()), |(_, error)| Err(error.clone().into()))
}

fn write(arguments: &Arguments, package: &Package, calibration: &Calibration) -> anyhow::Result<String> {
    let save = if arguments.force { package::replace } else { package::write };
    let manifest = with_origin(&package.manifest, &package.id, arguments);
    let mut golden = package.golden.clone();
    golden.score(&manifest, calibration)?;
    Ok(save(&arguments.out, &package.model_onnx, manifest, calibration, &golden)?)
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
    origin.insert("per_class".into(), arguments.per_class.into());
    origin.insert("keep_fit".into(), arguments.keep_fit.into());
    manifest.provenance.insert("calibrated".into(), origin.into());
    manifest
}

fn tell(arguments: &Arguments, calibrated: &Calibrated, target: Target, id: &str) -> anyhow::Result<()> {
    let Calibrated { calibration, parts, effective, left_out } = calibrated;
    lines::text(&format!(
        "{} calibrated on {} for a false-alarm rate of {target} (which takes at least {} frames{})",
        Path::display(&arguments.out),
        calibration.origin,
        target.needed_scores(),
        if arguments.per_class { " per class" } else { "" }
    ))?;
    lines::text(&format!(
        "frames: {} fit scores, {} set thresholds, {} calibrate fusions; {} left out between parts",
        parts.fit.len(),
        parts.thresholds.len(),
        parts.fusions.len(),
        parts.gap
    ))?;
    for (name, score) in &calibration.scores {
        let worth = effective.get(name).copied().unwrap_or_default();
        let thresholds = thresholds(score);
        lines::text(&format!("{name:<20} {thresholds}, frames worth {worth:.0} independent ones"))?;
        let sets = score.per_class.as_ref().map_or(1, Vec::len) as f64;
        if worth < sets * target.needed_scores() as f64 {
            log::warn!("calibrate: {name}: neighbouring frames are too alike to support this rate; use longer footage");
        }
    }
    for (fusion, score) in &calibration.fusions {
        lines::text(&format!("{fusion} {}", thresholds(score)))?;
    }
    for (score, error) in left_out {
        lines::text(&format!("{score:<20} left out: {error}"))?;
    }
    lines::text(&format!("package {id}"))
}

/// The threshold, or the range of those of the classes.
fn thresholds(score: &ScoreCalibration) -> String {
    let Some(classes) = &score.per_class else { return format!("threshold {}", score.all.threshold()) };
    let of = classes.iter().map(Reference::threshold);
    let (low, high) = of.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), t| (low.min(t), high.max(t)));
    format!("thresholds {low} to {high} by class")
}
