//! The two registry tools that are run as a user would run them: pip, to fetch a newer pip, and npm, to say where a
//! package lies.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::FetchError;
use super::download::{DownloadError, check};
use super::pins::{Part, Pin};

/// Fetches pip by the machine's own pip, however old that is, to `archive`.
///
/// # Errors
/// When python3 or pip is missing, the index cannot be reached, or the file is not the pinned one.
pub(super) fn pip_by_pip(part: &Part, pin: &Pin, archive: &Path) -> Result<(), FetchError> {
    let folder = archive.with_extension("folder");
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]);
    command.arg("--dest").arg(&folder).arg(format!("{}=={}", part.package, part.version));
    output(&mut command, "python3 -m pip")?;
    let wheel = folder.join(format!("pip-{}-py3-none-any.whl", part.version));
    let moved = std::fs::rename(&wheel, archive).and_then(|()| std::fs::remove_dir_all(&folder));
    moved.map_err(|source| DownloadError::File { path: wheel, source })?;
    Ok(check(archive, &part.package, &pin.sha256)?)
}

/// The address of a package of npm. `node` is asked for a fetched Node.js when there is no npm on PATH.
///
/// # Errors
/// When the registry cannot be reached or has no such version.
pub(super) fn tarball(
    package: &str,
    version: &str,
    node: impl Fn() -> Result<PathBuf, FetchError>,
) -> Result<String, FetchError> {
    let mut npm = if on_path("npm").is_some() {
        Command::new("npm")
    } else {
        let node = node()?;
        let mut command = Command::new(node.join("bin/node"));
        command.arg(node.join("npm/bin/npm-cli.js"));
        command
    };
    npm.args(["view", &format!("{package}@{version}"), "dist.tarball", "--fetch-retries", "1"]);
    let address = output(&mut npm, "npm")?;
    if address.is_empty() {
        return Err(DownloadError::Registry(format!("npm knows no {package} {version}")).into());
    }
    Ok(address)
}

/// Runs a program and returns what it wrote, trimmed; its complaint if it fails.
pub(super) fn output(command: &mut Command, program: &str) -> Result<String, FetchError> {
    let output = command.output().map_err(|source| DownloadError::Program { program: program.to_owned(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(DownloadError::Registry(format!("{program}: {}", shortened(&complaint))).into())
}

/// The line that says most: pip and npm begin theirs with ERROR and `npm error`.
fn shortened(complaint: &str) -> &str {
    let telling =
        |line: &&str| line.starts_with("ERROR") || line.starts_with("npm error") || line.starts_with("npm ERR");
    complaint.lines().find(telling).or_else(|| complaint.lines().last()).unwrap_or("it failed without a word")
}

/// The program of this name on PATH.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_complaint_is_cut_to_its_telling_line() {
        assert_eq!(shortened("WARNING: Retrying\nERROR: No matching distribution"), "ERROR: No matching distribution");
        assert_eq!(shortened("No module named pip"), "No module named pip");
        assert_eq!(shortened(""), "it failed without a word");
    }
}
