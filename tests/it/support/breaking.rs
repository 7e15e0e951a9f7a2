//! A network that breaks on order, and what a run around it needs. No ONNX Runtime is in it.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use oodwatch::calibrate::{Criterion, Judge, ScoreCalibration, Target};
use oodwatch::decode::{Content, Picture};
use oodwatch::infer::InferError;
use oodwatch::monitor::{Judging, Prove, Reporter};
use oodwatch::package::Calibration;
use oodwatch::pipeline::{FittedScores, Judged, Lens, PipelineError, Timings};
use oodwatch::score::{Fitted, Score, ScoreName};
use oodwatch::self_test::SelfTestError;
use oodwatch::source::{Frame, Live, Source, SourceError};

use super::known;

/// Frames that the network judges before it breaks.
pub(crate) const GOOD: u64 = 5;

/// A live camera that never ends by itself.
pub(crate) struct Ticking {
    next: u64,
    png: Vec<u8>,
}

impl Ticking {
    pub(crate) fn new() -> Self {
        let mut png = Vec::new();
        known(1).write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
        Self { next: 0, png }
    }
}

impl Source for Ticking {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        thread::sleep(Duration::from_millis(5));
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(Frame {
            index: self.next - 1,
            path: "ticking".into(),
            captured_at: jiff::Timestamp::now(),
            taken: Instant::now(),
            content: Content::Encoded(self.png.clone()),
        }))
    }

    fn live(&self) -> Option<Arc<Live>> {
        Some(Arc::default())
    }
}

/// What the network does with the frame after the good ones.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Then {
    Hang,
    Panic,
    Fail,
    GoOn,
    /// Computes something else: its next self-test fails.
    Deviate,
    /// Proves itself again and again.
    Prove,
}

/// Says of every picture that it is known.
pub(crate) struct Network {
    judged: u64,
    then: Then,
    gate: Arc<Gate>,
}

impl Network {
    pub(crate) fn new(then: Then, gate: &Arc<Gate>) -> Self {
        Self { judged: 0, then, gate: Arc::clone(gate) }
    }
}

/// Holds the network up until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    pub(crate) reached: AtomicBool,
    pub(crate) passed: AtomicBool,
    /// Golden inputs that were run.
    pub(crate) proved: AtomicUsize,
}

impl Gate {
    fn pass(&self) {
        self.reached.store(true, Ordering::Relaxed);
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
        self.passed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

impl Judging for Network {
    fn judge_into(
        &mut self,
        _: FittedScores,
        _: Lens,
        _: Picture<'_>,
        judged: &mut Judged,
    ) -> Result<(), PipelineError> {
        self.judged += 1;
        match self.then {
            _ if self.judged <= GOOD => {}
            Then::GoOn | Then::Deviate | Then::Prove => {}
            Then::Hang => self.gate.pass(),
            Then::Panic => panic!("as scripted"),
            Then::Fail => return Err(InferError::Batch { found: vec![1], wanted: [3, 8, 8] }.into()),
        }
        *judged = Judged { scores: vec![Score(0.0)], top_class: Some((0, 0.9)), timings: Timings::default() };
        Ok(())
    }

    fn proof(&mut self) -> Option<&mut dyn Prove> {
        Some(self)
    }
}

impl Prove for Network {
    fn prove(&mut self, input: usize) -> Result<Option<f32>, SelfTestError> {
        if input == 3 {
            return Ok(None);
        }
        self.gate.proved.fetch_add(1, Ordering::Relaxed);
        if self.then == Then::Deviate && input == 1 {
            let what = "logits".into();
            return Err(SelfTestError::Differs { what, input, got: 2.0, want: 1.0, tolerance: 1e-4 });
        }
        Ok(Some(0.0))
    }

    fn every(&self) -> Option<Duration> {
        (self.then == Then::Prove).then_some(Duration::from_millis(10))
    }
}

/// Knows scores up to 95.
pub(crate) fn judge() -> Judge {
    let energy = ScoreCalibration::new((0..100u8).map(f32::from).collect(), Target::rate(0.05)).unwrap();
    let calibration = Calibration {
        head: None,
        fitted: Fitted::default(),
        scores: BTreeMap::from([(ScoreName::Energy, energy)]),
        fusions: BTreeMap::new(),
        images: 100,
        origin: "made up".into(),
        precision: "fp32".into(),
        execution_provider: "cpu".into(),
    };
    Judge::new(&Criterion::default(), &calibration, &[ScoreName::Energy]).unwrap()
}

pub(crate) fn reporter(camera: &str, deadline_ms: u64) -> Reporter {
    Reporter {
        camera: camera.into(),
        classes: vec!["known".into()],
        criterion: Criterion::default(),
        threshold: 95.0,
        policy: "frame",
        execution_provider: "cpu".into(),
        model: "made up".into(),
        run_id: "run".into(),
        deadline_ms,
        alive: 0,
    }
}
