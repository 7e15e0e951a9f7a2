//! What a library makes of a network for one machine, kept for the next start: engines of TensorRT, which take minutes to build on a small
//! board, and networks that ONNX Runtime has optimised for this processor, which open in less time and memory.
//!
//! An engine, as both are called here, is good for one network on one machine with one set of libraries ([`Key`]); in any other place it
//! crashes, is refused, or computes something else. So each lies in a folder that is named by its key, with the key written out beside
//! it, and is put there whole or not at all. A monitor never builds: it would be silent meanwhile. `oodwatch build-engine` does.

mod key;
mod library;
mod machine;
mod prepared;
mod processor;

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::infer::{CpuConfig, InferError, TensorRtConfig};
use crate::package::PackageError;
use crate::self_test::SelfTestError;
pub use key::Key;
use key::Written;
pub use prepared::{find_prepared, prepare};

/// What the engine in a folder was built for.
const KEY_FILE: &str = "key.toml";
/// What TensorRT's provider calls its files.
const ENGINE_EXTENSION: &str = "engine";

/// What a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What TensorRT compiles for a GPU.
    TensorRt,
    /// What ONNX Runtime makes of a network before it runs it on the processor.
    Prepared,
}

impl Kind {
    /// The key of the config that names another folder, and what the usual one is called.
    const fn places(self) -> (&'static str, &'static str) {
        match self {
            Self::TensorRt => ("model.tensorrt.engine_cache", "engines"),
            Self::Prepared => ("model.cpu.prepared_cache", "prepared"),
        }
    }

    const fn missing(self) -> &'static str {
        match self {
            Self::TensorRt => "TensorRT has no engine for this network on this machine",
            Self::Prepared => "there is no prepared network of this package for this machine",
        }
    }

    const fn why_not_now(self) -> &'static str {
        match self {
            Self::TensorRt => "building one takes minutes, in which a monitor would be silent",
            Self::Prepared => "making one takes the time and the memory that [model.cpu] prepared is to save",
        }
    }

    /// What `build-engine` is to be told where there is no config.
    const fn without_config(self) -> &'static str {
        match self {
            Self::TensorRt => "--model PKG",
            Self::Prepared => "--model PKG --prepared",
        }
    }

    const fn nothing(self) -> &'static str {
        match self {
            Self::TensorRt => "TensorRT built no engine: it took no part of the network; its log says why",
            Self::Prepared => "ONNX Runtime wrote no optimised network, and says nothing of why",
        }
    }

    /// Whether a folder holds what it is to hold.
    fn is_in(self, folder: &Path) -> bool {
        match self {
            Self::TensorRt => {
                let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
                entries.map(|entry| entry.path()).any(|path| path.extension() == Some(OsStr::new(ENGINE_EXTENSION)))
            }
            Self::Prepared => prepared::FILES.iter().all(|file| folder.join(file).is_file()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::TensorRt => "engine",
            Self::Prepared => "prepared network",
        })
    }
}

/// Why an engine cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no place for engines.
    #[error("no folder for a {kind}: neither {} nor CACHE_DIRECTORY, XDG_CACHE_HOME or HOME is set", kind.places().0)]
    NoFolder {
        /// What it would keep.
        kind: Kind,
    },
    /// Nobody has built the engine.
    #[error(
        "{} in {} ({why}); {}: run `oodwatch build-engine` with the same config and package first (without a config: {})",
        kind.missing(), folder.display(), kind.why_not_now(), kind.without_config()
    )]
    NotBuilt {
        /// What was looked for.
        kind: Kind,
        /// Where it was looked for.
        folder: PathBuf,
        /// Whether there is none at all, or what differs from the nearest one.
        why: String,
    },
    /// The library made nothing of the network.
    #[error("{}", kind.nothing())]
    Nothing {
        /// What was to be made.
        kind: Kind,
    },
    /// The network does not open or run.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The package cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// What was made computes something else than the package wants.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// The cache cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// What was written.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
}

/// A folder of engines, one folder each.
#[derive(Debug, Clone)]
pub struct Store {
    kind: Kind,
    folder: PathBuf,
}

impl Store {
    /// Of TensorRT's engines: the folder of the config, else `engines` in systemd's cache directory of the service or in the user's.
    ///
    /// # Errors
    /// None of them is known.
    pub fn of_tensorrt(config: &TensorRtConfig) -> Result<Self, EngineError> {
        Self::at(Kind::TensorRt, &config.engine_cache)
    }

    /// Of prepared networks: the folder of the config, else `prepared` beside the usual one of engines.
    ///
    /// # Errors
    /// As [`Self::of_tensorrt`].
    pub fn of_cpu(config: &CpuConfig) -> Result<Self, EngineError> {
        Self::at(Kind::Prepared, &config.prepared_cache)
    }

    fn at(kind: Kind, configured: &Path) -> Result<Self, EngineError> {
        if !configured.as_os_str().is_empty() {
            return Ok(Self { kind, folder: configured.into() });
        }
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = variable("CACHE_DIRECTORY")
            .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("oodwatch")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/oodwatch")))
            .ok_or(EngineError::NoFolder { kind })?;
        Ok(Self { kind, folder: folder.join(kind.places().1) })
    }

    /// What it keeps.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The folder of the engine for `key`.
    ///
    /// # Errors
    /// There is none; the text says what differs from the one that was built for the same network.
    pub fn find(&self, key: &Key) -> Result<PathBuf, EngineError> {
        let folder = self.folder.join(key.id());
        let written = Written::read(&folder.join(KEY_FILE));
        if written.is_some_and(|written| written.is(key)) && self.kind.is_in(&folder) {
            return Ok(folder);
        }
        let stale = self.others(key).into_iter().find_map(|(_, other)| other.differs_from(key));
        let why =
            stale.map_or_else(|| "there is none".into(), |what| format!("the one that is there is for another {what}"));
        Err(EngineError::NotBuilt { kind: self.kind, folder: self.folder.clone(), why })
    }

    /// Has `make` fill a folder, and puts that in its place, whole. Engines of the same network for other keys are deleted: they
    /// are of an earlier driver, JetPack or config. Gives the engine's folder and those that were deleted.
    ///
    /// # Errors
    /// What `make` says, a folder without an engine, a disk that is full. Then nothing has changed.
    pub fn build(
        &self,
        key: &Key,
        make: impl FnOnce(&Path) -> Result<(), EngineError>,
    ) -> Result<(PathBuf, Vec<PathBuf>), EngineError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            |source| EngineError::Write { path, source }
        };
        fs::create_dir_all(&self.folder).map_err(failed(&self.folder))?;
        // Beside its final place, so that the last step is a rename; deleted unless that is reached.
        let building = tempfile::Builder::new().prefix(".building-").tempdir_in(&self.folder);
        let building = building.map_err(failed(&self.folder))?;
        make(building.path())?;
        if !self.kind.is_in(building.path()) {
            return Err(EngineError::Nothing { kind: self.kind });
        }
        let written = building.path().join(KEY_FILE);
        fs::write(&written, key.to_text()).map_err(failed(&written))?;
        let folder = self.folder.join(key.id());
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(failed(&folder))?;
        }
        fs::rename(building.path(), &folder).map_err(failed(&folder))?;
        // It is no longer where its guard would delete it.
        let _ = building.keep();
        let mut deleted = Vec::new();
        for (other, _) in self.others(key) {
            fs::remove_dir_all(&other).map_err(failed(&other))?;
            deleted.push(other);
        }
        Ok((folder, deleted))
    }

    /// Engines of the same network for other keys, in the order of their names.
    fn others(&self, key: &Key) -> Vec<(PathBuf, Written)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        folders.sort();
        let keyed =
            folders.into_iter().filter_map(|folder| Some((folder.clone(), Written::read(&folder.join(KEY_FILE))?)));
        keyed.filter(|(_, other)| other.is_another_of(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::key::tests::key;
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store { kind: Kind::TensorRt, folder: dir.path().join("engines") };
        (dir, store)
    }

    /// What TensorRT would leave in its cache.
    fn engine(folder: &Path) -> Result<(), EngineError> {
        fs::write(folder.join("TensorrtExecutionProvider_1_sm87.engine"), "an engine").unwrap();
        fs::write(folder.join("TensorrtExecutionProvider_sm87.timing"), "timings").unwrap();
        Ok(())
    }

    fn names(store: &Store) -> Vec<String> {
        let entries = fs::read_dir(&store.folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn an_engine_is_found_under_the_key_that_it_was_built_for() {
        let (_dir, store) = store();
        let missing = store.find(&key()).unwrap_err().to_string();
        assert!(missing.contains("there is none") && missing.contains("oodwatch build-engine"), "{missing}");
        let (folder, deleted) = store.build(&key(), engine).unwrap();
        assert_eq!((store.find(&key()).unwrap(), deleted.len()), (folder.clone(), 0));
        assert_eq!(fs::read_to_string(folder.join("TensorrtExecutionProvider_1_sm87.engine")).unwrap(), "an engine");
    }

    #[test]
    fn an_engine_of_another_driver_is_refused_by_name_and_gone_after_the_next_build() {
        let (_dir, store) = store();
        let (old, _) = store.build(&key(), engine).unwrap();
        let now = key().with("driver", "NVRM version 36.5");
        let stale = store.find(&now).unwrap_err().to_string();
        assert!(stale.contains("another driver (36.4, now NVRM version 36.5)"), "{stale}");
        let (new, deleted) = store.build(&now, engine).unwrap();
        assert_eq!((store.find(&now).unwrap(), deleted), (new, vec![old]));
        assert_eq!(names(&store), [now.id()]);
    }

    #[test]
    fn engines_of_other_networks_stay() {
        let (_dir, store) = store();
        let other = key().with("model_sha256", "other");
        store.build(&other, engine).unwrap();
        store.build(&key(), engine).unwrap();
        assert!(store.find(&other).is_ok() && store.find(&key()).is_ok());
    }

    #[test]
    fn a_build_that_fails_or_makes_nothing_leaves_nothing_and_the_old_engine_works_on() {
        let (_dir, store) = store();
        let (old, _) = store.build(&key(), engine).unwrap();
        let half = |folder: &Path| {
            engine(folder)?;
            Err(InferError::NoProvider.into())
        };
        assert!(matches!(store.build(&key(), half), Err(EngineError::Infer(InferError::NoProvider))));
        assert!(matches!(store.build(&key(), |_| Ok(())), Err(EngineError::Nothing { .. })));
        assert_eq!((store.find(&key()).unwrap(), names(&store).len()), (old, 1));
    }

    #[test]
    fn a_folder_whose_key_was_changed_or_whose_engine_is_gone_is_not_used() {
        let (_dir, store) = store();
        let (folder, _) = store.build(&key(), engine).unwrap();
        fs::remove_file(folder.join("TensorrtExecutionProvider_1_sm87.engine")).unwrap();
        assert!(matches!(store.find(&key()), Err(EngineError::NotBuilt { .. })));
        store.build(&key(), engine).unwrap();
        fs::write(folder.join(KEY_FILE), "model_sha256 = 3").unwrap();
        assert!(matches!(store.find(&key()), Err(EngineError::NotBuilt { .. })));
    }

    #[test]
    fn a_prepared_network_is_there_with_what_has_to_be_known_of_it_or_not_at_all() {
        let (_dir, store) = store();
        let store = Store { kind: Kind::Prepared, ..store };
        let missing = store.find(&key()).unwrap_err().to_string();
        assert!(missing.contains("no prepared network") && missing.contains("oodwatch build-engine"), "{missing}");
        let write = |folder: &Path, file: &str, text: &str| fs::write(folder.join(file), text).unwrap();
        let half = |folder: &Path| {
            write(folder, "network.onnx", "a network");
            Ok(())
        };
        assert!(matches!(store.build(&key(), half), Err(EngineError::Nothing { .. })));
        assert!(names(&store).is_empty());
        let whole = |folder: &Path| {
            half(folder)?;
            write(folder, "network.toml", "sha256 = \"00ff\"\nprecision = \"int8\"\n");
            Ok(())
        };
        let (folder, _) = store.build(&key(), whole).unwrap();
        let found = find_prepared(&store, &key()).unwrap();
        assert_eq!((found.file, found.sha256.as_str()), (folder.join("network.onnx"), "00ff"));
        assert_eq!(found.precision.as_str(), "int8");
        write(&folder, "network.toml", "sha256 = 3\n");
        let error = find_prepared(&store, &key()).unwrap_err();
        assert!(error.to_string().contains("network.toml cannot be read"), "{error}");
    }
}
