//! Brings one pinned file from its registry into the cache: asks the registry's own tool where it is, downloads with a
//! progress bar into a `.part` file that a later run can go on with, and trusts nothing but the sha256.
//!
//! What downloads is the registry's own network code, pip's or apt's: it is what works on any machine.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use super::pins::{Part, Pin, hex};

/// The downloader on pip's network code, for python3.
const PIP: &str = include_str!("registry.py");
/// The downloader on apt's network code; part of apt on every Debian and Ubuntu.
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// Why a file could not be brought.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    /// A program that is needed could not be started.
    #[error("{program} cannot be started: {source}")]
    Program {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The registry could not be asked, or the connection failed.
    #[error("{0}")]
    Registry(String),
    /// The file is not the pinned one.
    #[error("{file}: sha256 is {found}, wanted {wanted}")]
    Hash {
        /// The file's name.
        file: String,
        /// Its sha256.
        found: String,
        /// The pinned one.
        wanted: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Runs the downloader of a registry.
#[derive(Debug, Default)]
pub(crate) struct Downloader {
    /// The folder that holds the `pip` to use; none for the machine's own.
    pub(crate) pip: Option<PathBuf>,
}

/// Where a file comes from, in the downloader's words.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A wheel of the Python package index, for this machine (`uname -m`).
    Wheel {
        /// The machine.
        machine: String,
        /// The CPython, such as "3.12".
        python: String,
    },
    /// An address.
    Url(String),
    /// An address that apt's own network code is asked for, with this machine's proxies for apt.
    Apt(String),
}

impl Downloader {
    /// Downloads a file, or what is missing of it, to `part`, and checks it. A file that was taken up again and turns
    /// out wrong is downloaded once more from its beginning.
    ///
    /// # Errors
    /// When the registry cannot be reached, the disk is full, or the file is not the pinned one.
    pub(crate) fn fetch(&self, what: &Part, pin: &Pin, origin: &Origin, part: &Path) -> Result<(), DownloadError> {
        let resumed = length(part) > 0;
        self.download(what, pin, origin, part)?;
        match check(part, &what.package, &pin.sha256) {
            Err(DownloadError::Hash { .. }) if resumed => {
                eprintln!("  what lay in the cache of {} was spoilt; downloading it again", what.package);
                remove(part)?;
                self.download(what, pin, origin, part)?;
                check(part, &what.package, &pin.sha256).inspect_err(|_| forget(part))
            }
            checked => checked.inspect_err(|_| forget(part)),
        }
    }

    fn download(&self, what: &Part, pin: &Pin, origin: &Origin, part: &Path) -> Result<(), DownloadError> {
        let start = length(part);
        if start == pin.bytes {
            return Ok(());
        }
        let bar = progress(&format!("{} {}", what.package, what.version), start, pin.bytes);
        let mut child = self.start(what, origin, part)?;
        let watched = watch(&mut child, part, &bar);
        bar.finish_and_clear();
        let status = watched?;
        if status.success() { Ok(()) } else { Err(DownloadError::Registry(last_words(&mut child))) }
    }

    fn start(&self, what: &Part, origin: &Origin, part: &Path) -> Result<Child, DownloadError> {
        let program = if matches!(origin, Origin::Apt(_)) { APT_HELPER } else { "python3" };
        let mut command = Command::new(program);
        match origin {
            Origin::Wheel { machine, python } => {
                command.args(["-c", PIP, "wheel", &what.package, &what.version, machine, python])
            }
            Origin::Url(url) => command.args(["-c", PIP, "url", url]),
            Origin::Apt(url) => command.args(["download-file", url]),
        };
        command.arg(part).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(pip) = &self.pip {
            command.env("PYTHONPATH", pip);
        }
        command.spawn().map_err(|source| DownloadError::Program { program: program.to_owned(), source })
    }
}

/// Moves the bar along with the file's length until the downloader ends.
fn watch(child: &mut Child, part: &Path, bar: &ProgressBar) -> Result<std::process::ExitStatus, DownloadError> {
    loop {
        let ended =
            child.try_wait().map_err(|source| DownloadError::Program { program: "python3".to_owned(), source })?;
        bar.set_position(length(part));
        match ended {
            Some(status) => return Ok(status),
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// The last line that the downloader wrote to standard error; of apt's, the one that gives the reason.
fn last_words(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(stderr) = child.stderr.as_mut() {
        // Half of a message is still a message.
        let _ = stderr.read_to_string(&mut text);
    }
    let reason = text.lines().find(|line| line.starts_with("E: Failed"));
    reason.or(text.trim().lines().last()).unwrap_or("the downloader ended without a word").to_owned()
}

fn progress(what: &str, start: u64, bytes: u64) -> ProgressBar {
    let verb = if start > 0 { "going on with" } else { "fetching" };
    eprintln!("  {verb} {what} ({})", megabytes(bytes.saturating_sub(start)));
    let bar = ProgressBar::new(bytes).with_position(start);
    if let Ok(style) = ProgressStyle::with_template("  [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec} {eta} left") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.reset_eta();
    bar
}

/// A size for people.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The sha256 of a file, hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn sha256(path: &Path) -> Result<String, DownloadError> {
    let failed = |source| DownloadError::File { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hash.finalize())),
            bytes => hash.update(&buffer[..bytes]),
        }
    }
}

/// Compares a file with its pin.
///
/// # Errors
/// When it cannot be read or is another one.
pub(crate) fn check(path: &Path, name: &str, wanted: &str) -> Result<(), DownloadError> {
    let found = sha256(path)?;
    if found == wanted {
        return Ok(());
    }
    Err(DownloadError::Hash { file: name.to_owned(), found, wanted: wanted.to_owned() })
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

fn remove(path: &Path) -> Result<(), DownloadError> {
    std::fs::remove_file(path).map_err(|source| DownloadError::File { path: path.to_path_buf(), source })
}

/// Drops a spoilt file; that it is spoilt is what gets reported.
fn forget(path: &Path) {
    let _ = std::fs::remove_file(path);
}
