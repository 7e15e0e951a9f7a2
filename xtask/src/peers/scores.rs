//! `cargo xtask peers --scores`: what scores of one frame cost, beside pytorch-ood.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::answering::Answering;
use super::bench::{machine, pinned};
use super::numbers::{Ratio, median};
use crate::demo;
use crate::fetch::Fetcher;

/// Classes and features of the two networks that frames are judged by.
const SIZES: [(usize, usize); 2] = [(10, 64), (1000, 1280)];
/// What both have, by our names; but for OpenMax, which pytorch-ood fits for minutes where there are 1000 classes.
const SCORES: [&str; 19] = [
    "msp",
    "max_logit",
    "energy",
    "gen",
    "react",
    "vra",
    "ash_p",
    "ash_b",
    "ash_s",
    "scale",
    "dice",
    "nnguide",
    "knn",
    "mahalanobis",
    "relative_mahalanobis",
    "vim",
    "she",
    "fdbd",
    "nci",
];
/// Frames of one turn: each different one twice.
const RUNS: usize = 128;
/// What is installed; every package by its sha256.
const REQUIREMENTS: &str = "benches/peers/scores.txt";

/// Installs what is missing, measures, and gives the tables in Markdown.
///
/// # Errors
/// When something is missing or a step cannot be done.
pub(super) fn run(fetcher: &Fetcher, out: &Path, repeats: usize) -> Result<String> {
    let root = &fetcher.paths.root;
    let packages = out.join("python");
    install(&root.join(REQUIREMENTS), &packages)?;
    let ours = demo::build_to_measure(root, "peer_scores")?.with_file_name("examples").join("peer_scores");
    let mut text =
        format!("Measured on {}, one thread each; microseconds of the processor for one frame.\n", machine());
    for size in SIZES {
        let sides = [size.0, size.1].map(|number| number.to_string());
        let mut theirs = pinned(Path::new("python3"));
        theirs.env("PYTHONPATH", &packages).arg(root.join("benches/peers/scores.py")).args(&sides);
        let mut own = pinned(&ours);
        own.args(&sides);
        table(&mut text, size, [Answering::start(own)?, Answering::start(theirs)?], repeats)?;
    }
    Ok(text)
}

fn table(text: &mut String, size: (usize, usize), mut programs: [Answering; 2], repeats: usize) -> Result<()> {
    writeln!(text, "\n## {} classes, {} features\n", size.0, size.1)?;
    writeln!(text, "| score | oodwatch, us | pytorch-ood, us | pytorch-ood by ours |\n|---|---:|---:|---:|")?;
    for score in SCORES {
        let mut pairs = Vec::new();
        // The first turn fits, warms caches, and is not counted.
        for _ in 0..=repeats {
            let [ours, theirs] = &mut programs;
            let ([ours], [theirs]) = (ours.ask(score, RUNS)?, theirs.ask(score, RUNS)?);
            pairs.push((theirs, ours));
        }
        let pairs = &pairs[1..];
        let (theirs, ours): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let (ratio, ours, theirs) = (Ratio::of(pairs.iter().copied()), median(&ours), median(&theirs));
        writeln!(text, "| `{score}` | {ours:.1} | {theirs:.1} | {ratio} |")?;
    }
    Ok(())
}

/// Puts the packages into a folder, once.
fn install(requirements: &Path, packages: &Path) -> Result<()> {
    if packages.exists() {
        return Ok(());
    }
    let unfinished = packages.with_extension("unfinished");
    demo::empty(&unfinished)?;
    eprintln!("pytorch-ood and torch, which oodwatch's scores are compared with (5 GB)");
    let status = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-cache-dir",
            "--only-binary=:all:",
            "--require-hashes",
        ])
        .arg("--requirement")
        .arg(requirements)
        .arg("--target")
        .arg(&unfinished)
        .stdin(Stdio::null())
        .status()
        .context("python3 cannot be started")?;
    if !status.success() {
        bail!("pip cannot install {}", requirements.display());
    }
    std::fs::rename(&unfinished, packages).with_context(|| packages.display().to_string())
}
