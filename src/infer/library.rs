//! Finds and loads ONNX Runtime's shared library, once per process.
//!
//! The library is opened at run time, so that one binary serves machines with different ONNX Runtimes, and so that
//! its absence is an error text rather than a program that does not start.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use super::InferError;

/// The environment variable that names the library and wins over every other place.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";
const LIBRARY_FILE: &str = "libonnxruntime.so";

/// ONNX Runtime allows one environment per process; it lives until the process ends.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// The process's environment, loading the library on first use.
pub(super) fn environment() -> Result<Environment, InferError> {
    let mut slot = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*slot {
        return Ok(environment.clone());
    }
    let path = library_path()?;
    let missing = |problem: String| InferError::Library { path: path.clone(), problem };
    let environment = ort::init_from(&path)
        .map_err(|error| missing(error.to_string()))?
        .with_name("oodwatch")
        .with_logger(Arc::new(log_message))
        .build()
        .map_err(|error| missing(error.to_string()))?;
    log::info!("infer: ONNX Runtime from {}", path.display());
    *slot = Some(environment.clone());
    Ok(environment)
}

/// The library in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// Where it was loaded from; a bare name where the loader found it and the kernel does not tell.
    pub path: PathBuf,
    /// What it says of its build.
    pub build: &'static str,
}

/// The library in use; none before a network was opened.
pub fn runtime() -> Option<Runtime> {
    let loaded = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    let named = library_path().ok().filter(|_| loaded)?;
    let path = if named.is_absolute() { named } else { mapped().unwrap_or(named) };
    Some(Runtime { path, build: ort::info() })
}

/// The file of a library that the loader found by its name.
fn mapped() -> Option<PathBuf> {
    find_mapped(&fs::read_to_string("/proc/self/maps").ok()?)
}

/// The first file of the library's name, with or without a version behind it, in the kernel's list of what is mapped (proc_pid_maps(5)).
fn find_mapped(maps: &str) -> Option<PathBuf> {
    let mut paths = maps.lines().filter_map(|line| Some(Path::new(line.get(line.find('/')?..)?)));
    let is_it = |path: &&Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LIBRARY_FILE));
    paths.find(is_it).map(Path::to_path_buf)
}

/// Where the library is: the variable, beside the program, in its sibling `lib`, or wherever the loader looks.
fn library_path() -> Result<PathBuf, InferError> {
    if let Some(path) = env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty()) {
        return absolute(Path::new(&path));
    }
    let beside = env::current_exe().ok().and_then(|program| program.parent().map(Path::to_path_buf));
    let candidates = beside.iter().flat_map(|dir| [dir.join(LIBRARY_FILE), dir.join("../lib").join(LIBRARY_FILE)]);
    Ok(candidates.into_iter().find(|path| path.exists()).unwrap_or_else(|| LIBRARY_FILE.into()))
}

/// A relative path means the working directory to a user, but the program's folder to the loading code.
fn absolute(path: &Path) -> Result<PathBuf, InferError> {
    std::path::absolute(path).map_err(|error| InferError::Library { path: path.into(), problem: error.to_string() })
}

/// Sends the library's own messages into the program's log.
fn log_message(level: LogLevel, _category: &str, _id: &str, _location: &str, message: &str) {
    let level = match level {
        LogLevel::Verbose => log::Level::Trace,
        LogLevel::Info => log::Level::Debug,
        LogLevel::Warning => log::Level::Warn,
        LogLevel::Error | LogLevel::Fatal => log::Level::Error,
    };
    log::log!(target: "onnxruntime", level, "{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_library_that_the_loader_found_is_told_by_the_kernel() {
        let maps = "55d0c8a00000-55d0c8a6f000 r--p 00000000 fe:00 131 /usr/bin/oodwatch\n\
                    7f1c2a000000-7f1c2a100000 rw-p 00000000 00:00 0 \n\
                    7f1c2b000000-7f1c2b9d4000 r--p 00000000 fe:00 77 /opt/a b/libonnxruntime.so.1.23.2\n\
                    7f1c2c000000-7f1c2c001000 r--p 00000000 fe:00 78 /opt/libonnxruntime_providers_shared.so\n";
        assert_eq!(find_mapped(maps), Some("/opt/a b/libonnxruntime.so.1.23.2".into()));
        assert_eq!(find_mapped("7f1c2a000000-7f1c2a100000 rw-p 00000000 00:00 0 [heap]\n"), None);
    }
}
