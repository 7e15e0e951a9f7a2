//! `oodwatch reset`: lets the latched faults of a running monitor go.

use std::path::PathBuf;

use super::lines;
use super::process::Process;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch run --config configs/v4l2.toml --pid-file /run/oodwatch.pid\n  \
    oodwatch reset --pid-file /run/oodwatch.pid\n\nEach camera is a fault until its next frame is judged; a cause that \
    is still there latches again.")]
#[group(required = true, multiple = false)]
pub(crate) struct Arguments {
    /// The process id of the `oodwatch run`
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// The file that it was given with --pid-file
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let process = match (arguments.pid, &arguments.pid_file) {
        (_, Some(file)) => Process::of_file(file)?,
        (pid, None) => Process::with_pid(pid.unwrap_or_default())?,
    };
    process.reset()?;
    lines::note(&format!("told process {} to let latched faults go; its log says which", process.pid()));
    Ok(())
}
