//! Pictures and commands that tests of several commands share.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A tiny CIFAR-layout file of coloured noise: enough to train on, not enough to learn from.
pub(crate) fn pictures(path: &Path, count: usize, seed: u32) {
    let mut state = seed;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let bytes: Vec<u8> = (0..count)
        .flat_map(|i| [(i % 10) as u8; 1].into_iter().chain(std::array::from_fn::<u8, 3072, _>(|_| noise())))
        .collect();
    std::fs::write(path, bytes).unwrap();
}

/// The program with a command and its config, run in `folder`.
pub(crate) fn export(folder: &Path, command: &str, config: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_oodwatch-export"));
    program.args([command, "--config"]).arg(config).current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}

/// Runs to the end, which must be a good one, and returns what was said on stderr.
pub(crate) fn succeed(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{said}");
    said
}
