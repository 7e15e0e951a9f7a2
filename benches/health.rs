//! What the health of a picture costs at 1080p, from RGB and from YUYV: `cargo bench --bench health`.
//!
//! Measured in time of the processor, which others on the same machine disturb least.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use image::{Rgb, RgbImage};
use jiff::Timestamp;
use oodwatch::decode::{Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout};
use oodwatch::health::{Health, HealthConfig, Meta, View};
use rustix::time::{ClockId, clock_gettime};

const SIZE_PX: (u32, u32) = (1920, 1080);
/// Frames that are looked at in turn; together they are larger than a processor's caches, as a camera's are.
const FRAMES: u64 = 8;

/// A picture with detail everywhere, no two the same.
fn value(frame: u64, x: u32, y: u32) -> u8 {
    ((x ^ y).wrapping_mul(7).wrapping_add(frame as u32 * 13) >> 2) as u8
}

fn rgb(frame: u64) -> RgbImage {
    RgbImage::from_fn(SIZE_PX.0, SIZE_PX.1, |x, y| {
        Rgb([value(frame, x, y), value(frame, y, x), value(frame + 1, x, y)])
    })
}

fn yuyv(frame: u64) -> RawFrame {
    let encoding = Encoding { matrix: Matrix::Bt709, range: Range::Limited };
    let layout = RawLayout::new(PixelFormat::Yuyv, SIZE_PX, 0, encoding).expect("1080p is a size");
    let bytes: Vec<u8> =
        (0..layout.frame_bytes() as u32).map(|place| value(frame, place % 3840, place / 3840)).collect();
    RawFrame { layout, bytes: bytes.into() }
}

/// Of this thread.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn health(criterion: &mut Criterion) {
    let (images, frames): (Vec<_>, Vec<_>) = (0..FRAMES).map(|frame| (rgb(frame), yuyv(frame))).unzip();
    let views = [
        ("1920x1080 RGB", images.iter().map(View::of).collect::<Vec<_>>()),
        ("1920x1080 YUYV", frames.iter().filter_map(View::of_raw).collect()),
    ];
    let mut group = criterion.benchmark_group("health");
    for (label, views) in &views {
        let mut health = Health::new(&HealthConfig::default());
        let mut index = 0;
        group.bench_function(*label, |bencher| {
            bencher.iter_custom(|looks| {
                let start = processor_time();
                for _ in 0..looks {
                    index += 1;
                    let captured_at = Timestamp::UNIX_EPOCH + Duration::from_millis(33 * index);
                    let meta = Meta { index, captured_at, age: Duration::ZERO };
                    black_box(health.look(&views[(index % FRAMES) as usize], meta).readings);
                }
                processor_time().saturating_sub(start)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, health);
criterion_main!(benches);
