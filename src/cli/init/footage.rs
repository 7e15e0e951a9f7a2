//! The recording: what is told before it, while it lasts, and of what it gave.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use oodwatch::calibrate::{Target, time_of};
use oodwatch::config::CameraConfig;
use oodwatch::health::HealthConfig;
use oodwatch::init::{self, End, Limits, Progress, Recorder, Recording, Survey};
use oodwatch::source;

use super::{Arguments, FOOTAGE};
use crate::cli::exit::CliError;
use crate::cli::lines;
use crate::cli::run::stop_by_signals;

/// Where neither minutes nor frames are given.
const MINUTES: f64 = 10.0;
/// Where nobody says how much: an hour of a camera of 640x480 at 30 frames/s is four times that.
const MAX_BYTES: u64 = 10_000 * MB;
const MB: u64 = 1_000_000;
/// How long a camera may be lost while it is recorded, in seconds.
const PATIENCE_S: u64 = 30;

/// Records what is wanted, and says what it lacks. Gives the hours of footage that there are now.
pub(super) fn record(arguments: &Arguments, camera: &CameraConfig, target: Target) -> anyhow::Result<f64> {
    let dir = arguments.out.join(FOOTAGE);
    let mut recorder = open_folder(arguments, &dir)?;
    let mut survey = Survey::new(&HealthConfig::default(), &camera.view);
    let before = init::review(&dir, &recorder, &mut survey)?;
    let limits = limits(arguments, &recorder)?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_by_signals(&stop)?;
    let mut source = source::open_as(&camera.name, &camera.source)?;
    let live = source.live().is_some();
    let limits = if live { Limits { patience: Duration::from_secs(PATIENCE_S), ..limits } } else { limits };
    announce(&dir, &limits, &before, live);
    let bar = progress_bar(&limits);
    let mut tick = |progress: &Progress| show(&bar, &limits, progress);
    let recording = init::record(&mut *source, &mut recorder, &mut survey, &limits, before, &stop, &mut tick);
    bar.finish_and_clear();
    // From here on a signal ends the program at once: everything that it leaves behind is whole.
    stop.store(true, Ordering::Relaxed);
    drop(source);
    let recording = recording?;
    tell_end(&recording, &dir, recorder.bytes())?;
    tell_concerns(arguments, &survey, target)?;
    Ok(recording.progress.seconds / 3600.0)
}

fn open_folder(arguments: &Arguments, dir: &Path) -> anyhow::Result<Recorder> {
    if arguments.force && !arguments.resume {
        Recorder::clear(dir)?;
    }
    let recorder = Recorder::open(dir)?;
    let frames = recorder.pictures_before().len();
    if frames > 0 && !arguments.resume {
        let problem = format!(
            "{}: holds {frames} recorded frames; --resume goes on with them, --force begins anew",
            dir.display()
        );
        return Err(CliError::Usage(problem).into());
    }
    Ok(recorder)
}

fn limits(arguments: &Arguments, recorder: &Recorder) -> anyhow::Result<Limits> {
    let bytes = match arguments.max_disk_mb {
        Some(megabytes) => {
            recorder.check_room(megabytes.saturating_mul(MB))?;
            megabytes.saturating_mul(MB)
        }
        None => MAX_BYTES.min(recorder.room()?),
    };
    let minutes = arguments.minutes.unwrap_or(MINUTES);
    let seconds = arguments.frames.is_none().then_some(60.0 * minutes);
    Ok(Limits { frames: arguments.frames, seconds, bytes, patience: Duration::MAX })
}

/// What will happen, how much disk it may take, and what somebody should do meanwhile.
fn announce(dir: &Path, limits: &Limits, before: &Progress, live: bool) {
    let wanted = match (limits.frames, limits.seconds) {
        (Some(frames), _) => format!("{frames} frames"),
        (None, seconds) => time_of(seconds.unwrap_or_default() / 3600.0),
    };
    lines::note(&format!("recording {wanted} into {}, at most {} MB of disk", dir.display(), limits.bytes / MB));
    if before.kept > 0 {
        lines::note(&format!("{} frames are there already", before.kept));
    }
    if live {
        lines::note(
            "drive where the robot will work: every place, light and load of a working day, and nothing that it is to \
             stop for; Ctrl-C keeps what there is",
        );
    }
}

/// Of seconds, or of frames.
fn progress_bar(limits: &Limits) -> ProgressBar {
    let length = limits.frames.unwrap_or_else(|| limits.seconds.unwrap_or_default().ceil() as u64);
    let style = ProgressStyle::with_template("{bar:30} {msg}, {eta} left");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, limits: &Limits, progress: &Progress) {
    bar.set_position(if limits.frames.is_some() { progress.kept } else { progress.seconds as u64 });
    bar.set_message(format!("{} frames kept", progress.kept));
}

fn tell_end(recording: &Recording, dir: &Path, bytes: u64) -> anyhow::Result<()> {
    let Progress { kept, unreadable, seconds } = recording.progress;
    let resumable = format!("{kept} frames are kept in {}, and --resume goes on with them", dir.display());
    match recording.end {
        End::Stopped => return Err(anyhow!("interrupted: {resumable}")),
        End::Silent => return Err(CliError::Silent { after_s: PATIENCE_S, kept }.into()),
        _ if kept == 0 => return Err(CliError::NothingRead(unreadable).into()),
        End::Full => log::warn!("init: no room for more: {resumable} if --max-disk-mb allows more"),
        End::SourceOver | End::Enough => {}
    }
    let (width, height) = recording.size_px;
    let size = if width > 0 { format!(" of {width}x{height} pixels") } else { String::new() };
    lines::note(&format!("{kept} frames{size}, {} of footage, {} MB", time_of(seconds / 3600.0), bytes.div_ceil(MB)));
    Ok(())
}

fn tell_concerns(arguments: &Arguments, survey: &Survey, target: Target) -> anyhow::Result<()> {
    let concerns = survey.concerns(target.needed_scores());
    for concern in &concerns {
        log::warn!("init: {concern}");
    }
    lines::note(&format!("{} frames, worth about {:.0} independent ones", survey.frames(), survey.worth()));
    match concerns.as_slice() {
        [first, ..] if arguments.strict => Err(CliError::Usage(format!(
            "{first}; without --strict this would be a warning, and --resume goes on with the footage"
        ))
        .into()),
        _ => Ok(()),
    }
}
