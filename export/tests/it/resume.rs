//! A run that is killed and resumed ends with the bytes of the run that was not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const EPOCHS: usize = 4;

/// A tiny CIFAR-layout file of coloured noise: enough to train on, not enough to learn from.
fn pictures(path: &Path, count: usize) {
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let bytes: Vec<u8> = (0..count)
        .flat_map(|i| [(i % 10) as u8; 1].into_iter().chain(std::array::from_fn::<u8, 3072, _>(|_| noise())))
        .collect();
    std::fs::write(path, bytes).unwrap();
}

fn config(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(format!("{name}.toml"));
    let text = format!(
        r#"
out = "{out}"
seed = 7
threads = 1
model = {{ arch = "resnet20" }}
augment = {{ crop_padding_px = 4, flip = true }}
schedule = {{ epochs = {EPOCHS}, batch_size = 32, learning_rate = 0.05, warmup_epochs = 0.5, momentum = 0.9, weight_decay = 5e-4 }}
loss = {{ background = {{ lambda = 0.1, rule = {{ lowest = 0.3 }} }} }}
[data]
train = {{ cifar = ["{train}"] }}
test = {{ cifar = ["{test}"] }}
normalise = {{ mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }}
"#,
        out = dir.join(name).display(),
        train = dir.join("train.bin").display(),
        test = dir.join("test.bin").display(),
    );
    std::fs::write(&path, text).unwrap();
    path
}

fn train(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oodwatch-export"));
    command.args(["train", "--config"]).arg(config).stderr(Stdio::piped());
    command
}

fn rows(run: &Path) -> usize {
    std::fs::read_to_string(run.join("log.jsonl")).unwrap_or_default().lines().count()
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    pictures(&dir.path().join("train.bin"), 96);
    pictures(&dir.path().join("test.bin"), 20);
    let whole = train(&config(dir.path(), "whole")).output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));

    let killed_config = config(dir.path(), "killed");
    let killed = dir.path().join("killed");
    let mut child = train(&killed_config).stderr(Stdio::null()).spawn().unwrap();
    while rows(&killed) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before its first epoch did");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!killed.join("model.safetensors").exists(), "killed too late to prove anything");

    let again = train(&killed_config).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("--resume"));
    let resumed = train(&killed_config).arg("--resume").output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));

    assert_eq!(rows(&killed), EPOCHS);
    let model = |run: &str| std::fs::read(dir.path().join(run).join("model.safetensors")).unwrap();
    assert!(model("whole") == model("killed"), "weights differ");
    for file in ["config.toml", "metrics.json", "curves.png", "checkpoint.safetensors"] {
        assert!(killed.join(file).exists(), "{file}");
    }
}

#[test]
fn resuming_with_another_config_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    pictures(&dir.path().join("train.bin"), 32);
    pictures(&dir.path().join("test.bin"), 10);
    let path = config(dir.path(), "run");
    assert!(train(&path).output().unwrap().status.success());
    let text = std::fs::read_to_string(&path).unwrap().replace("seed = 7", "seed = 8");
    std::fs::write(&path, text).unwrap();
    let refused = train(&path).arg("--resume").output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another config"));
}
