//! `oodwatch calibrate`: thresholds on the user's own in-distribution footage, in a new package.
//!
//! None of this version's scores is fitted, so every frame sets thresholds. The same footage gives the same package,
//! byte for byte.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use indicatif::{ProgressBar, ProgressStyle};
use oodwatch::calibrate::{CalibrateError, effective_count, needed_scores, sorted, threshold};
use oodwatch::config::ModelConfig;
use oodwatch::decode::decode;
use oodwatch::infer::{ExecutionProvider, PRECISION};
use oodwatch::open;
use oodwatch::package::{self, Calibration, Manifest, Package, ScoreCalibration};
use oodwatch::pipeline::Pipeline;
use oodwatch::score::ScoreName;
use oodwatch::source::{self, Frame};

use super::exit::CliError;
use super::lines;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch calibrate --model models/cifar10-resnet20 --from footage.mp4 \
                        --false-alarm-rate 0.01 --out my-package")]
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

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let rate = arguments.false_alarm_rate;
    if !(rate > 0.0 && rate < 1.0) {
        return Err(CalibrateError::Rate { found: rate }.into());
    }
    package::check_place(&arguments.out, arguments.force)?;
    let package = Package::open(&arguments.model)?;
    let model =
        ModelConfig { execution_providers: vec![arguments.execution_provider], ..ModelConfig::new(&arguments.model) };
    let pipeline = open::open(&package, &model, ScoreName::ALL.to_vec())?.pipeline;
    let collected = collect(arguments, pipeline)?;
    let scores = thresholds(collected.scores.clone(), rate)?;
    let independent: Vec<f64> = collected.scores.iter().map(|scores| effective_count(scores)).collect();
    let calibration = Calibration {
        scores,
        images: collected.judged as usize,
        origin: arguments.from.display().to_string(),
        precision: PRECISION.into(),
        execution_provider: arguments.execution_provider.to_string(),
        ..package.calibration.clone()
    };
    let id = write(arguments, &package, &calibration)?;
    tell(arguments, &calibration, &independent, &id)?;
    if collected.bad > 0 {
        lines::note(&format!("{} of {} frames could not be read", collected.bad, collected.judged + collected.bad));
    }
    Ok(())
}

/// Scores of all frames, per score in the order of [`ScoreName::ALL`].
struct Collected {
    scores: Vec<Vec<f32>>,
    judged: u64,
    bad: u64,
}

fn collect(arguments: &Arguments, mut pipeline: Pipeline) -> anyhow::Result<Collected> {
    let mut source = source::open(&source::config_for_path(&arguments.from))?;
    let never = AtomicBool::new(false);
    let progress = progress_bar();
    let mut collected = Collected { scores: vec![Vec::new(); ScoreName::ALL.len()], judged: 0, bad: 0 };
    while arguments.max_frames.is_none_or(|max| collected.judged + collected.bad < max) {
        let Some(frame) = source.next_frame(&never)? else { break };
        collected.add(frame, &mut pipeline)?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    if collected.judged == 0 {
        return Err(CliError::NothingRead(collected.bad).into());
    }
    Ok(collected)
}

impl Collected {
    fn add(&mut self, frame: Frame, pipeline: &mut Pipeline) -> anyhow::Result<()> {
        let image = match decode(frame.content) {
            Ok(image) => image,
            Err(error) => {
                log::error!("decode: frame {}: {}: {error}", frame.index, frame.path.display());
                self.bad += 1;
                return Ok(());
            }
        };
        let judged = pipeline.judge(&image)?;
        for (all, score) in self.scores.iter_mut().zip(&judged.scores) {
            all.push(score.0);
        }
        self.judged += 1;
        Ok(())
    }
}

/// How many frames of footage there are is only known at its end.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} frames, {per_sec}, {elapsed}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn thresholds(
    collected: Vec<Vec<f32>>,
    rate: f64,
) -> Result<std::collections::BTreeMap<ScoreName, ScoreCalibration>, CalibrateError> {
    ScoreName::ALL
        .iter()
        .zip(collected)
        .map(|(name, scores)| {
            let sorted_id_scores = sorted(scores)?;
            let threshold = threshold(&sorted_id_scores, rate)?;
            Ok((*name, ScoreCalibration { sorted_id_scores, threshold, rate }))
        })
        .collect()
}

fn write(arguments: &Arguments, package: &Package, calibration: &Calibration) -> anyhow::Result<String> {
    let save = if arguments.force { package::replace } else { package::write };
    let manifest = with_origin(&package.manifest, &package.id, arguments);
    Ok(save(&arguments.out, &package.model_onnx, manifest, calibration, &package.golden)?)
}

/// The new package says which one it was made from, and how.
fn with_origin(manifest: &Manifest, id: &str, arguments: &Arguments) -> Manifest {
    let mut manifest = manifest.clone();
    let mut origin = toml::Table::new();
    origin.insert("package".into(), id.into());
    origin.insert("from".into(), arguments.from.display().to_string().into());
    origin.insert("false_alarm_rate".into(), arguments.false_alarm_rate.into());
    manifest.provenance.insert("calibrated".into(), origin.into());
    manifest
}

/// `independent`: per score, how many independent frames the footage is worth.
fn tell(arguments: &Arguments, calibration: &Calibration, independent: &[f64], id: &str) -> anyhow::Result<()> {
    let rate = arguments.false_alarm_rate;
    lines::text(&format!(
        "{} calibrated on {} frames of {} for a false-alarm rate of {rate} (which takes at least {})",
        Path::display(&arguments.out),
        calibration.images,
        calibration.origin,
        needed_scores(rate)
    ))?;
    for ((name, score), independent) in calibration.scores.iter().zip(independent) {
        let threshold = score.threshold;
        lines::text(&format!("{name:<14} threshold {threshold}, frames worth {independent:.0} independent ones"))?;
        if *independent < needed_scores(rate) as f64 {
            log::warn!("calibrate: {name}: neighbouring frames are too alike to support this rate; use longer footage");
        }
    }
    lines::text(&format!("package {id}"))
}
