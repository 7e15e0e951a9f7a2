//! What goes in comes out, gives way, or is counted.

use super::*;
use crate::decode::{Content, Decoder, PixelFormat};
use crate::monitor::turns::Turns;
use crate::source::v4l2::fake::{Event, FRAME_BYTES, SIZE_PX, opener, world};
use crate::source::{V4l2, V4l2Config};
use jiff::Timestamp;
use proptest::prelude::*;
use rustix::io::Errno;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// Delivers frames up to a number, then does what the test wants.
struct Scripted {
    next: u64,
    frames: u64,
    live: Option<Arc<Live>>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    End,
    Panic,
    WaitToBeStopped,
}

fn scripted(frames: u64, live: bool, then: Then) -> Box<Scripted> {
    Box::new(Scripted { next: 0, frames, live: live.then(Arc::default), then })
}

impl Source for Scripted {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        let index = self.next;
        self.next += 1;
        if index == self.frames {
            match self.then {
                Then::End => return Ok(None),
                Then::Panic => panic!("as scripted"),
                Then::WaitToBeStopped => {
                    while !stop.load(Ordering::Relaxed) {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            }
        }
        Ok(Some(Frame {
            index,
            path: "scripted".into(),
            captured_at: Timestamp::UNIX_EPOCH,
            taken: Instant::now(),
            content: Content::Encoded(Vec::new()),
        }))
    }

    fn live(&self) -> Option<Arc<Live>> {
        self.live.clone()
    }
}

/// A hand-over with a bell of its own.
struct Alone {
    handover: Handover,
    bell: Arc<Bell>,
}

fn start(source: Box<dyn Source>, max_frames: Option<u64>) -> Alone {
    let bell = Arc::new(Bell::default());
    Alone { handover: Handover::start(source, max_frames, &bell).unwrap(), bell }
}

impl Alone {
    /// Waits for a frame or the end.
    fn receive(&mut self) -> Received {
        let since = Instant::now();
        loop {
            let heard = self.bell.rings();
            match self.handover.take() {
                Received::Nothing => self.bell.wait(heard, LONG),
                received => return received,
            }
            assert!(since.elapsed() < LONG, "nothing comes");
        }
    }

    fn counts(&self) -> (u64, u64) {
        counts(&self.handover)
    }

    fn finish(self) -> (u64, u64, Option<Result<(), MonitorError>>) {
        finish(self.handover)
    }
}

fn counts(handover: &Handover) -> (u64, u64) {
    let mut summary = Summary::default();
    handover.count(&mut summary);
    (summary.captured, summary.dropped)
}

/// What was captured and dropped, and the last word, if it was not heard before.
fn finish(handover: Handover) -> (u64, u64, Option<Result<(), MonitorError>>) {
    handover.release();
    wait_until(|| handover.is_over());
    let last_word = match handover.take() {
        Received::End(last_word) => Some(last_word),
        _ => None,
    };
    let (captured, dropped) = counts(&handover);
    (captured, dropped, last_word)
}

fn wait_until(mut reached: impl FnMut() -> bool) {
    let since = Instant::now();
    while !reached() {
        assert!(since.elapsed() < LONG, "it is never reached");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_frame_of_footage_arrives_in_order_and_a_panic_is_told_as_one() {
    let mut handover = start(scripted(5, false, Then::Panic), None);
    for wanted in 0..5 {
        let Received::Frame(frame) = handover.receive() else { panic!("frame {wanted} is missing") };
        assert_eq!(frame.index, wanted);
    }
    assert!(matches!(handover.receive(), Received::End(Err(MonitorError::SourcePanicked))));
    assert!(matches!(handover.finish(), (5, 0, None)));
}

#[test]
fn footage_whose_frames_nobody_takes_is_released_and_what_was_read_ahead_is_counted() {
    let handover = start(scripted(9, false, Then::End), None);
    wait_until(|| handover.counts().0 == WAITING_FRAMES as u64);
    let (captured, dropped, ended) = handover.finish();
    // The frame that waited for room may have been in the source's hand already.
    assert!(
        matches!(ended, Some(Ok(()))) && captured == dropped && (2..=3).contains(&captured),
        "{captured} {dropped}"
    );
}

#[test]
fn the_newest_live_frame_wins_and_every_drop_is_counted() {
    let mut handover = start(scripted(100, true, Then::WaitToBeStopped), None);
    wait_until(|| handover.counts().0 == 100);
    let Received::Frame(frame) = handover.receive() else { panic!("no frame") };
    assert_eq!((frame.index, handover.counts()), (99, (100, 99)));
    // The source's last frame comes when nobody takes frames any more.
    let (captured, dropped, ended) = handover.finish();
    assert!(matches!(ended, Some(Ok(()))));
    assert_eq!((captured, dropped), (101, 100));
}

#[test]
fn a_limit_ends_the_source_after_exactly_that_many_frames() {
    let mut handover = start(scripted(100, false, Then::End), Some(4));
    let mut taken = 0;
    while let Received::Frame(_) = handover.receive() {
        taken += 1;
    }
    assert_eq!(taken, 4);
    assert!(matches!(handover.finish(), (4, 0, None)));
}

#[test]
fn what_a_live_source_drops_by_itself_is_captured_and_dropped() {
    let source = scripted(1, true, Then::End);
    let live = source.live.clone().unwrap();
    let handover = start(source, None);
    live.add_dropped(7);
    live.set_condition(Condition::Frozen);
    wait_until(|| handover.counts() == (8, 7));
    assert_eq!(handover.handover.condition(), Condition::Frozen);
    assert!(matches!(handover.finish(), (8, 8, Some(Ok(())))));
}

/// What may come out of a camera, and how many frames each is by the driver's numbers.
fn scripts() -> impl Strategy<Value = (Vec<Result<Vec<Event>, Errno>>, u64)> {
    let opening = proptest::collection::vec((0..5, 1..4u32), 1..20);
    proptest::collection::vec(opening, 1..4).prop_map(|openings| {
        // What lies in the driver when the camera is opened after the last script; then it is silent.
        let mut captured = 1;
        let scripts = openings.into_iter().zip(1..).map(|(steps, opening)| {
            let mut number = u32::MAX - 5;
            // Another picture at each opening, so that it is not taken for one that was left over.
            let mut script = vec![Event::Frame(number, opening)];
            // That, and what lies in the driver before.
            captured += 2;
            for (kind, step) in steps {
                number = number.wrapping_add(step);
                captured += u64::from(step);
                script.push(match kind {
                    0 => Event::Damaged(number),
                    1 => Event::Old(number),
                    2 => Event::Bytes(number, vec![opening; FRAME_BYTES / 2]),
                    3 => Event::Bytes(number, Vec::new()),
                    _ => Event::Frame(number, opening),
                });
            }
            script.extend([Event::Again, Event::Again, Event::Fail(Errno::NODEV)]);
            captured += 2;
            Ok(script)
        });
        let scripts = scripts.collect();
        (scripts, captured)
    })
}

/// A camera that does what the scripts say.
fn camera(openings: Vec<Result<Vec<Event>, Errno>>) -> Box<dyn Source> {
    let config = V4l2Config {
        formats: vec![PixelFormat::Yuyv],
        width: SIZE_PX.0,
        height: SIZE_PX.1,
        stall_timeout_ms: 3_600_000,
        reopen_min_ms: 1,
        reopen_max_ms: 1,
        ..V4l2Config::new("/dev/video0".as_ref())
    };
    Box::new(V4l2::open_with(&config, opener(&world(openings))).unwrap())
}

#[test]
fn a_frame_that_nobody_comes_back_for_is_dropped_and_one_that_was_judged_is_not() {
    let mut handover = start(scripted(2, false, Then::End), None);
    for dropped in [0, 1] {
        assert!(matches!(handover.receive(), Received::Frame(_)));
        if dropped == 0 {
            handover.handover.put_down();
        }
        assert_eq!(handover.handover.abandon(), dropped == 1);
        assert!(!handover.handover.abandon());
        assert_eq!(handover.counts().1, dropped);
    }
}

/// A camera in a run: its hand-over, how many frames it will have captured, and what became of them so far.
struct Watched {
    handover: Handover,
    wanted: u64,
    decoder: Decoder,
    judged: u64,
    bad: u64,
}

impl Watched {
    /// Whether there was a frame.
    fn turn(&mut self) -> bool {
        let Received::Frame(frame) = self.handover.take() else { return false };
        match self.decoder.decode(frame.content) {
            Ok(_) => self.judged += 1,
            Err(_) => self.bad += 1,
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_cameras_do_captured_is_judged_plus_dropped_plus_bad_for_each(
        scripts in proptest::collection::vec(scripts(), 1..4), slow: bool
    ) {
        let bell = Arc::new(Bell::default());
        let watch = |(openings, wanted)| {
            let handover = Handover::start(camera(openings), None, &bell).unwrap();
            Watched { handover, wanted, decoder: Decoder::default(), judged: 0, bad: 0 }
        };
        let mut cameras: Vec<Watched> = scripts.into_iter().map(watch).collect();
        let mut turns = Turns::new(cameras.len());
        let since = Instant::now();
        while cameras.iter().any(|camera| counts(&camera.handover).0 < camera.wanted) {
            let heard = bell.rings();
            match turns.order().find(|place| cameras[*place].turn()) {
                Some(served) => turns.served(served),
                None => bell.wait(heard, Duration::from_millis(1)),
            }
            if slow {
                thread::sleep(Duration::from_millis(1));
            }
            assert!(since.elapsed() < LONG, "some camera does not get there");
        }
        for camera in cameras {
            let (captured, dropped, ended) = finish(camera.handover);
            prop_assert!(matches!(ended, Some(Ok(()))));
            prop_assert_eq!(captured, camera.wanted);
            prop_assert_eq!(captured, camera.judged + dropped + camera.bad);
        }
    }
}
