//! `oodwatch man`: the manual pages, made of what `--help` says, so that they cannot say anything else.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory;
use clap_mangen::Man;

use super::lines;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch man | man -l -\n  oodwatch man --out /usr/local/share/man/man1")]
pub(crate) struct Arguments {
    /// Write a page for each command into this folder, instead of the first page to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let command = super::Arguments::command().disable_help_subcommand(true);
    let Some(folder) = &arguments.out else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        return lines::write_all(&page);
    };
    let place = || folder.display().to_string();
    fs::create_dir_all(folder).with_context(place)?;
    clap_mangen::generate_to(command, folder).with_context(place)
}
