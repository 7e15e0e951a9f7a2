//! oodwatch's side of `cargo xtask peers` where frames lie in memory; `benches/peers/in_memory.py` is the other and knows the same orders.
//!
//! ```text
//! peer PACKAGE FRAMES FORMAT WIDTH HEIGHT
//! ```
//! FRAMES is a folder of one file for each frame. Then a line for each order on standard input, answered by a line of
//! microseconds, which are medians over RUNS frames:
//!
//! ```text
//! judge RUNS    from bytes to tensor, the network, and all from bytes to verdict
//! copy RUNS     a copy of a frame's bytes
//! ```

use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::Timestamp;
use oodwatch::calibrate::{Criterion, Judge};
use oodwatch::config::ModelConfig;
use oodwatch::decide::{DecideConfig, Decider};
use oodwatch::decode::{Content, Decoder, Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout};
use oodwatch::health::{Health, HealthConfig, Meta, View};
use oodwatch::open;
use oodwatch::package::Package;
use oodwatch::pipeline::Pipeline;

/// What cameras of this kind mean by their numbers.
const ENCODING: Encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };
/// Between two frames.
const INTERVAL: Duration = Duration::from_millis(33);

struct Peer {
    layout: RawLayout,
    frames: Vec<Vec<u8>>,
    decoder: Decoder,
    health: Health,
    pipeline: Pipeline,
    judge: Judge,
    decider: Decider,
    judged: u64,
}

/// Times of one frame.
struct Lap {
    prepare: Duration,
    infer: Duration,
    all: Duration,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [package, frames, format, width, height] = &arguments[..] else { bail!("wanted five arguments") };
    let code = format.as_bytes().try_into().context("wanted a code of four letters")?;
    let format = PixelFormat::from_fourcc(code).with_context(|| format!("{format} is not known"))?;
    let layout = RawLayout::new(format, (width.parse()?, height.parse()?), 0, ENCODING)?;
    let mut peer = Peer::open(Path::new(package), Path::new(frames), layout)?;
    for line in io::stdin().lines() {
        let line = line?;
        let (order, runs) = line.split_once(' ').context("wanted an order and a number")?;
        let times = match order {
            "judge" => peer.judge(runs.parse()?)?.to_vec(),
            "copy" => vec![peer.copy(runs.parse()?)],
            other => bail!("unknown order {other:?}"),
        };
        let words: Vec<String> = times.iter().map(|time| format!("{:.2}", time.as_secs_f64() * 1e6)).collect();
        println!("{}", words.join(" "));
        io::stdout().flush()?;
    }
    Ok(())
}

impl Peer {
    fn open(package: &Path, frames: &Path, layout: RawLayout) -> anyhow::Result<Self> {
        let mut files = std::fs::read_dir(frames)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        files.sort();
        let model = ModelConfig { threads: 1, ..ModelConfig::new(package) };
        let package = Package::open(package)?;
        let criterion: Criterion = "energy".parse()?;
        let pipeline = open::open(&package, &model, criterion.scores())?.pipeline;
        Ok(Self {
            layout,
            frames: files.iter().map(std::fs::read).collect::<io::Result<_>>()?,
            decoder: Decoder::default(),
            health: Health::new(&HealthConfig::default()).with_view(&package.manifest.view),
            judge: open::judge(&package, &pipeline, &criterion)?,
            pipeline,
            decider: Decider::new(&DecideConfig::default(), Instant::now()),
            judged: 0,
        })
    }

    /// Prepare, infer and all, of the median frame.
    fn judge(&mut self, runs: usize) -> anyhow::Result<[Duration; 3]> {
        let laps = (0..runs).map(|_| self.lap()).collect::<anyhow::Result<Vec<Lap>>>()?;
        let of = |time: fn(&Lap) -> Duration| median(laps.iter().map(time).collect());
        Ok([of(|lap| lap.prepare), of(|lap| lap.infer), of(|lap| lap.all)])
    }

    fn lap(&mut self) -> anyhow::Result<Lap> {
        let index = self.judged;
        // A frame comes out of a driver's buffer or a pipe by a copy; its time is not counted.
        let bytes = self.frames[index as usize % self.frames.len()].clone().into();
        let content = Content::Raw(RawFrame { layout: self.layout, bytes });
        let captured_at = Timestamp::UNIX_EPOCH + INTERVAL * index as u32;
        self.judged += 1;

        let started = Instant::now();
        let picture = self.decoder.picture(content)?;
        let decode = started.elapsed();
        let meta = Meta { index, captured_at, age: Duration::ZERO };
        let health = self.health.look(&View::of(picture), meta).list.clone();
        let judged = self.pipeline.judge(picture)?;
        let judgement = self.judge.judge(&judged.scores, judged.top_class.map(|(class, _)| class));
        black_box(self.decider.on_judged(&judgement, &health, captured_at, Duration::ZERO));
        let all = started.elapsed();
        Ok(Lap { prepare: decode + judged.timings.preprocess, infer: judged.timings.infer, all })
    }

    /// The median copy of a frame.
    fn copy(&self, runs: usize) -> Duration {
        let mut target = self.frames[0].clone();
        let copies = (0..runs).map(|number| {
            let source = &self.frames[number % self.frames.len()];
            let length = source.len().min(target.len());
            let started = Instant::now();
            black_box(&mut target)[..length].copy_from_slice(&black_box(source)[..length]);
            started.elapsed()
        });
        median(copies.collect())
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
