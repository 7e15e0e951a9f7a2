//! Writes a package whole or not at all: into a hidden folder beside the goal, flushed to disk, then renamed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    CALIBRATION_FILE, Calibration, GOLDEN_FILE, Golden, MANIFEST_FILE, MODEL_FILE, Manifest, PackageError,
    check_manifest, sha256_hex,
};

/// Writes a package into `dir`, which must not exist yet, and gives its id.
///
/// `manifest.files` is filled in here. The same content gives the same bytes and therefore the same id.
///
/// # Errors
/// `dir` exists, the manifest is out of range, or the disk refuses; then nothing is left behind.
pub fn write(
    dir: &Path,
    model_onnx: &[u8],
    manifest: Manifest,
    calibration: &Calibration,
    golden: &Golden,
) -> Result<String, PackageError> {
    check_place(dir, false)?;
    let (staged, id) = stage(dir, model_onnx, manifest, calibration, golden)?;
    move_into_place(staged.path(), dir)?;
    Ok(id)
}

/// As [`write()`], but takes the place of what is at `dir`: a reader sees either the old package or the new one.
///
/// # Errors
/// As [`write()`], except that `dir` may exist if it holds a package or nothing.
pub fn replace(
    dir: &Path,
    model_onnx: &[u8],
    manifest: Manifest,
    calibration: &Calibration,
    golden: &Golden,
) -> Result<String, PackageError> {
    check_place(dir, true)?;
    let (staged, id) = stage(dir, model_onnx, manifest, calibration, golden)?;
    if dir.exists() {
        // The old package ends up in the staging folder and is removed with it.
        rename(staged.path(), dir, RenameFlags::EXCHANGE)?;
        sync_dir(parent_of(dir))?;
    } else {
        move_into_place(staged.path(), dir)?;
    }
    Ok(id)
}

/// Whether a package may go to `dir`, to be asked before the work that goes into one. With `replacing`, what is there
/// would be deleted: only a package, or an empty folder, is no loss.
///
/// # Errors
/// Something is at `dir` that stays.
pub fn check_place(dir: &Path, replacing: bool) -> Result<(), PackageError> {
    let package = || dir.join(MANIFEST_FILE).is_file();
    let empty = || fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    match (dir.exists(), replacing) {
        (false, _) => Ok(()),
        (true, false) => Err(PackageError::Exists { path: dir.into() }),
        (true, true) if package() || empty() => Ok(()),
        (true, true) => Err(PackageError::NotAPackage { path: dir.into() }),
    }
}

/// Writes all four files into a temporary sibling of `dir`; dropping it removes it.
fn stage(
    dir: &Path,
    model_onnx: &[u8],
    mut manifest: Manifest,
    calibration: &Calibration,
    golden: &Golden,
) -> Result<(tempfile::TempDir, String), PackageError> {
    let parent = parent_of(dir);
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source: io::Error| PackageError::Write { path, source }
    };
    fs::create_dir_all(parent).map_err(failed(parent))?;
    let staged = tempfile::Builder::new().prefix(".oodwatch-").tempdir_in(parent).map_err(failed(parent))?;
    let files = [
        (MODEL_FILE, model_onnx.to_vec()),
        (CALIBRATION_FILE, calibration.to_bytes()?),
        (GOLDEN_FILE, golden.to_bytes()?),
    ];
    manifest.files = files.iter().map(|(name, bytes)| (name.to_string(), sha256_hex(bytes))).collect();
    check_manifest(&dir.join(MANIFEST_FILE), &manifest)?;
    let text = toml::to_string(&manifest)?;
    for (name, bytes) in &files {
        write_flushed(&staged.path().join(name), bytes)?;
    }
    write_flushed(&staged.path().join(MANIFEST_FILE), text.as_bytes())?;
    make_readable(staged.path())?;
    sync_dir(staged.path())?;
    Ok((staged, sha256_hex(text.as_bytes())))
}

fn write_flushed(path: &Path, bytes: &[u8]) -> Result<(), PackageError> {
    let save = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    save().map_err(|source| PackageError::Write { path: path.into(), source })
}

/// A temporary folder is its owner's alone; a package may be read by the monitor's own user.
fn make_readable(dir: &Path) -> Result<(), PackageError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))
        .map_err(|source| PackageError::Write { path: dir.into(), source })
}

fn move_into_place(staged: &Path, dir: &Path) -> Result<(), PackageError> {
    rename(staged, dir, RenameFlags::NOREPLACE)?;
    sync_dir(parent_of(dir))
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> Result<(), PackageError> {
    renameat_with(CWD, from, CWD, to, flags).map_err(|errno| match errno {
        rustix::io::Errno::EXIST => PackageError::Exists { path: to.into() },
        other => PackageError::Write { path: to.into(), source: other.into() },
    })
}

fn sync_dir(dir: &Path) -> Result<(), PackageError> {
    File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| PackageError::Write { path: dir.into(), source })
}

/// The folder that holds `dir`; `.` for a bare name.
fn parent_of(dir: &Path) -> &Path {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => dir,
    }
}
