//! `cargo xtask fuzz`: coverage-guided fuzzing of everything that reads bytes of others, on the stable toolchain.
//!
//! libFuzzer needs to be told by the compiler which code an input reaches. cargo-fuzz asks a nightly compiler for that and for
//! an address sanitizer; the first of the two the stable one can do as well, and the second has little to find in a
//! library without `unsafe`. The targets are in `fuzz/`, a crate outside the workspace.

mod report;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use self::report::Report;
use crate::paths::Paths;
use crate::test::ensure_cpp_compiler;

/// What makes the compiler count: the flags of cargo-fuzz, without a sanitizer.
const COUNTING: [&str; 7] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// Most memory of a fuzzer, in MiB: its corpus and twice what one picture may take.
const MOST_MEMORY_MIB: u32 = 2048;
/// Longest time that one input may take, in seconds; far above what any takes on a slow machine.
const LONGEST_INPUT_S: u32 = 20;
/// Longest input that is made up, in bytes.
const LONGEST_INPUT_BYTES: u32 = 16 << 10;

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long each target is fuzzed
    #[arg(long, value_name = "M", default_value_t = 10.0)]
    minutes: f64,
    /// Where logs, inputs and findings are written, a folder per target
    #[arg(long, value_name = "DIR", default_value = "out/fuzz")]
    out: PathBuf,
    /// Targets: names of folders in fuzz/corpus; all when none is given
    targets: Vec<String>,
}

/// Builds the targets and fuzzes one after the other.
///
/// # Errors
/// When something cannot be built, started or written. A finding is no error but the exit code.
pub(crate) fn run(paths: &Paths, arguments: &Arguments) -> Result<ExitCode> {
    let targets = wanted(&paths.root, &arguments.targets)?;
    ensure_cpp_compiler()?;
    let programs = build(&paths.root)?;
    let mut reports = Vec::new();
    println!("{}", Report::HEAD);
    for target in &targets {
        let folder = arguments.out.join(target);
        let report = fuzz(&paths.root, &programs.join(target), target, &folder, arguments.minutes)?;
        println!("{report}");
        reports.push((report, folder));
    }
    let broken: Vec<_> = reports.iter().filter(|(report, _)| report.failed()).collect();
    for (report, folder) in &broken {
        eprintln!("{}: an input breaks a promise; its last words:\n{}", report.target, report.last_words);
        eprintln!(
            "the input lies in {}; once that is fixed, commit it to fuzz/corpus/{}",
            folder.display(),
            report.target
        );
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The targets by name, or all there are.
fn wanted(root: &Path, names: &[String]) -> Result<Vec<String>> {
    let corpus = root.join("fuzz/corpus");
    let entries = std::fs::read_dir(&corpus).with_context(|| corpus.display().to_string())?;
    let mut all: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    all.sort();
    match names.iter().find(|name| !all.contains(name)) {
        Some(unknown) => bail!("there is no target {unknown:?}; there are {}", all.join(", ")),
        None if names.is_empty() => Ok(all),
        None => Ok(names.to_vec()),
    }
}

/// Builds all targets, apart from what other builds keep, and gives the folder they are in.
fn build(root: &Path) -> Result<PathBuf> {
    let host = host()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("fuzz");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root.join("fuzz"))
        // Named, the host's triple keeps the flags from build scripts, which would not link with them.
        .args(["build", "--release", "--bins", "--target", &host])
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", COUNTING.join("\x1f"))
        .status()
        .context("cargo cannot be started")?;
    if !status.success() {
        bail!("the fuzz targets cannot be built");
    }
    Ok(target.join(host).join("release"))
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV does not say what its host is")
}

/// The dictionary of a target's format.
fn dictionary(target: &str) -> Option<&'static str> {
    match target {
        "config" | "manifest" => Some("toml"),
        "mjpeg" => Some("jpeg"),
        "onnx" => Some("onnx"),
        "picture" => Some("picture"),
        "safetensors" | "verdict" => Some("json"),
        _ => None,
    }
}

fn fuzz(root: &Path, program: &Path, target: &str, folder: &Path, minutes: f64) -> Result<Report> {
    let corpus = folder.join("corpus");
    std::fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
    let log = folder.join("log");
    let file = File::create(&log).with_context(|| log.display().to_string())?;
    let mut command = Command::new(program);
    // New inputs go into the first folder.
    command.arg(&corpus).arg(root.join("fuzz/corpus").join(target));
    command.args([
        format!("-max_total_time={}", (minutes * 60.0).ceil()),
        format!("-rss_limit_mb={MOST_MEMORY_MIB}"),
        format!("-timeout={LONGEST_INPUT_S}"),
        format!("-max_len={LONGEST_INPUT_BYTES}"),
        format!("-artifact_prefix={}/", folder.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    if let Some(dictionary) = dictionary(target) {
        command.arg(format!("-dict={}", root.join(format!("fuzz/dictionaries/{dictionary}.dict")).display()));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    let status = command.status().with_context(|| program.display().to_string())?;
    let words = std::fs::read(&log).with_context(|| log.display().to_string())?;
    Ok(Report::read(target, status.success(), &String::from_utf8_lossy(&words)))
}
