//! The way of a frame from its bytes to a decision takes no memory once it is warm, and says the same as the way of a batch.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;
use jiff::Timestamp;

use super::*;
use crate::calibrate::{Criterion, Judge};
use crate::decide::{DecideConfig, Decider};
use crate::decode::{Content, Decoder, Encoding, PixelFormat, RawFrame, RawLayout};
use crate::infer::LIBRARY_VARIABLE;
use crate::open;
use crate::source::Pool;
use crate::view::{Mirror, Rotation};

/// Frames after which everything has its size.
const WARM_UP_FRAMES: usize = 5;
const FRAMES: usize = 50;

/// The shipped package, if ONNX Runtime is there.
pub(crate) fn package() -> Option<Package> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = env::var_os(LIBRARY_VARIABLE).is_some_and(|path| PathBuf::from(path).exists());
    assert!(here || env::var_os("OODWATCH_REQUIRE_ALL").is_none(), "ONNX Runtime is missing");
    here.then(|| Package::open(&root.join("models/cifar10-resnet20")).unwrap())
}

/// A camera's frames, whose memory comes home.
struct Camera {
    pool: Arc<Pool>,
    layout: RawLayout,
    frames: u8,
}

impl Camera {
    fn new(format: PixelFormat) -> Self {
        let layout = RawLayout::new(format, (640, 480), 0, Encoding::JPEG).unwrap();
        Self { pool: Arc::default(), layout, frames: 0 }
    }

    fn frame(&mut self) -> Content {
        self.frames = self.frames.wrapping_add(1);
        let mut bytes = self.pool.take();
        bytes.resize(self.layout.frame_bytes(), 0);
        bytes.iter_mut().zip(0_u32..).for_each(|(byte, place)| *byte = (place / 7) as u8 ^ self.frames);
        Content::Raw(RawFrame { layout: self.layout, bytes: self.pool.send(bytes) })
    }
}

/// Everything between the source and the verdict.
struct Way {
    decoder: Decoder,
    pipeline: Pipeline,
    lens: Lens,
    judge: Judge,
    decider: Decider,
    judged: Judged,
}

impl Way {
    fn new(package: &Package, view: &ViewConfig) -> Self {
        let criterion = Criterion::default();
        let mut pipeline = Pipeline::open(package, &NetworkOptions::default(), criterion.scores()).unwrap();
        Self {
            decoder: Decoder::default(),
            lens: pipeline.add_lens(view).unwrap(),
            judge: open::judge(package, &pipeline, &criterion).unwrap(),
            pipeline,
            decider: Decider::new(&DecideConfig::default(), Instant::now()),
            judged: Judged::default(),
        }
    }

    /// From a frame's bytes to its state. Frames are told to be known, whatever they look like: a reason for another state takes memory.
    fn go(&mut self, content: Content) {
        let picture = self.decoder.picture(content).unwrap();
        self.pipeline.judge_into(FittedScores::default(), self.lens, picture, &mut self.judged).unwrap();
        let mut judgement = self.judge.judge(&self.judged.scores, self.judged.top_class.map(|(class, _)| class));
        judgement.flag = false;
        let decision = self.decider.on_judged(&judgement, &[], Timestamp::UNIX_EPOCH, Duration::ZERO);
        assert!(decision.is_safe() && judgement.score.is_some());
    }
}

#[test]
fn a_warm_frame_takes_no_memory_from_its_bytes_to_its_state() {
    let Some(package) = package() else { return };
    let turned = ViewConfig { rotate: Rotation::Quarter, mirror: Mirror::Horizontal, ..ViewConfig::default() };
    let cameras = [
        (PixelFormat::Yuyv, ViewConfig::default()),
        (PixelFormat::Nv12, turned),
        (PixelFormat::Bgr3, ViewConfig::default()),
    ];
    for (format, view) in cameras {
        let (mut camera, mut way) = (Camera::new(format), Way::new(&package, &view));
        (0..WARM_UP_FRAMES).for_each(|_| way.go(camera.frame()));
        let counted = allocation_counter::measure(|| (0..FRAMES).for_each(|_| way.go(camera.frame())));
        assert_eq!(counted.count_total, 0, "{format}: {counted:?}");
    }
}

/// The counter counts: the way of a batch, which owns what it gives, is seen to take memory.
#[test]
fn the_way_of_a_batch_takes_memory_and_says_the_same() {
    let Some(package) = package() else { return };
    let mut way = Way::new(&package, &ViewConfig::default());
    let image = RgbImage::from_fn(64, 48, |x, y| image::Rgb([(x * 4) as u8, (y * 5) as u8, (x ^ y) as u8]));
    let mut batch = None;
    let counted = allocation_counter::measure(|| batch = Some(way.pipeline.infer(&image).unwrap()));
    assert!(counted.count_total > 0, "{counted:?}");
    let batch = batch.unwrap();
    let wanted = batch.images().next().unwrap();
    let Pipeline { preprocessors, network, .. } = &mut way.pipeline;
    preprocessors[0].prepare_into(Picture::Rgb(&image), network.input_mut()).unwrap();
    let one = network.run_one().unwrap();
    let found = one.outputs().unwrap();
    assert_eq!((found.logits, found.features), (wanted.logits, wanted.features));
    assert_eq!((found.local_norms, found.local_logits), (wanted.local_norms, wanted.local_logits));
    assert!(found.local_norms.is_some_and(|norms| norms.iter().any(|norm| *norm > 0.0)));
}

#[test]
fn a_frame_that_cannot_be_prepared_leaves_the_last_judgement_as_it_was() {
    let Some(package) = package() else { return };
    let mut way = Way::new(&package, &ViewConfig::default());
    let image = RgbImage::from_pixel(40, 40, image::Rgb([1, 2, 3]));
    way.pipeline.judge_into(FittedScores::default(), way.lens, &image, &mut way.judged).unwrap();
    let before = way.judged.clone();
    let empty = RgbImage::new(0, 3);
    let error = way.pipeline.judge_into(FittedScores::default(), way.lens, &empty, &mut way.judged).unwrap_err();
    assert!(matches!(error, PipelineError::Preprocess(_)), "{error}");
    assert_eq!((way.judged.scores, way.judged.top_class), (before.scores, before.top_class));
}
