//! `oodwatch build-engine`: has TensorRT build the engine of a network ahead of time, so that `run` never sits silent; or has ONNX Runtime
//! prepare it for the processor, so that `run` starts sooner and in less memory.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use oodwatch::config::{Config, ModelConfig};
use oodwatch::engines::{self, EngineError, Key, Kind, Store};
use oodwatch::infer::{CpuConfig, ExecutionProvider, InferError, Network, NetworkOptions};
use oodwatch::package::Package;

use super::exit::CliError;
use super::lines;

/// Between two words on a build that is not done.
const WORD: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  oodwatch build-engine --config camera.toml && oodwatch run --config camera.toml\n\n\
                  TensorRT takes minutes on a small board; preparing a network for the processor ([model.cpu] prepared = true) takes \
                  about as long as two starts;\nwhere the engine or the network is there already, nothing is done. They lie in \
                  model.tensorrt.engine_cache and model.cpu.prepared_cache."
)]
pub(crate) struct Arguments {
    /// The config that `run` will be given
    #[arg(long, value_name = "FILE", required_unless_present = "model")]
    config: Option<PathBuf>,
    /// A package instead of the config's; without a config one that `calibrate`, `init`, `score` or `bench` is to run with `--execution-provider tensorrt`
    #[arg(long, value_name = "PKG")]
    model: Option<PathBuf>,
    /// Without a config: prepare it for the processor instead, for `bench --prepared`
    #[arg(long, conflicts_with = "config")]
    prepared: bool,
    /// Build also where an engine is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Wanted { kind, model, cameras } = Wanted::of(arguments)?;
    let provider = match kind {
        Kind::TensorRt => ExecutionProvider::TensorRt,
        Kind::Prepared => ExecutionProvider::Cpu,
    };
    if !provider.is_available()? {
        return Err(InferError::ProviderMissing { provider }.into());
    }
    let package = Package::open(&model.package)?;
    let options = model.network_options(cameras);
    let (key, store) = match kind {
        Kind::TensorRt => {
            (Key::of_tensorrt(Path::new("/"), &package.manifest, &options), Store::of_tensorrt(&model.tensorrt)?)
        }
        Kind::Prepared => (Key::of_cpu(Path::new("/"), &package.manifest), Store::of_cpu(&model.cpu)?),
    };
    match found(&store, &key) {
        Ok(folder) if !arguments.force => return lines::text(&format!("ok  engine   {}", folder.display())),
        Err(EngineError::NotBuilt { why, folder, .. }) => log::info!("infer: {kind} in {}: {why}", folder.display()),
        Err(error @ EngineError::Infer(_)) => log::info!("infer: {error}"),
        _ => {}
    }
    let started = Instant::now();
    let built = while_telling(started, kind, || {
        store.build(&key, |folder| match kind {
            Kind::TensorRt => build(&package, &options, folder),
            Kind::Prepared => engines::prepare(&package, &options, folder),
        })
    });
    let (folder, deleted) = built?;
    for old in deleted {
        lines::note(&format!("deleted {}, built for something else", old.display()))
    }
    lines::text(&format!("ok  engine   {} after {:.0} s", folder.display(), started.elapsed().as_secs_f64()))
}

/// What is to be built, and for how many cameras.
struct Wanted {
    kind: Kind,
    model: ModelConfig,
    cameras: usize,
}

impl Wanted {
    fn of(arguments: &Arguments) -> anyhow::Result<Self> {
        if let (None, Some(package)) = (&arguments.config, &arguments.model) {
            let model = ModelConfig::new(package);
            return Ok(match arguments.prepared {
                true => {
                    let cpu = CpuConfig { prepared: true, ..CpuConfig::default() };
                    Self { kind: Kind::Prepared, model: ModelConfig { cpu, ..model }, cameras: 1 }
                }
                false => {
                    let execution_providers = vec![ExecutionProvider::TensorRt];
                    Self { kind: Kind::TensorRt, model: ModelConfig { execution_providers, ..model }, cameras: 1 }
                }
            });
        }
        let path = arguments.config.clone().unwrap_or_default();
        let Config { model, camera, .. } = Config::load(&path)?;
        let kind = if model.execution_providers.contains(&ExecutionProvider::TensorRt) {
            Kind::TensorRt
        } else if model.cpu.prepared {
            Kind::Prepared
        } else {
            let asked: Vec<&str> = model.execution_providers.iter().map(|provider| provider.as_str()).collect();
            let (path, asked) = (path.display(), asked.join(", "));
            return Err(CliError::Usage(format!(
                "{path}: model.execution_providers is {asked}, and only tensorrt builds engines; for cpu, [model.cpu] prepared = true \
                 has the network prepared"
            ))
            .into());
        };
        let package = arguments.model.clone().unwrap_or_else(|| model.package.clone());
        Ok(Self { kind, model: ModelConfig { package, ..model }, cameras: camera.len() })
    }
}

/// The folder of what is there already, whole.
fn found(store: &Store, key: &Key) -> Result<PathBuf, EngineError> {
    let folder = store.find(key)?;
    if store.kind() == Kind::Prepared {
        engines::find_prepared(store, key)?.verify()?;
    }
    Ok(folder)
}

/// Opens the network with its engines in `folder`, and runs it once: what was not built by then is not built.
fn build(package: &Package, options: &NetworkOptions, folder: &Path) -> Result<(), EngineError> {
    let options = NetworkOptions { engines: Some(folder.into()), ..options.clone() };
    let mut network = Network::open(package, &options)?;
    network.run(package.golden()?.inputs.first().view())?;
    Ok(())
}

/// Does `work`, and says on stderr every few seconds that it is not done.
fn while_telling<T>(started: Instant, kind: Kind, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(WORD) == Err(RecvTimeoutError::Timeout) {
                lines::note(&format!("building the {kind} for {} s", started.elapsed().as_secs()));
            }
        });
        let result = work();
        drop(done);
        result
    })
}
