//! Scripts on a source whose frames tell their own numbers.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use image::{Rgb, RgbImage};

use super::*;
use crate::decode::{Content, decode};

/// Ten frames a second; the picture of frame n is 2x2 pixels of the value 10 n.
struct Numbered {
    left: VecDeque<u64>,
    start: (Timestamp, Instant),
    live: Option<Arc<Live>>,
}

impl Source for Numbered {
    fn next_frame(&mut self, _stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        let (captured_at, taken) = self.start;
        Ok(self.left.pop_front().map(|index| Frame {
            index,
            path: PathBuf::from("numbered"),
            captured_at: captured_at + SignedDuration::from_millis(100 * index as i64),
            taken: taken + Duration::from_millis(100 * index),
            content: Content::Rgb(RgbImage::from_pixel(2, 2, Rgb([10 * index as u8; 3]))),
        }))
    }

    fn live(&self) -> Option<Arc<Live>> {
        self.live.clone()
    }
}

/// Footage of `frames` frames that keeps its pace, under a script.
fn footage(frames: u64, script: &str) -> Faults {
    wrap(frames, script, None)
}

fn wrap(frames: u64, script: &str, live: Option<Arc<Live>>) -> Faults {
    let text = format!("seed = 5\n[source.images]\npath = \"-\"\nrealtime = true\n{script}");
    let start = (Timestamp::UNIX_EPOCH, Instant::now());
    let inner = Numbered { left: (0..frames).collect(), start, live };
    Faults::around(Box::new(inner), &toml::from_str(&text).unwrap()).unwrap()
}

fn next(source: &mut Faults) -> Option<Frame> {
    source.next_frame(&AtomicBool::new(false)).unwrap()
}

/// Number and first value of every frame, or none where it is no picture.
fn pictures(mut source: Faults) -> Vec<(u64, Option<u8>)> {
    std::iter::from_fn(|| next(&mut source))
        .map(|frame| (frame.index, decode(frame.content).ok().map(|image| image.as_raw()[0])))
        .collect()
}

#[test]
fn a_frozen_picture_stands_still_under_fresh_numbers_and_times() {
    let mut source = footage(5, "[[script]]\nkind = \"freeze\"\nfrom_frame = 1\nfor_frames = 3");
    let frames: Vec<_> = std::iter::from_fn(|| next(&mut source)).collect();
    let times = frames.iter().map(|frame| frame.captured_at.as_millisecond());
    assert!(times.eq([0, 100, 200, 300, 400]));
    let values: Vec<_> = frames.into_iter().map(|frame| decode(frame.content).unwrap().as_raw()[0]).collect();
    assert_eq!(values, [0, 10, 10, 10, 40]);
}

#[test]
fn a_black_picture_and_a_corrupt_one_come_when_the_script_says() {
    let script = "[[script]]\nkind = \"black\"\nfrom_s = 0.2\nfor_s = 0.1\n\
                  [[script]]\nkind = \"corrupt\"\nfrom_frame = 3\nfor_frames = 1\nkeep = 0.1";
    let wanted = [(0, Some(0)), (1, Some(10)), (2, Some(0)), (3, None), (4, Some(40))];
    assert_eq!(pictures(footage(5, script)), wanted);
}

#[test]
fn overlapping_faults_are_applied_in_the_order_of_the_script() {
    let black = "[[script]]\nkind = \"black\"\nfrom_frame = 0\n";
    let freeze = "[[script]]\nkind = \"freeze\"\nfrom_frame = 1\n";
    assert_eq!(pictures(footage(3, &format!("{freeze}{black}"))), [(0, Some(0)), (1, Some(0)), (2, Some(0))]);
    let later = "[[script]]\nkind = \"black\"\nfrom_frame = 2\n";
    assert_eq!(pictures(footage(3, &format!("{later}{freeze}"))), [(0, Some(0)), (1, Some(10)), (2, Some(10))]);
}

#[test]
fn frames_of_an_unplugged_camera_never_come_and_the_others_keep_their_numbers() {
    let mut source = footage(6, "[[script]]\nkind = \"unplug\"\nfrom_frame = 2\nfor_frames = 3");
    let live = source.live().unwrap();
    for index in [0, 1] {
        assert_eq!((next(&mut source).unwrap().index, live.condition()), (index, Condition::Streaming));
    }
    assert_eq!((next(&mut source).unwrap().index, live.condition()), (5, Condition::Streaming));
    assert_eq!(live.dropped(), 0);
}

#[test]
fn an_unplugged_camera_is_lost_to_the_end_of_the_footage() {
    let mut source = footage(4, "[[script]]\nkind = \"unplug\"\nfrom_frame = 1");
    assert_eq!(next(&mut source).unwrap().index, 0);
    assert!(next(&mut source).is_none());
    assert_eq!(source.live().unwrap().condition(), Condition::Lost);
}

/// Ten frames a second: five intervals are half a second.
#[test]
fn a_stalled_camera_is_silent_after_five_intervals_and_lost_after_two_seconds() {
    for (frames, wanted) in
        [(6, Condition::Streaming), (7, Condition::Silent), (21, Condition::Silent), (22, Condition::Lost)]
    {
        let mut source = footage(frames, "[[script]]\nkind = \"stall\"\nfrom_frame = 2");
        for index in [0, 1] {
            assert_eq!(next(&mut source).unwrap().index, index);
        }
        assert!(next(&mut source).is_none());
        assert_eq!(source.live().unwrap().condition(), wanted, "{frames} frames");
    }
}

#[test]
fn while_frames_are_kept_back_other_faults_have_nothing_to_act_on() {
    let script = "[[script]]\nkind = \"black\"\nfrom_frame = 1\nfor_frames = 3\n\
                  [[script]]\nkind = \"stall\"\nfrom_frame = 1\nfor_frames = 2";
    assert_eq!(pictures(footage(5, script)), [(0, Some(0)), (3, Some(0)), (4, Some(40))]);
}

#[test]
fn a_jump_into_the_past_makes_frames_older_and_one_into_the_future_does_not_make_them_younger() {
    for by_ms in [-5_000, 5_000] {
        let script = format!("[[script]]\nkind = \"timestamp_jump\"\nfrom_frame = 1\nmilliseconds = {by_ms}");
        let mut source = footage(2, &script);
        let [first, second] = [(); 2].map(|()| next(&mut source).unwrap());
        assert_eq!(second.captured_at.duration_since(first.captured_at).as_millis(), 100 + by_ms);
        let taken_after = second.taken.saturating_duration_since(first.taken);
        assert_eq!(taken_after, if by_ms < 0 { Duration::ZERO } else { Duration::from_millis(100) });
        assert_eq!(first.taken.saturating_duration_since(second.taken).is_zero(), by_ms > 0);
    }
}

#[test]
fn the_same_seed_gives_the_same_noise_and_each_frame_its_own() {
    let noise = "[[script]]\nkind = \"noise\"\nfrom_frame = 0\nsigma = 40";
    let images = |mut source: Faults| -> Vec<_> {
        std::iter::from_fn(|| next(&mut source)).map(|frame| decode(frame.content).unwrap()).collect()
    };
    let first = images(footage(3, noise));
    assert_eq!(first, images(footage(3, noise)));
    let without =
        |image: &RgbImage, value: u8| image.iter().map(|seen| i16::from(*seen) - i16::from(value)).collect::<Vec<_>>();
    assert_ne!(without(&first[1], 10), without(&first[2], 20));
    // A fault of its own number draws its own numbers.
    let twice = images(footage(3, &format!("{noise}\n{noise}")));
    assert_ne!(first, twice);
}

#[test]
fn footage_in_a_hurry_waits_and_a_camera_stays_one() {
    let text = "[source.images]\npath = \"-\"\n[[script]]\nkind = \"black\"\nfrom_s = 0";
    let inner = Numbered { left: VecDeque::new(), start: (Timestamp::UNIX_EPOCH, Instant::now()), live: None };
    let hurried = Faults::around(Box::new(inner), &toml::from_str(text).unwrap()).unwrap();
    assert!(hurried.live().is_none());

    let beneath = Arc::new(Live::default());
    let camera = wrap(1, "[[script]]\nkind = \"black\"\nfrom_s = 0", Some(Arc::clone(&beneath)));
    beneath.add_dropped(4);
    beneath.set_condition(Condition::Frozen);
    let live = camera.live().unwrap();
    assert_eq!((live.dropped(), live.condition()), (4, Condition::Frozen));
}

#[test]
fn a_script_with_a_wrong_value_opens_nothing() {
    let config: FaultsConfig = toml::from_str("[source.images]\npath = \".\"").unwrap();
    let inner = Numbered { left: VecDeque::new(), start: (Timestamp::UNIX_EPOCH, Instant::now()), live: None };
    let error = Faults::around(Box::new(inner), &config).err().unwrap();
    assert!(error.to_string().starts_with("source: camera.source.faults.script is empty"), "{error}");
}
