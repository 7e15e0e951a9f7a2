//! The program `oodwatch`: command line in, exit code out. All the work is in the library and in [`cli`].

#![cfg_attr(test, allow(clippy::unwrap_used))]
// But for two calls of glibc, in `cli::allocator`.
#![deny(unsafe_code)]

mod cli;

use std::panic;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::start_log(arguments.log_level);
    cli::exit::end(panic::catch_unwind(|| arguments.command.run()))
}
