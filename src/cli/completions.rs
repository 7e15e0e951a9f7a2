//! `oodwatch completions`: a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::lines;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch completions bash > ~/.local/share/bash-completion/completions/oodwatch")]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "oodwatch", &mut script);
    lines::write_all(&script)
}
