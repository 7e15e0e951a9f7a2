//! `oodwatch bench`: how long every stage of a frame's way takes on this machine, and what each score costs.

mod paced;
mod report;
mod scores;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use image::RgbImage;
use jiff::Timestamp;
use oodwatch::calibrate::{Criterion, Judge};
use oodwatch::config::ModelConfig;
use oodwatch::decide::{DecideConfig, Decider};
use oodwatch::decode::{Content, Decoder};
use oodwatch::health::{Health, HealthConfig, Meta, View};
use oodwatch::infer::{CpuConfig, ExecutionProvider, Precision};
use oodwatch::open;
use oodwatch::package::Package;
use oodwatch::pipeline::{FittedScores, Judged, Lens, Pipeline, Timings};
use oodwatch::source::{self, Frame, Source, SourceError};

use super::exit::CliError;
use super::{allocator, lines};

/// Frames that are run before anything is measured.
const WARM_UP_FRAMES: usize = 10;
const STAGES: [&str; 7] = ["source", "decode", "health", "preprocess", "infer", "score", "decide"];

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  oodwatch bench --model models/cifar10-resnet20 --source footage.mp4 --frames 500\n  \
                  oodwatch bench --model models/cifar10-resnet20 --fps 30 --minutes 10 --size 1280x720\n  \
                  oodwatch bench --model models/cifar10-resnet20 --report\n  oodwatch bench --scores"
)]
pub(crate) struct Arguments {
    /// Folder of the model package
    #[arg(long, value_name = "PKG", required_unless_present = "scores")]
    model: Option<PathBuf>,
    /// Measure every score instead, on synthetic outputs of K=10, C=64 and of K=1000, C=1280
    #[arg(long, conflicts_with_all = ["model", "source", "size", "frames", "execution_provider", "threads"])]
    scores: bool,
    /// Print one row for the table of docs/JETSON.md instead: board, provider, frames/s, p50 and p99
    #[arg(long, conflicts_with = "scores")]
    report: bool,
    /// Pictures or a video to run [default: synthetic pictures]
    #[arg(long, value_name = "PATH")]
    source: Option<PathBuf>,
    /// Size of the synthetic pictures in pixels
    #[arg(long, value_name = "WxH", default_value = "640x480", value_parser = size)]
    size: (u32, u32),
    /// Measure at most this many frames
    #[arg(long, value_name = "N", default_value = "300", value_parser = positive)]
    frames: usize,
    /// Run the monitor itself on a synthetic camera of so many YUYV frames per second instead: latency, and what became of each frame
    #[arg(long, value_name = "F", value_parser = rate, conflicts_with_all = ["scores", "source", "frames", "report"])]
    fps: Option<f64>,
    /// How long, in minutes
    #[arg(long, value_name = "M", default_value = "1", value_parser = minutes, requires = "fps")]
    minutes: f64,
    /// Execution provider: cpu, xnnpack, cuda or tensorrt
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    execution_provider: ExecutionProvider,
    /// Run the network that `oodwatch build-engine --prepared` had prepared for this processor
    #[arg(long, conflicts_with = "scores")]
    prepared: bool,
    /// Threads inside one inference; 0 leaves one processor core free
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
}

impl Arguments {
    fn model_config(&self, model: &Path) -> Result<ModelConfig, CliError> {
        if self.prepared && self.execution_provider != ExecutionProvider::Cpu {
            return Err(CliError::Usage("--prepared is for --execution-provider cpu alone".into()));
        }
        Ok(ModelConfig {
            execution_providers: vec![self.execution_provider],
            threads: self.threads,
            cpu: CpuConfig { prepared: self.prepared, ..CpuConfig::default() },
            ..ModelConfig::new(model)
        })
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match sides {
        Some((w @ 1..=8192, h @ 1..=8192)) => Ok((w, h)),
        _ => Err("wanted WIDTHxHEIGHT in pixels, each 1 to 8192".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.1..=1000.0).ok_or_else(|| "wanted frames per second, 0.1 to 1000".into())
}

fn minutes(text: &str) -> Result<f64, String> {
    number(text, 0.01..=1440.0).ok_or_else(|| "wanted minutes, 0.01 to 1440".into())
}

fn number(text: &str, range: RangeInclusive<f64>) -> Option<f64> {
    text.parse().ok().filter(|number| range.contains(number))
}

/// A number of at least 1.
fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "wanted a whole number of at least 1".into())
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.model {
        Some(model) => match arguments.fps {
            Some(rate) => paced::run(arguments.model_config(model)?, arguments.size, rate, arguments.minutes),
            None => stages(arguments, model),
        },
        None => scores::run(),
    }
}

fn stages(arguments: &Arguments, model: &Path) -> anyhow::Result<()> {
    let package = Package::begin(model)?;
    let model = arguments.model_config(model)?;
    let criterion = Criterion::default();
    let pipeline = allocator::while_opening(|| open::open(&package, &model, criterion.scores()))?.pipeline;
    let judge = open::judge(&package, &pipeline, &criterion)?;
    let mut source: Box<dyn Source> = match &arguments.source {
        Some(path) => source::open(&source::config_for_path(path))?,
        None => Box::new(Synthetic::new(arguments.size, arguments.frames + WARM_UP_FRAMES)),
    };
    let decider = Decider::new(&DecideConfig::default(), Instant::now());
    let health = Health::new(&HealthConfig::default()).with_view(&package.manifest.view);
    let bench = Bench {
        decoder: Decoder::new(package.manifest.decode, package.manifest.input.size_px(), &package.manifest.view),
        health,
        pipeline,
        judge,
        decider,
        judged: Judged::default(),
        laps: Vec::new(),
        bad: 0,
    };
    let measured = bench.measure(source.as_mut(), arguments.frames)?;
    match arguments.report {
        true => report::print(arguments, &package, &measured),
        false => print(&measured),
    }
}

/// Stage times of every measured frame, in the order of [`STAGES`].
type Lap = [Duration; STAGES.len()];

struct Bench {
    decoder: Decoder,
    health: Health,
    pipeline: Pipeline,
    judge: Judge,
    decider: Decider,
    judged: Judged,
    laps: Vec<Lap>,
    bad: u64,
}

struct Measured {
    precision: Precision,
    laps: Vec<Lap>,
    wall: Duration,
    bad: u64,
}

impl Measured {
    /// Frames per second, everything included.
    fn rate(&self) -> f64 {
        self.laps.len() as f64 / self.wall.as_secs_f64().max(f64::EPSILON)
    }
}

impl Bench {
    fn measure(mut self, source: &mut dyn Source, frames: usize) -> anyhow::Result<Measured> {
        let never = AtomicBool::new(false);
        let mut started = Instant::now();
        let mut warm = false;
        while self.laps.len() < frames + WARM_UP_FRAMES {
            let before = Instant::now();
            let Some(frame) = source.next_frame(&never)? else { break };
            self.frame(frame, before.elapsed())?;
            if !warm && self.laps.len() == WARM_UP_FRAMES {
                (started, warm) = (Instant::now(), true);
            }
        }
        let wall = started.elapsed();
        // A source shorter than the warm-up is measured as it is.
        let skipped = if self.laps.len() > WARM_UP_FRAMES { WARM_UP_FRAMES } else { 0 };
        let laps = self.laps.split_off(skipped);
        if laps.is_empty() {
            return Err(CliError::NothingRead(self.bad).into());
        }
        Ok(Measured { precision: self.pipeline.precision(), laps, wall, bad: self.bad })
    }

    fn frame(&mut self, frame: Frame, source: Duration) -> anyhow::Result<()> {
        let meta = Meta::of(&frame);
        let decoding = Instant::now();
        let Ok(picture) = self.decoder.picture(frame.content) else {
            self.bad += 1;
            return Ok(());
        };
        let decode = decoding.elapsed();
        let looking = Instant::now();
        let health = self.health.look(&View::of(picture), meta);
        let look = looking.elapsed();
        self.pipeline.judge_into(FittedScores::default(), Lens::default(), picture, &mut self.judged)?;
        let deciding = Instant::now();
        let Judged { scores, top_class, timings } = &self.judged;
        let judgement = self.judge.judge(scores, top_class.map(|(class, _)| class));
        let decision = self.decider.on_judged(&judgement, &health.list, frame.captured_at, Duration::ZERO);
        let _ = std::hint::black_box(decision);
        let Timings { preprocess, infer, score } = *timings;
        self.laps.push([source, decode, look, preprocess, infer, score, deciding.elapsed()]);
        Ok(())
    }
}

fn print(measured: &Measured) -> anyhow::Result<()> {
    let total: Duration = measured.laps.iter().flatten().sum();
    lines::text(&format!("{:<11}{:>10}{:>10}{:>10}{:>8}", "stage", "p50 us", "p99 us", "max us", "share"))?;
    for (index, name) in STAGES.iter().enumerate() {
        let times = measured.laps.iter().map(|lap| lap[index]).collect();
        lines::text(&row(name, times, total))?;
    }
    lines::text(&row("all", measured.laps.iter().map(|lap| lap.iter().sum()).collect(), total))?;
    let frames = measured.laps.len();
    lines::text(&format!(
        "{frames} frames, {} bad, {:.1} frames/s, peak memory {}",
        measured.bad,
        measured.rate(),
        peak_memory_kib().map_or("unknown".into(), |kib| format!("{:.1} MiB", kib as f64 / 1024.0))
    ))
}

fn row(name: &str, mut times: Vec<Duration>, total: Duration) -> String {
    times.sort();
    let us = |share: f64| quantile(&times, share).as_secs_f64() * 1e6;
    let share = times.iter().sum::<Duration>().as_secs_f64() / total.as_secs_f64().max(f64::EPSILON);
    format!("{name:<11}{:>10.1}{:>10.1}{:>10.1}{:>7.1}%", us(0.5), us(0.99), us(1.0), share * 100.0)
}

/// The smallest of ascending times that at least this share of them do not exceed.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len()) - 1]
}

/// The largest resident size of this process so far.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// The same pattern of pixels again and again; nothing to read or decode but a copy.
struct Synthetic {
    image: RgbImage,
    left: usize,
}

impl Synthetic {
    fn new((width, height): (u32, u32), frames: usize) -> Self {
        let pixel = |x: u32, y: u32| image::Rgb([(x * 7) as u8, (y * 3) as u8, (x ^ y) as u8]);
        Self { image: RgbImage::from_fn(width, height, pixel), left: frames }
    }
}

impl Source for Synthetic {
    fn next_frame(&mut self, _stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(Frame {
            index: self.left as u64,
            path: "synthetic".into(),
            captured_at: Timestamp::now(),
            taken: Instant::now(),
            content: Content::Rgb(self.image.clone()),
        }))
    }
}
