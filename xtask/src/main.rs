//! The project's own commands: fetch what is needed from outside, run the demo, run every test,
//! make what is put on a robot.
//!
//! `cargo xtask COMMAND` (an alias in `.cargo/config.toml`) builds and runs this program. What it fetches is pinned in
//! `fetch/pins.toml`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod camera_lab;
mod cifar;
mod cross;
mod demo;
mod dist;
mod fetch;
mod fuzz;
mod instructions;
mod paths;
mod peers;
mod soak;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::fetch::Fetcher;
use crate::paths::Paths;

/// The project's own commands. Whatever they fetch is pinned, hash-checked and kept in one cache per user
/// (OODWATCH_CACHE, or oodwatch in XDG_CACHE_HOME or ~/.cache); .deps/ of the clone links into it.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Fetch what is missing, build, and judge real footage; no libtorch needed
    #[command(after_help = "Example: cargo xtask demo --headless")]
    Demo {
        /// Serve no page and wait for nobody
        #[arg(long)]
        headless: bool,
        /// Where pictures, verdicts and configs are written
        #[arg(long, value_name = "DIR", default_value = "out/demo")]
        out: PathBuf,
    },
    /// Fetch what is missing, then run the whole test suite of every crate
    #[command(after_help = "Example: cargo xtask test\n         cargo xtask test -- --test it")]
    Test {
        /// Handed on to `cargo test --release --workspace`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Fuzz everything that reads bytes of others, guided by coverage (docs/FUZZING.md)
    #[command(after_help = "Example: cargo xtask fuzz --minutes 1\n         cargo xtask fuzz mjpeg onnx")]
    Fuzz(fuzz::Arguments),
    /// Run the monitor for a long time on cameras that break every few seconds (docs/SOAK.md)
    #[command(after_help = "Example: cargo xtask soak --minutes 2 --seed 7")]
    Soak(soak::Arguments),
    /// Compare with a Python loop of OpenCV and ONNX Runtime, side by side (docs/PEERS.md)
    #[command(after_help = "Example: cargo xtask peers\n         cargo xtask peers --only 1080p-yuyv --repeats 3")]
    Peers(peers::Arguments),
    /// The camera of `peers`
    #[command(hide = true)]
    PeersCamera(peers::CameraArguments),
    /// Count the instructions of each kernel under valgrind, and compare with benches/instructions.toml
    #[command(after_help = "Example: cargo xtask instructions\n         cargo xtask instructions --only preprocess")]
    Instructions(instructions::Arguments),
    /// Build a kernel with cameras in it, from Debian's packages, for the tests of V4L2 (x86_64; minutes, once)
    #[command(after_help = "Example: cargo xtask camera-lab\n         .deps/camera-lab/run 'ls /dev/video*'")]
    CameraLab,
    /// Build, inspect and pack the program for a robot, without Docker
    Dist(dist::Options),
    /// Run `cross` (which wants Docker or podman) with this project's cross.toml; `cargo cross` is short for it
    #[command(after_help = "Example: cargo cross build --release --target aarch64-unknown-linux-gnu")]
    Cross {
        /// Handed on to `cross`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Put a data set where the training configs look for it
    #[command(after_help = "Example: cargo xtask data cifar10")]
    Data {
        /// Which data set
        set: DataSet,
    },
    /// Fetch dependencies without running anything, to be offline afterwards
    #[command(after_help = "Example: cargo xtask fetch\n         cargo xtask fetch onnxruntime ffmpeg")]
    Fetch {
        /// Their names under .deps/; all that the demo and the tests need when none is given
        names: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DataSet {
    /// 60,000 pictures of 32x32 pixels in ten classes, in the official binary layout
    Cifar10,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let fetcher = Fetcher::new(Paths::find()?)?;
    match task {
        // There is no page yet: so far every demo is headless.
        Task::Demo { headless: _, out } => return demo::run(&fetcher, &out),
        Task::Test { arguments } => return test::run(&fetcher, &arguments),
        Task::Dist(options) => return dist::run(&fetcher, &options),
        Task::Cross { arguments } => return cross::run(&fetcher.paths.root, &arguments),
        Task::Fuzz(arguments) => return fuzz::run(&fetcher.paths, &arguments),
        Task::Soak(arguments) => return soak::run(&fetcher, &arguments),
        Task::Peers(arguments) => return peers::run(&fetcher, &arguments),
        Task::PeersCamera(arguments) => peers::camera(&arguments)?,
        Task::Instructions(arguments) => return instructions::run(&fetcher, &arguments),
        Task::CameraLab => fetch(&fetcher, &["camera-lab"])?,
        Task::Data { set: DataSet::Cifar10 } => fetch(&fetcher, &["cifar10"])?,
        Task::Fetch { names } => {
            let all = names.is_empty();
            let names = if all { test::needs()? } else { names };
            fetch(&fetcher, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
            if all {
                test::ensure_camera_lab(&fetcher)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn fetch(fetcher: &Fetcher, names: &[&str]) -> Result<()> {
    fetcher.ensure_all(names)?;
    let folder = fetcher.paths.root.join(".deps");
    eprintln!("there: {} in {}", names.join(", "), folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Task, clap::Error> {
        Arguments::try_parse_from([&["xtask"], words].concat()).map(|arguments| arguments.command)
    }

    #[test]
    fn everything_after_cross_is_handed_on_to_it() {
        let words = ["cross", "build", "--release", "--target", "aarch64-unknown-linux-gnu", "--help"];
        assert!(matches!(parse(&words), Ok(Task::Cross { arguments }) if arguments == words[1..]));
    }

    #[test]
    fn targets_of_dist_are_named_as_rustc_names_them() {
        assert!(
            parse(&["dist", "--target", "aarch64-unknown-linux-gnu", "--target", "x86_64-unknown-linux-gnu"]).is_ok()
        );
        let error = parse(&["dist", "--target", "aarch64"]).unwrap_err().to_string();
        assert!(error.contains("x86_64-unknown-linux-gnu, aarch64-unknown-linux-gnu"), "{error}");
    }
}
