//! The floor under a start: ONNX Runtime alone opens a network from its file and runs it twice, in a program that does nothing else.
//!
//! ```text
//! cargo run --release --example bare_session -- NETWORK.onnx [--prepared]
//! ```
//!
//! `--prepared` opens a network as it is, one that ONNX Runtime has optimised before (`oodwatch build-engine`, docs/PROVIDERS.md).
//!
//! Prints milliseconds since the start and the process's memory after each step. One thread inside an inference, and ONNX Runtime's own
//! settings, as in `oodwatch run`; inputs are zeros, free axes are 1. docs/PEERS.md holds `oodwatch run` against it.

use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use oodwatch::infer::LIBRARY_VARIABLE;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Tensor, ValueType};

fn main() -> Result<()> {
    let started = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, prepared) = match arguments.as_slice() {
        [path] => (path, false),
        [path, flag] if flag == "--prepared" => (path, true),
        _ => bail!("usage: bare_session NETWORK.onnx [--prepared]"),
    };
    let library = std::env::var(LIBRARY_VARIABLE).unwrap_or_else(|_| "libonnxruntime.so".into());
    let environment = ort::init_from(&library)?.build()?;
    tell("library loaded", started)?;
    // A builder's error holds the builder, which anyhow cannot hand to other threads.
    let mut builder = Session::builder(&environment)?.with_intra_threads(1).map_err(|error| anyhow!("{error}"))?;
    if prepared {
        builder =
            builder.with_optimization_level(GraphOptimizationLevel::Disable).map_err(|error| anyhow!("{error}"))?;
    }
    let mut session = builder.commit_from_file(path)?;
    tell("network opened", started)?;
    let input = match session.inputs().first().context("the network has no input")?.dtype() {
        ValueType::Tensor { shape, .. } => shape.iter().map(|axis| usize::try_from(*axis).unwrap_or(1)).collect(),
        _ => Vec::new(),
    };
    let values = vec![0.0_f32; input.iter().product()];
    let input: Tensor<f32> = Tensor::from_array((input, values))?;
    for run in ["first run", "second run"] {
        session.run(ort::inputs![&input])?;
        tell(run, started)?;
    }
    Ok(())
}

fn tell(step: &str, started: Instant) -> Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mib = |key: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).with_context(|| key.to_owned())?;
        Ok(line.trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
    };
    println!(
        "{:7.1} ms  {:6.1} MiB now  {:6.1} MiB at most  {step}",
        started.elapsed().as_secs_f64() * 1e3,
        mib("VmRSS:")?,
        mib("VmHWM:")?
    );
    Ok(())
}
