//! The plan by itself, and a short run of the real program.

use oodwatch::source::faults::{FaultConfig, FaultKind};

use super::plan::CAMERAS;
use super::process::Sample;
use super::report::Drift;
use super::*;

const MINUTES_30: Duration = Duration::from_secs(1800);

#[test]
fn a_seed_decides_the_plan_and_faults_of_a_camera_come_one_at_a_time() {
    let plan = Plan::draw(3, MINUTES_30);
    assert_eq!(plan, Plan::draw(3, MINUTES_30));
    assert_ne!(plan.faults, Plan::draw(4, MINUTES_30).faults);
    assert_eq!(plan.faults.len(), CAMERAS.len());
    for faults in &plan.faults {
        assert!(faults.len() > 150, "{} faults", faults.len());
        let ends = faults.iter().map(|fault| fault.from_frame.unwrap() + fault.for_frames.unwrap());
        assert!(ends.zip(&faults[1..]).all(|(end, next)| end + 20 <= next.from_frame.unwrap()));
    }
}

#[test]
fn every_camera_shows_its_largest_pictures_within_the_warm_up_and_at_the_same_time() {
    let plan = Plan::draw(5, MINUTES_30);
    let factor = |fault: &FaultConfig| fault.factor.unwrap_or_default();
    for faults in &plan.faults {
        let first = &faults[0];
        assert_eq!((first.kind, first.from_frame), (FaultKind::WrongSize, plan.faults[0][0].from_frame));
        assert!(first.from_frame.unwrap() + first.for_frames.unwrap() < plan.frames() / 5);
        assert!(faults.iter().map(factor).all(|other| other <= factor(first)));
    }
}

#[test]
fn nothing_else_goes_wrong_while_the_process_is_interrupted() {
    let plan = Plan::draw(9, MINUTES_30);
    assert!(plan.interruptions.len() > 50);
    for at in plan.interruptions.iter().map(|interruption| interruption.at_frame) {
        for fault in plan.faults.iter().flatten() {
            let (from, lasts) = (fault.from_frame.unwrap(), fault.for_frames.unwrap());
            assert!(from + lasts + 10 <= at || at + 55 <= from, "{fault:?} at {at}");
        }
    }
}

#[test]
fn memory_that_grows_by_more_than_a_hundredth_is_a_miss_and_noise_is_none() {
    let samples = |grows: u64| -> Vec<Sample> {
        let noise = |second: u64| second * 7919 % 300;
        let memory_kib = |second| 60_000 + noise(second) + grows * second / 1800;
        (0..1800).map(|second| sample(second, memory_kib(second))).collect()
    };
    let misses = |grows| Drift::of(&samples(grows), MINUTES_30).unwrap().misses();
    assert_eq!(misses(0), [""; 0]);
    assert!(misses(2_000)[0].starts_with("memory grew by"));
    // Pages of files were taken back by the system as fast as the process's own memory grew.
    let hidden = |second| Sample { own_kib: 30_000 + second, file_kib: 30_000 - second, ..sample(second, 60_000) };
    let misses = Drift::of(&(0..1800).map(hidden).collect::<Vec<_>>(), MINUTES_30).unwrap().misses();
    assert!(misses[0].starts_with("the process's own memory grew by") && misses.len() == 1, "{misses:?}");
    assert_eq!(Drift::of(&samples(0)[..9], MINUTES_30), None);
}

fn sample(second: u64, memory_kib: u64) -> Sample {
    let (own_kib, file_kib) = (memory_kib - 26_000, 26_000);
    Sample { at: Duration::from_secs(second), memory_kib, own_kib, file_kib, threads: 7, open_files: 12 }
}

/// The short form of `cargo xtask soak`, of the program that was built beside this test. Its deadline is one that a busy machine can keep.
#[test]
fn a_short_soak_holds_every_promise() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf();
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("oodwatch");
    let ffmpeg = root.join(".deps/ffmpeg/ffmpeg");
    let missing: Vec<_> = [&program, &ffmpeg, &root.join(".deps/onnxruntime/libonnxruntime.so")]
        .into_iter()
        .filter(|path| !path.exists())
        .map(|path| path.display().to_string())
        .collect();
    if !missing.is_empty() {
        assert_ne!(std::env::var("OODWATCH_REQUIRE_ALL").as_deref(), Ok("1"), "missing: {missing:?}");
        eprintln!("passed over: missing: {missing:?}; `cargo xtask test` has them");
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let arguments = Arguments { minutes: 25.0 / 60.0, seed: 1, deadline_ms: 3_000, out: out.path().join("soak") };
    let bench = Bench { program, root, ffmpeg, out: arguments.out.clone() };
    let report = soak(&bench, &arguments).unwrap();
    assert!(report.misses().is_empty(), "{report}");
}
