//! The fuzz targets without a fuzzer: every committed input, and seeded changes of them, in seconds.
//!
//! `cargo xtask fuzz` looks deeper. What it finds is fixed, its input is committed to `fuzz/corpus`, and from then on it stays
//! found here.

mod mutation;
mod seeds;
#[allow(unreachable_pub)]
#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use mutation::Mutation;

/// Changed inputs per target.
const CHANGES: usize = 1_500;

/// The committed inputs of a target with their names; some are files that a user has anyway.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files_in = |folder: &str| fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files_in(&format!("fuzz/corpus/{target}")).collect();
    match target {
        "config" => files.extend(files_in("configs").filter(|path| path.is_file())),
        "manifest" => files.push(root.join("models/cifar10-resnet20/manifest.toml")),
        _ => {}
    }
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Runs a target, and keeps an input that breaks it.
fn hold(target: &str, run: fn(&[u8]), input: &[u8], what: &str) {
    if panic::catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{target}.input"));
        fs::write(&kept, input).unwrap();
        panic!("target {target} is broken by {what}; the input is in {}", kept.display());
    }
}

#[test]
fn every_committed_input_keeps_every_promise() {
    for (target, run) in targets::ALL {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{target} has no inputs");
        for (path, input) in inputs {
            hold(target, run, &input, &path.display().to_string());
        }
    }
}

#[test]
fn changed_inputs_keep_every_promise_too() {
    for (target, run) in targets::ALL {
        let inputs: Vec<_> = inputs(target).into_iter().map(|(_, input)| input).collect();
        let mut mutation = Mutation::new(&inputs);
        for number in 0..CHANGES {
            hold(target, run, &mutation.next(), &format!("change {number}"));
        }
    }
}
