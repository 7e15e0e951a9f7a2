//! `cargo xtask test`: everything that a test could want is fetched first, so that none has a reason to be passed over.

use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::fetch::Fetcher;
use crate::fetch::tools::on_path;

/// What the tests need, but for the camera lab.
///
/// # Errors
/// When there is no python3.
pub(crate) fn needs() -> Result<Vec<String>> {
    let mut needs = ["onnxruntime", "ffmpeg", "cifar10", "footage", "libtorch"].map(str::to_owned).to_vec();
    needs.push(onnx_checker()?);
    Ok(needs)
}

/// The name of ONNX's checker for this machine's Python, which runs it.
fn onnx_checker() -> Result<String> {
    Ok(format!("onnx-{}", python_tag()?))
}

/// This machine's Python, as dependencies that it runs are named: such as `python3.11`.
///
/// # Errors
/// When there is no python3.
pub(crate) fn python_tag() -> Result<String> {
    let program = "import sys; print('python%d.%d' % sys.version_info[:2])";
    let output = Command::new("python3").args(["-c", program]).output().context("python3 cannot be started")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Builds the camera lab where there can be one: its kernel is a process of x86_64, made from Debian's packages. A machine that
/// cannot build it is told so, and its tests say that they are passed over; under CI that is an error.
///
/// # Errors
/// Under CI, when the lab cannot be built.
pub(crate) fn ensure_camera_lab(fetcher: &Fetcher) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        return Ok(());
    }
    match fetcher.ensure_all(&["camera-lab"]) {
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("warning: {error}\nThe tests of V4L2 cameras are passed over on this machine.");
            Ok(())
        }
        ensured => ensured.map(drop).context("the camera lab"),
    }
}

/// Fetches, then runs `cargo test` for the workspace. Its output is the runner's own, to the last line.
///
/// # Errors
/// When something is missing or cargo cannot be started. A failed test is no error but the exit code.
pub(crate) fn run(fetcher: &Fetcher, arguments: &[String]) -> Result<ExitCode> {
    ensure_cpp_compiler()?;
    let needs = needs()?;
    fetcher.ensure_all(&needs.iter().map(String::as_str).collect::<Vec<_>>())?;
    ensure_camera_lab(fetcher)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(&fetcher.paths.root).args(["test", "--release", "--workspace"]).args(arguments);
    // A test that lacks its input fails instead of being passed over.
    command.env("OODWATCH_REQUIRE_ALL", "1");
    command.env("PYTHONPATH", fetcher.paths.dep(&onnx_checker()?));
    let status = command.status().context("cargo cannot be started")?;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}

/// tch, the binding to libtorch, compiles C++, and so does libFuzzer; Debian's gcc comes without g++. Root on Debian and
/// Ubuntu gets it here.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn ensure_cpp_compiler() -> Result<()> {
    if on_path("c++").is_some() {
        return Ok(());
    }
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if root && on_path("apt-get").is_some() {
        eprintln!("no C++ compiler on PATH: apt-get install g++");
        let apt = |words: &[&str]| Command::new("apt-get").args(words).status().context("apt-get cannot be started");
        if apt(&["update", "--quiet"])?.success() && apt(&["install", "--quiet", "--yes", "g++"])?.success() {
            return Ok(());
        }
    }
    bail!("no C++ compiler (c++) on PATH: tch and libFuzzer need one. Debian and Ubuntu: apt-get install g++")
}
