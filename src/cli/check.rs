//! `oodwatch check`: everything that `run` would refuse, found before it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use oodwatch::board::Board;
use oodwatch::config::Config;
use oodwatch::decode::decode;
use oodwatch::infer::{self, ExecutionProvider};
use oodwatch::open::{self, CalibratedPackage, OpenedCameras};
use oodwatch::schedule;
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
    check(&arguments.config)
}

/// Prints a line for everything that is well.
pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    lines::text(&format!("ok  config   {}", path.display()))?;
    config.schedule.apply()?;
    lines::text(&format!("ok  schedule {}", schedule::in_words()))?;
    tell_board(&config)?;
    check_model(&config)?;
    check_devices(&config)?;
    for camera in &config.camera {
        let found =
            check_source(&camera.name, &camera.source).map_err(|error| CliError::in_camera(&config, camera, error))?;
        lines::text(&format!("ok  source   {}: {found}", camera.name))?;
        if !camera.view.is_none() {
            lines::text(&format!("ok  view     {}: {}", camera.name, camera.view))?;
        }
        if !camera.decode.is_none() {
            lines::text(&format!("ok  decode   {}: {}", camera.name, camera.decode))?;
        }
    }
    Sinks::check(&config.sink)?;
    lines::text("ok  sink")
}

/// What the machine is and how, where it is one of NVIDIA's boards; and of any machine that is about to switch itself off, that.
fn tell_board(config: &Config) -> anyhow::Result<()> {
    let board = Board::read(&config.board.root());
    if board.is_jetson() {
        for said in [board.setting(), board.condition()] {
            lines::text(&format!("ok  board    {said}"))?;
        }
    }
    for (zone, left) in
        board.thermal.nearest_to_the_end().into_iter().filter(|(_, left)| *left <= config.board.hot_margin_c)
    {
        log::warn!("board: {} is {left:.1} C from where the board switches itself off", zone.name);
    }
    Ok(())
}

fn check_model(config: &Config) -> anyhow::Result<()> {
    let opened = open::open_cameras(config)?;
    lines::text(&format!("ok  package  {} {}", config.model.package.display(), opened.model.id))?;
    tell_inference(&opened)?;
    for calibration in &opened.calibrations {
        if calibration.id != opened.model.id {
            lines::text(&format!("ok  package  {} {}", calibration.dir.display(), calibration.id))?;
        }
        tell_calibration(config, calibration)?;
    }
    Ok(())
}

/// Which ONNX Runtime there is, what it can do, and what does how much of this network.
fn tell_inference(opened: &OpenedCameras) -> anyhow::Result<()> {
    if let Some(runtime) = infer::runtime() {
        let mut has = Vec::new();
        for provider in ExecutionProvider::ALL {
            if provider.is_available()? {
                has.push(provider.as_str());
            }
        }
        let (path, build) = (runtime.path.display(), runtime.build);
        lines::text(&format!("ok  infer    ONNX Runtime {path} ({build}) has {}", has.join(", ")))?;
    }
    let Some(first) = opened.calibrations.first() else { return Ok(()) };
    let input = first.golden.inputs.first();
    let options = opened.pipeline.network_options();
    if let Some(prepared) = &options.prepared {
        lines::text(&format!("ok  infer    prepared network {}", prepared.file.display()))?;
    }
    let placement = infer::placement(&opened.model, options, input.view())?;
    lines::text(&format!("ok  infer    nodes of the network: {placement}"))
}

fn tell_calibration(config: &Config, by: &CalibratedPackage) -> anyhow::Result<()> {
    let (inputs, deviation) = (by.self_test.inputs, by.self_test.largest_deviation);
    lines::text(&format!(
        "ok  infer    {}, {}: {inputs} golden inputs, largest deviation {deviation:.1e} of {:.1e}",
        by.execution_provider, by.precision, by.tolerance
    ))?;
    let calibration = by.judge.calibration();
    let threshold = match calibration.per_class {
        Some(_) => "thresholds per class".into(),
        None => format!("threshold {}", calibration.all.threshold()),
    };
    lines::text(&format!(
        "ok  score    {}: {threshold} for a false-alarm rate of {}, from {} frames",
        by.judge.criterion(),
        calibration.target,
        calibration.all.scores().len()
    ))?;
    let policy = config.decide.policy_of(calibration).map_err(CliError::from)?;
    match (policy, &calibration.policy) {
        (Some(policy), Some(evidence)) => lines::text(&format!("ok  decide   {policy}; {}", evidence.tested_on)),
        _ => lines::text("ok  decide   frame: every flagged frame is an alarm"),
    }
}

/// Two names may lead to one device, which streams to one reader.
fn check_devices(config: &Config) -> Result<(), CliError> {
    let mut known: Vec<(&str, PathBuf)> = Vec::new();
    for camera in &config.camera {
        let SourceConfig::V4l2(source) = &camera.source else { continue };
        // One that is not there is told by the camera's own check.
        let Ok(device) = fs::canonicalize(&source.device) else { continue };
        if let Some((other, _)) = known.iter().find(|(_, known)| *known == device) {
            let shared = CliError::SharedDevice { path: source.device.clone(), device, other: (*other).into() };
            return Err(CliError::in_camera(config, camera, shared));
        }
        known.push((&camera.name, device));
    }
    Ok(())
}

/// Reads until one frame is a picture, and says what it is. A camera is asked, not started; a command is run for a moment.
fn check_source(camera: &str, config: &SourceConfig) -> Result<String, CliError> {
    if let SourceConfig::Images(ImagesConfig { path, .. }) = config
        && path.as_os_str() == "-"
    {
        return Ok("a list on stdin, which is left for the run".into());
    }
    if let SourceConfig::Faults(faults) = config {
        return Ok(format!("{}; a script with {} faults", check_source(camera, &faults.source)?, faults.script.len()));
    }
    if let SourceConfig::V4l2(v4l2) = config {
        return Ok(source::v4l2::check(v4l2)?);
    }
    if let SourceConfig::Pipe(pipe) = config {
        return Ok(source::pipe::check(pipe, camera)?);
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
    Err(CliError::NothingRead(tried))
}
