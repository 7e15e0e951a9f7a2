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

/// Builds `oodwatch` in release, without symbols, and returns where it lies. A draft is optimised less.
///
/// # Errors
/// When zig cannot be fetched or the program does not compile.
pub(super) fn build(fetcher: &Fetcher, toolchain: &Toolchain, target: Target, draft: bool) -> Result<PathBuf> {
    fetcher.ensure_all(&["zig"])?;
    let mut command = command(fetcher, target, draft)?;
    toolchain.apply(&mut command)?;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cargo-zigbuild")?;
    let mut program = None;
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(|output| output.lines()) {
        program = executable(&line.context("cargo's messages")?).or(program);
    }
    if !child.wait().context("cargo-zigbuild")?.success() {
        bail!("oodwatch does not compile");
    }
    program.context("cargo named no program that it built")
}

/// The call of cargo. What is set here reaches the target's crates alone: those that run while compiling are shared with
/// other builds.
fn command(fetcher: &Fetcher, target: Target, draft: bool) -> Result<Command> {
    let zig = fetcher.paths.dep("zig").canonicalize().context(".deps/zig")?;
    let triple = target.triple();
    let mut command = Command::new(zig.join("cargo-zigbuild"));
    command.current_dir(&fetcher.paths.root).args(["zigbuild", "--locked", "--release"]);
    command.args(["--package", "oodwatch", "--bin", "oodwatch", "--message-format", "json-render-diagnostics"]);
    command.arg("--target").arg(format!("{triple}.{}", inspect::MAX_GLIBC));
    command.env("CARGO_ZIGBUILD_ZIG_PATH", zig.join("ziglang/zig"));
    command.env(rustflags_variable(triple), "-Cstrip=symbols").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    if draft {
        command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    }
    Ok(command)
}

/// The variable by which cargo takes flags for one target.
fn rustflags_variable(triple: &str) -> String {
    format!("CARGO_TARGET_{}_RUSTFLAGS", triple.to_uppercase().replace('-', "_"))
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

    #[test]
    fn cargo_takes_a_targets_flags_by_a_variable_in_capitals() {
        assert_eq!(rustflags_variable(Target::Aarch64.triple()), "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS");
    }
}
