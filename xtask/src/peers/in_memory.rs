//! Frames that lie in memory: programs that stay, and take turns by short orders.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result};

use super::Bench;
use super::answering::Answering;
use super::plan::{Case, Peer};
use super::results::{InMemory, Pass};

/// Frames in a row of one program; each of them is shown twice.
const RUNS: usize = 2 * super::footage::FRAMES;

/// Measures a case so many times, the programs taking turns in each.
///
/// # Errors
/// When a program cannot be started or ends.
pub(super) fn measure(bench: &Bench, case: Case, repeats: usize) -> Result<Vec<InMemory>> {
    let mut programs = BTreeMap::new();
    for &peer in case.in_memory() {
        programs.insert(peer, Answering::start(command(bench, case, peer)?)?);
    }
    // The first repeat warms caches, and is not counted.
    let repeats: Vec<InMemory> = (0..=repeats).map(|_| repeat(&mut programs)).collect::<Result<_>>()?;
    Ok(repeats[1..].to_vec())
}

fn repeat(programs: &mut BTreeMap<Peer, Answering>) -> Result<InMemory> {
    let mut passes = BTreeMap::new();
    for (peer, program) in programs.iter_mut() {
        let [prepare_us, infer_us, all_us] = program.ask("judge", RUNS)?;
        passes.insert(*peer, Pass { prepare_us, infer_us, all_us });
    }
    let mut one = |peer, order| programs.get_mut(&peer).context("everybody takes part")?.ask(order, RUNS);
    let ([copy_us], [network_us]) = (one(Peer::Ours, "copy")?, one(Peer::Linear, "infer")?);
    Ok(InMemory { copy_us, network_us, passes })
}

fn command(bench: &Bench, case: Case, peer: Peer) -> Result<Command> {
    if Peer::OTHERS.contains(&peer) {
        return bench.python("in_memory.py", case, peer);
    }
    let (width, height) = case.camera.size_px;
    let mut command = bench.pinned(&bench.example);
    command.arg(bench.package(case.network)).arg(bench.frames(case.camera));
    command.args([case.camera.format.to_string(), width.to_string(), height.to_string(), peer.to_string()]);
    Ok(command)
}
