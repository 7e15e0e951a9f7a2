//! Writes the inputs in `fuzz/corpus` that the library itself can make.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ndarray::{Array, array};
use oodwatch::calibrate::{CalibratedPolicy, Criterion, Delay, FalseAlarms, Fusion, ScoreCalibration, Target};
use oodwatch::decide::policy::{Policy, Rule};
use oodwatch::decode::PixelFormat;
use oodwatch::package::{Calibration, Golden, Head, Measure};
use oodwatch::score::{Fitted, Parameters, ScoreName, State};

use crate::support::foreign::Foreign;
use crate::support::{Bench, known, onnx};

fn write(name: &str, bytes: &[u8]) {
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name), bytes).unwrap();
}

#[test]
#[ignore = "writes into the source tree: run it by name when a format has changed"]
fn the_inputs_that_the_library_makes_are_written() {
    networks();
    frames();
    write("safetensors/calibration.bin", &[&[0], &calibration().to_bytes().unwrap()[..]].concat());
    let headless = Calibration { head: None, ..calibration() };
    write("safetensors/headless.bin", &[&[0], &headless.to_bytes().unwrap()[..]].concat());
    write("safetensors/golden.bin", &[&[1], &golden().to_bytes().unwrap()[..]].concat());
    let quantised = Golden { measure: Measure::RootMeanSquare, ..golden() };
    write("safetensors/golden-root-mean-square.bin", &[&[1], &quantised.to_bytes().unwrap()[..]].concat());
    verdicts();
}

fn networks() {
    write("onnx/package.onnx", &onnx::tiny());
    write("onnx/loop.onnx", &onnx::stuck_on_white());
    for (name, network) in [
        ("gemm", Foreign::gemm()),
        ("matmul-add-softmax", Foreign::matmul_add_softmax()),
        ("conv-head", Foreign::conv_head()),
        ("fixed-batch", Foreign::fixed_batch()),
        ("bytes-colours-last", Foreign::bytes_colours_last()),
        ("half-precision", Foreign::half_precision()),
        ("colliding", Foreign::colliding()),
    ] {
        write(&format!("onnx/{name}.onnx"), &network.bytes());
    }
}

/// Six by three pixels of every format, in rows of 20 bytes.
fn frames() {
    for (index, format) in PixelFormat::ALL.into_iter().enumerate() {
        let about = [index as u8, index as u8, 0, 6, 0, 3, 0, 20];
        let bytes = (0..100u8).map(|value| value.wrapping_mul(37));
        let content: Vec<u8> = about.into_iter().chain(bytes).collect();
        write(&format!("raw/{format}.bin"), &content);
    }
}

/// Agrees with `manifest/two-classes.toml`.
fn calibration() -> Calibration {
    let scores = vec![-3.0, -2.0, -1.5, -2.5];
    let target = Target { rate: 0.4, confidence: Some(0.5) };
    let state = State::default().with_tensor("bank", array![[0.5_f32, 1.0, -1.0]]).with_number("threshold", 0.1);
    let fusion: Fusion = "fisher(energy,msp)".parse().unwrap();
    let mut calibration = Calibration {
        head: Some(Head { weight: array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], bias: array![0.5, -0.5] }),
        fitted: Fitted {
            parameters: Parameters::default(),
            states: BTreeMap::from([("knn".to_string(), state)]),
            images: 9,
            origin: "nine pictures".into(),
        },
        scores: BTreeMap::from([
            (ScoreName::Energy, ScoreCalibration::new(scores.clone(), Target::rate(0.25)).unwrap()),
            (ScoreName::Msp, ScoreCalibration::per_class(scores.clone(), &[0, 0, 1, 1], 2, target).unwrap()),
        ]),
        fusions: BTreeMap::from([(fusion, ScoreCalibration::new(scores, target).unwrap())]),
        images: 4,
        origin: "four pictures".into(),
        precision: "fp32".into(),
        execution_provider: "cpu".into(),
    };
    calibration.set_policy(&Criterion::Score(ScoreName::Energy), policy());
    calibration
}

fn policy() -> CalibratedPolicy {
    CalibratedPolicy {
        policy: Policy { rule: Rule::KOfN { level: 0.01, window: 5, enter: 3, leave: 1 }, max_gap_s: 1.0 },
        max_false_alarms_per_hour: 1.0,
        chosen_on: FalseAlarms { alarms: 0, hours: 1.0, hours_in_alarm: 0.0 },
        tested_on: FalseAlarms { alarms: 1, hours: 1.1, hours_in_alarm: 0.1 },
        frame_by_frame: FalseAlarms { alarms: 30, hours: 1.0, hours_in_alarm: 0.2 },
        block_s: 2.0,
        frames_per_second: 30.0,
        delay: Delay { cuts: 64, missed: 1, mean_s: 0.5, most_s: Some(1.0), worst_s: None },
        unknown: "a model".into(),
    }
}

fn golden() -> Golden {
    Golden {
        inputs: Array::from_shape_fn((1, 3, 1, 2), |(_, c, _, x)| (c + x) as f32).into(),
        logits: array![[1.0, -1.0]],
        features: array![[0.1, 0.2, 0.3]],
        local_norms: Some(array![[[0.5, 0.6]]]),
        local_logits: Some(Array::zeros((1, 2, 1, 2))),
        scores: BTreeMap::from([(ScoreName::Energy, vec![-1.2])]),
        tolerance: 1e-4,
        measure: Measure::Value,
    }
}

/// Lines of a run on which something goes wrong.
fn verdicts() {
    let bench = Bench::new();
    bench.pictures("pictures", 0, 6, known);
    let source = "[camera.source.faults.source.images]\npath = \"pictures\"\n[[camera.source.faults.script]]\n\
                  kind = \"corrupt\"\nkeep = 0.5\nfrom_frame = 2\nfor_frames = 1\n[[camera.source.faults.script]]\n\
                  kind = \"black\"\nfrom_frame = 4";
    let config = bench.config(source);
    let ran = bench.run(&["run", "--config", &config.display().to_string()]);
    for (index, line) in ran.stdout.lines().enumerate() {
        write(&format!("verdict/{index}.json"), line.as_bytes());
    }
}
