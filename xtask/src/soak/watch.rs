//! Runs the program, feeds and interrupts it, reads every verdict, and looks at the process once a second.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use oodwatch::config::Config;
use oodwatch::source::faults::taken_ns;
use oodwatch::verdict::Verdict;
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use super::Bench;
use super::plan::{CAMERAS, INTERVAL, Interrupts, Plan};
use super::process::{Sample, look, signal};

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(20);
/// Between two looks at the process.
const LOOKS: Duration = Duration::from_secs(1);
/// Longest time for which nobody reads; a pipe is full well before.
const MOST_SLOW: Duration = Duration::from_secs(5);
/// What a latched fault has to say before it is let go.
const BEFORE_RESET: Duration = Duration::from_secs(1);
/// How much longer than asked for the program may take to start and end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run left behind.
#[derive(Debug)]
pub(super) struct Watched {
    /// Every verdict, in order.
    pub(super) verdicts: Vec<Verdict>,
    /// One a second.
    pub(super) samples: Vec<Sample>,
    /// On CLOCK_MONOTONIC, as in the verdicts.
    pub(super) interrupted: Vec<Interrupted>,
    /// Its log.
    pub(super) stderr: String,
    /// None where a signal ended it.
    pub(super) code: Option<i32>,
}

/// When the process was interrupted, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interrupted {
    pub(super) kind: Interrupts,
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
}

/// What the reading thread shares.
struct Heard {
    /// What the program writes into.
    pipe: OwnedFd,
    verdicts: Mutex<Vec<Verdict>>,
    /// While it is set, nobody reads.
    slow: AtomicBool,
}

/// Runs the program for as long as the plan says.
///
/// # Errors
/// When it cannot be started, or says something that is no verdict.
pub(super) fn watch(
    bench: &Bench,
    config_file: &Path,
    pictures: &[String],
    plan: &Plan,
    config: &Config,
) -> Result<Watched> {
    let log = bench.out.join("soak.log");
    let mut child = bench
        .command("run")
        .arg("--config")
        .arg(config_file)
        .args(["--duration", &plan.lasts.as_secs_f64().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&log).with_context(|| log.display().to_string())?)
        .spawn()
        .with_context(|| bench.program.display().to_string())?;
    let pipes = child.stdin.take().zip(child.stdout.take()).context("the program's pipes are not connected")?;
    let pipe = pipes.1.as_fd().try_clone_to_owned().context("the program's output")?;
    let heard = Heard { pipe, verdicts: Mutex::default(), slow: AtomicBool::default() };
    let (samples, interrupted, read) = thread::scope(|scope| {
        scope.spawn(|| feed(pipes.0, pictures, plan.frames()));
        let reading = scope.spawn(|| read(pipes.1, &heard));
        let (samples, interrupted) = accompany(&mut child, &heard, plan, config);
        let read = reading.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the reader panicked")));
        (samples, interrupted, read)
    });
    read?;
    let code = child.wait().context("the program")?.code();
    let stderr = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let verdicts = heard.verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Watched { verdicts, samples, interrupted: interrupted?, stderr, code })
}

/// The list of the front camera's pictures, as fast as it is read, and longer than the run.
fn feed(mut list: ChildStdin, pictures: &[String], frames: u64) {
    let lines = pictures.iter().cycle().take(frames as usize + 100_000);
    for picture in lines {
        // The program has ended.
        if writeln!(list, "{picture}").is_err() {
            return;
        }
    }
}

fn read(lines: ChildStdout, heard: &Heard) -> Result<()> {
    // Lines are longer than this, so that a slow reader has nothing in hand.
    for line in BufReader::with_capacity(256, lines).lines() {
        let line = line.context("the program's output")?;
        let verdict = serde_json::from_str(&line).with_context(|| line)?;
        heard.verdicts.lock().unwrap_or_else(PoisonError::into_inner).push(verdict);
        while heard.slow.load(Ordering::Relaxed) {
            thread::sleep(TICK);
        }
    }
    Ok(())
}

/// Until the program has ended, or should have long ago.
fn accompany(
    child: &mut Child,
    heard: &Heard,
    plan: &Plan,
    config: &Config,
) -> (Vec<Sample>, Result<Vec<Interrupted>>) {
    let (started, pid) = (Instant::now(), child.id());
    let (mut samples, mut interrupted) = (Vec::new(), Vec::new());
    let mut waiting = plan.interruptions.iter();
    let mut next = waiting.next();
    while matches!(child.try_wait(), Ok(None)) {
        if started.elapsed() > plan.lasts + PATIENCE {
            // Counted as what it is: an end by a signal.
            let _ = child.kill();
        }
        if started.elapsed() >= LOOKS * samples.len() as u32 {
            samples.extend(look(pid, started.elapsed()));
        }
        if let Some(interruption) = next
            && due(heard, interruption.at_frame)
        {
            match interrupt(pid, interruption.kind, heard, config.decide.deadline_ms) {
                Ok(done) => interrupted.push(done),
                Err(error) => return (samples, Err(error)),
            }
            next = waiting.next();
        }
        thread::sleep(TICK);
    }
    heard.slow.store(false, Ordering::Relaxed);
    (samples, Ok(interrupted))
}

/// Whether the front camera has come to this frame, by the first verdict on one.
fn due(heard: &Heard, frame: u64) -> bool {
    let verdicts = heard.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
    let mut of_front = verdicts.iter().filter(|verdict| verdict.camera == CAMERAS[0]);
    let at = of_front.find(|verdict| verdict.frame.is_some()).and_then(|verdict| taken_ns(frame, verdict, INTERVAL));
    at.is_some_and(|at| now_ns() >= at)
}

fn interrupt(pid: u32, kind: Interrupts, heard: &Heard, deadline_ms: u64) -> Result<Interrupted> {
    let from_ns = now_ns();
    let deadline = Duration::from_millis(deadline_ms);
    match kind {
        Interrupts::Stopped => {
            signal(pid, Signal::STOP)?;
            thread::sleep(deadline * 3 / 2);
            signal(pid, Signal::CONT)?;
        }
        Interrupts::SlowReader => {
            heard.slow.store(true, Ordering::Relaxed);
            until_felt(&heard.pipe, deadline / 2);
            heard.slow.store(false, Ordering::Relaxed);
        }
    }
    let to_ns = now_ns();
    if kind == Interrupts::Stopped {
        // A frame that was in the network for so long is a stall, which latches; this lets it go.
        thread::sleep(BEFORE_RESET);
        signal(pid, Signal::USR1)?;
    }
    Ok(Interrupted { kind, from_ns, to_ns })
}

/// Until the program could write nothing for this long, since its pipe is full.
fn until_felt(pipe: &OwnedFd, long: Duration) {
    let started = Instant::now();
    let (mut bytes, mut since) = (0, started);
    while since.elapsed() < long && started.elapsed() < MOST_SLOW {
        let now = rustix::io::ioctl_fionread(pipe).unwrap_or(0);
        if now != bytes {
            (bytes, since) = (now, Instant::now());
        }
        thread::sleep(TICK);
    }
}

/// The clock of `monotonic_ns` in verdicts.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
