//! Packages that must not run, and machines that must not run them.

use std::fs;

use oodwatch::package::{self, Golden};

use crate::support::{Bench, Tool, have, known, network, onnx};

fn score_of_one_picture(bench: &Bench) -> crate::support::Ran {
    bench.pictures("pictures", 0, 1, known);
    bench.run(&["score", "--model", "package", "pictures"])
}

#[test]
fn a_truncated_network_is_refused_with_code_3() {
    let bench = Bench::new();
    let model = bench.path("package/model.onnx");
    let bytes = fs::read(&model).unwrap();
    fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();
    score_of_one_picture(&bench).expect(3, &["package/model.onnx: sha256", "manifest.toml wants", "truncated"]);
}

#[test]
fn a_newer_schema_is_refused_with_code_3() {
    let bench = Bench::new();
    let manifest = bench.path("package/manifest.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("schema = 1", "schema = 2")).unwrap();
    score_of_one_picture(&bench).expect(3, &["schema 2, this oodwatch reads up to 1"]);
}

#[test]
fn a_folder_without_a_manifest_is_refused_with_code_3() {
    let bench = Bench::new();
    fs::create_dir(bench.path("empty")).unwrap();
    bench.run(&["score", "--model", "empty", "x.png"]).expect(3, &["empty/manifest.toml", "No such file"]);
}

#[test]
fn a_network_with_another_number_of_classes_is_refused_with_code_3() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let two_classes = onnx::with_classes(2);
    package::replace(
        &bench.path("package"),
        &two_classes,
        network::manifest(),
        &network::calibration(),
        &network::golden(),
    )
    .unwrap();
    score_of_one_picture(&bench)
        .expect(3, &["model.onnx: output \"logits\"", "(N, 2)", "manifest.toml wants", "(N, 3)"]);
}

#[test]
fn a_network_that_is_no_onnx_is_refused_with_code_3() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    package::replace(
        &bench.path("package"),
        b"nonsense",
        network::manifest(),
        &network::calibration(),
        &network::golden(),
    )
    .unwrap();
    score_of_one_picture(&bench).expect(3, &["model.onnx: ONNX Runtime cannot open it"]);
}

#[test]
fn a_machine_that_computes_something_else_is_refused_with_code_5() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let golden = network::golden();
    let elsewhere = Golden { logits: golden.logits.mapv(|logit| logit + 0.01), ..golden };
    package::replace(&bench.path("package"), &onnx::tiny(), network::manifest(), &network::calibration(), &elsewhere)
        .unwrap();
    let config = bench.config("[camera.source.images]\npath = \"pictures\"");
    score_of_one_picture(&bench).expect(5, &["self-test failed: logits of golden input 0"]);
    for command in ["run", "check"] {
        bench.run(&[command, "--config", config.to_str().unwrap()]).expect(5, &["self-test failed"]);
    }
}

#[test]
fn a_missing_onnx_runtime_is_code_5_and_says_how_to_get_it() {
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    let output = bench
        .program(&["score", "--model", "package", "pictures"])
        .env("ORT_DYLIB_PATH", "/nonexistent/libonnxruntime.so")
        .output()
        .unwrap();
    crate::support::Ran::from(output).expect(
        5,
        &["ONNX Runtime cannot be loaded from /nonexistent/libonnxruntime.so", "cargo xtask", "ORT_DYLIB_PATH"],
    );
}

#[test]
fn a_file_that_is_no_library_is_code_5() {
    let bench = Bench::new();
    let fake = bench.write("libonnxruntime.so", "not a library");
    let output = bench.program(&["score", "--model", "package", "x"]).env("ORT_DYLIB_PATH", fake).output().unwrap();
    crate::support::Ran::from(output).expect(5, &["ONNX Runtime cannot be loaded"]);
}

#[test]
fn an_execution_provider_that_is_not_there_is_code_5_not_a_silent_step_down() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    let ran = bench.run(&["score", "--model", "package", "--execution-provider", "tensorrt", "pictures"]);
    // Not there, not starting, or there but not what the package was calibrated on: never the processor instead.
    ran.expect(5, &["tensorrt"]);
}

#[test]
fn check_says_which_onnx_runtime_there_is_and_what_does_how_much_of_the_network() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    bench.config("[camera.source.images]\npath = \"pictures\"");
    let said = bench.run(&["check", "--config", "config.toml"]).expect(0, &[]).stdout;
    let line = |start: &str| said.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{said}"));
    assert!(line("ok  infer    ONNX Runtime ").contains(" has cpu"), "{said}");
    assert!(line("ok  infer    nodes of the network: ").ends_with(" on CPUExecutionProvider"), "{said}");
}

#[test]
fn an_engine_is_built_for_tensorrt_alone_and_where_that_is_missing_nothing_is() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 1, known);
    let config = bench.config("[camera.source.images]\npath = \"pictures\"");
    bench.run(&["build-engine", "--config", "config.toml"]).expect(2, &["only tensorrt builds engines"]);
    let text = std::fs::read_to_string(&config).unwrap();
    let tensorrt = "[model]\nexecution_providers = [\"tensorrt\", \"cpu\"]\n";
    std::fs::write(&config, text.replace("[model]\n", tensorrt)).unwrap();
    // On a machine that has TensorRT this would build an engine, in minutes.
    if bench.run(&["check", "--config", "config.toml"]).stderr.contains("is not in this ONNX Runtime") {
        bench
            .run(&["build-engine", "--config", "config.toml"])
            .expect(5, &["execution provider tensorrt is not in this"]);
        bench.run(&["run", "--config", "config.toml"]).expect(5, &["execution provider tensorrt is not in this"]);
    }
}

#[test]
fn the_plain_network_and_onnx_runtime_agree() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 3, known);
    let ran = bench.run(&["score", "--model", "package", "pictures"]).expect(0, &[]);
    for (number, line) in ran.json().iter().enumerate() {
        let wanted = network::score(oodwatch::score::ScoreName::Energy, &known(number as u32));
        let got = line["score"].as_f64().unwrap() as f32;
        assert!((got - wanted).abs() <= 1e-4, "picture {number}: {got}, wanted {wanted}");
    }
}
