//! `cargo cross`: the tool `cross` with this project's config, so that the plain command works.
//!
//! `cross` looks for `Cross.toml` or what CROSS_CONFIG names. Cargo's `[env]` does not reach it, because cargo does not
//! start it, and an alias of cargo cannot set a variable; so this program does.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

/// The project's config for `cross`.
const CONFIG: &str = "cross.toml";

/// Runs `cross` with these arguments. Its exit code is this program's.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> Result<ExitCode> {
    match command(root, arguments).status() {
        Ok(status) => Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))),
        Err(error) => bail!(
            "cross cannot be started: {error}. Get it by `cargo install cross`, with Docker or podman; or build without a \
             container: cargo xtask dist --target aarch64-unknown-linux-gnu"
        ),
    }
}

/// The variables by which cargo tells a program where it was started from would mislead the cargo in the container.
fn command(root: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new("cross");
    command.args(arguments).env("CROSS_CONFIG", root.join(CONFIG));
    for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME"] {
        command.env_remove(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_is_told_of_a_config_that_there_is() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let command = command(root, &["build".into(), "--release".into()]);
        let config = command.get_envs().find(|(name, _)| *name == "CROSS_CONFIG").and_then(|(_, value)| value).unwrap();
        assert!(Path::new(config).is_file(), "{config:?}");
        assert!(command.get_args().eq(["build", "--release"]));
    }
}
