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

/// Builds `oodwatch` in release, without symbols, and returns where it lies.
///
/// # Errors
/// When zig cannot be fetched or the program does not compile.
pub(super) fn build(fetcher: &Fetcher, toolchain: &Toolchain, target: Target) -> Result<PathBuf> {
    fetcher.ensure_all(&["zig"])?;
    let mut command = command(fetcher, target)?;
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

/// The call of cargo. `rustc` is `build` with flags for the program alone, here to strip it.
fn command(fetcher: &Fetcher, target: Target) -> Result<Command> {
    let zig = fetcher.paths.dep("zig").canonicalize().context(".deps/zig")?;
    let mut command = Command::new(zig.join("cargo-zigbuild"));
    command.current_dir(&fetcher.paths.root).args(["rustc", "--locked", "--release"]);
    command.args(["--package", "oodwatch", "--bin", "oodwatch", "--message-format", "json-render-diagnostics"]);
    command.args(["--target", &format!("{}.{}", target.triple(), inspect::MAX_GLIBC), "--", "-Cstrip=symbols"]);
    command.env("CARGO_ZIGBUILD_ZIG_PATH", zig.join("ziglang/zig"));
    if target == Target::X86_64 {
        // Matrix kernels for many instruction sets come along: 15.2 MB, and 12.4 MB when optimised across crates. For aarch64,
        // which has one set, that changes nothing (10.5 MB).
        command.env("CARGO_PROFILE_RELEASE_LTO", "thin").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    }
    // Flags for this machine's own processor are not for another's.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(command)
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
