//! Counts by callgrind. A kernel's count is the difference between two runs of the same program, one of which runs it more often: what
//! starting and preparing takes is in both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs of a kernel in the two programs. The first one takes memory, and is in both.
const RUNS: (u64, u64) = (1, 3);

/// valgrind and the program with the kernels.
#[derive(Debug)]
pub(super) struct Counter {
    valgrind: PathBuf,
    kernels: PathBuf,
    /// Its folder goes when the counter does.
    _place: tempfile::TempDir,
}

impl Counter {
    /// For a fetched valgrind, and a program of which a copy without debug information is made: valgrind would read all of that.
    ///
    /// # Errors
    /// When the copy cannot be made.
    pub(super) fn new(valgrind: &Path, program: &Path) -> Result<Self> {
        let place = tempfile::tempdir().context("no temporary folder")?;
        let kernels = place.path().join("kernels");
        let status = Command::new("strip").arg("-o").arg(&kernels).arg(program).status();
        if !status.context("strip cannot be started")?.success() {
            bail!("strip cannot read {}", program.display());
        }
        Ok(Self { valgrind: valgrind.to_path_buf(), kernels, _place: place })
    }

    /// The vector instructions that the kernels take under valgrind.
    ///
    /// # Errors
    /// When valgrind does not work here.
    pub(super) fn level(&self) -> Result<String> {
        let (words, _) = self.run(&["level"])?;
        // What follows is the list of everything in it.
        Ok(words.split('(').next().unwrap_or_default().trim().to_owned())
    }

    /// Instructions of one run of each kernel whose name contains `only`.
    ///
    /// # Errors
    /// When valgrind does not work here, or a kernel fails.
    pub(super) fn count(&self, only: Option<&str>) -> Result<BTreeMap<String, u64>> {
        let (names, _) = self.run(&["list"])?;
        let mut counts = BTreeMap::new();
        for name in names.lines().filter(|name| only.is_none_or(|only| name.contains(only))) {
            let of = |runs: u64| Ok::<_, anyhow::Error>(self.run(&[name, &runs.to_string()])?.1);
            let (few, many) = (of(RUNS.0)?, of(RUNS.1)?);
            let count = many.checked_sub(few).with_context(|| format!("{name}: more runs took fewer instructions"))?;
            counts.insert(name.to_owned(), count / (RUNS.1 - RUNS.0));
        }
        Ok(counts)
    }

    /// What a program prints, and its instructions.
    fn run(&self, words: &[&str]) -> Result<(String, u64)> {
        let output = Command::new(self.valgrind.join("bin/valgrind.bin"))
            .env("VALGRIND_LIB", self.valgrind.join("libexec"))
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(&self.kernels)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .context("valgrind cannot be started")?;
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            bail!("kernels {words:?} under valgrind ended with {}:\n{}", output.status, log.trim());
        }
        let count = collected(&log).with_context(|| format!("callgrind does not say what it counted:\n{log}"))?;
        Ok((String::from_utf8_lossy(&output.stdout).into_owned(), count))
    }
}

/// The number in callgrind's last words, `==123== Collected : 4567`.
fn collected(log: &str) -> Option<u64> {
    let line = log.lines().find(|line| line.contains("Collected : "))?;
    line.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_callgrinds_last_words() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 123456\n==7== \n"), Some(123_456));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}
