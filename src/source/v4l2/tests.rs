//! Every fault that a camera can have, from a script.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::fake::{Event, SIZE_PX, Shared, opener, world};
use super::*;

/// Never stops by itself.
static GO_ON: AtomicBool = AtomicBool::new(false);

/// Silence that is long for a test that wants to see it, and not so short that a busy machine makes it up.
const SILENCE_MS: u64 = 300;

/// As fast as a test can be, with the size that the fake has; patient, unless a test is about that.
fn config(device: &Path) -> V4l2Config {
    V4l2Config {
        width: SIZE_PX.0,
        height: SIZE_PX.1,
        stall_timeout_ms: 3_600_000,
        reopen_min_ms: 1,
        reopen_max_ms: 4,
        ..V4l2Config::new(device)
    }
}

/// Gives up a camera that is silent for a while.
fn open_impatiently(world: &Shared) -> V4l2 {
    let config = V4l2Config { stall_timeout_ms: SILENCE_MS, ..config(Path::new("/dev/video0")) };
    V4l2::open_with(&config, opener(world)).unwrap()
}

fn open(world: &Shared) -> V4l2 {
    V4l2::open_with(&config(Path::new("/dev/video0")), opener(world)).unwrap()
}

/// The first byte of the next frames.
#[track_caller]
fn check(camera: &mut V4l2, wanted: &[u8]) {
    for wanted in wanted {
        let frame = camera.next_frame(&GO_ON).unwrap().unwrap();
        let Content::Raw(raw) = frame.content else { panic!("no camera frame") };
        assert_eq!(raw.bytes[0], *wanted);
    }
}

fn frames(numbers: std::ops::Range<u32>) -> Vec<Event> {
    numbers.map(|number| Event::Frame(number, number as u8)).collect()
}

#[test]
fn frames_come_out_numbered_with_their_bytes_and_their_time() {
    let world = world(vec![Ok(frames(0..2))]);
    let mut camera = open(&world);
    let before = Instant::now();
    let frame = camera.next_frame(&GO_ON).unwrap().unwrap();
    assert_eq!((frame.index, frame.path.as_path()), (0, Path::new("/dev/video0")));
    assert!(frame.taken >= before && frame.taken <= Instant::now());
    check(&mut camera, &[1]);
    // What lay in the driver before the start.
    assert_eq!((camera.live.dropped(), camera.live.condition()), (1, Condition::Streaming));
}

#[test]
fn gaps_damaged_and_old_frames_are_dropped_and_counted() {
    let events = vec![
        Event::Old(0),
        Event::Frame(1, 1),
        Event::Frame(4, 4),
        Event::Damaged(5),
        Event::Damaged(7),
        Event::Frame(8, 8),
    ];
    let mut camera = open(&world(vec![Ok(events)]));
    check(&mut camera, &[1, 4, 8]);
    // One lay in the driver, 0 was old, 2 and 3 never came, 5 and 7 were damaged, 6 never came.
    assert_eq!(camera.live.dropped(), 7);
}

#[test]
fn a_camera_that_is_lost_is_opened_again_and_frames_resume() {
    for errno in [Errno::NODEV, Errno::IO, Errno::INVAL] {
        let broken = [frames(0..2), vec![Event::Fail(errno)]].concat();
        let world = world(vec![Ok(broken), Err(Errno::NOENT), Err(Errno::BUSY), Ok(frames(5..7))]);
        let mut camera = open(&world);
        check(&mut camera, &[0, 1, 5, 6]);
        let world = world.lock().unwrap();
        assert_eq!((world.opened.len(), world.open_now), (4, 1));
        // At each start that worked there was one in the driver.
        assert_eq!((camera.live.condition(), camera.live.dropped()), (Condition::Streaming, 2));
    }
}

#[test]
fn a_camera_that_comes_back_as_another_node_is_found_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second, name) = (dir.path().join("video0"), dir.path().join("video1"), dir.path().join("by-id"));
    fs::write(&first, "").unwrap();
    symlink(&first, &name).unwrap();
    let world = world(vec![Ok([frames(0..1), vec![Event::Fail(Errno::NODEV)]].concat()), Ok(frames(0..1))]);
    let mut camera = V4l2::open_with(&config(&name), opener(&world)).unwrap();
    check(&mut camera, &[0]);
    fs::rename(&first, &second).unwrap();
    fs::remove_file(&name).unwrap();
    symlink(&second, &name).unwrap();
    check(&mut camera, &[0]);
    let real = |path: &Path| dir.path().canonicalize().unwrap().join(path.file_name().unwrap());
    assert_eq!(world.lock().unwrap().opened, [real(&first), real(&second)]);
}

#[test]
fn a_silent_camera_is_told_and_then_opened_anew() {
    let mut camera = open_impatiently(&world(vec![Ok(frames(0..1)), Ok(frames(9..10))]));
    check(&mut camera, &[0]);
    while camera.running.is_some() {
        let running = camera.running.take().unwrap();
        assert!(camera.watch(running).is_none());
    }
    assert_eq!(camera.live.condition(), Condition::Lost);
    check(&mut camera, &[9]);
}

#[test]
fn the_same_frame_again_and_again_is_no_fresh_frame() {
    let stuck = [frames(0..1), vec![Event::Again; 5], frames(7..8)].concat();
    let mut camera = open(&world(vec![Ok(stuck)]));
    // The second of them passes: only from it on is there content to compare.
    check(&mut camera, &[0, 0]);
    for _ in 0..4 {
        let running = camera.running.take().unwrap();
        assert!(camera.watch(running).is_none());
        assert_eq!(camera.live.condition(), Condition::Frozen);
    }
    check(&mut camera, &[7]);
    // What lay in the driver, the four, and those between 0 and 7.
    assert_eq!((camera.live.dropped(), camera.live.condition()), (1 + 4 + 6, Condition::Streaming));
}

#[test]
fn a_camera_that_repeats_itself_for_ever_is_opened_anew() {
    let stuck = [frames(0..1), vec![Event::Again; 10_000]].concat();
    check(&mut open_impatiently(&world(vec![Ok(stuck), Ok(frames(9..10))])), &[0, 0, 9]);
}

#[test]
fn the_pause_between_attempts_doubles_up_to_its_limit_and_starts_anew_after_a_frame() {
    let broken = vec![Event::Fail(Errno::NODEV)];
    let away = vec![Err(Errno::NOENT); 3];
    let openings = [vec![Ok([frames(0..1), broken].concat())], away, vec![Ok(frames(1..2))]].concat();
    let mut camera = open(&world(openings));
    check(&mut camera, &[0]);
    let running = camera.running.take().unwrap();
    assert!(camera.watch(running).is_none());
    let pauses: Vec<u128> = (0..4)
        .map(|_| {
            let attempt = camera.start();
            camera.running = camera.reopening.tried(attempt);
            camera.reopening.pause().as_millis()
        })
        .collect();
    assert_eq!(pauses, [2, 4, 4, 4]);
    check(&mut camera, &[1]);
    assert_eq!(camera.reopening.pause(), Duration::from_millis(1));
}

#[test]
fn a_stop_is_heard_while_the_camera_is_silent_and_while_it_is_away() {
    for openings in [vec![Ok(vec![])], vec![Ok(vec![Event::Fail(Errno::NODEV)]), Err(Errno::NOENT)]] {
        let mut camera = open(&world(openings));
        let stop = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&stop);
        let waiting = std::thread::spawn(move || camera.next_frame(&heard).unwrap().is_none());
        stop.store(true, Ordering::Relaxed);
        assert!(waiting.join().unwrap());
    }
}

#[test]
fn a_thousand_openings_leave_one_camera_open() {
    let openings = (0..1000).map(|n| match n % 3 {
        // The first has to work.
        1 => Err(Errno::NODEV),
        _ => Ok([frames(n..n + 1), vec![Event::Fail(Errno::IO)]].concat()),
    });
    let world = world(openings.collect());
    let mut config = config(Path::new("/dev/video0"));
    config.reopen_max_ms = 1;
    let mut camera = V4l2::open_with(&config, opener(&world)).unwrap();
    while world.lock().unwrap().opened.len() < 1000 {
        assert!(camera.next_frame(&GO_ON).unwrap().is_some());
        assert!(world.lock().unwrap().open_now <= 1);
    }
    drop(camera);
    assert_eq!(world.lock().unwrap().open_now, 0);
}

#[test]
fn a_driver_that_takes_other_buffers_is_told_and_refused_where_it_must_be_exact() {
    let world = world(vec![]);
    world.lock().unwrap().min_buffers = 8;
    let mut config = config(Path::new("/dev/video0"));
    let camera = V4l2::open_with(&config, opener(&world)).unwrap();
    assert!(camera.last_agreed.contains("YUYV 4x2"), "{}", camera.last_agreed);
    config.exact = true;
    let Err(error) = V4l2::open_with(&config, opener(&world)) else { panic!("it was not refused") };
    assert!(error.to_string().contains("it takes 8 buffers, asked for 4"), "{error}");
}

#[test]
fn a_camera_that_is_not_there_at_the_start_is_refused() {
    let world = world(vec![Err(Errno::NOENT)]);
    let Err(error) = V4l2::open_with(&config(Path::new("/dev/video7")), opener(&world)) else {
        panic!("a camera that is not there was opened");
    };
    assert!(error.to_string().starts_with("source: /dev/video7: cannot be opened: No such file"), "{error}");
}
