//! Where verdicts go: JSON lines on stdout or into a file.
//!
//! A line that cannot be written ends the run: a monitor that nobody hears must not look alive.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// A line is shorter than this, unless much is wrong with the picture; then memory is taken once more.
const LINE_BYTES: usize = 2048;

/// `[sink.*]`: any number of these tables; with none, verdicts go to stdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {
    /// JSON lines on stdout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<StdoutConfig>,
    /// JSON lines in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileConfig>,
}

impl Default for SinkConfig {
    fn default() -> Self {
        Self { stdout: Some(StdoutConfig {}), file: None }
    }
}

/// `[sink.stdout]`; there is nothing to set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StdoutConfig {}

/// `[sink.file]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The file; it is emptied when a run starts.
    pub path: PathBuf,
}

/// Why a verdict could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file cannot be opened.
    #[error("sink: {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// A line could not be written.
    #[error("sink: {name}: a verdict could not be written: {source}")]
    Write {
        /// `stdout`, or the file.
        name: String,
        /// The operating system's word on it.
        source: io::Error,
    },
    /// A verdict could not be put into JSON.
    #[error("sink: a verdict could not be put into JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Every configured place, each served in turn.
pub struct Sinks {
    outputs: Vec<Output>,
    line: Vec<u8>,
}

struct Output {
    name: String,
    writer: Box<dyn Write + Send>,
}

impl Sinks {
    /// Opens every configured place.
    ///
    /// # Errors
    /// A file that cannot be created.
    pub fn open(config: &SinkConfig) -> Result<Self, SinkError> {
        let mut outputs = Vec::new();
        if config.stdout.is_some() {
            outputs.push(Output { name: "stdout".into(), writer: Box::new(io::stdout()) });
        }
        if let Some(FileConfig { path }) = &config.file {
            let file = File::create(path).map_err(|source| SinkError::Open { path: path.clone(), source })?;
            outputs.push(Output { name: path.display().to_string(), writer: Box::new(file) });
        }
        Ok(Self::of(outputs))
    }

    /// A place of the caller's own; `name` is what it is called in errors.
    pub fn to(name: &str, writer: Box<dyn Write + Send>) -> Self {
        Self::of(vec![Output { name: name.into(), writer }])
    }

    fn of(outputs: Vec<Output>) -> Self {
        Self { outputs, line: Vec::with_capacity(LINE_BYTES) }
    }

    /// Finds out whether [`Sinks::open`] would succeed, and changes nothing.
    ///
    /// # Errors
    /// A file that cannot be written or created.
    pub fn check(config: &SinkConfig) -> Result<(), SinkError> {
        let Some(FileConfig { path }) = &config.file else { return Ok(()) };
        let tried = if path.exists() {
            OpenOptions::new().append(true).open(path).map(drop)
        } else {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop)
        };
        tried.map_err(|source| SinkError::Open { path: path.clone(), source })
    }

    /// Writes one verdict everywhere, as one whole line at once.
    ///
    /// # Errors
    /// A full disk, a broken pipe.
    pub fn send(&mut self, verdict: &Verdict) -> Result<(), SinkError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, verdict)?;
        self.line.push(b'\n');
        for Output { name, writer } in &mut self.outputs {
            writer
                .write_all(&self.line)
                .and_then(|()| writer.flush())
                .map_err(|source| SinkError::Write { name: name.clone(), source })?;
        }
        Ok(())
    }
}
