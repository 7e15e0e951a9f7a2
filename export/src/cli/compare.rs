//! `oodwatch-export compare`: packages beside each other.

use std::path::PathBuf;

use oodwatch_export::compare::{self, CompareConfig};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch-export compare --config configs/train/quantised-cifar10.toml")]
pub(crate) struct Compare {
    /// Comparison config (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Compare {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = CompareConfig::read(&self.config)?;
        print!("{}", compare::run(&config)?.markdown());
        log::info!("compare: done, see {}", config.out.display());
        Ok(())
    }
}
