//! `oodwatch run`: the monitor.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use oodwatch::board::{Tally, Watch, Watched};
use oodwatch::config::Config;
use oodwatch::monitor::{Camera, Ended, Limits, Monitor, MonitorError, Orders, Proven, Reporter, Summary};
use oodwatch::notify::Notifier;
use oodwatch::open::{self, OpenedCameras};
use oodwatch::sink::Sinks;
use oodwatch::source::{self, Source};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::allocator;
use super::exit::{self, CliError};
use super::lines;
use super::process::{PidFile, RESET, SELF_TEST};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  oodwatch run --config configs/images.toml --max-frames 100")]
pub(crate) struct Arguments {
    /// The config file; configs/reference.toml lists every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stop after this many frames of each camera
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_frames: Option<u64>,
    /// Stop after this many seconds
    #[arg(long, value_name = "S", value_parser = seconds)]
    duration: Option<Duration>,
    /// Keep this process's id in a file while it runs, for `oodwatch reset --pid-file` and `self-test`
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "wanted a number of seconds".to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let orders = orders_by_signals()?;
    let mut manager = service_manager();
    let _pid_file = arguments.pid_file.as_deref().map(PidFile::write).transpose()?;
    if let Some(manager) = &mut manager {
        manager.status("starting: config, package, self-test, cameras");
    }
    let config = Config::load(&arguments.config)?;
    // Before there is another thread: each takes after the one that starts it.
    config.schedule.apply()?;
    let opened = allocator::while_opening(|| open::open_cameras(&config))?;
    let sources = open_sources(&config)?;
    let started = Instant::now();
    let watch = Watch::start(&config.board)?;
    let cameras = cameras(&config, &opened, sources, &watch.watched)?;
    let network = Proven::new(opened, &config.self_test);
    let monitor = Monitor { network, sinks: Sinks::open(&config.sink)? };
    let limits = Limits { max_frames: arguments.max_frames, duration: arguments.duration };
    let mut ended =
        monitor.run_under(manager, cameras, limits, &orders).inspect_err(|_| exit::leave_threads_behind())?;
    if ended.iter().any(|ended| ended.left_behind) {
        exit::leave_threads_behind();
    }
    let alone = match ended.as_mut_slice() {
        [one] => one.failure.take(),
        _ => None,
    };
    if let Some(failure) = alone {
        // Everything was counted, though it ended badly.
        if matches!(failure, MonitorError::Latched { .. }) {
            tell(&ended, started.elapsed());
        }
        return Err(failure.into());
    }
    tell_board(&watch.watched.tally());
    tell(&ended, started.elapsed());
    CliError::of_cameras(&ended).map_or(Ok(()), |failed| Err(failed.into()))
}

fn open_sources(config: &Config) -> anyhow::Result<Vec<Box<dyn Source>>> {
    let cameras = config.camera.iter();
    cameras
        .map(|camera| {
            Ok(source::open_as(&camera.name, &camera.source)
                .map_err(|error| CliError::in_camera(config, camera, error))?)
        })
        .collect()
}

fn cameras(
    config: &Config,
    opened: &OpenedCameras,
    sources: Vec<Box<dyn Source>>,
    board: &Watched,
) -> anyhow::Result<Vec<Camera>> {
    let run_id = Reporter::new_run_id();
    let parts = config.camera.iter().zip(opened.of_cameras()).zip(sources);
    parts
        .map(|((camera, by), source)| {
            let made = Camera::new(source, camera, config, by, &run_id);
            let made = made.map_err(|error| CliError::in_camera(config, camera, error))?;
            Ok(Camera { board: board.clone(), ..made })
        })
        .collect()
}

/// SIGTERM and SIGINT set a flag that every loop looks at. SIGUSR1 and SIGUSR2 set others.
fn orders_by_signals() -> anyhow::Result<Orders> {
    let orders = Orders::default();
    stop_by_signals(&orders.stop)?;
    signal_hook::flag::register(RESET.as_raw(), Arc::clone(&orders.reset))?;
    signal_hook::flag::register(SELF_TEST.as_raw(), Arc::clone(&orders.self_test))?;
    Ok(orders)
}

/// The service manager that started this process, where there is one. Verdicts do not depend on it.
fn service_manager() -> Option<Notifier> {
    Notifier::from_env().unwrap_or_else(|error| {
        log::warn!("{error}; the service manager is told nothing, and may end this process for that");
        None
    })
}

/// The first SIGTERM or SIGINT sets the flag, the next one ends the process; with the flag set, the first one does.
pub(super) fn stop_by_signals(stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    for signal in [SIGTERM, SIGINT] {
        // The order matters: the first signal finds the flag unset, the second finds it set.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(stop))?;
        signal_hook::flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}

/// A line for each of several cameras, and one for all; before them, of each that ran for long enough, its p-values.
fn tell(ended: &[Ended], elapsed: Duration) {
    for (ended, drift) in ended.iter().filter_map(|ended| Some((ended, ended.drift.as_ref()?))) {
        lines::note(&format!("camera {}: {drift}", ended.camera));
    }
    if let [_, _, ..] = ended {
        for Ended { camera, summary, failure, .. } in ended {
            let failed = if failure.is_some() { "failed: " } else { "" };
            lines::note(&format!("camera {camera}: {failed}{}", counts(summary, elapsed)));
        }
    }
    let total = Summary::total(ended.iter().map(|ended| &ended.summary));
    let how = if total.stopped { "stopped by a signal" } else { "done" };
    lines::note(&format!("{how}: {}", counts(&total, elapsed)));
}

/// A line for the board, where it says how it is.
fn tell_board(tally: &Tally) {
    if tally.is_known() {
        lines::note(&format!("board: {tally}"));
    }
}

fn counts(summary: &Summary, elapsed: Duration) -> String {
    let Summary { captured, judged, flagged, dropped, bad, late, silent, .. } = summary;
    let rate = *judged as f64 / elapsed.as_secs_f64().max(f64::EPSILON);
    format!(
        "{captured} frames captured = {judged} judged + {dropped} dropped + {bad} bad; {flagged} flagged; \
         {late} verdicts later than the deadline; {silent} deadlines passed without a judged frame; {rate:.1} frames/s"
    )
}
