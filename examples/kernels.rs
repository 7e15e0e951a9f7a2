//! One kernel so many times, for `cargo xtask instructions`, which counts what a processor does for it:
//!
//! ```text
//! kernels list            the names of all
//! kernels level           the vector instructions that are taken here
//! kernels NAME RUNS       runs one; what comes before the runs does not depend on their number
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use jiff::Timestamp;
use oodwatch::calibrate::Judgement;
use oodwatch::decide::{DecideConfig, Decider};
use oodwatch::decode::{Content, Decoder, Encoding, Matrix, Picture, PixelFormat, Range, RawFrame, RawLayout};
use oodwatch::health::{Health, HealthConfig, Meta, View};
use oodwatch::package::{Color, DType, InputSpec, Layout, Resize};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::synthetic::Synthetic;
use oodwatch::score::{Parameters, ScoreName, Scorers};
use oodwatch::sink::Sinks;
use oodwatch::verdict::Verdict;

const FULL_HD: (u32, u32) = (1920, 1080);
const VGA: (u32, u32) = (640, 480);
const ENCODING: Encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };
/// Classes and features of the scores' synthetic network, and frames that are fitted on.
const SCORES: (usize, usize, usize) = (100, 128, 1_000);
const VERDICT: &str = include_str!("../benches/verdict.json");

/// A name, and what runs so many times.
type Kernel = (&'static str, fn(u32) -> anyhow::Result<()>);

const KERNELS: [Kernel; 19] = [
    ("decode/mjpg-480p", decode_mjpg),
    ("health/yuyv-1080p", |runs| health(&View::of(Picture::Raw(&raw(PixelFormat::Yuyv, calm)?)), runs)),
    ("health/rgb-480p", |runs| health(&View::of(Picture::Rgb(&rgb(VGA))), runs)),
    ("preprocess/yuyv-1080p-32", |runs| preprocess(PixelFormat::Yuyv, calm, 32, runs)),
    ("preprocess/yuyv-1080p-224", |runs| preprocess(PixelFormat::Yuyv, calm, 224, runs)),
    ("preprocess/yuyv-1080p-224-wild", |runs| preprocess(PixelFormat::Yuyv, wild, 224, runs)),
    ("preprocess/nv12-1080p-224", |runs| preprocess(PixelFormat::Nv12, calm, 224, runs)),
    ("preprocess/yu12-1080p-224", |runs| preprocess(PixelFormat::Yu12, calm, 224, runs)),
    ("preprocess/rgb3-1080p-224", |runs| preprocess(PixelFormat::Rgb3, wild, 224, runs)),
    ("preprocess/picture-480p-224", preprocess_picture),
    ("score/energy", |runs| score("energy", runs)),
    ("score/gen", |runs| score("gen", runs)),
    ("score/knn", |runs| score("knn", runs)),
    ("score/mahalanobis_pp", |runs| score("mahalanobis_pp", runs)),
    ("score/nnguide", |runs| score("nnguide", runs)),
    ("score/react", |runs| score("react", runs)),
    ("score/vim", |runs| score("vim", runs)),
    ("decide", decide),
    ("sink", sink),
];

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => KERNELS.iter().for_each(|(name, _)| println!("{name}")),
        ["level"] => println!("{:?}", pulp::Arch::new()),
        [name, runs] => {
            let kernel = KERNELS.iter().find(|(known, _)| known == name);
            let (_, run) = kernel.with_context(|| format!("no kernel {name:?}"))?;
            run(runs.parse().context("the number of runs")?)?;
        }
        _ => bail!("wanted list, level, or a name and a number"),
    }
    Ok(())
}

/// Within the colours that RGB has.
fn calm(place: usize) -> u8 {
    100 + (place.wrapping_mul(2_654_435_761) >> 13) as u8 % 51
}

/// Any byte.
fn wild(place: usize) -> u8 {
    (place.wrapping_mul(2_654_435_761) >> 13) as u8
}

fn raw(format: PixelFormat, byte: fn(usize) -> u8) -> anyhow::Result<RawFrame> {
    let layout = RawLayout::new(format, FULL_HD, 0, ENCODING)?;
    let bytes: Vec<u8> = (0..layout.frame_bytes()).map(byte).collect();
    Ok(RawFrame { layout, bytes: bytes.into() })
}

fn rgb((width, height): (u32, u32)) -> RgbImage {
    let byte = |x: u32, y: u32| wild((x / 8 * 31 + y / 8 * 7) as usize);
    RgbImage::from_fn(width, height, |x, y| Rgb([byte(x, y), byte(y, x), byte(x + y, x)]))
}

fn spec(side: u32) -> InputSpec {
    InputSpec {
        name: "input".into(),
        dtype: DType::Float32,
        layout: Layout::Nchw,
        width: side,
        height: side,
        resize: Resize::Stretch,
        color: Color::Rgb,
        scale: 1.0 / 255.0,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    }
}

fn preprocess(format: PixelFormat, byte: fn(usize) -> u8, side: u32, runs: u32) -> anyhow::Result<()> {
    let (frame, mut preprocessor) = (raw(format, byte)?, Preprocessor::new(&spec(side))?);
    for _ in 0..runs {
        black_box(preprocessor.run_raw(black_box(&frame))?);
    }
    Ok(())
}

fn preprocess_picture(runs: u32) -> anyhow::Result<()> {
    let (picture, mut preprocessor) = (rgb(VGA), Preprocessor::new(&spec(224))?);
    for _ in 0..runs {
        black_box(preprocessor.run(black_box(&picture))?);
    }
    Ok(())
}

fn decode_mjpg(runs: u32) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&rgb(VGA))?;
    let layout = RawLayout::new(PixelFormat::Mjpg, VGA, 0, ENCODING)?;
    let mut decoder = Decoder::default();
    for _ in 0..runs {
        let content = Content::Raw(RawFrame { layout, bytes: bytes.clone().into() });
        black_box(decoder.decode(content)?);
    }
    Ok(())
}

fn health(view: &View<'_>, runs: u32) -> anyhow::Result<()> {
    let mut health = Health::new(&HealthConfig::default());
    for index in 0..runs {
        black_box(health.look(view, Meta { index: index.into(), captured_at: at(index), age: Duration::ZERO }));
    }
    Ok(())
}

fn score(name: &str, runs: u32) -> anyhow::Result<()> {
    let (classes, features, frames) = SCORES;
    let name: ScoreName = name.parse()?;
    let mut synthetic = Synthetic::new(classes, features, 0);
    let fitted = synthetic.fit(&[name], Parameters::default(), frames)?;
    let frame = synthetic.frame();
    let mut scorers = Scorers::new(&[name], &synthetic.model(&fitted))?;
    for _ in 0..runs {
        black_box(scorers.score(black_box(&frame.outputs())));
    }
    Ok(())
}

fn decide(runs: u32) -> anyhow::Result<()> {
    let mut decider = Decider::new(&DecideConfig::default(), Instant::now());
    let judgement = Judgement { score: Some(-3.0), threshold: -2.0, p_value: Some(0.4), flag: false };
    for index in 0..runs {
        black_box(decider.on_judged(black_box(&judgement), &[], at(index), Duration::ZERO));
    }
    Ok(())
}

fn sink(runs: u32) -> anyhow::Result<()> {
    let verdict: Verdict = serde_json::from_str(VERDICT)?;
    let mut sinks = Sinks::to("nowhere", Box::new(std::io::sink()));
    for _ in 0..runs {
        sinks.send(black_box(&verdict))?;
    }
    Ok(())
}

/// When a frame was taken, at 30 frames per second.
fn at(index: u32) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_micros(33_333) * index
}
