//! The program `oodwatch-export`: command line in, exit code out. All the work is in the library.

#![deny(unsafe_code)]

mod allocator;
mod cli;
mod cuda;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::start_log(arguments.log_level);
    allocator::keep_what_is_freed();
    match arguments.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
