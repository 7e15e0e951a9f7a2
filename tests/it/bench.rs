//! `oodwatch bench`: what it prints, never how fast.

use crate::support::{Bench, Tool, have};

/// First words of the lines of a table, and that each line has four numbers behind it.
fn rows(table: &str) -> Vec<&str> {
    let lines = table.lines().skip(1).take_while(|line| line.ends_with('%'));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let numbers = cells[1..].iter().filter(|cell| cell.trim_end_matches('%').parse::<f64>().is_ok());
            assert_eq!(numbers.count(), 4, "{line}");
            cells[0]
        })
        .collect()
}

#[test]
fn every_stage_has_its_p50_p99_max_and_share() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let said = Bench::new().run(&["bench", "--model", "package", "--size", "32x24", "--frames", "20"]).expect(0, &[]);
    assert!(said.stdout.starts_with("stage          p50 us    p99 us    max us   share\n"), "{}", said.stdout);
    let wanted = ["source", "decode", "health", "preprocess", "infer", "score", "decide", "all"];
    assert_eq!(rows(&said.stdout), wanted, "{}", said.stdout);
    assert!(said.stdout.contains("20 frames, 0 bad, "), "{}", said.stdout);
}

/// However busy the machine is that tests: frames may be dropped, and then they are counted.
#[test]
fn a_paced_camera_has_its_latency_told_and_every_frame_accounted_for() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let paced = ["bench", "--model", "package", "--size", "32x24", "--fps", "100", "--minutes", "0.02"];
    let said = Bench::new().run(&paced).expect(0, &[]).stdout;
    let wanted = ["handover", "decode", "health", "preprocess", "infer", "score", "decide", "latency"];
    assert_eq!(rows(&said), wanted, "{said}");
    assert!(said.contains("\np99 - p50 ") && said.contains(" verdicts later than one frame (10.0 ms), "), "{said}");
    let counts = said.lines().last().unwrap();
    let numbers: Vec<u64> = counts.split(|c: char| !c.is_ascii_digit()).filter_map(|text| text.parse().ok()).collect();
    let [captured, judged, dropped, bad] = numbers[..] else { panic!("{counts}") };
    assert_eq!((captured, judged + dropped, bad), (120, 120, 0), "{counts}");
}

#[test]
fn a_rate_goes_with_no_footage_and_minutes_with_no_other_bench() {
    for more in [["--source", "film.mp4"], ["--frames", "9"]] {
        let arguments = [&["bench", "--model", "package", "--fps", "30"][..], &more[..]].concat();
        Bench::new().run(&arguments).expect(2, &["cannot be used with"]);
    }
    Bench::new().run(&["bench", "--model", "package", "--minutes", "2"]).expect(2, &["--fps <F>"]);
    Bench::new().run(&["bench", "--model", "package", "--fps", "0"]).expect(2, &["wanted frames per second"]);
}
