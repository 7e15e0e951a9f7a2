//! Output lines on stdout. A broken or full stdout is an error to the caller, never a panic and never ignored.

use std::io::{self, Write};

use anyhow::anyhow;
use serde::Serialize;

/// Prints one line of text.
pub(crate) fn text(line: &str) -> anyhow::Result<()> {
    write_all(format!("{line}\n").as_bytes())
}

/// Prints one value as a line of JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    write_all(&line)
}

/// Tells something on stderr. A stderr that cannot be written is no reason to end otherwise than one would.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints bytes as they are.
pub(crate) fn write_all(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| anyhow!("stdout cannot be written: {error}"))
}
