//! Recordings from scripted sources.

use super::*;
use crate::decode::Content;
use crate::health::HealthConfig;
use crate::source::{Frame, SourceError};
use crate::view::ViewConfig;
use image::Rgb;
use std::io;

/// Frames at 10 per second; `None` is no picture. At its end it is over, or waits for ever.
struct Scripted {
    frames: Vec<Option<RgbImage>>,
    next: usize,
    waits: bool,
}

impl Source for Scripted {
    fn next_frame(&mut self, stop: &AtomicBool) -> Result<Option<Frame>, SourceError> {
        let Some(picture) = self.frames.get(self.next) else {
            while self.waits && !stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            return Ok(None);
        };
        let unreadable = || Content::Unreadable(io::Error::other("scripted"));
        let index = self.next as u64;
        self.next += 1;
        Ok(Some(Frame {
            index,
            path: "scripted".into(),
            captured_at: Timestamp::from_millisecond(100 * index as i64).unwrap(),
            taken: Instant::now(),
            content: picture.clone().map_or_else(unreadable, Content::Rgb),
        }))
    }
}

fn source(frames: usize) -> Scripted {
    let picture =
        |frame: usize| Some(RgbImage::from_fn(20, 20, |x, y| Rgb([(frame * 7) as u8, (x * 12) as u8, (y * 12) as u8])));
    Scripted { frames: (0..frames).map(picture).collect(), next: 0, waits: false }
}

const ALL: Limits = Limits { frames: None, seconds: None, bytes: u64::MAX, patience: Duration::from_secs(600) };

fn recorded(mut source: Scripted, limits: &Limits, stop: bool) -> (Recording, Survey) {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::open(dir.path()).unwrap();
    let mut survey = Survey::new(&HealthConfig::default(), &ViewConfig::default());
    let (stop, before) = (AtomicBool::new(stop), Progress::default());
    let recording = record(&mut source, &mut recorder, &mut survey, limits, before, &stop, &mut |_| {}).unwrap();
    (recording, survey)
}

#[test]
fn it_ends_when_there_is_enough_in_frames_in_seconds_or_in_bytes() {
    let (recording, _) = recorded(source(50), &Limits { frames: Some(30), ..ALL }, false);
    assert_eq!((recording.progress.kept, recording.end), (30, End::Enough));
    let (recording, _) = recorded(source(50), &Limits { seconds: Some(1.95), ..ALL }, false);
    assert_eq!((recording.progress.kept, recording.end), (21, End::Enough));
    let (recording, _) = recorded(source(50), &Limits { bytes: 10_000, ..ALL }, false);
    assert!(recording.progress.kept > 0 && recording.progress.kept < 50);
    assert_eq!(recording.end, End::Full);
}

#[test]
fn it_ends_with_its_source_and_counts_what_is_no_picture() {
    let mut source = source(10);
    source.frames[4] = None;
    let (recording, survey) = recorded(source, &ALL, false);
    assert_eq!((recording.progress.kept, recording.progress.unreadable, recording.end), (9, 1, End::SourceOver));
    assert_eq!((survey.frames(), recording.size_px), (9, (20, 20)));
}

#[test]
fn a_source_that_falls_silent_is_given_up_and_one_that_is_told_to_stop_stops() {
    let silent = Scripted { waits: true, ..source(3) };
    let (recording, _) = recorded(silent, &Limits { patience: Duration::from_millis(200), ..ALL }, false);
    assert_eq!((recording.progress.kept, recording.end), (3, End::Silent));
    let (recording, _) = recorded(Scripted { waits: true, ..source(0) }, &ALL, true);
    assert_eq!(recording.end, End::Stopped);
}

#[test]
fn a_recording_that_was_broken_off_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    for wanted in [12, 30] {
        let mut survey = Survey::new(&HealthConfig::default(), &ViewConfig::default());
        let mut recorder = Recorder::open(dir.path()).unwrap();
        let before = review(dir.path(), &recorder, &mut survey).unwrap();
        let limits = Limits { frames: Some(wanted), ..ALL };
        let recording =
            record(&mut source(50), &mut recorder, &mut survey, &limits, before, &stop, &mut |_| {}).unwrap();
        assert_eq!((recording.progress.kept, survey.frames()), (wanted, wanted));
    }
    let recorder = Recorder::open(dir.path()).unwrap();
    assert_eq!(recorder.pictures_before().len(), 30);
}
