//! `oodwatch run`: the monitor.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use oodwatch::config::Config;
use oodwatch::decide::Decider;
use oodwatch::decode::Decoder;
use oodwatch::monitor::{Limits, Monitor, Reporter, Summary};
use oodwatch::open;
use oodwatch::package::Package;
use oodwatch::sink::Sinks;
use oodwatch::source;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::exit::CliError;
use super::lines;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch run --config configs/images.toml --max-frames 100")]
pub(crate) struct Arguments {
    /// The config file; configs/reference.toml lists every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stop after this many frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_frames: Option<u64>,
    /// Stop after this many seconds
    #[arg(long, value_name = "S", value_parser = seconds)]
    duration: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "wanted a number of seconds".to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let config = Config::load(&arguments.config)?;
    let camera = config.camera.first().ok_or_else(|| CliError::Usage("no camera".into()))?;
    let package = Package::open(&config.model.package)?;
    let criterion = &config.score.name;
    let opened = open::open(&package, &config.model, criterion.scores())?;
    let judge = open::judge(&package, &opened.pipeline, criterion)?;
    let policy = config.decide.policy_of(judge.calibration())?;
    let reporter = Reporter {
        camera: camera.name.clone(),
        classes: package.manifest.classes.clone(),
        criterion: criterion.clone(),
        threshold: judge.calibration().all.threshold(),
        policy: policy.map_or("frame", |policy| policy.name()).into(),
        execution_provider: opened.pipeline.execution_provider().to_string(),
        model: package.id.clone(),
        run_id: Reporter::new_run_id(),
        deadline_ms: config.decide.deadline_ms,
        alive: 0,
    };
    let source = source::open(&camera.source)?;
    let started = Instant::now();
    let monitor = Monitor {
        decoder: Decoder::default(),
        pipeline: opened.pipeline,
        judge,
        decider: Decider::new(&config.decide, started).with_policy(policy),
        reporter,
        sinks: Sinks::open(&config.sink)?,
    };
    let limits = Limits { max_frames: arguments.max_frames, duration: arguments.duration };
    let summary = monitor.run(source, limits, &stop)?;
    tell(&summary, started.elapsed());
    Ok(())
}

/// SIGTERM and SIGINT set a flag that every loop looks at; a second signal ends the process at once.
fn stop_on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // The order matters: the first signal finds the flag unset, the second finds it set.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn tell(summary: &Summary, elapsed: Duration) {
    let Summary { captured, judged, flagged, dropped, bad, silent, stopped } = summary;
    let rate = *judged as f64 / elapsed.as_secs_f64().max(f64::EPSILON);
    let how = if *stopped { "stopped by a signal" } else { "done" };
    lines::note(&format!(
        "{how}: {captured} frames captured = {judged} judged + {dropped} dropped + {bad} bad; {flagged} flagged; \
         {silent} deadlines passed without a judged frame; {rate:.1} frames/s"
    ));
}
