//! `oodwatch score`.

use std::fs;

use crate::support::{Bench, Tool, have, known, strange};

#[test]
fn every_picture_and_score_gets_one_line_with_every_field() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 2, known);
    let ran = bench.run(&["score", "--model", "package", "--score", "energy", "--score", "msp", "pictures"]);
    let lines = ran.expect(0, &[]).json();
    let names: Vec<_> = lines.iter().map(|line| line["score_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["energy", "msp", "energy", "msp"]);
    for field in ["path", "score", "threshold", "p_value", "flag", "class", "confidence"] {
        assert!(lines.iter().all(|line| !line[field].is_null()), "{field}");
    }
    assert!(lines.iter().all(|line| line["class"] == "red"));
}

#[test]
fn known_pictures_pass_and_strange_ones_are_flagged() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("known", 200, 20, known);
    bench.pictures("strange", 0, 20, strange);
    let flags = |folder: &str| {
        let ran = bench.run(&["score", "--model", "package", folder]).expect(0, &[]);
        ran.json().iter().filter(|line| line["flag"] == true).count()
    };
    assert_eq!(flags("strange"), 20);
    assert!(flags("known") <= 5);
}

#[test]
fn a_text_named_jpg_is_one_counted_error_and_the_rest_is_scored() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 3, known);
    bench.write("pictures/0001a.jpg", "this is a text");
    let ran = bench.run(&["score", "--model", "package", "pictures"]);
    let ran = ran.expect(0, &["0001a.jpg: not a picture: 14 bytes", "1 of 4 inputs could not be read"]);
    assert_eq!(ran.json().len(), 3);
}

#[test]
fn a_truncated_picture_is_one_counted_error() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 2, known);
    let whole = fs::read(bench.path("pictures/0000.png")).unwrap();
    fs::write(bench.path("pictures/0000.png"), &whole[..whole.len() / 2]).unwrap();
    let ran = bench.run(&["score", "--model", "package", "pictures"]);
    assert_eq!(ran.expect(0, &["damaged picture", "1 of 2 inputs"]).json().len(), 1);
}

#[test]
fn nothing_readable_at_all_is_code_4() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let text = bench.write("a.jpg", "a text");
    let paths = ["score", "--model", "package", "missing.png", text.to_str().unwrap()];
    bench.run(&paths).expect(4, &["missing.png: cannot be read", "none of 2 inputs could be read"]);
    fs::create_dir(bench.path("empty")).unwrap();
    bench.run(&["score", "--model", "package", "empty"]).expect(4, &["no pictures in this folder"]);
}

#[test]
fn a_list_on_stdin_is_scored_in_its_order() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("p", 0, 3, known);
    let list = "p/0002.png\n\np/0000.png\n";
    let ran = bench.run_with_stdin(&["score", "--model", "package", "-"], list).expect(0, &[]);
    let paths: Vec<_> = ran.json().iter().map(|line| line["path"].as_str().unwrap().to_string()).collect();
    assert_eq!(paths, ["p/0002.png", "p/0000.png"]);
}

#[test]
fn an_unknown_score_is_code_2_with_the_names_there_are() {
    let bench = Bench::new();
    let ran = bench.run(&["score", "--model", "package", "--score", "enery", "x.png"]);
    ran.expect(2, &["score \"enery\" is unknown; there are msp, max_logit, energy, gen, kl_matching, temperature"]);
}

#[test]
fn a_full_disk_behind_stdout_is_code_1() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = bench.program(&["score", "--model", "package", "pictures"]).stdout(full).output().unwrap();
    crate::support::Ran::from(output).expect(1, &["stdout cannot be written"]);
}
