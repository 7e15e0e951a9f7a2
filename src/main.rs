//! The program `oodwatch`: command line in, exit code out. All the work is in the library and in [`cli`].

#![forbid(unsafe_code)]

mod cli;

use std::panic;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::start_log(arguments.log_level);
    let outcome = panic::catch_unwind(|| arguments.command.run());
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => cli::exit::report(&error),
        Err(_) => cli::exit::after_panic(),
    }
}
