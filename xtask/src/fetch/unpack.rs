//! Takes the files that are wanted out of a wheel (zip), an npm package (gzipped tar) or a Debian package.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use super::pins::{Part, PinError, Registry};

/// Why an archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program that is needed could not be started.
    #[error("{program} cannot be started: {source}")]
    Program {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The wheel is no zip archive.
    #[error("{package}: {source}")]
    Zip {
        /// The package.
        package: String,
        /// The reader's word on it.
        source: zip::result::ZipError,
    },
    /// A name in the archive leads out of its folder.
    #[error("{package} holds a file named {name:?}, which leads out of its folder")]
    Outside {
        /// The package.
        package: String,
        /// The file.
        name: String,
    },
    /// Nothing of the archive matched the keep rules.
    #[error("{package} {version} holds none of the files that pins.toml wants of it")]
    Nothing {
        /// The package.
        package: String,
        /// Its version.
        version: String,
    },
    /// A keep rule is wrong.
    #[error(transparent)]
    Rule(#[from] PinError),
}

/// Unpacks what the part keeps into `folder`.
///
/// # Errors
/// When the archive is broken or holds nothing of what is wanted, or the disk is full.
pub(crate) fn unpack(archive: &Path, part: &Part, folder: &Path) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::File { path: archive.to_path_buf(), source };
    let file = BufReader::new(File::open(archive).map_err(failed)?);
    let files = match part.registry {
        Registry::Pypi => unpack_zip(file, part, folder)?,
        Registry::Npm => unpack_tar(flate2::read::GzDecoder::new(file), part, folder, archive)?,
        Registry::Debian => unpack_deb(part, folder, archive)?,
    };
    if files == 0 {
        return Err(UnpackError::Nothing { package: part.package.clone(), version: part.version.clone() });
    }
    Ok(())
}

fn unpack_zip(file: BufReader<File>, part: &Part, folder: &Path) -> Result<usize, UnpackError> {
    let failed = |source| UnpackError::Zip { package: part.package.clone(), source };
    let mut archive = zip::ZipArchive::new(file).map_err(failed)?;
    let mut files = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(failed)?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().map_err(failed)?.into_owned();
        let Some(place) = place(part, &name, folder)? else { continue };
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
        write(&mut entry, &place, executable)?;
        files += 1;
    }
    Ok(files)
}

/// The outer layers of a .deb are left to dpkg: which compression it uses has changed over the years.
fn unpack_deb(part: &Part, folder: &Path, path: &Path) -> Result<usize, UnpackError> {
    let failed = |source| UnpackError::Program { program: "dpkg-deb".to_owned(), source };
    let mut command = Command::new("dpkg-deb");
    command.arg("--fsys-tarfile").arg(path).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let files = child.stdout.take().map_or(Ok(0), |tar| unpack_tar(BufReader::new(tar), part, folder, path));
    child.wait().map_err(failed)?;
    files
}

fn unpack_tar(tar: impl Read, part: &Part, folder: &Path, path: &Path) -> Result<usize, UnpackError> {
    let failed = |source| UnpackError::File { path: path.to_path_buf(), source };
    let mut archive = tar::Archive::new(tar);
    let mut files = 0;
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(failed)?.to_string_lossy().into_owned();
        // dpkg writes "./usr/bin/flex".
        let name = name.strip_prefix("./").unwrap_or(&name);
        let Some(place) = place(part, name, folder)? else { continue };
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
        write(&mut entry, &place, executable)?;
        files += 1;
    }
    Ok(files)
}

/// Where a file of the archive goes; none when it is left out.
fn place(part: &Part, name: &str, folder: &Path) -> Result<Option<PathBuf>, UnpackError> {
    let Some(place) = part.place(name)? else { return Ok(None) };
    let inside = Path::new(&place).components().all(|component| matches!(component, Component::Normal(_)));
    if inside {
        return Ok(Some(folder.join(place)));
    }
    Err(UnpackError::Outside { package: part.package.clone(), name: name.to_owned() })
}

fn write(from: &mut impl Read, to: &Path, executable: bool) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::File { path: to.to_path_buf(), source };
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = File::create(to).map_err(failed)?;
    std::io::copy(from, &mut file).map_err(failed)?;
    let mode = if executable { 0o755 } else { 0o644 };
    file.set_permissions(std::fs::Permissions::from_mode(mode)).map_err(failed)
}
