//! `oodwatch evidence`: the page that a safety case can refer to.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use oodwatch::config::{CameraConfig, Config};
use oodwatch::evidence::{self, Evidence, Request};
use oodwatch::package::MANIFEST_FILE;

use super::exit::CliError;
use super::lines;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  oodwatch evidence --model my-package --config camera.toml --id known.mp4 --ood strange.mp4 \
                  --out evidence\n\nWrites evidence.html (one file, plots and all), evidence.md with plots/, and \
                  evidence.json. The faults are played in real time and take\nabout a minute. Exit codes: 0 written, and \
                  everything that was promised held; 7 written, but a fault or a spoilt picture was not told\nas promised; 5 \
                  written, but the self-test failed. docs/EVIDENCE.md explains the page."
)]
pub(crate) struct Arguments {
    /// Folder of the model package; has to be the one that the config names [default: that one]
    #[arg(long, value_name = "PKG")]
    model: Option<PathBuf>,
    /// The config of the monitor
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The camera of the config whose calibration judges [default: the only one]
    #[arg(long, value_name = "NAME")]
    camera: Option<String>,
    /// Known footage that the calibration has not seen: a folder of pictures, a .txt list, or a video
    #[arg(long, value_name = "PATH")]
    id: PathBuf,
    /// Unknown footage; may be given several times
    #[arg(long, value_name = "PATH")]
    ood: Vec<PathBuf>,
    /// Frames per second that pictures stand for
    #[arg(long, value_name = "F", value_parser = rate, default_value = "30")]
    frames_per_second: f64,
    /// Use at most this many frames of each footage, from the start
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    max_frames: Option<u64>,
    /// Folder of the page
    #[arg(long, value_name = "DIR", default_value = "evidence")]
    out: PathBuf,
    /// Replace the page at --out
    #[arg(long)]
    force: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| (0.1..=1000.0).contains(number));
    number.ok_or_else(|| "wanted a number from 0.1 to 1000".into())
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    evidence::check_place(&arguments.out, arguments.force)?;
    let config = Config::load(&arguments.config)?;
    let camera = camera(&config, arguments.camera.as_deref())?;
    if let Some(model) = &arguments.model {
        check_model(model, camera.calibration.as_ref().unwrap_or(&config.model.package))?;
    }
    let request = Request {
        config: &config,
        config_path: &arguments.config,
        camera,
        id: &arguments.id,
        ood: &arguments.ood,
        frames_per_second: arguments.frames_per_second,
        max_frames: arguments.max_frames,
    };
    let progress = progress_bar();
    let found = evidence::gather(&request, &|step| {
        progress.set_message(step.to_string());
        progress.inc(1);
    });
    progress.finish_and_clear();
    let found = found?;
    found.write(&arguments.out, arguments.force)?;
    tell(arguments, &found)
}

/// The camera that was named, or the only one.
fn camera<'c>(config: &'c Config, name: Option<&str>) -> Result<&'c CameraConfig, CliError> {
    let names = || config.camera.iter().map(|camera| camera.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, config.camera.as_slice()) {
        (None, [camera]) => Ok(camera),
        (None, _) => {
            Err(CliError::Usage(format!("the config has several cameras ({}); name one by --camera", names())))
        }
        (Some(name), cameras) => cameras
            .iter()
            .find(|camera| camera.name == name)
            .ok_or_else(|| CliError::Usage(format!("--camera {name}: the config has {}", names()))),
    }
}

/// Evidence on a package that is not run would be about something else.
fn check_model(model: &Path, named: &Path) -> Result<(), CliError> {
    let manifest = |dir: &Path| std::fs::read(dir.join(MANIFEST_FILE));
    match (manifest(model), manifest(named)) {
        (Ok(model), Ok(named)) if model == named => Ok(()),
        // What cannot be read is told better by whoever opens it.
        (Ok(_), Err(_)) => Ok(()),
        _ => Err(CliError::Usage(format!(
            "--model {} is not the package that the config runs, {}; wanted the same",
            model.display(),
            named.display()
        ))),
    }
}

fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}, {pos} steps, {elapsed}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn tell(arguments: &Arguments, found: &Evidence) -> anyhow::Result<()> {
    for unmet in &found.unmet {
        log::error!("evidence: {unmet}");
    }
    lines::text(&format!("{}", arguments.out.join("evidence.html").display()))?;
    match (found.self_test.passed, found.unmet.len()) {
        (true, 0) => Ok(()),
        (passed, unmet) => Err(CliError::Unmet { unmet, self_test_failed: !passed }.into()),
    }
}
