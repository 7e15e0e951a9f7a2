//! `cargo xtask demo`: the main job on real footage, from a fresh clone, without libtorch. It calls the `oodwatch`
//! binary as a user would, and fails when what it is there to show does not hold.

mod fixed_camera;
mod footage;
mod judge;
mod known_unknown;
mod monitor;
mod picture;
mod stream;
mod table;
mod thumbnails;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use self::monitor::Monitor;
use crate::fetch::Fetcher;

/// Where the demo finds and leaves things.
#[derive(Debug)]
struct Places {
    deps: PathBuf,
    models: PathBuf,
    out: PathBuf,
    ffmpeg: PathBuf,
}

impl Places {
    /// The frames of one of the fetched clips, taken apart at the first request.
    fn clip(&self, name: &str) -> Result<Vec<PathBuf>> {
        let clip = self.deps.join(format!("footage/{name}.mp4"));
        footage::clip(&self.ffmpeg, &clip, &self.out.join("pictures").join(name))
    }
}

/// Fetches, builds and shows. `out` is made anew.
///
/// # Errors
/// When something is missing or a step cannot be done. A demo that shows something else than it should is no error
/// but the exit code.
pub(crate) fn run(fetcher: &Fetcher, out: &Path) -> Result<ExitCode> {
    let places = prepare(fetcher, out)?;
    let monitor = Monitor { program: build(&fetcher.paths.root)?, root: fetcher.paths.root.clone() };
    println!("\nPart 1: known pictures, and what the network never saw cut into them\n");
    let failures = known_unknown::run(&monitor, &places)?;
    println!(
        "\nPart 2: a fixed camera and a network for it (EfficientNet-Lite0), calibrated on the first half of its own clip\n"
    );
    fixed_camera::run(&monitor, &places)?;
    summary(&places, &failures);
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that has to be there before anything is shown.
fn prepare(fetcher: &Fetcher, out: &Path) -> Result<Places> {
    // The pinned ffmpeg even where there is another one: every machine has to see the same frames.
    if fetcher.ensure_all(&["onnxruntime", "footage", "cifar10", "ffmpeg"])? == 0 {
        eprintln!("everything that the demo needs is there");
    }
    let deps = fetcher.paths.root.join(".deps");
    let out = std::path::absolute(out).with_context(|| out.display().to_string())?;
    empty(&out.join("pictures"))?;
    Ok(Places { ffmpeg: deps.join("ffmpeg/ffmpeg"), models: fetcher.paths.root.join("models"), deps, out })
}

/// Makes sure of an empty folder.
pub(crate) fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// Builds the release binary and returns its path: it lies beside this one.
///
/// # Errors
/// When it does not compile.
pub(crate) fn build(root: &Path) -> Result<PathBuf> {
    finish(&mut build_command(root))
}

/// [`build`], and an example, as they are shipped: what is compiled incrementally is slower.
///
/// # Errors
/// When they do not compile.
pub(crate) fn build_to_measure(root: &Path, example: &str) -> Result<PathBuf> {
    finish(build_command(root).args(["--bins", "--example", example]).env("CARGO_INCREMENTAL", "0"))
}

fn build_command(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Named together, both get the features that this program was built with, and nothing is compiled twice.
    command.current_dir(root).args(["build", "--release", "--package", "oodwatch", "--package", "xtask"]);
    command
}

fn finish(build: &mut Command) -> Result<PathBuf> {
    if !build.status().context("cargo cannot be started")?.success() {
        bail!("oodwatch cannot be built");
    }
    let own = std::env::current_exe().context("this program cannot find itself")?;
    Ok(own.with_file_name("oodwatch"))
}

fn summary(places: &Places, failures: &[String]) {
    println!("\nWritten to {}:", places.out.display());
    for (file, what) in [
        ("known-and-unknown.png", "part 1 as a picture"),
        ("fixed-camera.png", "part 2 as a picture"),
        ("*.jsonl, *.toml, *.log", "verdict lines, configs and logs of the four runs"),
        ("*-calibrated/", "the packages with the thresholds that were used"),
    ] {
        println!("  {file:24} {what}");
    }
    if failures.is_empty() {
        println!(
            "\nThe known part kept its false-alarm rate, and the background loss flagged more of the unknown part."
        );
    } else {
        println!("\nThe demo failed:");
        for failure in failures {
            println!("  {failure}");
        }
    }
    println!("Next: README.md, \"Your own camera, pictures and video\".");
}
