//! From a camera's raw frame to the network's input, straight (`fused`) and by way of an RGB picture (`decoded`), with a copy of the same
//! bytes beside them (`copy`): `cargo bench --bench preprocess`. The throughput is that of the frame's bytes.
//!
//! `calm` frames stay within the colours that RGB has; `wild` ones are noise that leaves them nearly everywhere, which is the most that
//! a frame can cost.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use oodwatch::decode::{Content, Decoder, Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout};
use oodwatch::package::{Color, DType, InputSpec, Layout, Resize};
use oodwatch::preprocess::Preprocessor;

const FORMATS: [PixelFormat; 4] = [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Yu12, PixelFormat::Rgb3];
const SIZES_PX: [(u32, u32); 3] = [(640, 480), (1280, 720), (1920, 1080)];
const ENCODING: Encoding = Encoding { matrix: Matrix::Bt601, range: Range::Limited };

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

/// Noise between two values.
fn bytes(length: usize, low: u8, high: u8) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..length).map(|_| random.u8(low..=high)).collect()
}

fn preprocess(criterion: &mut Criterion) {
    for format in FORMATS {
        for size_px in SIZES_PX {
            let layout = RawLayout::new(format, size_px, 0, ENCODING).expect("a usual size");
            let mut group = criterion.benchmark_group(format!("preprocess {layout}"));
            group.throughput(Throughput::Bytes(layout.frame_bytes() as u64)).measurement_time(Duration::from_secs(1));
            let source = bytes(layout.frame_bytes(), 0, 255);
            let mut copy = source.clone();
            group.bench_function("copy", |bencher| bencher.iter(|| copy.copy_from_slice(black_box(&source))));
            for (content, low, high) in [("calm", 100, 150), ("wild", 0, 255)] {
                let bytes = bytes(layout.frame_bytes(), low, high);
                let frame = RawFrame { layout, bytes: bytes.clone().into() };
                for side in [32, 224] {
                    let mut preprocessor = Preprocessor::new(&spec(side)).expect("an input of some pixels");
                    group.bench_function(BenchmarkId::new(format!("fused {content}"), side), |bencher| {
                        bencher.iter(|| preprocessor.run_raw(black_box(&frame)).map(|input| input[0]));
                    });
                    let mut decoder = Decoder::default();
                    group.bench_function(BenchmarkId::new(format!("decoded {content}"), side), |bencher| {
                        bencher.iter_batched(
                            || Content::Raw(RawFrame { layout, bytes: bytes.clone().into() }),
                            |content| {
                                let image = decoder.decode(content).expect("a whole frame");
                                preprocessor.run(image).map(|input| input[0])
                            },
                            criterion::BatchSize::PerIteration,
                        );
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group!(benches, preprocess);
criterion_main!(benches);
