//! `oodwatch check`: everything that `run` would refuse, found before it runs.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use oodwatch::config::Config;
use oodwatch::decode::decode;
use oodwatch::open;
use oodwatch::package::Package;
use oodwatch::sink::Sinks;
use oodwatch::source::{self, ImagesConfig, SourceConfig};

use super::exit::CliError;
use super::lines;

/// Frames that may be unreadable before the source counts as such.
const TRIED_FRAMES: u64 = 100;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch check --config configs/images.toml")]
pub(crate) struct Arguments {
    /// The config file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    lines::text(&format!("ok  config   {}", arguments.config.display()))?;
    check_model(&config)?;
    for camera in &config.camera {
        let found = check_source(&camera.source)?;
        lines::text(&format!("ok  source   {}: {found}", camera.name))?;
    }
    Sinks::check(&config.sink)?;
    lines::text("ok  sink")
}

fn check_model(config: &Config) -> anyhow::Result<()> {
    let package = Package::open(&config.model.package)?;
    lines::text(&format!("ok  package  {} {}", config.model.package.display(), package.id))?;
    let criterion = &config.score.name;
    let opened = open::open(&package, &config.model, criterion.scores())?;
    let judge = open::judge(&package, &opened.pipeline, criterion)?;
    lines::text(&format!(
        "ok  infer    {}: {} golden inputs, largest deviation {:.1e} of {:.1e}",
        opened.pipeline.execution_provider(),
        opened.self_test.inputs,
        opened.self_test.largest_deviation,
        package.golden.tolerance
    ))?;
    let calibration = judge.calibration();
    let threshold = match calibration.per_class {
        Some(_) => "thresholds per class".into(),
        None => format!("threshold {}", calibration.all.threshold()),
    };
    lines::text(&format!(
        "ok  score    {criterion}: {threshold} for a false-alarm rate of {}, from {} frames",
        calibration.target,
        calibration.all.scores().len()
    ))?;
    match (config.decide.policy_of(calibration)?, &calibration.policy) {
        (Some(policy), Some(evidence)) => lines::text(&format!("ok  decide   {policy}; {}", evidence.tested_on)),
        _ => lines::text("ok  decide   frame: every flagged frame is an alarm"),
    }
}

/// Reads until one frame is a picture, and says what it is. A camera is asked, not started.
fn check_source(config: &SourceConfig) -> anyhow::Result<String> {
    if let SourceConfig::Images(ImagesConfig { path, .. }) = config
        && path.as_os_str() == "-"
    {
        return Ok("a list on stdin, which is left for the run".into());
    }
    if let SourceConfig::V4l2(camera) = config {
        return Ok(source::v4l2::check(camera)?);
    }
    let mut source = source::open(config)?;
    let never = AtomicBool::new(false);
    let mut tried = 0;
    while tried < TRIED_FRAMES {
        let Some(frame) = source.next_frame(&never)? else { break };
        tried += 1;
        match decode(frame.content) {
            Ok(image) => {
                return Ok(format!("{} is {}x{} pixels", frame.path.display(), image.width(), image.height()));
            }
            Err(error) => log::warn!("decode: {}: {error}", frame.path.display()),
        }
    }
    Err(CliError::NothingRead(tried).into())
}
