//! What a frame costs in memory on the judging thread: from the camera's bytes to the verdict's line.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::config::Config;
use crate::decode::{Content, Encoding, Picture, PixelFormat, RawFrame, RawLayout};
use crate::open;
use crate::package::Package;
use crate::pipeline::{FittedScores, Lens, PipelineError};
use crate::score::Score;
use crate::source::{Frame, Pool, Source, SourceError};
use crate::verdict::{State, Verdict};

/// Frames after which every buffer has its size.
const WARM_UP_FRAMES: u64 = 40;
const FRAMES: u64 = 60;
const INTERVAL: SignedDuration = SignedDuration::from_millis(33);

/// A camera before which stripes move: sharp, bright and coloured enough to be worth judging.
struct Stripes {
    pool: Arc<Pool>,
    layout: RawLayout,
    next: u64,
    captured_at: Timestamp,
}

impl Stripes {
    fn new() -> Self {
        let layout = RawLayout::new(PixelFormat::Yuyv, (320, 240), 0, Encoding::JPEG).unwrap();
        Self { pool: Arc::default(), layout, next: 0, captured_at: Timestamp::UNIX_EPOCH }
    }
}

impl Source for Stripes {
    fn next_frame(&mut self, _: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        let mut bytes = self.pool.take();
        bytes.resize(self.layout.frame_bytes(), 0);
        let luma = |x: u64, y: u64| 60 + ((2 * x + y + 3 * self.next) % 120) as u8;
        let chroma = |x: u64, y: u64| 90 + ((x / 8 + y / 4) % 70) as u8;
        for (place, pair) in (0_u64..).zip(bytes.as_chunks_mut::<4>().0) {
            let (x, y) = (2 * (place % 160), place / 160);
            *pair = [luma(x, y), chroma(x, y), luma(x + 1, y), chroma(y, x)];
        }
        self.next += 1;
        self.captured_at += INTERVAL;
        Ok(Some(Frame {
            index: self.next - 1,
            path: "stripes".into(),
            captured_at: self.captured_at,
            taken: Instant::now(),
            content: Content::Raw(RawFrame { layout: self.layout, bytes: self.pool.send(bytes) }),
        }))
    }
}

/// The network, whose score is replaced: whether it knows stripes is not the question.
struct Scored {
    network: Proven,
    score: f32,
}

impl Judging for Scored {
    fn judge_into(
        &mut self,
        fitted: FittedScores,
        lens: Lens,
        picture: Picture<'_>,
        judged: &mut Judged,
    ) -> Result<(), PipelineError> {
        self.network.judge_into(fitted, lens, picture, judged)?;
        judged.scores[0] = Score(self.score);
        Ok(())
    }
}

/// Keeps the last line.
#[derive(Clone)]
struct LastLine(Arc<Mutex<Vec<u8>>>);

impl io::Write for LastLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut line = self.0.lock().unwrap();
        line.clear();
        line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lane of one camera, worked on by the thread that tests.
struct Scene {
    lane: Lane,
    shared: Shared,
    network: Scored,
    line: LastLine,
    /// Scores of frames that the calibration knows, and that are stranger than all of it.
    scores: [f32; 2],
}

impl Scene {
    fn new(package: &Package) -> Self {
        let dir = package.dir.display();
        // However slow the machine is that tests, no frame is late.
        let patience = "[health]\nlate_ms = { warn = inf, error = inf }\n[decide]\ndeadline_ms = 3600000\n";
        let text =
            format!("[[camera]]\n[camera.source.images]\npath = \"none\"\n[model]\npackage = \"{dir}\"\n{patience}");
        let config = Config::parse(Path::new("config.toml"), &text).unwrap();
        let opened = open::open_cameras(&config).unwrap();
        let by = opened.of_cameras().next().unwrap();
        let known = by.package.judge.calibration().all.scores();
        let scores = [known[known.len() / 2], known[known.len() - 1] + 1.0];
        let camera = Camera::new(Box::new(Stripes::new()), &config.camera[0], &config, by, "run").unwrap();
        let bell = Arc::new(Bell::default());
        let (mut lanes, voices) = start_sources(vec![camera], Limits::default(), &bell).unwrap();
        let line = LastLine(Arc::new(Mutex::new(Vec::with_capacity(4096))));
        let sinks = Sinks::to("test", Box::new(line.clone()));
        Self {
            lane: lanes.remove(0),
            shared: Shared::new(bell, Speaker::new(voices, sinks)),
            network: Scored { network: Proven::new(opened, &config.self_test), score: scores[0] },
            line,
            scores,
        }
    }

    /// Judges the next frame; gives its verdict and how often memory was taken for it.
    fn frame(&mut self) -> (Verdict, u64) {
        let mut taken = 0;
        let mut judged = false;
        while !judged {
            let heard = self.shared.bell.rings();
            let counted = allocation_counter::measure(|| {
                judged = self.lane.turn(&mut self.network, &self.shared).unwrap();
            });
            taken += counted.count_total;
            if !judged {
                self.shared.bell.wait(heard, WAIT_SLICE);
            }
        }
        (serde_json::from_slice(&self.line.0.lock().unwrap()).unwrap(), taken)
    }
}

/// A state that is not nominal has reasons; their list is the one thing that takes memory.
#[test]
fn a_nominal_frame_takes_no_memory_from_its_bytes_to_its_line_and_a_strange_one_takes_it_once() {
    let Some(package) = crate::pipeline::tests::package() else { return };
    let mut scene = Scene::new(&package);
    for (score, state, wanted) in [(scene.scores[0], State::Nominal, 0), (scene.scores[1], State::Ood, 1)] {
        scene.network.score = score;
        (0..WARM_UP_FRAMES).for_each(|_| drop(scene.frame()));
        for _ in 0..FRAMES {
            let (verdict, taken) = scene.frame();
            assert!(verdict.frame.is_some() && verdict.stages_us.infer.is_some());
            assert_eq!((verdict.state, taken), (state, wanted), "{verdict:?}");
        }
    }
}
