//! Puts a page into a folder, whole or not at all: into a hidden folder beside the goal, then renamed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::page::{Block, as_html, as_markdown, figures};
use super::{Evidence, EvidenceError, report};

/// The file by which a page's folder is known.
const JSON_FILE: &str = "evidence.json";
const TITLE: &str = "Evidence on an out-of-distribution monitor";

/// Whether a page may go to `dir`, to be asked before the work that goes into one. With `replacing`, what is there is deleted:
/// only a page, or an empty folder, is no loss.
///
/// # Errors
/// Something is at `dir` that stays.
pub fn check_place(dir: &Path, replacing: bool) -> Result<(), EvidenceError> {
    let page = || dir.join(JSON_FILE).is_file();
    let empty = || fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    match (dir.exists(), replacing) {
        (false, _) => Ok(()),
        (true, false) => Err(EvidenceError::Exists { path: dir.into() }),
        (true, true) if page() || empty() => Ok(()),
        (true, true) => Err(EvidenceError::NotAPage { path: dir.into() }),
    }
}

impl Evidence {
    /// Writes `evidence.html` (whole in one file), `evidence.md` with its charts in `plots/`, and `evidence.json` into `dir`.
    ///
    /// # Errors
    /// As [`check_place`], or a disk that refuses; then nothing is left behind.
    pub fn write(&self, dir: &Path, replacing: bool) -> Result<(), EvidenceError> {
        check_place(dir, replacing)?;
        let failed = |source| EvidenceError::Write { path: dir.into(), source };
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(failed)?;
        let staged = tempfile::Builder::new().prefix(".oodwatch-").tempdir_in(parent).map_err(failed)?;
        let json = serde_json::to_vec_pretty(self)?;
        fill(staged.path(), &report::blocks(self), &json).map_err(failed)?;
        let flags = if dir.exists() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        // What was there ends up in the hidden folder and is removed with it.
        renameat_with(CWD, staged.path(), CWD, dir, flags).map_err(|errno| failed(errno.into()))?;
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

fn fill(dir: &Path, blocks: &[Block], json: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // A temporary folder is its owner's alone; a page is to be read.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    fs::create_dir(dir.join("plots"))?;
    for figure in figures(blocks) {
        fs::write(dir.join("plots").join(format!("{}.svg", figure.name)), &figure.svg)?;
    }
    fs::write(dir.join("evidence.md"), as_markdown(blocks))?;
    fs::write(dir.join("evidence.html"), as_html(TITLE, blocks))?;
    fs::write(dir.join(JSON_FILE), json)?;
    for entry in fs::read_dir(dir)? {
        File::open(entry?.path())?.sync_all()?;
    }
    Ok(())
}
