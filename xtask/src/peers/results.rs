//! What was measured of one case, and the file that keeps it, so that a run can be split and go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::plan::{Case, Peer};

/// One case. A repeat is one entry of each list; within it, all took turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    /// What it was measured with.
    pub(super) with: With,
    pub(super) in_memory: Vec<InMemory>,
    pub(super) through_a_pipe: Vec<BTreeMap<Peer, Run>>,
}

/// Numbers of two machines or two builds are not joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct With {
    /// The processor and its cores.
    pub(super) machine: String,
    /// sha256 of our programs and of the scripts.
    pub(super) build: String,
}

/// One repeat with frames that lie in memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct InMemory {
    /// A copy of a frame's bytes.
    pub(super) copy_us: f64,
    /// `session.run` of Python's ONNX Runtime on a tensor that lies there.
    pub(super) network_us: f64,
    pub(super) passes: BTreeMap<Peer, Pass>,
}

/// The median frame of a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Pass {
    /// From the frame's bytes to the network's input.
    pub(super) prepare_us: f64,
    /// The network.
    pub(super) infer_us: f64,
    /// From the frame's bytes to the verdict.
    pub(super) all_us: f64,
}

/// One run of a program on frames that come through a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    /// From the start of the program to its first verdict.
    pub(super) start_ms: f64,
    /// From the order of a frame to its verdict, at 30 frames per second.
    pub(super) latency_p50_ms: f64,
    pub(super) latency_p99_ms: f64,
    /// As fast as it goes.
    pub(super) frames_per_second: f64,
    /// Time on the processor of all its threads, per frame.
    pub(super) processor_us: f64,
    /// Largest resident size.
    pub(super) peak_kib: u64,
    /// Of the first frame.
    pub(super) first_score: f64,
}

fn file(out: &Path, case: Case) -> PathBuf {
    out.join("results").join(format!("{case}.json"))
}

/// What is kept of a case, if it was measured with the same.
pub(super) fn kept(out: &Path, case: Case, with: &With) -> Option<Measured> {
    let text = std::fs::read_to_string(file(out, case)).ok()?;
    let measured: Measured = serde_json::from_str(&text).ok()?;
    (measured.with == *with).then_some(measured)
}

/// Keeps a case, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub(super) fn keep(out: &Path, case: Case, measured: &Measured) -> Result<()> {
    let (place, unfinished) = (file(out, case), file(out, case).with_extension("unfinished"));
    let written = std::fs::create_dir_all(out.join("results"))
        .and_then(|()| std::fs::write(&unfinished, serde_json::to_string_pretty(measured)?))
        .and_then(|()| std::fs::rename(&unfinished, &place));
    written.with_context(|| place.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_build_measured_is_not_taken_up_again() {
        let out = tempfile::tempdir().unwrap();
        let case = Case::all()[0];
        let with = With { machine: "a machine, 2 cores".into(), build: "1".into() };
        let measured = Measured { with: with.clone(), in_memory: Vec::new(), through_a_pipe: Vec::new() };
        assert_eq!(kept(out.path(), case, &with), None);
        keep(out.path(), case, &measured).unwrap();
        assert_eq!(kept(out.path(), case, &with), Some(measured));
        assert_eq!(kept(out.path(), case, &With { build: "2".into(), ..with }), None);
    }
}
