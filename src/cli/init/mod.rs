//! `oodwatch init`: the first day on a new robot, in one command. Chooses a camera, records what it is to know, calibrates a copy
//! of a package on that, and writes a config that `check` accepts.

mod choose;
mod footage;

use std::path::{Path, PathBuf};

use oodwatch::calibrate::{Criterion, FootageError, Target, hours_without_alarm, time_of};
use oodwatch::config::{CameraConfig, ModelConfig};
use oodwatch::infer::ExecutionProvider;
use oodwatch::init::Wiring;
use oodwatch::open;
use oodwatch::package::{self, Package};

use super::calibrate::policy::positive;
use super::exit::CliError;
use super::{calibrate, check, lines};

/// Names below --out.
const FOOTAGE: &str = "footage";
const PACKAGE: &str = "package";
const CONFIG: &str = "oodwatch.toml";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  oodwatch init --out my-robot\n  oodwatch init --device /dev/video0 --minutes 20 --out \
                  my-robot\n  oodwatch init --source configs/v4l2.toml --frames 3000 --out my-robot\n  oodwatch run \
                  --config my-robot/oodwatch.toml\n\nDrive the robot where it will work while it records: every place, \
                  light and load of a working day, and nothing\nthat it is to stop for. The more it sees, the less it \
                  alarms for nothing later.\n\nInto --out go footage/ (pictures without loss, with their times), package/ \
                  (calibrated on them) and oodwatch.toml.\nAn interrupted recording ends with code 1 and keeps its \
                  frames: --resume goes on with them."
)]
pub(crate) struct Arguments {
    /// The camera: /dev/videoN, a name under /dev/v4l, or what it calls itself [default: the only one, or asks]
    #[arg(long, value_name = "PATH|NAME", conflicts_with = "source")]
    device: Option<String>,
    /// Something else to record: a config (.toml) with a camera in it, a folder of pictures, or a video
    #[arg(long, value_name = "PATH")]
    source: Option<PathBuf>,
    /// Which camera of the config; else, the name that the camera gets in verdicts
    #[arg(long, value_name = "NAME")]
    camera: Option<String>,
    /// Frames per second that a folder of pictures stands for
    #[arg(long, value_name = "F", value_parser = positive, default_value = "30")]
    frames_per_second: f64,
    /// Minutes of footage [default: 10]
    #[arg(long, value_name = "M", value_parser = positive, conflicts_with = "frames")]
    minutes: Option<f64>,
    /// Frames of footage, instead of minutes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// Most megabytes of pictures [default: 10000, or less where the disk has less]
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..))]
    max_disk_mb: Option<u64>,
    /// Folder of the model package to calibrate a copy of
    #[arg(long, value_name = "PKG", default_value = "models/cifar10-resnet20")]
    model: PathBuf,
    /// Score that is to decide, or a fusion of several
    #[arg(long, value_name = "NAME", default_value = "energy")]
    score: Criterion,
    /// Wanted share of known frames that are flagged, between 0 and 1
    #[arg(long, value_name = "A", default_value = "0.01")]
    false_alarm_rate: f64,
    /// False alarms per hour that the policy over time may raise
    #[arg(long, value_name = "R", value_parser = positive, default_value = "1")]
    max_false_alarms_per_hour: f64,
    /// Execution provider: cpu, xnnpack, cuda or tensorrt
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    execution_provider: ExecutionProvider,
    /// Refuse footage that lacks something, instead of warning
    #[arg(long)]
    strict: bool,
    /// Go on with the footage that --out holds
    #[arg(long)]
    resume: bool,
    /// Replace what an earlier `init` left in --out: package and config and, without --resume, the footage
    #[arg(long)]
    force: bool,
    /// Folder for footage, package and config
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let target = Target::rate(arguments.false_alarm_rate).check()?;
    check_place(arguments)?;
    check_package(arguments)?;
    let camera = choose::camera(arguments)?;
    let hours = footage::record(arguments, &camera, target)?;
    let has_policy = calibrate_on_it(arguments, &camera, hours)?;
    let config = write_config(arguments, &camera, has_policy)?;
    check::check(&config)?;
    lines::note(&format!("done: `oodwatch run --config {}` is the monitor", config.display()));
    Ok(())
}

/// Before anything is recorded. The footage has a check of its own, since it may be gone on with.
fn check_place(arguments: &Arguments) -> anyhow::Result<()> {
    package::check_place(&arguments.out.join(PACKAGE), arguments.force)?;
    let config = arguments.out.join(CONFIG);
    if config.exists() && !arguments.force {
        return Err(CliError::Usage(format!("{}: exists already; --force replaces it", config.display())).into());
    }
    Ok(())
}

/// Whether the package opens on this machine: to be known before somebody drives around for it.
fn check_package(arguments: &Arguments) -> anyhow::Result<()> {
    let package = Package::begin(&arguments.model)?;
    let providers = vec![arguments.execution_provider];
    let model = ModelConfig { execution_providers: providers, ..ModelConfig::new(&arguments.model) };
    // Scores that need a fit get theirs from the footage.
    let scores: Vec<_> = arguments.score.scores().iter().copied().filter(|score| !score.needs().fit).collect();
    open::open(&package, &model, &scores)?;
    Ok(())
}

/// Calibrates with a policy over time if the footage gives one. Whether it does.
fn calibrate_on_it(arguments: &Arguments, camera: &CameraConfig, hours: f64) -> anyhow::Result<bool> {
    let rate = arguments.max_false_alarms_per_hour;
    let footage = arguments.out.join(FOOTAGE);
    let wanted = |policy| {
        let mut wanted = calibrate::Arguments::of_footage(&footage, &camera.view, &arguments.score, policy);
        wanted.model.clone_from(&arguments.model);
        wanted.false_alarm_rate = arguments.false_alarm_rate;
        wanted.out = arguments.out.join(PACKAGE);
        wanted.force = arguments.force;
        wanted.execution_provider = Some(arguments.execution_provider);
        wanted
    };
    let has_policy = match calibrate::run(&wanted(Some(rate))) {
        Err(error) if is_too_short(&error) => {
            log::warn!("init: this footage gives no policy over time ({error}); every flagged frame will be an alarm");
            calibrate::run(&wanted(None))?;
            false
        }
        outcome => outcome.map(|()| true)?,
    };
    // The last third of the footage is what a policy is tested on.
    let needed = 3.0 * hours_without_alarm(rate);
    if hours < needed {
        lines::note(&format!(
            "to show at most {rate} false alarms per hour it takes {} of footage, and this is {}: {} more, by --resume --force",
            time_of(needed),
            time_of(hours),
            time_of(needed - hours)
        ));
    }
    Ok(has_policy)
}

/// Whether a calibration without a policy may do with the same footage.
fn is_too_short(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(CliError::Usage(_))) || error.downcast_ref::<FootageError>().is_some()
}

/// Writes the config whole or not at all.
fn write_config(arguments: &Arguments, camera: &CameraConfig, has_policy: bool) -> anyhow::Result<PathBuf> {
    let out = std::path::absolute(&arguments.out)?;
    let wiring = Wiring {
        camera,
        package: &out.join(PACKAGE),
        execution_provider: arguments.execution_provider,
        criterion: &arguments.score,
        max_false_alarms_per_hour: has_policy.then_some(arguments.max_false_alarms_per_hour),
    };
    let (text, path) = (wiring.text()?, arguments.out.join(CONFIG));
    let unfinished = tempfile::NamedTempFile::new_in(&arguments.out)?;
    std::fs::write(unfinished.path(), text)?;
    make_readable(unfinished.path())?;
    match arguments.force {
        true => unfinished.persist(&path).map(drop),
        false => unfinished.persist_noclobber(&path).map(drop),
    }
    .map_err(|error| anyhow::anyhow!("{}: {}", path.display(), error.error))?;
    Ok(path)
}

/// A temporary file is its owner's alone; a config may be read by the monitor's own user.
fn make_readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}
