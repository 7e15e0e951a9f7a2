//! The other commands, and what all of them have in common.

use crate::support::{Bench, Tool, have, known};

#[test]
fn every_command_shows_an_example_in_its_help() {
    let bench = Bench::new();
    for command in [
        "run",
        "score",
        "scores",
        "calibrate",
        "adopt",
        "init",
        "self-test",
        "evidence",
        "check",
        "cameras",
        "bench",
        "completions",
        "man",
    ] {
        let help = bench.run(&[command, "--help"]).expect(0, &[]).stdout;
        assert!(help.contains(&format!("Example:\n  oodwatch {command}")), "{help}");
        assert!(help.contains("--log-level"), "{help}");
    }
    assert!(bench.run(&["--help"]).expect(0, &[]).stdout.contains("Exit codes:"));
}

#[test]
fn usage_errors_are_code_2() {
    let bench = Bench::new();
    for arguments in
        [&["run"][..], &["fly"], &["score", "--model", "package"], &["run", "--config", "x", "--duration", "-1"]]
    {
        bench.run(arguments).expect(2, &["error:"]);
    }
}

#[test]
fn check_passes_a_good_set_up_and_names_each_part() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    let config = bench.config("[camera.source.images]\npath = \"pictures\"");
    let ran = bench.run(&["check", "--config", config.to_str().unwrap()]).expect(0, &[]);
    for part in [
        "ok  config",
        "ok  package",
        "ok  infer    cpu, fp32: 2 golden inputs",
        "ok  score    energy",
        "8x8 pixels",
        "ok  sink",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} is missing from:\n{}", ran.stdout);
    }
}

#[test]
fn check_finds_a_sink_that_cannot_be_written() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    bench.config("[camera.source.images]\npath = \"pictures\"\n[sink.file]\npath = \"/nonexistent/verdicts.jsonl\"");
    bench.run(&["check", "--config", "config.toml"]).expect(1, &["sink: /nonexistent/verdicts.jsonl"]);
}

#[test]
fn bench_prints_every_stage() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let ran = bench.run(&["bench", "--model", "package", "--size", "32x24", "--frames", "20"]).expect(0, &[]);
    for part in
        ["stage", "p50", "p99", "max", "share", "decode", "preprocess", "infer", "score", "decide", "20 frames", "MiB"]
    {
        assert!(ran.stdout.contains(part), "{part:?} is missing from:\n{}", ran.stdout);
    }
}

#[test]
fn cameras_are_listed_as_json_even_where_there_are_none() {
    let ran = Bench::new().run(&["cameras", "--json"]).expect(0, &[]);
    assert!(ran.json()[0].is_array());
}

#[test]
fn completions_name_the_commands() {
    let script = Bench::new().run(&["completions", "bash"]).expect(0, &[]).stdout;
    assert!(script.contains("oodwatch") && script.contains("calibrate"));
}

#[test]
fn the_manual_has_a_page_for_every_command_with_what_its_help_says() {
    let bench = Bench::new();
    let first = bench.run(&["man"]).expect(0, &[]).stdout;
    assert!(first.contains("oodwatch\\-calibrate(1)") && first.contains("Exit codes:"), "{first}");
    bench.run(&["man", "--out", "pages"]).expect(0, &[]);
    let page = |name: &str| std::fs::read_to_string(bench.path(&format!("pages/{name}.1"))).unwrap();
    assert_eq!(page("oodwatch"), first);
    assert!(page("oodwatch-run").contains("pid\\-file") && page("oodwatch-run").contains("Example:"));
}

#[test]
fn the_log_is_as_loud_as_it_is_told_to_be() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    let quiet = bench.run(&["--log-level", "off", "score", "--model", "package", "pictures"]).expect(0, &[]);
    assert_eq!(quiet.stderr, "");
    bench.run(&["score", "--log-level", "debug", "--model", "package", "pictures"]).expect(0, &["self-test"]);
}

#[test]
fn every_score_is_listed_with_what_it_reads_and_where_it_was_published() {
    let bench = Bench::new();
    let lines = bench.run(&["scores", "--json", "--model", "package"]).expect(0, &[]).json();
    assert_eq!(lines.len(), 29);
    assert!(lines.iter().all(|line| line["source"].as_str().unwrap().len() > 10));
    let of = |name: &str| lines.iter().find(|line| line["name"] == name).unwrap();
    assert_eq!(of("react")["inputs"], serde_json::json!(["logits", "features", "head"]));
    assert_eq!(of("react")["composes_with"], serde_json::json!(["msp", "max_logit", "gen"]));
    assert_eq!((&of("knn")["fitted"], &of("energy")["fitted"]), (&true.into(), &false.into()));
    assert_eq!((&of("energy")["package"], &of("knn")["package"]), (&"calibrated".into(), &"not calibrated".into()));
    bench.run(&["scores"]).expect(0, &[]).stdout.lines().find(|line| line.starts_with("mahalanobis_pp")).unwrap();
}

#[test]
fn a_report_is_one_row_that_says_what_was_measured_on_what() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let ran =
        bench.run(&["bench", "--model", "package", "--frames", "20", "--size", "64x48", "--report"]).expect(0, &[]);
    let [row] = ran.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{}", ran.stdout) };
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    assert_eq!(cells.len(), 12, "{row}");
    assert_eq!((cells[3], cells[5], cells[7]), ("cpu", "package", "20 of synthetic 64x48"));
    let number = |place: usize| cells[place].parse::<f64>().unwrap();
    assert!(number(8) > 0.0 && number(9) > 0.0 && number(9) <= number(10), "{row}");
}
