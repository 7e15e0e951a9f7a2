//! Puts the program together with what it needs on a robot, but for ONNX Runtime, which is the board's own: packages,
//! configs, documentation and licences, in one archive that comes out the same whenever the same things go in.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};

use super::Target;
use crate::fetch::download::sha256;

/// Files and folders of the repository that go along; of a folder, what lies in it, but not the folders in it.
const ALONG: [&str; 10] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "vendor/v4l2-sys-mit/LICENSE-MIT",
    "configs",
    "configs/systemd",
    "containers",
    "docs",
    "models/cifar10-resnet20",
];
/// The file of sums, in the form of `sha256sum --check`.
const SUMS: &str = "SHA256SUMS";

/// Copies the program and what goes along into a folder of the archive's name below `place`.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn stage(root: &Path, program: &Path, place: &Path, target: Target) -> Result<PathBuf> {
    let folder = place.join(format!("oodwatch-{}-{}", env!("CARGO_PKG_VERSION"), target.triple()));
    for name in ALONG {
        let from = root.join(name);
        let files = if from.is_dir() { files_in(&from)? } else { vec![from.clone()] };
        for file in files {
            copy(&file, &folder.join(file.strip_prefix(root)?))?;
        }
    }
    copy(program, &folder.join("oodwatch"))?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::copy(from, to).map(drop).with_context(|| from.display().to_string())
}

/// The files of a folder, by name.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.with_context(|| folder.display().to_string())?;
    let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

/// Writes `FOLDER.tar.gz` to `out` and its line into `SHA256SUMS` there. Returns the archive's path.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn archive(folder: &Path, out: &Path) -> Result<PathBuf> {
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let path = out.join(format!("{name}.tar.gz"));
    write_archive(folder, &path).with_context(|| path.display().to_string())?;
    write_sum(out, &format!("{name}.tar.gz"), &sha256(&path)?)?;
    Ok(path)
}

/// Nothing of this machine or moment gets in: no owner, no time, files in the order of their names.
fn write_archive(folder: &Path, path: &Path) -> Result<()> {
    let gzip = GzBuilder::new().write(BufWriter::new(File::create(path)?), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    let parent = folder.parent().unwrap_or(folder);
    for file in files_below(folder)? {
        let content = fs::read(&file)?;
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(if file == folder.join("oodwatch") { 0o755 } else { 0o644 });
        tar.append_data(&mut header, file.strip_prefix(parent)?, content.as_slice())?;
    }
    tar.into_inner()?.finish()?.flush()?;
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

/// Puts one file's sum in place of what it had; the lines of other files stay.
///
/// # Errors
/// When the sums cannot be read or written.
pub(super) fn write_sum(out: &Path, name: &str, sum: &str) -> Result<()> {
    let path = out.join(SUMS);
    let before = if path.is_file() { fs::read_to_string(&path)? } else { String::new() };
    fs::write(&path, with_sum(&before, name, sum)).with_context(|| path.display().to_string())
}

fn with_sum(before: &str, name: &str, sum: &str) -> String {
    let mut lines: Vec<String> =
        before.lines().filter(|line| line.split("  ").nth(1) != Some(name)).map(str::to_owned).collect();
    lines.push(format!("{sum}  {name}"));
    lines.sort_by(|a, b| a.split("  ").nth(1).cmp(&b.split("  ").nth(1)));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(place: &Path) -> PathBuf {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let program = place.join("built");
        fs::write(&program, "the program").unwrap();
        stage(root, &program, &place.join("stage"), Target::Aarch64).unwrap()
    }

    #[test]
    fn the_archive_holds_program_package_configs_and_licences_and_is_the_same_each_time() {
        let place = tempfile::tempdir().unwrap();
        let folder = staged(place.path());
        let first = archive(&folder, &place.path().join("a")).unwrap();
        let second = archive(&folder, &place.path().join("b")).unwrap();
        assert_eq!(fs::read(&first).unwrap(), fs::read(second).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(&first).unwrap()));
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().to_string_lossy().into_owned(), entry.header().mode().unwrap())
        });
        let entries: Vec<(String, u32)> = entries.collect();
        let top = folder.file_name().unwrap().to_string_lossy().into_owned();
        let mode =
            |name: &str| entries.iter().find(|(path, _)| *path == format!("{top}/{name}")).map(|(_, mode)| *mode);
        assert_eq!(mode("oodwatch"), Some(0o755));
        for name in [
            "LICENSE-MIT",
            "configs/images.toml",
            "models/cifar10-resnet20/model.onnx",
            "configs/systemd/oodwatch@.service",
            "containers/Dockerfile.jetpack6",
        ] {
            assert_eq!(mode(name), Some(0o644), "{name}");
        }
        assert!(!entries.iter().any(|(path, _)| path.contains("configs/train")), "configs of the training are left");
    }

    #[test]
    fn a_new_sum_replaces_the_old_one_of_its_file_alone() {
        let before = "11  a.tar.gz\n22  b.tar.gz\n";
        assert_eq!(with_sum(before, "a.tar.gz", "33"), "33  a.tar.gz\n22  b.tar.gz\n");
        assert_eq!(with_sum("", "a.tar.gz", "33"), "33  a.tar.gz\n");
    }
}
