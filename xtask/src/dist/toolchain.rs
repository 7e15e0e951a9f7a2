//! Finds a Rust compiler that has the target's standard library: the one that is there, the same after rustup has added
//! that library, or else Debian's own, fetched into the cache.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Target;
use crate::fetch::Fetcher;
use crate::fetch::tools::on_path;

/// A compiler for one target.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// The folder of a fetched compiler; none for the one that cargo takes by itself.
    folder: Option<PathBuf>,
}

impl Toolchain {
    /// Finds one, or sees to it that there is one. rustup is asked first: what it adds is of the very version that all
    /// else is built with.
    ///
    /// # Errors
    /// When rustup cannot add the target's standard library and Debian's compiler cannot be fetched.
    pub(super) fn find(fetcher: &Fetcher, target: Target) -> Result<Toolchain> {
        if has_library(target) || (rustup_adds(target) && has_library(target)) {
            return Ok(Toolchain { folder: None });
        }
        eprintln!(
            "rustc has no standard library for {}, and rustup adds none: taking Debian's compiler",
            target.triple()
        );
        fetcher.ensure_all(&["rust-cross"])?;
        Ok(Toolchain { folder: Some(fetcher.paths.dep("rust-cross")) })
    }

    /// Makes `cargo` use this compiler.
    pub(super) fn apply(&self, cargo: &mut Command) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        // A compiler's standard library lies where the compiler itself does, behind links too.
        let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
        cargo.env("RUSTC", folder.join("bin/rustc")).env("LD_LIBRARY_PATH", folder.join("lib"));
        Ok(())
    }
}

/// Whether the compiler at hand can build for the target.
fn has_library(target: Target) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", target.triple()]).output();
    let folder = output.ok().filter(|output| output.status.success());
    folder.is_some_and(|folder| PathBuf::from(String::from_utf8_lossy(&folder.stdout).trim()).is_dir())
}

/// Asks rustup, where there is one, for the target's standard library. It checks what it downloads.
fn rustup_adds(target: Target) -> bool {
    if on_path("rustup").is_none() {
        return false;
    }
    eprintln!("rustup target add {}", target.triple());
    Command::new("rustup").args(["target", "add", target.triple()]).status().is_ok_and(|status| status.success())
}
