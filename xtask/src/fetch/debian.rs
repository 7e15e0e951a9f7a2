//! Packages of Debian, without root: apt says which mirrors this machine is set up for, and its own network code
//! downloads. The path below a mirror is pinned, so neither the machine's release nor an `apt-get update` matters.

use std::path::Path;
use std::process::Command;

use super::FetchError;
use super::download::{DownloadError, Downloader, Origin};
use super::pins::{Part, Pin};
use super::tools::output;

/// Names a mirror of Debian for machines whose apt knows none, such as `https://HOST/debian`.
const MIRROR: &str = "OODWATCH_DEBIAN_MIRROR";

/// Downloads a package, or what is missing of it, to `archive` from the first mirror that has it.
///
/// # Errors
/// When there is no apt, no mirror has the package, or the file is not the pinned one.
pub(super) fn download(part: &Part, pin: &Pin, archive: &Path) -> Result<(), FetchError> {
    let mut reason = "apt names no mirror".to_owned();
    for mirror in mirrors()? {
        let address = format!("{}/{}", mirror.trim_end_matches('/'), part.path);
        match Downloader::default().fetch(part, pin, &Origin::Apt(address), archive) {
            Err(DownloadError::Registry(text)) => reason = text,
            fetched => return Ok(fetched?),
        }
    }
    let advice = format!("{MIRROR} names a mirror of Debian that is asked instead");
    Err(DownloadError::Registry(format!("no mirror has {} {}: {reason}; {advice}", part.package, part.version)).into())
}

/// The mirror that the user names, or those of apt's configuration, each once.
fn mirrors() -> Result<Vec<String>, FetchError> {
    if let Some(mirror) = std::env::var(MIRROR).ok().filter(|mirror| !mirror.is_empty()) {
        return Ok(vec![mirror]);
    }
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
    let mut mirrors = Vec::new();
    for mirror in output(&mut command, "apt-get")?.lines().map(str::to_owned) {
        if !mirrors.contains(&mirror) {
            mirrors.push(mirror);
        }
    }
    Ok(mirrors)
}
