//! `cargo xtask instructions`: how many instructions each kernel takes, held against the table in the repository.
//!
//! Times of a shared machine tell nothing of a change of a few percent; counts do, and they are the same on every machine that
//! has the same vector instructions. valgrind's processor has AVX2 where the real one has, whatever else that has, so the level
//! is the same nearly everywhere; where it is not, nothing is compared.

mod count;
mod table;

use std::process::ExitCode;

use anyhow::{Context, Result};

use self::count::Counter;
use self::table::{Table, Verdict};
use crate::demo;
use crate::fetch::Fetcher;

/// The table, below the repository's root.
const TABLE: &str = "benches/instructions.toml";

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write the table anew instead of comparing with it
    #[arg(long)]
    bless: bool,
    /// Count the kernels alone whose names contain this
    #[arg(long, value_name = "PART", conflicts_with = "bless")]
    only: Option<String>,
}

/// Builds, counts, and compares or writes.
///
/// # Errors
/// When something is missing or a step cannot be done. A kernel that takes more than it may is no error but the exit code.
pub(crate) fn run(fetcher: &Fetcher, arguments: &Arguments) -> Result<ExitCode> {
    if !cfg!(target_arch = "x86_64") {
        println!("not compared: instructions are counted on x86_64 alone, this is {}", std::env::consts::ARCH);
        return Ok(ExitCode::SUCCESS);
    }
    fetcher.ensure_all(&["valgrind"])?;
    let root = &fetcher.paths.root;
    let programs = demo::build_to_measure(root, "kernels")?;
    let counter = Counter::new(&fetcher.paths.dep("valgrind"), &programs.with_file_name("examples").join("kernels"))?;
    let file = root.join(TABLE);
    let (level, only) = (counter.level()?, arguments.only.as_deref());
    if arguments.bless {
        let counted = Table { level, kernels: counter.count(None)? };
        counted.write(&file).with_context(|| file.display().to_string())?;
        println!("{} kernels counted; the table is {TABLE}", counted.kernels.len());
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = Table::read(&file)?;
    if level != wanted.level {
        println!("not compared: valgrind's processor has {level} here, {TABLE} is of {}", wanted.level);
        return Ok(ExitCode::SUCCESS);
    }
    Ok(compare(&wanted, &Table { level, kernels: counter.count(only)? }, only))
}

/// Prints every kernel, and says whether all are within what they may take.
fn compare(wanted: &Table, counted: &Table, only: Option<&str>) -> ExitCode {
    println!("{:<34}{:>14}{:>14}{:>9}", "instructions", "table", "now", "change");
    let rows = wanted.compare(counted, only);
    rows.iter().for_each(|row| println!("{row}"));
    let bad = rows.iter().filter(|row| row.verdict.is_bad()).count();
    if bad > 0 {
        println!(
            "{bad} of {} kernels are not as the table has them; if that is wanted: cargo xtask instructions --bless",
            rows.len()
        );
        return ExitCode::FAILURE;
    }
    if rows.iter().any(|row| row.verdict == Verdict::Less) {
        println!("some got faster; cargo xtask instructions --bless keeps them so");
    }
    println!("{} kernels are within {} % of {TABLE}", rows.len(), table::ALLOWANCE_PERCENT);
    ExitCode::SUCCESS
}
