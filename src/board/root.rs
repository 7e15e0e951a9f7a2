//! Where the files of a board are looked for.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Sensors, by the drivers that have them.
const HWMON: &str = "/sys/class/hwmon";
/// Longest file that is read, in bytes; none that is looked at has more than a few thousand.
const MAX_BYTES: u64 = 64 << 10;

/// The root of the file system, or of one that stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self("/".into())
    }
}

impl Root {
    /// Looks below `path`: for tests, and for a container into which the board's files are mounted elsewhere.
    pub fn new(path: &Path) -> Self {
        Self(path.into())
    }

    fn join(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// What a file says, without what device trees end with; nothing where it cannot be read. A sensor that is switched off
    /// answers with an error.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(self.join(path)).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        (!text.is_empty()).then(|| text.to_string())
    }

    pub(super) fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// Names in a folder that begin so, those with a number behind it in its order.
    pub(super) fn names(&self, folder: &str, prefix: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.join(folder)) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort_by_key(|name| (name[prefix.len()..].parse::<u32>().ok(), name.clone()));
        names
    }

    /// Folders of the sensors that a driver of this name has.
    pub(super) fn chips(&self, driver: &str) -> impl Iterator<Item = String> {
        let folders = self.names(HWMON, "hwmon").into_iter().map(|name| format!("{HWMON}/{name}"));
        folders.filter(move |folder| self.text(&format!("{folder}/name")).as_deref() == Some(driver))
    }
}
