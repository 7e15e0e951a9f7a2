//! `cargo xtask peers`: oodwatch beside the loop that a user would otherwise write in Python, on the same frames, network and core.
//!
//! ```text
//!  footage ──► frames of each size and format ─┬─► in memory: examples/peer.rs | benches/peers/in_memory.py, by turns
//!                                              └─► through a pipe: oodwatch run | benches/peers/loop.py, by turns
//!  one file of results for each case ──► tables, and what became of each goal
//! ```
//!
//! All that is compared is a ratio of two numbers that were measured one after the other, as often as there are repeats.

mod answering;
mod bench;
mod camera;
mod footage;
mod goals;
mod in_memory;
mod numbers;
mod plan;
mod report;
mod results;
mod scores;
mod through_a_pipe;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use self::bench::Bench;
pub(crate) use self::camera::{Arguments as CameraArguments, run as camera};
use self::plan::Case;
use self::results::Measured;
use crate::fetch::Fetcher;

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Measure the cases alone whose names contain this, such as 1080p, yuyv or 720p-mjpg-lite0; may be given several times
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// How often everybody takes a turn
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
    /// Measure also what is measured already
    #[arg(long)]
    again: bool,
    /// Compare the scores with pytorch-ood's instead, which takes 5 GB of torch (CPython 3.11 on x86-64)
    #[arg(long, conflicts_with_all = ["only", "again"])]
    scores: bool,
    /// Where frames, results and the report are written
    #[arg(long, value_name = "DIR", default_value = "out/peers")]
    out: PathBuf,
}

/// Fetches, builds, measures what is not measured yet, and reports on all there is.
///
/// # Errors
/// When something is missing or a step cannot be done. A goal that is not reached is no error.
pub(crate) fn run(fetcher: &Fetcher, arguments: &Arguments) -> Result<ExitCode> {
    let (out, repeats) = (&arguments.out, usize::from(arguments.repeats));
    let out = std::path::absolute(out).with_context(|| out.display().to_string())?;
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let _alone = alone(&out)?;
    if arguments.scores {
        return tell(&out.join("scores.md"), &scores::run(fetcher, &out, repeats)?);
    }
    let cases = Case::chosen(&arguments.only);
    let bench = Bench::prepare(fetcher, out, &cases)?;
    let with = bench.with()?;
    for &case in &cases {
        if !arguments.again && results::kept(&bench.out, case, &with).is_some() {
            eprintln!("{case}: measured already");
            continue;
        }
        eprintln!("{case}");
        let measured = Measured {
            with: with.clone(),
            in_memory: in_memory::measure(&bench, case, repeats)?,
            through_a_pipe: through_a_pipe::measure(&bench, case, repeats)?,
        };
        results::keep(&bench.out, case, &measured)?;
    }
    let kept = Case::all().into_iter().filter_map(|case| Some((case, results::kept(&bench.out, case, &with)?)));
    tell(&bench.out.join("report.md"), &report::report(&with, &kept.collect::<Vec<_>>()))
}

/// Keeps a second run out of the same folder: they would share the camera.
fn alone(out: &Path) -> Result<File> {
    let path = out.join("lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    file.try_lock().with_context(|| format!("{}: another run is at work there", out.display()))?;
    Ok(file)
}

/// Writes a report, and prints it.
fn tell(file: &Path, report: &str) -> Result<ExitCode> {
    std::fs::write(file, report).with_context(|| file.display().to_string())?;
    println!("{report}");
    Ok(ExitCode::SUCCESS)
}
