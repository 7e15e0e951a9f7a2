//! `cargo xtask dist`: the archive that is put on a robot, made on any plain Debian machine, without Docker and without
//! touching the system.
//!
//! A compiler with the target's standard library is found or fetched ([`toolchain`]), zig links for a glibc as old as
//! JetPack 5's ([`build`]), the finished program is read for what it wants of a system ([`inspect`]), and goes into an
//! archive with models and configs ([`pack`]), on demand into a Debian package ([`deb`]). `--check` then runs what was packed under emulation and compares every
//! score with this machine's ([`replay`]); of aarch64, it runs the tests of what is written for each processor, too.

mod build;
#[cfg(test)]
mod containers;
mod deb;
mod inspect;
mod pack;
mod pictures;
mod replay;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use self::inspect::Binary;
use self::toolchain::Toolchain;
use crate::fetch::Fetcher;

/// What to make.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cargo xtask dist --target aarch64-unknown-linux-gnu --check")]
pub(crate) struct Options {
    /// The machine to build for; may be given several times [default: this machine's]
    #[arg(long = "target", value_enum, value_name = "TRIPLE")]
    targets: Vec<Target>,
    /// Run what was packed for aarch64 under emulation, and compare its scores with this machine's
    #[arg(long)]
    check: bool,
    /// Make a Debian package too
    #[arg(long)]
    deb: bool,
    /// Where archives and their sha256 sums are written
    #[arg(long, value_name = "DIR", default_value = "dist")]
    out: PathBuf,
}

/// A machine that is built for. Both are Linux with glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// PCs
    #[value(name = "x86_64-unknown-linux-gnu")]
    X86_64,
    /// Jetson and other boards
    #[value(name = "aarch64-unknown-linux-gnu")]
    Aarch64,
}

impl Target {
    /// The target of this program itself.
    fn own() -> Target {
        if cfg!(target_arch = "aarch64") { Target::Aarch64 } else { Target::X86_64 }
    }

    /// The name by which rustc knows it.
    fn triple(self) -> &'static str {
        match self {
            Target::X86_64 => "x86_64-unknown-linux-gnu",
            Target::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }
}

/// Builds, inspects and packs for each target.
///
/// # Errors
/// When something cannot be had, built or written, or the program is not fit to be shipped. Scores that differ from this
/// machine's are no error but the exit code.
pub(crate) fn run(fetcher: &Fetcher, options: &Options) -> Result<ExitCode> {
    let own = [Target::own()];
    let targets = if options.targets.is_empty() { &own } else { options.targets.as_slice() };
    let mut alike = true;
    for &target in targets {
        alike &= make(fetcher, options, target).with_context(|| target.triple())?;
    }
    Ok(if alike { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One target; false when `--check` found a difference.
fn make(fetcher: &Fetcher, options: &Options, target: Target) -> Result<bool> {
    let toolchain = Toolchain::find(fetcher, target)?;
    let program = build::build(fetcher, &toolchain, target)?;
    let binary = Binary::read(&program)?;
    print!("{}", report(target, &program, &binary));
    binary.fit(target)?;
    // Packed from a copy, so that what is checked is what is in the archive and nothing else.
    let stage = tempfile::tempdir().context("a temporary folder")?;
    let folder = pack::stage(&fetcher.paths.root, &program, stage.path(), target)?;
    println!("  archive    {}", pack::archive(&folder, &options.out)?.display());
    if options.deb {
        let package = deb::build(&fetcher.paths.root, &program, target, &options.out)?;
        println!("  package    {}", package.display());
        if options.check {
            replay::check_package(fetcher, &package, target)?;
        }
    }
    if !options.check {
        return Ok(true);
    }
    if target == Target::Aarch64 {
        let tests = build::build_tests_of_products(fetcher, &toolchain, target)?;
        replay::test_products(fetcher, &tests, target)?;
    }
    replay::run(fetcher, &folder, target)
}

/// What the finished program wants of a system, for people.
fn report(target: Target, program: &Path, binary: &Binary) -> String {
    let glibc = binary.glibc.map_or_else(|| "none".to_owned(), |version| version.to_string());
    format!(
        "{}\n  program    {}\n  size       {:.2} MB of {:.0} MB\n  glibc      {glibc} of {}\n  libraries  {}\n",
        target.triple(),
        program.display(),
        binary.bytes as f64 / 1e6,
        inspect::MAX_BYTES as f64 / 1e6,
        inspect::MAX_GLIBC,
        binary.libraries.join(" "),
    )
}
