//! `cargo xtask soak`: the real program for a long time, with a fault on each of two cameras every few seconds.
//!
//! ```text
//!  plan (seeded) ──► config with two scripts ──► oodwatch run ──► every verdict line, memory, threads, open files
//!        └──► interruptions: the process is stopped, its reader is slow        │
//!                                       report ◄── judge, by the table of `oodwatch::source::faults` ◄┘
//! ```
//!
//! When faults come is drawn by a seed: chaos that can be repeated. What has to be said of each, and how soon, is not known
//! here but in the library, whose table documents it for users.

mod judge;
mod plan;
mod process;
mod report;
mod scene;
#[cfg(test)]
mod tests;
mod watch;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use oodwatch::board::BoardConfig;
use oodwatch::calibrate::Criterion;
use oodwatch::config::{Config, ModelConfig, ScoreConfig};
use oodwatch::decide::DecideConfig;
use oodwatch::drift::DriftConfig;
use oodwatch::health::HealthConfig;
use oodwatch::schedule::ScheduleConfig;
use oodwatch::self_test::SelfTestConfig;
use oodwatch::sink::SinkConfig;

use self::plan::Plan;
use self::report::Report;
use crate::demo::{build, empty};
use crate::fetch::Fetcher;

/// The package that is calibrated on the soak's own pictures.
const PACKAGE: &str = "models/cifar10-resnet20";
/// What the calibration allows: about one frame in a hundred is strange by chance.
const FALSE_ALARM_RATE: &str = "0.01";

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// How long the monitor runs
    #[arg(long, value_name = "M", default_value_t = 30.0)]
    minutes: f64,
    /// Decides which faults come when
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The monitor's deadline, in milliseconds; a busy machine needs a longer one
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=3_000))]
    deadline_ms: u64,
    /// Where config, verdicts and the report are written
    #[arg(long, value_name = "DIR", default_value = "out/soak")]
    out: PathBuf,
}

/// A program, and where it works.
struct Bench {
    program: PathBuf,
    root: PathBuf,
    ffmpeg: PathBuf,
    out: PathBuf,
}

/// Fetches, builds and runs.
///
/// # Errors
/// When something is missing or a step cannot be done. A promise that is not held is no error but the exit code.
pub(crate) fn run(fetcher: &Fetcher, arguments: &Arguments) -> Result<ExitCode> {
    fetcher.ensure_all(&["onnxruntime", "ffmpeg"])?;
    let root = fetcher.paths.root.clone();
    let out = std::path::absolute(&arguments.out).with_context(|| arguments.out.display().to_string())?;
    let bench = Bench { program: build(&root)?, ffmpeg: root.join(".deps/ffmpeg/ffmpeg"), root, out };
    let report = soak(&bench, arguments)?;
    println!("{report}");
    Ok(if report.misses().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the program under a plan and judges what it said.
fn soak(bench: &Bench, arguments: &Arguments) -> Result<Report> {
    let out = &bench.out;
    empty(out)?;
    let plan = Plan::draw(arguments.seed, Duration::from_secs_f64(arguments.minutes * 60.0));
    let pictures = scene::pictures(out)?;
    let film = scene::film(&bench.ffmpeg, out, plan.lasts)?;
    let package = out.join("package");
    calibrate(bench, &package)?;
    let config = Config {
        camera: plan.cameras(&bench.ffmpeg, &film),
        model: ModelConfig::new(&package),
        self_test: SelfTestConfig::default(),
        score: ScoreConfig { name: Criterion::default() },
        health: HealthConfig::default(),
        drift: DriftConfig::default(),
        board: BoardConfig::default(),
        schedule: ScheduleConfig::default(),
        // The plan has more faults in an hour than any config would allow.
        decide: DecideConfig { deadline_ms: arguments.deadline_ms, faults_per_hour: 10_000, ..DecideConfig::default() },
        sink: SinkConfig::default(),
    };
    let file = out.join("soak.toml");
    std::fs::write(&file, toml::to_string(&config)?).with_context(|| file.display().to_string())?;
    let looks = out.join("process.csv");
    let watched = watch::watch(bench, &file, &pictures, &plan, &config)?;
    std::fs::write(&looks, process::table(&watched.samples)).with_context(|| looks.display().to_string())?;
    let report = judge::judge(&plan, &config, &watched)?;
    let file = out.join("report.md");
    std::fs::write(&file, report.to_string()).with_context(|| file.display().to_string())?;
    Ok(report)
}

/// `oodwatch calibrate` on the pictures that the cameras will show.
fn calibrate(bench: &Bench, package: &Path) -> Result<()> {
    let mut command = bench.command("calibrate");
    command
        .arg("--model")
        .arg(bench.root.join(PACKAGE))
        .arg("--from")
        .arg(bench.out.join(scene::FOLDER))
        .arg("--out")
        .arg(package);
    command.args(["--score", "energy", "--false-alarm-rate", FALSE_ALARM_RATE]);
    let output = command.stdin(Stdio::null()).output().with_context(|| bench.program.display().to_string())?;
    if !output.status.success() {
        bail!("oodwatch calibrate ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

impl Bench {
    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.root).arg(verb);
        // Cargo sets this for what it runs; somebody may have started this program without it.
        if std::env::var_os("ORT_DYLIB_PATH").is_none_or(|path| Path::new(&path).is_relative()) {
            command.env("ORT_DYLIB_PATH", self.root.join(".deps/onnxruntime/libonnxruntime.so"));
        }
        command
    }
}
