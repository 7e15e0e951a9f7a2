//! Puts the finished program into a Debian package, by cargo-deb. What goes in stands in `[package.metadata.deb]` of the root's
//! Cargo.toml; the manual pages and completions among it are written by the program itself, one that runs on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, ensure};
use cargo_deb::compress::{CompressConfig, Format};
use cargo_deb::config::{BuildOptions, DebugSymbolOptions};
use cargo_deb::listener::NoOpListener;
use cargo_deb::{BuildProfile, CargoDeb, CargoLockingFlags, OutputPath};

use super::{Target, pack};
use crate::demo;
use crate::fetch::download::sha256;

/// Where `[package.metadata.deb]` looks for what the program writes.
const PARTS: &str = "dist/parts";
/// Shells, and how each wants its file to be named.
const SHELLS: [(&str, &str); 3] = [("bash", "oodwatch.bash"), ("zsh", "_oodwatch"), ("fish", "oodwatch.fish")];

/// Packs the release build of the target, which has to be there, and returns the package's path in `out`.
///
/// # Errors
/// When the program does not write its parts, or cargo-deb refuses something.
pub(super) fn build(root: &Path, program: &Path, target: Target, out: &Path) -> Result<PathBuf> {
    write_parts(root, program, target)?;
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let name = file_name(target);
    let path = std::path::absolute(out.join(&name))?;
    pack(root, target, &path).map_err(|error| anyhow!("cargo-deb: {error}"))?;
    pack::write_sum(out, &name, &sha256(&path)?)?;
    Ok(path)
}

pub(super) fn file_name(target: Target) -> String {
    let architecture = match target {
        Target::X86_64 => "amd64",
        Target::Aarch64 => "arm64",
    };
    // The revision of packages that Debian did not make.
    format!("oodwatch_{}-1_{architecture}.deb", env!("CARGO_PKG_VERSION"))
}

fn pack(root: &Path, target: Target, path: &Path) -> cargo_deb::CDResult<()> {
    let manifest = root.join("Cargo.toml");
    let options = BuildOptions {
        manifest_path: Some(&manifest),
        rust_target_triples: vec![target.triple()],
        build_profile: BuildProfile { profile_name: Some("release".into()), ..BuildProfile::default() },
        // It is stripped already, and this machine's strip does not know the target.
        debug: DebugSymbolOptions { strip_override: Some(false), ..DebugSymbolOptions::default() },
        cargo_locking_flags: CargoLockingFlags { locked: true, ..CargoLockingFlags::default() },
        ..BuildOptions::default()
    };
    let compress_config =
        CompressConfig { fast: false, compress_type: Format::Gzip, compress_system: false, rsyncable: false };
    let deb_output = Some(OutputPath { path, is_dir: false });
    CargoDeb { options, no_build: true, deb_output, compress_config, ..CargoDeb::default() }.process(&NoOpListener)
}

fn write_parts(root: &Path, program: &Path, target: Target) -> Result<()> {
    let program = if target == Target::own() { program.to_path_buf() } else { demo::build(root)? };
    let parts = root.join(PARTS);
    if parts.exists() {
        fs::remove_dir_all(&parts).with_context(|| parts.display().to_string())?;
    }
    let pages = parts.join("man");
    written_by(&program, &["man", "--out", &pages.display().to_string()])?;
    for (shell, name) in SHELLS {
        let script = written_by(&program, &["completions", shell])?;
        fs::write(parts.join(name), script).with_context(|| name.to_owned())?;
    }
    Ok(())
}

/// What the program writes to standard output.
fn written_by(program: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(program).args(arguments).output().with_context(|| program.display().to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} {}: {}", program.display(), arguments.join(" "), said.trim());
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_as_debian_names_it() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(file_name(Target::Aarch64), format!("oodwatch_{version}-1_arm64.deb"));
        assert_eq!(file_name(Target::X86_64), format!("oodwatch_{version}-1_amd64.deb"));
    }

    /// cargo-deb would look for them only after a long build.
    #[test]
    fn everything_that_goes_into_the_package_is_in_the_repository_or_made() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let manifest: toml::Table = toml::from_str(&fs::read_to_string(root.join("Cargo.toml")).unwrap()).unwrap();
        let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
        for asset in assets {
            let from = asset[0].as_str().unwrap();
            let made = from.starts_with(PARTS) || from == "target/release/oodwatch";
            let there = Path::new(from.split('*').next().unwrap());
            assert!(made || root.join(there).exists(), "{from}");
        }
        for (_, name) in SHELLS {
            assert!(assets.iter().any(|asset| asset[0].as_str() == Some(&format!("{PARTS}/{name}"))), "{name}");
        }
    }
}
