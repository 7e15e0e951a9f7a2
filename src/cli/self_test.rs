//! `oodwatch self-test`: whether this machine computes what the package's maker computed; here, or in a running monitor.

use std::path::PathBuf;

use clap::ArgGroup;
use oodwatch::config::ModelConfig;
use oodwatch::infer::ExecutionProvider;
use oodwatch::open;
use oodwatch::package::Package;
use oodwatch::score::ScoreName;

use super::lines;
use super::process::Process;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  oodwatch self-test --model models/cifar10-resnet20\n  oodwatch self-test --pid-file \
    /run/oodwatch.pid\n\nA running monitor runs one golden input between two frames; its log says what came of it, and a \
    failure is the\nfault self_test_failed on every camera, until `oodwatch reset`. [self_test] every_s does that by itself."
)]
#[command(group(ArgGroup::new("whom").required(true).multiple(false).args(["model", "pid", "pid_file"])))]
pub(crate) struct Arguments {
    /// Folder of a package to test on this machine, now
    #[arg(long, value_name = "PKG")]
    model: Option<PathBuf>,
    /// The process id of a running `oodwatch run`
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// The file that it was given with --pid-file
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Execution provider to test with --model: cpu, xnnpack, cuda or tensorrt
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    execution_provider: ExecutionProvider,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let process = match (&arguments.model, arguments.pid, &arguments.pid_file) {
        (Some(model), ..) => return test_here(model.clone(), arguments.execution_provider),
        (None, _, Some(file)) => Process::of_file(file)?,
        (None, pid, None) => Process::with_pid(pid.unwrap_or_default())?,
    };
    process.self_test()?;
    lines::note(&format!("told process {} to test itself; its log says what came of it", process.pid()));
    Ok(())
}

/// All scores that the package is calibrated for, on the provider that was asked for and no other.
fn test_here(model: PathBuf, execution_provider: ExecutionProvider) -> anyhow::Result<()> {
    let package = Package::begin(&model)?;
    let scores: Vec<ScoreName> = package.calibration.scores.keys().copied().collect();
    let config = ModelConfig { execution_providers: vec![execution_provider], ..ModelConfig::new(&model) };
    let opened = open::open(&package, &config, &scores)?;
    lines::text(&format!(
        "ok  infer    {}, {}: {} golden inputs, {} scores, largest deviation {:.1e} of {:.1e}",
        opened.pipeline.execution_provider(),
        opened.pipeline.precision(),
        opened.self_test.inputs,
        scores.len(),
        opened.self_test.largest_deviation,
        opened.golden.tolerance
    ))
}
