//! Rehearsals: the real program over a source on which everything goes wrong by script.

use std::fs;

use oodwatch::verdict::{Reason, State, Verdict};

use crate::support::{Bench, Ran, Tool, have, known};

const PICTURES: &str = "[camera.source.faults.source.images]\npath = \"pictures\"\nframes_per_second = 20.0\n";

/// Runs over `count` known pictures under these lines of a script.
fn rehearse(count: u32, source: &str, script: &[&str], decide: &str) -> Ran {
    let bench = Bench::new();
    bench.pictures("pictures", 0, count, known);
    let script: String = script.iter().map(|fault| format!("[[camera.source.faults.script]]\n{fault}\n")).collect();
    let config = bench.config(&format!("{PICTURES}{source}{script}")).display().to_string();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("deadline_ms = 60000", decide)).unwrap();
    bench.run(&["run", "--config", &config])
}

fn of_frame(verdicts: &[Verdict], frame: u64) -> &Verdict {
    verdicts.iter().find(|verdict| verdict.frame == Some(frame)).unwrap()
}

#[test]
fn every_fault_of_the_picture_shows_in_the_verdicts_and_every_frame_is_counted() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let script = [
        "kind = \"freeze\"\nfrom_frame = 2\nfor_frames = 3",
        "kind = \"black\"\nfrom_frame = 6\nfor_frames = 2",
        "kind = \"noise\"\nfrom_frame = 9\nfor_frames = 2\nsigma = 60",
        "kind = \"corrupt\"\nfrom_frame = 12\nfor_frames = 2\nkeep = 0.5",
        "kind = \"timestamp_jump\"\nfrom_frame = 16\nfor_frames = 2\nmilliseconds = -3600000",
        "kind = \"wrong_size\"\nfrom_frame = 19\nfor_frames = 1\nfactor = 4",
    ];
    let ran = rehearse(21, "", &script, "deadline_ms = 60000")
        .expect(0, &["21 frames captured = 19 judged + 0 dropped + 2 bad", "frame 12:", "frame 13:"]);
    let verdicts = ran.verdicts();
    let score = |frame| of_frame(&verdicts, frame).score;
    assert!(score(1) != score(2) && score(2) == score(3) && score(3) == score(4) && score(4) != score(5));
    for black in [6, 7] {
        let verdict = of_frame(&verdicts, black);
        assert_eq!((verdict.state, verdict.reasons.as_slice()), (State::Ood, &[Reason::ScoreAboveThreshold][..]));
    }
    assert_ne!(score(9), score(10));
    assert!(of_frame(&verdicts, 14).reasons.contains(&Reason::BadFrame));
    assert_eq!(of_frame(&verdicts, 14).bad, 2);
    // Each frame that was too old, and only those, counts from its own verdict on.
    let late: Vec<_> = [15, 16, 17, 18, 20].map(|frame| of_frame(&verdicts, frame).late).into();
    assert_eq!(late, [0, 1, 2, 2, 2]);
    assert!(ran.stderr.contains("; 2 verdicts later than the deadline; "), "{}", ran.stderr);
    for old in [16, 17] {
        let verdict = of_frame(&verdicts, old);
        assert_eq!((verdict.state, verdict.reasons[0]), (State::Fault, Reason::FrameTooOld));
        assert!(verdict.age_ms.unwrap() >= 3_600_000.0);
    }
    assert!(!of_frame(&verdicts, 18).reasons.contains(&Reason::FrameTooOld));
    assert!(of_frame(&verdicts, 19).score.is_some());
}

/// In real time, since silence is: long enough for a busy machine to notice.
#[test]
fn a_stalled_and_an_unplugged_camera_are_told_while_they_last_and_end_by_themselves() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let script = ["kind = \"stall\"\nfrom_frame = 5\nfor_s = 1.8", "kind = \"unplug\"\nfrom_frame = 60\nfor_s = 2"];
    let ran = rehearse(110, "realtime = true\n", &script, "deadline_ms = 1000").expect(0, &["0 bad"]);
    let verdicts = ran.verdicts();
    let place = |wanted: &dyn Fn(&Verdict) -> bool| verdicts.iter().position(wanted);
    let has = |reason| move |verdict: &Verdict| verdict.reasons.contains(&reason);
    let [stalled, unplugged] = [has(Reason::CameraSilent), has(Reason::CameraLost)].map(|has| place(&has).unwrap());
    assert!(stalled < unplugged);
    for word in [&verdicts[stalled], &verdicts[unplugged]] {
        assert!(matches!(word.state, State::Degraded | State::Fault) && word.frame.is_none() && !word.safe);
    }
    let fault = |verdict: &Verdict| verdict.state == State::Fault && has(Reason::NoFrameWithinDeadline)(verdict);
    assert!(verdicts[unplugged..].iter().any(|verdict| fault(verdict) && has(Reason::CameraLost)(verdict)));
    // Frames 5 to 40 and 60 to 99 were never captured.
    let judged: Vec<u64> = verdicts.iter().filter_map(|verdict| verdict.frame).collect();
    assert!(judged.iter().all(|frame| matches!(frame, 0..5 | 41..60 | 100..110)), "{judged:?}");
    assert!(verdicts[unplugged..].iter().any(|verdict| verdict.frame.is_some()), "it does not come back: {judged:?}");
    let last = ran.stderr.lines().last().unwrap();
    assert!(last.contains("34 frames captured"), "{last}");
}

#[test]
fn a_wrong_script_is_code_2_with_its_key() {
    let script = ["kind = \"black\"\nfrom_s = 0", "kind = \"noise\"\nfrom_s = 1"];
    let wanted = "camera.source.faults.script[2].sigma is missing, wanted above 0, to 255";
    rehearse(1, "", &script, "deadline_ms = 1000").expect(2, &[wanted]);
    let wanted = "camera.source.faults.source.images.realtime is false, wanted true";
    rehearse(1, "", &["kind = \"stall\"\nfrom_s = 0"], "deadline_ms = 1000").expect(2, &[wanted]);
}

#[test]
fn check_looks_at_the_wrapped_source() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let script = "[[camera.source.faults.script]]\nkind = \"black\"\nfrom_s = 0";
    bench.config(&format!("{PICTURES}{script}"));
    bench.run(&["check", "--config", "config.toml"]).expect(4, &["source: pictures: No such file"]);
    bench.pictures("pictures", 0, 1, known);
    let ran = bench.run(&["check", "--config", "config.toml"]).expect(0, &[]);
    assert!(ran.stdout.contains("is 8x8 pixels; a script with 1 faults"), "{}", ran.stdout);
}
