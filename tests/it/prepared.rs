//! `[model.cpu] prepared`: networks that ONNX Runtime has optimised ahead of time, and what is refused of them.

use std::fs;
use std::path::{Path, PathBuf};

use oodwatch::package::{self, Golden, sha256_hex};

use crate::support::{Bench, Ran, Tool, have, known, network, onnx, strange};

const PLAIN: &str = "plain.toml";
const PREPARED: &str = "prepared.toml";

/// A folder with known and strange pictures, and two configs that differ in one key.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.pictures("pictures", 0, 6, known);
    bench.pictures("pictures", 6, 6, strange);
    let text = fs::read_to_string(bench.config("[camera.source.images]\npath = \"pictures\"")).unwrap();
    bench.write(PLAIN, &text);
    bench.write(PREPARED, &text.replace("[model]\n", "[model]\ncpu = { prepared = true }\n"));
    bench
}

/// Runs the program with a cache of the test's own.
fn run(bench: &Bench, arguments: &[&str]) -> Ran {
    let mut program = bench.program(arguments);
    program.env_remove("CACHE_DIRECTORY").env("XDG_CACHE_HOME", bench.path("cache"));
    Ran::from(program.output().unwrap())
}

fn prepared(bench: &Bench, command: &str) -> Ran {
    run(bench, &[command, "--config", PREPARED])
}

fn scores(ran: Ran) -> Vec<f64> {
    ran.expect(0, &[]).json().iter().filter_map(|line| line["score"].as_f64()).collect()
}

/// What lies in the store.
fn store(bench: &Bench) -> Vec<PathBuf> {
    let entries = fs::read_dir(bench.path("cache/oodwatch/prepared")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn network_file(bench: &Bench) -> PathBuf {
    let folders = store(bench);
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].join("network.onnx")
}

#[test]
fn a_prepared_network_gives_the_same_scores_to_the_last_bit_and_is_named_wherever_it_is_used() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = bench();
    let wanted = scores(run(&bench, &["run", "--config", PLAIN]));
    for command in ["run", "check"] {
        prepared(&bench, command).expect(5, &["there is none", "run `oodwatch build-engine` with the same config"]);
    }
    assert!(store(&bench).is_empty());
    let built = prepared(&bench, "build-engine").expect(0, &[]).stdout;
    let file = network_file(&bench);
    assert!(built.contains(file.parent().unwrap().to_str().unwrap()), "{built}");

    let ran = prepared(&bench, "run").expect(0, &["infer: prepared network", file.to_str().unwrap()]);
    assert_eq!((scores(ran), wanted.len()), (wanted, 12));
    let said = prepared(&bench, "check").expect(0, &[]).stdout;
    assert!(said.contains(&format!("ok  infer    prepared network {}", file.display())), "{said}");
    assert!(said.contains("ok  infer    nodes of the network: "), "{said}");
    let bench_it = ["bench", "--model", "package", "--frames", "3", "--prepared"];
    run(&bench, &bench_it).expect(0, &["infer: prepared network"]);
    run(&bench, &[&bench_it[..], &["--execution-provider", "tensorrt"]].concat()).expect(2, &["--prepared is for"]);

    // It is there already, also for somebody who asks by the package.
    let built = fs::metadata(&file).unwrap().modified().unwrap();
    prepared(&bench, "build-engine").expect(0, &[]);
    run(&bench, &["build-engine", "--model", "package", "--prepared"]).expect(0, &[]);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), built);
}

#[test]
fn a_network_that_was_prepared_for_another_processor_is_refused_by_name_and_gone_after_the_next_build() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = bench();
    prepared(&bench, "build-engine").expect(0, &[]);
    let folder = store(&bench).remove(0);
    let key = folder.join("key.toml");
    let of_another: String = fs::read_to_string(&key)
        .unwrap()
        .lines()
        .map(|line| match line.starts_with("processor = ") {
            true => "processor = \"another\"\n".into(),
            false => format!("{line}\n"),
        })
        .collect();
    fs::write(&key, of_another).unwrap();
    let elsewhere = folder.with_file_name("0000000000000000");
    fs::rename(&folder, &elsewhere).unwrap();
    for command in ["run", "check"] {
        prepared(&bench, command).expect(5, &["is for another processor (another, now ", "`oodwatch build-engine`"]);
    }
    prepared(&bench, "build-engine").expect(0, &["deleted ", "0000000000000000"]);
    assert_eq!(store(&bench), [folder]);
    prepared(&bench, "run").expect(0, &[]);
}

/// A package whose network was changed has another key.
#[test]
fn the_network_of_another_package_is_not_taken_for_this_one() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = bench();
    prepared(&bench, "build-engine").expect(0, &[]);
    // The same graph with a field at its end that nobody reads: the version of the model.
    let other = [onnx::tiny(), vec![5 << 3, 1]].concat();
    let package = bench.path("package");
    package::replace(&package, &other, network::manifest(), &network::calibration(), &network::golden()).unwrap();
    prepared(&bench, "run").expect(5, &["there is none"]);
    // A package in the place of the config's, as `calibrate` takes one.
    fs::rename(&package, bench.path("other")).unwrap();
    run(&bench, &["build-engine", "--config", PREPARED, "--model", "other"]).expect(0, &[]);
    fs::rename(bench.path("other"), &package).unwrap();
    prepared(&bench, "run").expect(0, &["infer: prepared network"]);
    assert_eq!(store(&bench).len(), 2);
}

#[test]
fn a_damaged_or_exchanged_file_is_refused_and_made_anew_by_the_next_build() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = bench();
    prepared(&bench, "build-engine").expect(0, &[]);
    let file = network_file(&bench);
    let damages: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes[0] ^= 1,
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| *bytes = onnx::tiny(),
        Vec::clear,
    ];
    for damage in damages {
        // ONNX Runtime does not name everything alike each time that it writes.
        let whole = fs::read(&file).unwrap();
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&file, &bytes).unwrap();
        let found = format!("its sha256 is {}, and was {}", sha256_hex(&bytes), sha256_hex(&whole));
        for command in ["run", "check"] {
            prepared(&bench, command).expect(5, &[file.to_str().unwrap(), &found, "`oodwatch build-engine`"]);
        }
        prepared(&bench, "build-engine").expect(0, &[&found]);
        assert_eq!(network_file(&bench), file);
        prepared(&bench, "run").expect(0, &[]);
    }
    for gone in ["network.onnx", "network.toml"] {
        fs::remove_file(file.with_file_name(gone)).unwrap();
        prepared(&bench, "run").expect(5, &["`oodwatch build-engine`"]);
        prepared(&bench, "build-engine").expect(0, &[]);
    }
    fs::write(file.with_file_name("network.toml"), "sha256 = 3").unwrap();
    prepared(&bench, "run").expect(5, &["network.toml cannot be read", "`oodwatch build-engine`"]);
}

#[test]
fn a_build_that_fails_leaves_nothing() {
    if !have(&[Tool::OnnxRuntime]) {
        return;
    }
    let bench = bench();
    let golden = network::golden();
    let elsewhere = Golden { logits: golden.logits.mapv(|logit| logit + 0.01), ..golden };
    let replace = |onnx: &[u8], golden: &Golden| {
        let (manifest, calibration) = (network::manifest(), network::calibration());
        package::replace(&bench.path("package"), onnx, manifest, &calibration, golden).unwrap();
    };
    replace(&onnx::tiny(), &elsewhere);
    prepared(&bench, "build-engine").expect(5, &["self-test failed: logits of golden input 0"]);
    replace(b"nonsense", &network::golden());
    prepared(&bench, "build-engine").expect(3, &["model.onnx: ONNX Runtime cannot open it"]);
    assert!(store(&bench).is_empty(), "{:?}", store(&bench));
    // A file where the folder has to go.
    replace(&onnx::tiny(), &network::golden());
    fs::remove_dir_all(bench.path("cache")).unwrap();
    bench.write("cache", "");
    prepared(&bench, "build-engine").expect(1, &["cache/oodwatch/prepared"]);
}

#[test]
fn what_is_run_by_more_than_the_processor_cannot_be_prepared() {
    let bench = bench();
    let text = fs::read_to_string(bench.path(PREPARED)).unwrap();
    let providers = "[model]\nexecution_providers = [\"cuda\", \"cpu\"]\n";
    bench.write(PREPARED, &text.replace("[model]\n", providers));
    for command in ["run", "check", "build-engine"] {
        prepared(&bench, command)
            .expect(2, &["model.cpu.prepared is true, wanted false, or execution_providers = [\"cpu\"]"]);
    }
    assert!(!Path::new(&bench.path("cache")).exists());
}
