//! The command line: its arguments, and one module per command.

mod adopt;
mod allocator;
mod bench;
mod build_engine;
mod calibrate;
mod cameras;
mod check;
mod completions;
mod evidence;
pub(crate) mod exit;
mod init;
mod lines;
mod man;
mod process;
mod reset;
mod run;
mod score;
mod scores;
mod self_test;

use clap::{Parser, Subcommand};
use log::LevelFilter;

/// Tells a robot, in real time, that its camera sees something its network was never trained for
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  oodwatch run --config configs/images.toml\n\nExit codes:\n  \
    0 done (also end of file, SIGTERM, SIGINT, --max-frames, and some unreadable inputs, which are counted)\n  \
    2 usage or config\n  3 model package\n  4 source: no input could be read\n  \
    5 execution provider, ONNX Runtime or failed self-test\n  6 ended in a latched fault or a caught panic\n  \
    7 evidence was written, but not everything that was promised held\n  \
    1 anything else (a full disk, a broken stdout)\n  Of several cameras that ended differently, the highest."
)]
pub(crate) struct Arguments {
    /// How much to log on stderr: off, error, warn, info, debug, trace [default: $RUST_LOG, or info]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<LevelFilter>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch cameras or footage and say a verdict on every frame, as JSON lines
    Run(run::Arguments),
    /// Let the latched faults of a running monitor go
    Reset(reset::Arguments),
    /// Prove that this machine computes what the package's maker computed, here or in a running monitor
    SelfTest(self_test::Arguments),
    /// Score pictures: one JSON line per picture and score
    Score(score::Arguments),
    /// List the scores, what each reads, and where it was published
    Scores(scores::Arguments),
    /// Set thresholds on your own in-distribution footage and write a new package
    Calibrate(calibrate::Arguments),
    /// Make a package of any classifier in ONNX
    Adopt(adopt::Arguments),
    /// Record a camera on a new robot, calibrate on it, and write a config that runs
    Init(init::Arguments),
    /// Find everything that `run` would refuse, before it runs
    Check(check::Arguments),
    /// Have TensorRT build the engine of a config's network, or ONNX Runtime prepare it, for `run` to find
    BuildEngine(build_engine::Arguments),
    /// List the cameras of this machine
    Cameras(cameras::Arguments),
    /// Measure every stage of the way of a frame
    Bench(bench::Arguments),
    /// Examine a package under a config and write the page that a safety case can refer to
    Evidence(evidence::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Print the manual page, or write those of all commands
    Man(man::Arguments),
}

impl Command {
    /// Does what was asked for.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Run(arguments) => run::run(&arguments),
            Self::Reset(arguments) => reset::run(&arguments),
            Self::SelfTest(arguments) => self_test::run(&arguments),
            Self::Score(arguments) => score::run(&arguments),
            Self::Scores(arguments) => scores::run(&arguments),
            Self::Calibrate(arguments) => calibrate::run(&arguments),
            Self::Adopt(arguments) => adopt::run(&arguments),
            Self::Init(arguments) => init::run(&arguments),
            Self::Check(arguments) => check::run(&arguments),
            Self::BuildEngine(arguments) => build_engine::run(&arguments),
            Self::Cameras(arguments) => cameras::run(&arguments),
            Self::Bench(arguments) => bench::run(&arguments),
            Self::Evidence(arguments) => evidence::run(&arguments),
            Self::Completions(arguments) => completions::run(&arguments),
            Self::Man(arguments) => man::run(&arguments),
        }
    }
}

/// Logs to stderr at the asked level, or as RUST_LOG says.
pub(crate) fn start_log(level: Option<LevelFilter>) {
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"));
    if let Some(level) = level {
        builder.filter_level(level);
    }
    builder.format_timestamp_millis().format_target(false).init();
}
