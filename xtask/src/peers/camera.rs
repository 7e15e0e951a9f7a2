//! A camera to order: for every byte that comes in by a named pipe, one frame goes out by standard output.

use std::fs::File;
use std::io::{ErrorKind, Read, Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder with one file for each frame; they are shown in the order of their names, again and again
    frames: PathBuf,
    /// The named pipe
    orders: PathBuf,
}

/// Sends frames until nobody can order or nobody reads any more.
///
/// # Errors
/// When a frame or the named pipe cannot be read.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut orders = File::open(&arguments.orders).with_context(|| arguments.orders.display().to_string())?;
    let frames = read(&arguments.frames)?;
    let mut frames = frames.iter().cycle();
    let (mut order, mut pipe) = ([0], stdout().lock());
    while orders.read(&mut order).with_context(|| arguments.orders.display().to_string())? > 0 {
        let Some(frame) = frames.next() else { return Ok(()) };
        match pipe.write_all(frame).and_then(|()| pipe.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("standard output")?,
        }
    }
    Ok(())
}

fn read(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    files.iter().map(|file| std::fs::read(file).with_context(|| file.display().to_string())).collect()
}
