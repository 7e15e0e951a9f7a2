//! The command line: train, evaluate, ablate, tune, start, bench, export, quantize, compare.

mod compare;
mod quantize;

use std::io;
use std::path::{Path, PathBuf};

use crate::cuda;
use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use log::LevelFilter;
use oodwatch::calibrate::Target;
use oodwatch::score::{Parameters, ScoreName};
use oodwatch_export::ablate::{self, AblateConfig};
use oodwatch_export::config::{ModelConfig, TrainConfig};
use oodwatch_export::data::DataSource;
use oodwatch_export::evaluate::{self, EvaluateConfig};
use oodwatch_export::model::StartHead;
use oodwatch_export::package::{ExportOptions, export};
use oodwatch_export::pictures::Half;
use oodwatch_export::train::{Bench, train, write_start};
use oodwatch_export::tune;

/// Trains image classifiers with the local background feature loss and writes model packages
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  \
    oodwatch-export train --config configs/train/cifar10-resnet20.toml\n  \
    oodwatch-export export --checkpoint runs/cifar10-resnet20/model.safetensors --out my-package\n\nExit codes:\n  \
    0 done\n  2 usage\n  1 anything else; the message says what was found and what was wanted"
)]
pub(crate) struct Arguments {
    /// How much to log on stderr: off, error, warn, info, debug, trace [default: $RUST_LOG, or info]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<LevelFilter>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train or fine-tune a network; the run's folder is `out` of the config
    #[command(after_help = "Example:\n  oodwatch-export train --config configs/train/cifar10-resnet20.toml --resume")]
    Train {
        /// Training config (TOML)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Go on after the last finished epoch of a run of the same config; start it if there is none
        #[arg(long)]
        resume: bool,
    },
    /// Measure networks against out-of-distribution sets; writes metrics.json and table.md
    #[command(after_help = "Example:\n  oodwatch-export evaluate --config configs/train/evaluate-cifar10.toml")]
    Evaluate {
        /// Evaluation config (TOML)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Train and judge a grid of losses and compare each with its control; goes on where it was stopped
    #[command(after_help = "Example:\n  \
        oodwatch-export ablate --config configs/train/ablate-cifar10.toml\n  \
        oodwatch-export ablate --config configs/train/ablate-cifar10.toml --final")]
    Ablate {
        /// Ablation config (TOML)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Look at the test half of every set, once, for a grid that is trained and for which all choices are made;
        /// without, the validation half is judged
        #[arg(long = "final")]
        final_look: bool,
    },
    /// Choose a row of a grid and a score by pictures made of in-distribution ones; no out-of-distribution picture is read
    /// for the choice. Those of the config, if any, then tell how far it is from the best
    #[command(after_help = "Example:\n  \
        oodwatch-export tune --config configs/train/ablate-cifar10.toml --accuracy-drop 0.5\n\n\
        Trains what ablate has not, and keeps what it judged; writes the folder tune/ beside the tables of ablate")]
    Tune {
        /// Ablation config (TOML); its table [tune] names the pictures
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Points of percent of ID accuracy that a row may lose against the most accurate row without a loss table
        #[arg(long, value_name = "POINTS", default_value_t = 0.5)]
        accuracy_drop: f64,
    },
    /// Write the network that a run starts from as a checkpoint, to measure or export it as it is
    #[command(after_help = "Example:\n  \
        oodwatch-export start --config configs/train/imagenette-lite0.toml --out lite0.safetensors")]
    Start {
        /// Training config (TOML); with `data.classes` no picture is read
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The checkpoint
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Time training steps on made-up pictures: pictures per second, and what the terms of the loss cost
    #[command(after_help = "Example:\n  oodwatch-export bench --config configs/train/cifar10-resnet20.toml --pairs 50")]
    Bench {
        /// Training config (TOML); network, batch size, loss and threads are taken from it
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Steps with and without the terms, in turns
        #[arg(long, value_name = "N", default_value_t = 50)]
        pairs: usize,
        /// Start from fresh weights even where the config names others
        #[arg(long)]
        fresh: bool,
        /// Answer lines "with N" and "without N" on stdin by the seconds of a step, for a comparison with another program
        #[arg(long, conflicts_with = "pairs")]
        serve: bool,
    },
    /// Write a checkpoint as a model package
    #[command(after_help = "Example:\n  \
        oodwatch-export export --checkpoint runs/cifar10-resnet20/model.safetensors --out my-package")]
    Export(Export),
    /// Make a package in 8-bit integers or half precision of one in f32, calibrated anew
    Quantize(quantize::Quantize),
    /// Put packages of one network beside each other: OOD detection, and false alarms by own and by the first one's thresholds
    Compare(compare::Compare),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  oodwatch-export completions bash > /etc/bash_completion.d/oodwatch-export")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Checkpoint that training wrote
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// Folder of the package
    #[arg(long, value_name = "PKG")]
    out: PathBuf,
    /// ID pictures that set the thresholds: CIFAR files or one folder [default: the run's own test pictures]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    calibration: Vec<PathBuf>,
    /// Which of the calibration pictures
    #[arg(long, value_enum, default_value_t = Half::Validation)]
    half: Half,
    /// ID pictures with their classes that scores are fitted on: CIFAR files, or one folder with a sub-folder per class
    /// [default: the run's own training pictures]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    fit: Vec<PathBuf>,
    /// A score to calibrate, may be given several times [default: every one that the pictures allow]
    #[arg(long = "score", value_name = "NAME")]
    scores: Vec<ScoreName>,
    /// Settings of the scores; configs/scores.toml lists them
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// Share of ID frames that may be flagged, in (0, 1)
    #[arg(long, value_name = "A", default_value_t = 0.05)]
    false_alarm_rate: f64,
    /// Keep the realised rate at or below --false-alarm-rate with this probability, instead of on average
    #[arg(long, value_name = "C")]
    confidence: Option<f64>,
    /// JSON file with measured metrics for the manifest
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Replace a package that is already there
    #[arg(long)]
    force: bool,
}

impl Command {
    /// Does what was asked for.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Train { config, resume } => {
                let config = TrainConfig::read(&config)?;
                cuda::load_for(config.device)?;
                let folder = train(&config, resume)?;
                log::info!("train: done, see {}", folder.display());
            }
            Self::Evaluate { config } => {
                let config = EvaluateConfig::read(&config)?;
                cuda::load_for(config.device)?;
                print!("{}", evaluate::run(&config)?.markdown());
                log::info!("evaluate: done, see {}", config.out.display());
            }
            Self::Ablate { config, final_look } => {
                let config = read_grid(&config)?;
                print!("{}", ablate::run(&config, final_look)?.markdown());
                log::info!("ablate: done, see {}", config.out.display());
            }
            Self::Tune { config, accuracy_drop } => {
                let config = read_grid(&config)?;
                print!("{}", tune::run(&config, accuracy_drop)?.markdown());
                log::info!("tune: done, see {}", tune::folder(&config).display());
            }
            Self::Start { config, out } => {
                write_start(&TrainConfig::read(&config)?, &out)?;
                log::info!("start: written to {}", out.display());
            }
            Self::Bench { config, pairs, fresh, serve } => {
                let mut config = TrainConfig::read(&config)?;
                cuda::load_for(config.device)?;
                if fresh {
                    config.model = ModelConfig { start: None, start_head: StartHead::Same, ..config.model };
                }
                let mut bench = Bench::new(&config)?;
                match serve {
                    true => bench.serve(io::stdin().lock(), io::stdout().lock())?,
                    false => print!("{}", bench.run(pairs)?),
                }
            }
            Self::Export(arguments) => arguments.run()?,
            Self::Quantize(arguments) => arguments.run()?,
            Self::Compare(arguments) => arguments.run()?,
            Self::Completions { shell } => {
                clap_complete::generate(shell, &mut Arguments::command(), env!("CARGO_PKG_NAME"), &mut io::stdout());
            }
        }
        Ok(())
    }
}

impl Export {
    fn run(self) -> anyhow::Result<()> {
        let options = ExportOptions {
            calibration: data_source(self.calibration),
            half: self.half,
            fit: data_source(self.fit),
            scores: self.scores,
            parameters: self.parameters.as_deref().map(read_parameters).transpose()?.unwrap_or_default(),
            target: Target { rate: self.false_alarm_rate, confidence: self.confidence }.check()?,
            metrics: self.metrics,
            force: self.force,
        };
        let done = export(&self.checkpoint, &self.out, &options)?;
        let (output, difference) = done.parity.worst();
        log::info!("export: package {} in {}", done.id, self.out.display());
        log::info!(
            "export: ONNX Runtime against libtorch on {} pictures: largest difference {difference:e} ({output})",
            done.parity.pictures
        );
        log::info!(
            "export: scores fitted on {} pictures, thresholds from {}",
            done.fit_pictures,
            done.calibration_pictures
        );
        Ok(())
    }
}

/// The config of a grid, with what the device of its base needs.
fn read_grid(path: &Path) -> anyhow::Result<AblateConfig> {
    let config = AblateConfig::read(path)?;
    cuda::load_for(TrainConfig::read(&config.base)?.device)?;
    Ok(config)
}

/// One folder, or CIFAR files; nothing of no paths.
fn data_source(paths: Vec<PathBuf>) -> Option<DataSource> {
    match paths.as_slice() {
        [] => None,
        [folder] if folder.is_dir() => Some(DataSource::Folder(folder.clone())),
        _ => Some(DataSource::Cifar(paths)),
    }
}

fn read_parameters(path: &Path) -> anyhow::Result<Parameters> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let parameters: Parameters = toml::from_str(&text).with_context(|| path.display().to_string())?;
    parameters.check().with_context(|| path.display().to_string())?;
    Ok(parameters)
}

/// Logs to stderr at the asked level, or as RUST_LOG says.
pub(crate) fn start_log(level: Option<LevelFilter>) {
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"));
    if let Some(level) = level {
        builder.filter_level(level);
    }
    builder.format_timestamp_secs().format_target(false).init();
}
