//! Where things lie: the repository, the cache that all clones of one user share, and `.deps/`, which links into it.

use std::path::{Path, PathBuf};

/// Why no place could be found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathsError {
    /// No variable says where this user's cache is.
    #[error("no place for the cache: set OODWATCH_CACHE (or XDG_CACHE_HOME, or HOME)")]
    NoCache,
    /// A folder could not be made.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The folders that every command works with.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// The user's cache, shared by all clones.
    pub(crate) cache: PathBuf,
}

impl Paths {
    /// Finds the repository and the cache, and makes the cache's folder.
    ///
    /// # Errors
    /// When no variable names a cache, or its folder cannot be made.
    pub(crate) fn find() -> Result<Paths, PathsError> {
        // Cargo names this package's folder to what it runs; the one built in may be another clone's.
        let own =
            std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = own.parent().unwrap_or(&own).to_path_buf();
        let cache = cache_folder(|name| std::env::var(name).ok()).ok_or(PathsError::NoCache)?;
        make_folder(&cache)?;
        Ok(Paths { root, cache })
    }

    /// `.deps/NAME` of this clone.
    pub(crate) fn dep(&self, name: &str) -> PathBuf {
        self.root.join(".deps").join(name)
    }
}

/// `$OODWATCH_CACHE`, or `oodwatch` in the cache folder of the XDG base directory specification. An empty variable
/// counts as none, a relative one is taken from the working directory.
fn cache_folder(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("OODWATCH_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("oodwatch")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/oodwatch")))?;
    Some(std::path::absolute(&folder).unwrap_or(folder))
}

/// Makes a folder and those above it.
///
/// # Errors
/// What the system says, with the folder's name.
pub(crate) fn make_folder(path: &Path) -> Result<(), PathsError> {
    std::fs::create_dir_all(path).map_err(|source| PathsError::Folder { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expected: Option<&str>) {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        assert_eq!(cache_folder(variable), expected.map(PathBuf::from));
    }

    #[test]
    fn the_users_own_cache_variable_wins() {
        check(&[("OODWATCH_CACHE", "/big/disk"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/home/a")], Some("/big/disk"));
        check(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/home/a")], Some("/x/oodwatch"));
        check(&[("OODWATCH_CACHE", ""), ("HOME", "/home/a")], Some("/home/a/.cache/oodwatch"));
        check(&[], None);
    }
}
