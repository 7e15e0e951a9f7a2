//! `cargo xtask test`: everything that a test could want is fetched first, so that none has a reason to be passed over.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::fetch::Fetcher;
use crate::fetch::tools::on_path;

/// What the tests need. ffmpeg is fetched where the machine has none.
///
/// # Errors
/// When there is no python3.
pub(crate) fn needs() -> Result<Vec<String>> {
    let mut needs = ["onnxruntime", "cifar10", "footage", "libtorch"].map(str::to_owned).to_vec();
    if on_path("ffmpeg").is_none() {
        needs.push("ffmpeg".to_owned());
    }
    needs.push(onnx_checker()?);
    Ok(needs)
}

/// The name of ONNX's checker for this machine's Python, which runs it.
fn onnx_checker() -> Result<String> {
    let program = "import sys; print('onnx-python%d.%d' % sys.version_info[:2])";
    let output = Command::new("python3").args(["-c", program]).output().context("python3 cannot be started")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Fetches, then runs `cargo test` for the workspace. Its output is the runner's own, to the last line.
///
/// # Errors
/// When something is missing or cargo cannot be started. A failed test is no error but the exit code.
pub(crate) fn run(fetcher: &Fetcher, arguments: &[String]) -> Result<ExitCode> {
    if on_path("c++").is_none() {
        bail!(
            "no C++ compiler (c++) on PATH: tch, the binding to libtorch, needs one. Debian and Ubuntu: apt-get install g++"
        );
    }
    let needs = needs()?;
    fetcher.ensure_all(&needs.iter().map(String::as_str).collect::<Vec<_>>())?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(&fetcher.paths.root).args(["test", "--release", "--workspace"]).args(arguments);
    // A test that lacks its input fails instead of being passed over.
    command.env("OODWATCH_REQUIRE_ALL", "1");
    command.env("PYTHONPATH", fetcher.paths.dep(&onnx_checker()?));
    let status = command.status().context("cargo cannot be started")?;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}
