//! What goes in comes out, gives way, or is counted.

use super::*;
use crate::decode::{Content, Decoder, PixelFormat};
use crate::source::v4l2::fake::{Event, FRAME_BYTES, SIZE_PX, opener, world};
use crate::source::{V4l2, V4l2Config};
use jiff::Timestamp;
use proptest::prelude::*;
use rustix::io::Errno;

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

fn counts(handover: &Handover) -> (u64, u64) {
    let mut summary = Summary::default();
    handover.count(&mut summary);
    (summary.captured, summary.dropped)
}

fn finish(handover: Handover) -> (u64, u64, Result<(), MonitorError>) {
    let mut summary = Summary::default();
    let ended = handover.finish(&mut summary);
    (summary.captured, summary.dropped, ended)
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
    let mut handover = Handover::start(scripted(5, false, Then::Panic), None).unwrap();
    for wanted in 0..5 {
        let Received::Frame(frame) = handover.receive(LONG) else { panic!("frame {wanted} is missing") };
        assert_eq!(frame.index, wanted);
    }
    assert!(matches!(handover.receive(LONG), Received::End));
    assert!(matches!(finish(handover), (5, 0, Err(MonitorError::SourcePanicked))));
}

#[test]
fn footage_whose_frames_nobody_takes_is_released_and_what_was_read_ahead_is_counted() {
    let handover = Handover::start(scripted(9, false, Then::End), None).unwrap();
    wait_until(|| counts(&handover).0 == WAITING_FRAMES as u64);
    let (captured, dropped, ended) = finish(handover);
    // The frame that waited for room may have been in the source's hand already.
    assert!(ended.is_ok() && captured == dropped && (2..=3).contains(&captured), "{captured} {dropped}");
}

#[test]
fn the_newest_live_frame_wins_and_every_drop_is_counted() {
    let mut handover = Handover::start(scripted(100, true, Then::WaitToBeStopped), None).unwrap();
    wait_until(|| counts(&handover).0 == 100);
    let Received::Frame(frame) = handover.receive(LONG) else { panic!("no frame") };
    assert_eq!((frame.index, counts(&handover)), (99, (100, 99)));
    // The source's last frame comes when nobody takes frames any more.
    let (captured, dropped, ended) = finish(handover);
    assert!(ended.is_ok());
    assert_eq!((captured, dropped), (101, 100));
}

#[test]
fn a_limit_ends_the_source_after_exactly_that_many_frames() {
    let mut handover = Handover::start(scripted(100, false, Then::End), Some(4)).unwrap();
    let mut taken = 0;
    while let Received::Frame(_) = handover.receive(LONG) {
        taken += 1;
    }
    assert_eq!(taken, 4);
    assert!(matches!(finish(handover), (4, 0, Ok(()))));
}

#[test]
fn what_a_live_source_drops_by_itself_is_captured_and_dropped() {
    let source = scripted(1, true, Then::End);
    let live = source.live.clone().unwrap();
    let handover = Handover::start(source, None).unwrap();
    live.add_dropped(7);
    live.set_condition(Condition::Frozen);
    wait_until(|| counts(&handover) == (8, 7));
    assert_eq!(handover.condition(), Condition::Frozen);
    assert!(matches!(finish(handover), (8, 8, Ok(()))));
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_camera_does_captured_is_judged_plus_dropped_plus_bad((openings, wanted) in scripts(), slow: bool) {
        let config = V4l2Config {
            formats: vec![PixelFormat::Yuyv],
            width: SIZE_PX.0,
            height: SIZE_PX.1,
            stall_timeout_ms: 3_600_000,
            reopen_min_ms: 1,
            reopen_max_ms: 1,
            ..V4l2Config::new("/dev/video0".as_ref())
        };
        let camera = V4l2::open_with(&config, opener(&world(openings))).unwrap();
        let mut handover = Handover::start(Box::new(camera), None).unwrap();
        let (mut decoder, mut judged, mut bad) = (Decoder::default(), 0, 0);
        let since = Instant::now();
        while counts(&handover).0 < wanted {
            if let Received::Frame(frame) = handover.receive(Duration::from_millis(1)) {
                match decoder.decode(frame.content) {
                    Ok(_) => judged += 1,
                    Err(_) => bad += 1,
                }
                if slow {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            assert!(since.elapsed() < LONG, "only {:?} of {wanted}", counts(&handover));
        }
        let (captured, dropped, ended) = finish(handover);
        prop_assert!(ended.is_ok());
        prop_assert_eq!(captured, wanted);
        prop_assert_eq!(captured, judged + dropped + bad);
    }
}
