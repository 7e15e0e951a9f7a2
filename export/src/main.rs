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
            log::error!("{}", told_once(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, of which most tell the next one themselves: what was said already is left out.
fn told_once(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !told.contains(cause.trim_end()) {
            told += if told.is_empty() { "" } else { ": " };
            told += &cause;
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use oodwatch_export::config::TrainConfig;

    use super::*;

    #[test]
    fn a_mistake_in_a_config_is_told_once_and_a_cause_that_was_not_told_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "device = \"gpu\"\n").expect("written");
        let told = told_once(&TrainConfig::read(&path).expect_err("no device").into());
        assert_eq!(told.matches("unknown variant `gpu`").count(), 1, "{told}");
        assert!(told.contains("config.toml") && told.contains("line 1"), "{told}");
        let missing = std::fs::read(folder.path().join("nothing")).expect_err("no file");
        assert!(told_once(&anyhow::Error::from(missing).context("it")).starts_with("it: No such file"));
    }
}
