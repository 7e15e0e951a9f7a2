//! Finds and loads ONNX Runtime's shared library, once per process.
//!
//! The library is opened at run time, so that one binary serves machines with different ONNX Runtimes, and so that
//! its absence is an error text rather than a program that does not start.

use std::env;
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
    /// Where it was loaded from; a bare name where the loader found it.
    pub path: PathBuf,
    /// What it says of its build.
    pub build: &'static str,
}

/// The library in use; none before a network was opened.
pub fn runtime() -> Option<Runtime> {
    let loaded = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    let path = library_path().ok().filter(|_| loaded)?;
    Some(Runtime { path, build: ort::info() })
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
