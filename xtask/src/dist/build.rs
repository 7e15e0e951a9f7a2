//! Compiles the shipped program: cargo with zig as the linker, which knows what every glibc has, so that the program asks
//! for none newer than it has to.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::toolchain::Toolchain;
use super::{Target, inspect};
use crate::fetch::Fetcher;

/// Builds `oodwatch` in release, without symbols (`cargo rustc` takes flags for the program alone), and returns where it lies.
///
/// # Errors
/// When zig cannot be fetched or the program does not compile.
pub(super) fn build(fetcher: &Fetcher, toolchain: &Toolchain, target: Target) -> Result<PathBuf> {
    let mut command = zigbuild(fetcher, toolchain)?;
    command.args(["rustc", "--locked", "--release", "--package", "oodwatch", "--bin", "oodwatch"]);
    command.args(for_target(target)).args(["--", "-Cstrip=symbols"]);
    if target == Target::X86_64 {
        // Matrix kernels for many instruction sets come along: 15.2 MB, and 12.4 MB when optimised across crates. For aarch64,
        // which has one set, that changes nothing (10.5 MB).
        command.env("CARGO_PROFILE_RELEASE_LTO", "thin").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    }
    program_of(command)
}

/// Builds the tests of the crate whose products are written for each processor, and returns where their program lies.
///
/// # Errors
/// When zig cannot be fetched or they do not compile.
pub(super) fn build_tests_of_products(fetcher: &Fetcher, toolchain: &Toolchain, target: Target) -> Result<PathBuf> {
    let mut command = zigbuild(fetcher, toolchain)?;
    command.args(["test", "--no-run", "--locked", "--release", "--package", "oodwatch-dot", "--lib"]);
    command.args(for_target(target));
    program_of(command)
}

/// Runs a call of cargo, and returns the program that it builds.
fn program_of(mut command: Command) -> Result<PathBuf> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cargo-zigbuild")?;
    let mut program = None;
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(|output| output.lines()) {
        program = executable(&line.context("cargo's messages")?).or(program);
    }
    if !child.wait().context("cargo-zigbuild")?.success() {
        bail!("it does not compile");
    }
    program.context("cargo named no program that it built")
}

/// A call of cargo with zig as the linker.
fn zigbuild(fetcher: &Fetcher, toolchain: &Toolchain) -> Result<Command> {
    fetcher.ensure_all(&["zig"])?;
    let zig = fetcher.paths.dep("zig").canonicalize().context(".deps/zig")?;
    let mut command = Command::new(zig.join("cargo-zigbuild"));
    command.current_dir(&fetcher.paths.root).env("CARGO_ZIGBUILD_ZIG_PATH", zig.join("ziglang/zig"));
    // Flags for this machine's own processor are not for another's.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    toolchain.apply(&mut command)?;
    Ok(command)
}

/// What tells cargo of the target and the oldest glibc, and has it name what it built.
fn for_target(target: Target) -> [String; 4] {
    let triple = format!("{}.{}", target.triple(), inspect::MAX_GLIBC);
    ["--message-format".into(), "json-render-diagnostics".into(), "--target".into(), triple]
}

/// What of cargo's messages matters here.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// The program that a message of cargo says it has built, if it says so.
fn executable(line: &str) -> Option<PathBuf> {
    serde_json::from_str::<Message>(line).ok()?.executable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_about_a_program_names_one() {
        let program = r#"{"reason":"compiler-artifact","target":{"kind":["bin"]},"executable":"/t/oodwatch"}"#;
        assert_eq!(executable(program), Some(PathBuf::from("/t/oodwatch")));
        for other in [r#"{"reason":"compiler-artifact","executable":null}"#, r#"{"reason":"build-finished"}"#, "noise"]
        {
            assert_eq!(executable(other), None, "{other}");
        }
    }
}
