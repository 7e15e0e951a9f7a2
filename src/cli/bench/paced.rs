//! `oodwatch bench --fps`: the monitor itself, with all its threads, on a camera that keeps a rate for as long as wanted: how long it takes from
//! a frame to its verdict, and what became of every frame.

use std::io::{self, Write};
use std::panic;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use jiff::{SignedDuration, Timestamp};
use oodwatch::config::{CameraConfig, Config, ModelConfig};
use oodwatch::decode::{Content, Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout};
use oodwatch::monitor::{Camera, Limits, Monitor, Orders, Proven, Reporter, Summary};
use oodwatch::open;
use oodwatch::package::{Manifest, Package};
use oodwatch::sink::Sinks;
use oodwatch::source::{Frame, ImagesConfig, Live, Pool, Source, SourceConfig, SourceError, WAIT_SLICE};
use oodwatch::verdict::Verdict;

use super::{WARM_UP_FRAMES, lines, quantile, row};
use crate::cli::run::stop_by_signals;
use crate::cli::{allocator, exit};

/// Different pictures, by turns.
const PICTURES: usize = 8;
/// What a verdict tells of, and what is left of a frame's age: waking up, copying the frame, handing it over.
const STAGES: [&str; 7] = ["handover", "decode", "health", "preprocess", "infer", "score", "decide"];

/// Runs `minutes` at `rate` frames per second, on YUYV frames of that size, and prints what came of it.
pub(super) fn run(model: ModelConfig, size: (u32, u32), rate: f64, minutes: f64) -> anyhow::Result<()> {
    let frames = (60.0 * minutes * rate).ceil() as u64;
    let config = config(model)?;
    let opened = allocator::while_opening(|| open::open_cameras(&config))?;
    let Some(by) = opened.of_cameras().next() else { bail!("no camera was opened") };
    let source = Box::new(Paced::new(size, rate)?);
    let camera = Camera::new(source, &config.camera[0], &config, by, &Reporter::new_run_id())?;
    let network = Proven::new(opened, &config.self_test);
    let (sender, verdicts) = mpsc::channel();
    let monitor = Monitor { network, sinks: Sinks::to("bench", Box::new(Lines(sender))) };
    let reading = thread::spawn(move || read(&verdicts));
    let orders = Orders::default();
    stop_by_signals(&orders.stop)?;
    let limits = Limits { max_frames: Some(frames), duration: None };
    let mut ended = monitor.run(vec![camera], limits, &orders).inspect_err(|_| exit::leave_threads_behind())?;
    if ended.iter().any(|ended| ended.left_behind) {
        exit::leave_threads_behind();
        bail!("a frame was still in the network when the run was over; nothing is reported of it");
    }
    if let Some(failure) = ended.iter_mut().find_map(|ended| ended.failure.take()) {
        return Err(failure.into());
    }
    let summary = Summary::total(ended.iter().map(|ended| &ended.summary));
    let laps = reading.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))?;
    let counted = summary.judged + summary.dropped + summary.bad;
    ensure!(summary.captured == counted, "{} frames captured, {counted} accounted for", summary.captured);
    ensure!(summary.judged == laps.len() as u64, "{} frames judged, {} verdicts on them", summary.judged, laps.len());
    print(&laps, &summary, rate, config.decide.deadline_ms)
}

/// One camera, everything else as it is by default.
fn config(model: ModelConfig) -> anyhow::Result<Config> {
    let Manifest { view, decode, .. } = Package::open(&model.package)?.manifest;
    let source = SourceConfig::Images(ImagesConfig::new(Path::new("-")));
    let camera = CameraConfig { name: "paced".into(), calibration: None, view, decode, source };
    Ok(Config {
        camera: vec![camera],
        model,
        score: Default::default(),
        health: Default::default(),
        decide: Default::default(),
        self_test: Default::default(),
        drift: Default::default(),
        board: Default::default(),
        schedule: Default::default(),
        sink: Default::default(),
    })
}

/// Age of a frame when its verdict was worded, and its stages in the order of [`STAGES`].
struct Lap {
    age: Duration,
    stages: [Duration; STAGES.len()],
}

/// The verdicts on frames, until the monitor lets its sink go.
fn read(verdicts: &Receiver<Vec<u8>>) -> Result<Vec<Lap>, serde_json::Error> {
    let mut laps = Vec::new();
    for line in verdicts {
        let verdict: Verdict = serde_json::from_slice(&line)?;
        if let Some(age_ms) = verdict.age_ms {
            laps.push(lap(age_ms, &verdict));
        }
    }
    Ok(laps)
}

fn lap(age_ms: f64, verdict: &Verdict) -> Lap {
    let age = Duration::from_secs_f64(age_ms / 1e3);
    let of = verdict.stages_us;
    let stages = [of.decode, of.health, of.preprocess, of.infer, of.score, of.decide];
    let stages = stages.map(|us| Duration::from_micros(us.unwrap_or(0)));
    let rest = age.saturating_sub(stages.iter().sum());
    let [decode, health, preprocess, infer, score, decide] = stages;
    Lap { age, stages: [rest, decode, health, preprocess, infer, score, decide] }
}

fn print(laps: &[Lap], summary: &Summary, rate: f64, deadline_ms: u64) -> anyhow::Result<()> {
    let laps = laps.get(WARM_UP_FRAMES..).filter(|laps| !laps.is_empty()).unwrap_or(laps);
    ensure!(!laps.is_empty(), "no frame was judged");
    let total: Duration = laps.iter().map(|lap| lap.age).sum();
    lines::text(&format!("{:<11}{:>10}{:>10}{:>10}{:>8}", "stage", "p50 us", "p99 us", "max us", "share"))?;
    for (index, name) in STAGES.iter().enumerate() {
        lines::text(&row(name, laps.iter().map(|lap| lap.stages[index]).collect(), total))?;
    }
    lines::text(&row("latency", laps.iter().map(|lap| lap.age).collect(), total))?;
    let mut ages: Vec<Duration> = laps.iter().map(|lap| lap.age).collect();
    ages.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let spread = ms(quantile(&ages, 0.99)) - ms(quantile(&ages, 0.5));
    let interval = Duration::from_secs_f64(1.0 / rate);
    let over = ages.iter().filter(|age| **age > interval).count();
    lines::text(&format!(
        "p99 - p50 {spread:.3} ms; {over} of {} verdicts later than one frame ({:.1} ms), {} later than the deadline ({deadline_ms} ms)",
        laps.len(),
        ms(interval),
        summary.late
    ))?;
    let Summary { captured, judged, dropped, bad, .. } = summary;
    lines::text(&format!(
        "{captured} frames captured = {judged} judged + {dropped} dropped (a newer one had come) + {bad} bad"
    ))
}

/// A sink that passes lines on; whoever reads them takes no time from the judging thread.
struct Lines(Sender<Vec<u8>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A camera that takes its frames when they are due, whoever is ready for them.
struct Paced {
    pool: Arc<Pool>,
    layout: RawLayout,
    pictures: Vec<Vec<u8>>,
    interval: Duration,
    started: Option<(Instant, Timestamp)>,
    next: u64,
    live: Arc<Live>,
}

impl Paced {
    fn new(size: (u32, u32), rate: f64) -> anyhow::Result<Self> {
        let layout =
            RawLayout::new(PixelFormat::Yuyv, size, 0, Encoding { matrix: Matrix::Bt601, range: Range::Limited })?;
        Ok(Self {
            pool: Arc::default(),
            layout,
            pictures: (0..PICTURES).map(|number| stripes(&layout, number)).collect(),
            interval: Duration::from_secs_f64(1.0 / rate),
            started: None,
            next: 0,
            live: Arc::default(),
        })
    }
}

/// Stripes that move from one picture to the next.
fn stripes(layout: &RawLayout, number: usize) -> Vec<u8> {
    let width = layout.width_px() as usize;
    let luma = |x: usize, y: usize| 60 + ((2 * x + y + 5 * number) % 120) as u8;
    let chroma = |x: usize, y: usize| 90 + ((x / 8 + y / 4) % 70) as u8;
    let pixels = |pair: usize| (2 * (pair % (width / 2)), pair / (width / 2));
    let pairs = (0..layout.frame_bytes() / 4).map(pixels);
    pairs.flat_map(|(x, y)| [luma(x, y), chroma(x, y), luma(x + 1, y), chroma(y, x)]).collect()
}

impl Source for Paced {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        let (started, at) = *self.started.get_or_insert_with(|| (Instant::now(), Timestamp::now()));
        let after = self.interval.mul_f64(self.next as f64);
        let due = started + after;
        while !stop.load(Ordering::Relaxed) && Instant::now() < due {
            thread::sleep(due.saturating_duration_since(Instant::now()).min(WAIT_SLICE));
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut bytes = self.pool.take();
        bytes.clear();
        bytes.extend_from_slice(&self.pictures[self.next as usize % self.pictures.len()]);
        self.next += 1;
        Ok(Some(Frame {
            index: self.next - 1,
            path: "paced".into(),
            captured_at: at.checked_add(SignedDuration::try_from(after).unwrap_or_default()).unwrap_or(at),
            taken: due,
            content: Content::Raw(RawFrame { layout: self.layout, bytes: self.pool.send(bytes) }),
        }))
    }

    fn live(&self) -> Option<Arc<Live>> {
        Some(Arc::clone(&self.live))
    }
}
