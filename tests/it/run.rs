//! `oodwatch run` on pictures.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use oodwatch::verdict::{Reason, State};

use crate::support::{Bench, Ran, Tool, have, known, strange};

fn config(bench: &Bench) -> String {
    bench.config("name = \"front\"\n[camera.source.images]\npath = \"pictures\"").display().to_string()
}

fn run(bench: &Bench, more: &[&str]) -> Ran {
    let config = config(bench);
    let mut arguments = vec!["run", "--config", config.as_str()];
    arguments.extend(more);
    bench.run(&arguments)
}

#[test]
fn every_frame_gets_a_verdict_in_order_and_strangers_are_flagged() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 6, known);
    bench.pictures("pictures", 6, 4, strange);
    let ran = run(&bench, &[]).expect(0, &["10 frames captured = 10 judged + 0 dropped + 0 bad"]);
    let verdicts = ran.verdicts();
    assert!(verdicts.iter().map(|verdict| verdict.frame).eq((0..10).map(Some)));
    assert!(verdicts.iter().map(|verdict| verdict.alive).eq(1..=10));
    for verdict in &verdicts {
        let frame = verdict.frame.unwrap();
        assert_eq!(verdict.safe, verdict.state == State::Nominal);
        assert_eq!(verdict.flag.unwrap(), verdict.score.unwrap() > verdict.threshold);
        if frame >= 6 {
            assert_eq!(
                (verdict.state, verdict.reasons.as_slice()),
                (State::Ood, [Reason::ScoreAboveThreshold].as_slice())
            );
        }
    }
    assert!(verdicts.iter().filter(|verdict| verdict.safe).count() >= 4);
}

#[test]
fn a_verdict_has_exactly_the_fields_of_the_contract() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    let line = run(&bench, &[]).expect(0, &[]).json().remove(0);
    let mut wanted = vec![
        "schema",
        "type",
        "camera",
        "frame",
        "captured_at",
        "age_ms",
        "alive",
        "state",
        "safe",
        "flag",
        "reasons",
        "score",
        "score_name",
        "health",
        "threshold",
        "p_value",
        "policy",
        "alarm_statistic",
        "alarm_threshold",
        "class",
        "confidence",
        "dropped",
        "bad",
        "late",
        "stages_us",
        "execution_provider",
        "model",
        "run_id",
        "monotonic_ns",
        "deadline_ms",
    ];
    wanted.sort_unstable();
    let fields: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, wanted);
    let stages: Vec<_> = line["stages_us"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(stages, ["decide", "decode", "health", "infer", "preprocess", "score"]);
    assert_eq!((line["type"].as_str(), line["camera"].as_str()), (Some("verdict"), Some("front")));
    assert!(line["captured_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[test]
fn a_corrupt_picture_is_counted_and_degrades_the_next_verdict() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 3, known);
    bench.write("pictures/0001.png", "not a picture");
    let ran = run(&bench, &[]).expect(0, &["3 frames captured = 2 judged + 0 dropped + 1 bad", "0001.png"]);
    let verdicts = ran.verdicts();
    assert!(verdicts.iter().map(|verdict| verdict.frame).eq([Some(0), Some(2)]));
    assert!(verdicts[1].reasons.contains(&Reason::BadFrame) && !verdicts[1].safe);
    assert_eq!((verdicts[0].bad, verdicts[1].bad), (0, 1));
}

#[test]
fn a_picture_without_pixels_is_a_bad_frame_and_the_run_goes_on() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 2, known);
    bench.write("pictures/0000-empty.ppm", "P3\n2 0\n255\n");
    let said = ["3 frames captured = 2 judged + 0 dropped + 1 bad", "2x0 pixels"];
    run(&bench, &[]).expect(0, &said);
}

#[test]
fn only_corrupt_pictures_are_code_4() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.write("pictures/a.jpg", "a text");
    run(&bench, &[]).expect(4, &["none of 1 frames could be read"]);
}

#[test]
fn a_missing_folder_is_code_4_and_check_finds_it_first() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    run(&bench, &[]).expect(4, &["source: pictures: No such file"]);
    bench.run(&["check", "--config", "config.toml"]).expect(4, &["source: pictures: No such file"]);
}

#[test]
fn max_frames_ends_the_run_after_that_many() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 9, known);
    assert_eq!(run(&bench, &["--max-frames", "4"]).expect(0, &["4 frames captured"]).verdicts().len(), 4);
}

#[test]
fn a_full_disk_is_code_1_behind_stdout_and_behind_a_file() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 2, known);
    let config = config(&bench);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = bench.program(&["run", "--config", &config]).stdout(full).output().unwrap();
    Ran::from(output).expect(1, &["sink: stdout: a verdict could not be written", "No space left"]);

    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[sink.file]\npath = \"/dev/full\"\n")).unwrap();
    bench.run(&["run", "--config", &config]).expect(1, &["sink: /dev/full", "No space left"]);
}

#[test]
fn a_closed_stdout_is_code_1() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 2, known);
    let config = config(&bench);
    let mut child =
        bench.program(&["run", "--config", &config]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    Ran::from(child.wait_with_output().unwrap()).expect(1, &["sink: stdout", "Broken pipe"]);
}

#[test]
fn verdicts_go_to_a_file_where_the_config_says_so() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 2, known);
    let config = config(&bench);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[sink.file]\npath = \"verdicts.jsonl\"\n")).unwrap();
    assert_eq!(bench.run(&["run", "--config", &config]).expect(0, &[]).stdout, "");
    assert_eq!(fs::read_to_string(bench.path("verdicts.jsonl")).unwrap().lines().count(), 2);
}

/// A list on stdin that stays open and silent: the monitor must keep talking, and must end when told to.
#[test]
fn silence_is_spoken_of_and_a_signal_ends_the_run_with_a_last_word() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    for signal in ["TERM", "INT"] {
        let bench = Bench::new();
        let config = bench.config("[camera.source.images]\npath = \"-\"").display().to_string();
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace("deadline_ms = 60000", "deadline_ms = 20\nstartup_ms = 0")).unwrap();
        let mut child = bench
            .program(&["run", "--config", &config])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(|line| serde_json::from_str::<oodwatch::verdict::Verdict>(&line.unwrap()).unwrap());
        for alive in 1..=3 {
            let verdict = lines.next().unwrap();
            assert_eq!((verdict.alive, verdict.frame, verdict.safe), (alive, None, false));
            assert_eq!((verdict.state, verdict.reasons), (State::Fault, vec![Reason::NoFrameWithinDeadline]));
        }
        let kill = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let last = lines.last().unwrap();
        assert_eq!((last.state, last.reasons), (State::Fault, vec![Reason::Stopped]));
        Ran::from(child.wait_with_output().unwrap()).expect(0, &["stopped by a signal"]);
    }
}

#[test]
fn bad_frames_that_keep_coming_are_no_reason_to_fall_silent() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    // Large enough that decoding takes longer than reading, so that a frame is always waiting; cut off near its end.
    let mut png = Vec::new();
    let large = image::RgbImage::from_fn(1500, 1500, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
    large.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    fs::create_dir(bench.path("pictures")).unwrap();
    for index in 0..10 {
        fs::write(bench.path(&format!("pictures/{index}.png")), &png[..png.len() - 100]).unwrap();
    }
    let config = config(&bench);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("deadline_ms = 60000", "deadline_ms = 1\nstartup_ms = 0")).unwrap();
    let ran = bench.run(&["run", "--config", config.as_str()]).expect(4, &["none of 10 frames could be read"]);
    let verdicts = ran.verdicts();
    // Each frame takes longer than the deadline; a wait for the first file may add a verdict.
    assert!(verdicts.len() >= 10, "{} verdicts", verdicts.len());
    assert!(verdicts.iter().all(|verdict| verdict.frame.is_none() && verdict.state == State::Fault && !verdict.safe));
}
