//! oodwatch's side of `cargo xtask peers` where frames lie in memory; `benches/peers/in_memory.py` is the other and knows the same orders.
//!
//! ```text
//! peer PACKAGE FRAMES FORMAT WIDTH HEIGHT whole|scaled
//! ```
//! FRAMES is a folder of one file for each frame; the last word says whether JPEG pictures are decoded to a smaller size. Then a line for each order on standard input, answered by a line of
//! microseconds of the processor, which others on the same machine disturb least; medians over RUNS frames:
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
use ndarray::ArrayView4;
use oodwatch::calibrate::{Criterion, Judge};
use oodwatch::decide::{DecideConfig, Decider};
use oodwatch::decode::{Content, DecodeConfig, Decoder, Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout};
use oodwatch::health::{Health, HealthConfig, Meta, View};
use oodwatch::infer::{Network, NetworkOptions};
use oodwatch::package::{InputSpec, Package};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::Scorers;
use rustix::time::{ClockId, clock_gettime};

/// What cameras of this kind mean by their numbers.
const ENCODING: Encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };
/// Between two frames.
const INTERVAL: Duration = Duration::from_millis(33);

struct Peer {
    layout: RawLayout,
    frames: Vec<Vec<u8>>,
    decoder: Decoder,
    health: Health,
    input: InputSpec,
    preprocessor: Preprocessor,
    network: Network,
    scorers: Scorers,
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
    let [package, frames, format, width, height, size] = &arguments[..] else { bail!("wanted six arguments") };
    let decode = DecodeConfig { scaled: size == "scaled" };
    let code = format.as_bytes().try_into().context("wanted a code of four letters")?;
    let format = PixelFormat::from_fourcc(code).with_context(|| format!("{format} is not known"))?;
    let layout = RawLayout::new(format, (width.parse()?, height.parse()?), 0, ENCODING)?;
    let mut peer = Peer::open(Path::new(package), Path::new(frames), layout, decode)?;
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
    fn open(package: &Path, frames: &Path, layout: RawLayout, decode: DecodeConfig) -> anyhow::Result<Self> {
        let mut files = std::fs::read_dir(frames)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        files.sort();
        let package = Package::open(package)?;
        let criterion: Criterion = "energy".parse()?;
        let options = NetworkOptions { threads: 1, ..NetworkOptions::default() };
        let judge = Judge::new(&criterion, &package.calibration, criterion.scores());
        Ok(Self {
            layout,
            frames: files.iter().map(std::fs::read).collect::<io::Result<_>>()?,
            decoder: Decoder::new(decode, package.manifest.input.size_px(), &package.manifest.view),
            health: Health::new(&HealthConfig::default()).with_view(&package.manifest.view),
            preprocessor: Preprocessor::with_view(&package.manifest.input, &package.manifest.view)?,
            network: Network::open(&package, &options)?,
            scorers: Scorers::new(criterion.scores(), &package.model())?,
            judge: judge.context("the package is not calibrated for energy")?,
            input: package.manifest.input,
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

        let started = processor_time();
        let picture = self.decoder.picture(content)?;
        let decoded = processor_time();
        let meta = Meta { index, captured_at, age: Duration::ZERO };
        let health = self.health.look(&View::of(picture), meta).list.clone();
        let looked = processor_time();
        let tensor = self.preprocessor.prepare(picture)?;
        let prepared = processor_time();
        let [channels, height, width] = self.input.chw();
        let outputs = self.network.run(ArrayView4::from_shape((1, channels, height, width), tensor)?)?;
        let inferred = processor_time();
        let image = outputs.images().next().context("a batch of one has one picture")?;
        let scores = self.scorers.score(&image);
        let judgement = self.judge.judge(scores, image.top_class().map(|(class, _)| class));
        black_box(self.decider.on_judged(&judgement, &health, captured_at, Duration::ZERO));
        let all = processor_time() - started;
        Ok(Lap { prepare: decoded - started + (prepared - looked), infer: inferred - prepared, all })
    }

    /// The median copy of a frame.
    fn copy(&self, runs: usize) -> Duration {
        let mut target = self.frames[0].clone();
        let copies = (0..runs).map(|number| {
            let source = &self.frames[number % self.frames.len()];
            let length = source.len().min(target.len());
            let started = processor_time();
            black_box(&mut target)[..length].copy_from_slice(&black_box(source)[..length]);
            processor_time() - started
        });
        median(copies.collect())
    }
}

/// Of this thread.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
