//! `oodwatch self-test`, here and in a running monitor.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Bench, Tool, have, known, network, onnx};

#[test]
fn a_package_is_tested_on_this_machine_and_one_that_computes_otherwise_fails() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    let ran = bench.run(&["self-test", "--model", "package"]).expect(0, &[]);
    assert!(ran.stdout.starts_with("ok  infer    cpu, fp32: 2 golden inputs"), "{}", ran.stdout);
    let mut golden = network::golden();
    golden.logits[[1, 2]] += 0.01;
    network::write_package_with(&bench.path("other"), &onnx::tiny(), &golden);
    let said = ["self-test failed: logits of golden input 1"];
    bench.run(&["self-test", "--model", "other"]).expect(5, &said);
    bench.run(&["self-test", "--model", "missing"]).expect(3, &["missing"]);
    // There is no GPU here, or its golden vectors would have to hold on it.
    let cuda = bench.run(&["self-test", "--model", "package", "--execution-provider", "cuda"]);
    assert!(matches!(cuda.code, Some(0 | 5)), "{:?} {}", cuda.code, cuda.stderr);
}

#[test]
fn a_running_monitor_tests_itself_when_told_and_whoever_does_not_listen_is_not_told() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = Bench::new();
    bench.pictures("pictures", 0, 2, known);
    bench.config("[camera.source.images]\npath = \"pictures\"\nframes_per_second = 0.002\nrealtime = true");
    let arguments = ["run", "--config", "config.toml", "--pid-file", "pid"];
    let mut command = bench.program(&arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let log = thread::spawn(move || {
        let mut lines = stderr.lines().map(Result::unwrap);
        // The start's own says who passed.
        lines.find(|line| line.contains("self-test passed: 2 golden inputs, largest deviation"))
    });
    let since = Instant::now();
    // The signals are waited for from before the file is there.
    while !bench.path("pid").exists() && since.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(10));
    }
    bench.run(&["self-test", "--pid-file", "pid"]).expect(0, &["told process"]);
    while !log.is_finished() && since.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(log.join().unwrap().is_some(), "nothing was said of a self-test");

    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let pid = other.id().to_string();
    bench.run(&["self-test", "--pid", &pid]).expect(2, &["does not listen for SIGUSR2", "nothing was sent"]);
    other.kill().unwrap();
    other.wait().unwrap();
    bench.run(&["self-test"]).expect(2, &["--model"]);
}
