//! The real programs: frames come through a pipe from a camera that sends them to order, verdicts come back as lines.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{CWD, Mode, mkfifoat};
use serde::Deserialize;

use super::Bench;
use super::numbers::quantile;
use super::plan::{Case, Peer};
use super::results::Run;

/// Frames that come one by one at this distance, as from a camera; a program that is slower gets the next when it is done.
const PACED: usize = 45;
const INTERVAL: Duration = Duration::from_millis(33);
/// Frames of which the next always waits already.
const IN_A_ROW: usize = 60;
/// Lines without a frame (there is one a second) before a program is given up.
const MOST_EMPTY_LINES: usize = 30;

/// Runs each program so many times, by turns.
///
/// # Errors
/// When a program cannot be started, ends, or leaves a frame out.
pub(super) fn measure(bench: &Bench, case: Case, repeats: usize) -> Result<Vec<BTreeMap<Peer, Run>>> {
    // The first start of each fills the system's caches, and is not counted.
    for peer in case.through_a_pipe() {
        run(bench, case, peer)?;
    }
    let turn = || case.through_a_pipe().into_iter().map(|peer| Ok((peer, run(bench, case, peer)?))).collect();
    (0..repeats).map(|_| turn()).collect()
}

fn run(bench: &Bench, case: Case, peer: Peer) -> Result<Run> {
    let orders = bench.orders();
    let mut camera = fifo(&orders)?;
    let mut command = match peer {
        Peer::Ours | Peer::Scaled | Peer::Prepared => bench.monitor(case, peer)?,
        _ => bench.python("loop.py", case, peer)?,
    };
    let log = bench.out.join(format!("{peer}.log"));
    command.stderr(File::create(&log).with_context(|| log.display().to_string())?);
    let mut program = Program::start(command, &mut camera)?;
    let measured = program.measure(&mut camera).with_context(|| format!("{peer}; its log is {}", log.display()));
    drop(program);
    measured
}

/// Makes the named pipe by which frames are ordered.
fn fifo(path: &Path) -> Result<File> {
    if path.exists() {
        std::fs::remove_file(path).with_context(|| path.display().to_string())?;
    }
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).with_context(|| path.display().to_string())?;
    // Open for reading as well, this does not wait for the camera.
    OpenOptions::new().read(true).write(true).open(path).with_context(|| path.display().to_string())
}

fn order(camera: &mut File) -> Result<()> {
    camera.write_all(&[1]).context("the camera's orders")
}

struct Program {
    child: Child,
    verdicts: BufReader<ChildStdout>,
    started: Instant,
    /// The frame that has to be judged next.
    next: u64,
}

/// Of a verdict, what matters here.
#[derive(Debug, Deserialize)]
struct Line {
    frame: Option<u64>,
    score: Option<f64>,
}

impl Program {
    /// Starts a program; its first frame waits for it.
    fn start(mut command: Command, camera: &mut File) -> Result<Self> {
        order(camera)?;
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot be started")?;
        let verdicts = child.stdout.take().context("its output")?;
        Ok(Self { child, verdicts: BufReader::new(verdicts), started, next: 0 })
    }

    fn measure(&mut self, camera: &mut File) -> Result<Run> {
        let first_score = self.verdict()?;
        let start_ms = milliseconds(self.started.elapsed());
        let latencies_ms = self.paced(camera)?;
        let before = processor_time(self.child.id())?;
        let started = Instant::now();
        order(camera)?;
        for number in 1..=IN_A_ROW {
            if number < IN_A_ROW {
                order(camera)?;
            }
            self.verdict()?;
        }
        let lasted = started.elapsed();
        let busy = processor_time(self.child.id())? - before;
        Ok(Run {
            start_ms,
            latency_p50_ms: quantile(&latencies_ms, 0.5),
            latency_p99_ms: quantile(&latencies_ms, 0.99),
            frames_per_second: IN_A_ROW as f64 / lasted.as_secs_f64(),
            processor_us: busy.as_secs_f64() * 1e6 / IN_A_ROW as f64,
            peak_kib: peak_kib(self.child.id())?,
            first_score,
        })
    }

    /// Orders frames one by one, and gives how long each took to its verdict, in milliseconds.
    fn paced(&mut self, camera: &mut File) -> Result<Vec<f64>> {
        let mut due = Instant::now();
        let mut latencies_ms = Vec::new();
        for _ in 0..PACED {
            due = (due + INTERVAL).max(Instant::now());
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let ordered = Instant::now();
            order(camera)?;
            self.verdict()?;
            latencies_ms.push(milliseconds(ordered.elapsed()));
        }
        Ok(latencies_ms)
    }

    /// Waits for the verdict on the next frame, and gives its score.
    fn verdict(&mut self) -> Result<f64> {
        let mut line = String::new();
        for _ in 0..MOST_EMPTY_LINES {
            line.clear();
            ensure!(self.verdicts.read_line(&mut line).context("its output")? > 0, "it ended");
            let verdict: Line = serde_json::from_str(&line).with_context(|| line.clone())?;
            let Some(frame) = verdict.frame else { continue };
            ensure!(frame == self.next, "a verdict on frame {frame}, wanted one on {}", self.next);
            self.next += 1;
            return Ok(verdict.score.unwrap_or(f64::NAN));
        }
        bail!("no verdict on frame {}, the last line was {line}", self.next)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A program that has ended already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Time on the processor of all threads that a process has now; the first number of Linux's schedstat, in nanoseconds.
fn processor_time(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let threads = std::fs::read_dir(&folder).with_context(|| folder.clone())?;
    let mut total = Duration::ZERO;
    for thread in threads {
        let file = thread?.path().join("schedstat");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
        total += Duration::from_nanos(nanoseconds.with_context(|| format!("{}: {text}", file.display()))?);
    }
    Ok(total)
}

/// Largest resident size of a process so far.
fn peak_kib(pid: u32) -> Result<u64> {
    let file = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&file).with_context(|| file.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).with_context(|| format!("{file}: no VmHWM"))
}
