//! What the stages cost that have no bench of their own (`health`, `preprocess` and `scores` have): source, decode, infer, decide, sink:
//! `cargo bench --bench stages`.

use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use jiff::Timestamp;
use ndarray::Array4;
use oodwatch::calibrate::Judgement;
use oodwatch::decide::{DecideConfig, Decider};
use oodwatch::decode::{Content, Decoder, Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout};
use oodwatch::infer::{InferError, Network, NetworkOptions};
use oodwatch::package::Package;
use oodwatch::sink::Sinks;
use oodwatch::source;
use oodwatch::verdict::Verdict;

const SIZES_PX: [(u32, u32); 3] = [(640, 480), (1280, 720), (1920, 1080)];
const ENCODING: Encoding = Encoding { matrix: Matrix::Bt601, range: Range::Full };
const JPEG_QUALITY: u8 = 85;
const PACKAGE: &str = "models/cifar10-resnet20";

/// Soft shapes with a little noise, as a camera's picture has.
fn picture((width, height): (u32, u32)) -> RgbImage {
    let mut random = fastrand::Rng::with_seed(7);
    let mut byte =
        |x: u32, y: u32| ((x * 255 / width) as u8 / 2 + (y * 255 / height) as u8 / 2).saturating_add(random.u8(..8));
    RgbImage::from_fn(width, height, |x, y| Rgb([byte(x, y), byte(width - x, y), byte(x, height - y)]))
}

fn jpeg(size_px: (u32, u32)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(&picture(size_px));
    written.expect("a picture can be a JPEG");
    bytes
}

/// Reading pictures of 640x480 from disk, as files.
fn source(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for number in 0..8 {
        std::fs::write(folder.path().join(format!("{number}.jpg")), jpeg(SIZES_PX[0])).expect("room on the disk");
    }
    let (config, never) = (source::config_for_path(folder.path()), AtomicBool::new(false));
    criterion.bench_function("source images 640x480", |bencher| {
        bencher.iter_batched_ref(
            || source::open(&config).expect("a folder of pictures"),
            |source| source.next_frame(&never).expect("a picture").is_some(),
            BatchSize::SmallInput,
        );
    });
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.measurement_time(Duration::from_secs(2));
    for size_px in SIZES_PX {
        let layout = RawLayout::new(PixelFormat::Mjpg, size_px, 0, ENCODING).expect("a usual size");
        let bytes = jpeg(size_px);
        let mut decoder = Decoder::default();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("{layout}"), |bencher| {
            bencher.iter_batched(
                || Content::Raw(RawFrame { layout, bytes: bytes.clone().into() }),
                |content| decoder.decode(content).expect("a whole frame").len(),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// The shipped network on one thread. Without ONNX Runtime (`cargo xtask fetch onnxruntime`) it is passed over.
fn infer(criterion: &mut Criterion) {
    let package = Package::open(Path::new(PACKAGE)).expect("the shipped package");
    let mut network = match Network::open(&package, &NetworkOptions::default()) {
        Ok(network) => network,
        Err(error @ InferError::Library { .. }) => return eprintln!("infer: passed over: {error}"),
        Err(error) => panic!("infer: {error}"),
    };
    let [channels, height, width] = package.manifest.input.chw();
    let batch = Array4::<f32>::from_elem((1, channels, height, width), 0.5);
    criterion.bench_function("infer cifar10-resnet20", |bencher| {
        bencher.iter(|| network.run(black_box(batch.view())).expect("the network runs").logits.len());
    });
}

fn decide(criterion: &mut Criterion) {
    let mut decider = Decider::new(&DecideConfig::default(), Instant::now());
    let judgement = Judgement { score: Some(-3.0), threshold: -2.0, p_value: Some(0.4), flag: false };
    let mut captured_at = Timestamp::UNIX_EPOCH;
    criterion.bench_function("decide", |bencher| {
        bencher.iter(|| {
            captured_at += Duration::from_millis(33);
            decider.on_judged(black_box(&judgement), &[], captured_at, Duration::ZERO)
        });
    });
}

fn sink(criterion: &mut Criterion) {
    let verdict: Verdict = serde_json::from_str(include_str!("verdict.json")).expect("a verdict");
    let mut sinks = Sinks::to("nowhere", Box::new(std::io::sink()));
    criterion.bench_function("sink", |bencher| bencher.iter(|| sinks.send(black_box(&verdict)).is_ok()));
}

criterion_group!(benches, source, decode, infer, decide, sink);
criterion_main!(benches);
