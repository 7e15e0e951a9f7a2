//! `oodwatch build-engine`: has TensorRT build the engine of a network ahead of time, so that `run` never sits silent.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::{Axis, Slice};
use oodwatch::config::{Config, ModelConfig};
use oodwatch::engines::{EngineError, Key, Store};
use oodwatch::infer::{ExecutionProvider, InferError, Network, NetworkOptions};
use oodwatch::package::Package;

use super::exit::CliError;
use super::lines;

/// Between two words on a build that is not done.
const WORD: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  oodwatch build-engine --config camera.toml && oodwatch run --config camera.toml\n\n\
                  Takes minutes on a small board, and no time where the engine is there already. Engines lie in \
                  model.tensorrt.engine_cache."
)]
pub(crate) struct Arguments {
    /// The config that `run` will be given
    #[arg(long, value_name = "FILE", required_unless_present = "model")]
    config: Option<PathBuf>,
    /// Instead, a package that `calibrate`, `init`, `score` or `bench` is to run with `--execution-provider tensorrt`
    #[arg(long, value_name = "PKG", conflicts_with = "config")]
    model: Option<PathBuf>,
    /// Build also where an engine is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (model, cameras) = wanted(arguments)?;
    if !ExecutionProvider::TensorRt.is_available()? {
        return Err(InferError::ProviderMissing { provider: ExecutionProvider::TensorRt }.into());
    }
    let package = Package::open(&model.package)?;
    let options = model.network_options(cameras);
    let key = Key::here(Path::new("/"), &package.manifest, &options);
    let store = Store::of(&model.tensorrt)?;
    match store.find(&key) {
        Ok(folder) if !arguments.force => return lines::text(&format!("ok  engine   {}", folder.display())),
        Err(error @ EngineError::NotBuilt { .. }) => log::info!("infer: {error}"),
        _ => {}
    }
    let started = Instant::now();
    let built = while_telling(started, || store.build(&key, |folder| build(&package, &options, folder)));
    let (folder, deleted) = built?;
    for old in deleted {
        lines::note(&format!("deleted {}, built for something else", old.display()))
    }
    lines::text(&format!("ok  engine   {} after {:.0} s", folder.display(), started.elapsed().as_secs_f64()))
}

/// What the engine is for, and for how many cameras.
fn wanted(arguments: &Arguments) -> anyhow::Result<(ModelConfig, usize)> {
    if let Some(model) = &arguments.model {
        let providers = vec![ExecutionProvider::TensorRt];
        return Ok((ModelConfig { execution_providers: providers, ..ModelConfig::new(model) }, 1));
    }
    let path = arguments.config.clone().unwrap_or_default();
    let config = Config::load(&path)?;
    if !config.model.execution_providers.contains(&ExecutionProvider::TensorRt) {
        let asked: Vec<&str> = config.model.execution_providers.iter().map(|provider| provider.as_str()).collect();
        let (path, asked) = (path.display(), asked.join(", "));
        let problem = format!("{path}: model.execution_providers is {asked}, and only tensorrt builds engines");
        return Err(CliError::Usage(problem).into());
    }
    Ok((config.model, config.camera.len()))
}

/// Opens the network with its engines in `folder`, and runs it once: what was not built by then is not built.
fn build(package: &Package, options: &NetworkOptions, folder: &Path) -> Result<(), InferError> {
    let options = NetworkOptions { engines: Some(folder.into()), ..options.clone() };
    let mut network = Network::open(package, &options)?;
    network.run(package.golden()?.inputs.slice_axis(Axis(0), Slice::from(0..1)))?;
    Ok(())
}

/// Does `work`, and says on stderr every few seconds that it is not done.
fn while_telling<T>(started: Instant, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(WORD) == Err(RecvTimeoutError::Timeout) {
                lines::note(&format!("building an engine for {} s", started.elapsed().as_secs()));
            }
        });
        let result = work();
        drop(done);
        result
    })
}
