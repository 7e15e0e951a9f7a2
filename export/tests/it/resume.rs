//! A run that is killed and resumed ends with the bytes of the run that was not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{export, pictures, succeed};

const EPOCHS: usize = 4;

/// The background loss alone, and every term together, which remember things of their own.
const LOSSES: [&str; 2] = [
    "background = { lambda = 0.1, rule = { lowest = 0.3 } }",
    "background = { lambda = 0.1, warmup = 0.5, relative = true, rule = { rank = 1 } }, logit_norm = {}, \
     virtual_outliers = { queue = 3, samples = 50, start_epoch = 1 }, attention_transfer = { weight = 1.0 }",
];

fn config(dir: &Path, name: &str, loss: &str) -> PathBuf {
    let path = dir.join(format!("{name}.toml"));
    let text = format!(
        r#"
out = "{out}"
seed = 7
threads = 1
model = {{ arch = "resnet20" }}
augment = {{ crop_padding_px = 4, flip = true }}
schedule = {{ epochs = {EPOCHS}, batch_size = 32, learning_rate = 0.05, warmup_epochs = 0.5, momentum = 0.9, weight_decay = 5e-4 }}
loss = {{ {loss} }}
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
    export(Path::new("."), "train", config)
}

fn rows(run: &Path) -> usize {
    std::fs::read_to_string(run.join("log.jsonl")).unwrap_or_default().lines().count()
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    LOSSES.into_iter().for_each(kill_and_resume);
}

fn kill_and_resume(loss: &str) {
    let dir = tempfile::tempdir().unwrap();
    pictures(&dir.path().join("train.bin"), 96, 1);
    pictures(&dir.path().join("test.bin"), 20, 1);
    succeed(train(&config(dir.path(), "whole", loss)));

    let killed_config = config(dir.path(), "killed", loss);
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
    let mut resumed = train(&killed_config);
    resumed.arg("--resume");
    succeed(resumed);

    assert_eq!(rows(&killed), EPOCHS);
    let model = |run: &str| std::fs::read(dir.path().join(run).join("model.safetensors")).unwrap();
    assert!(model("whole") == model("killed"), "weights differ with {loss}");
    for file in ["config.toml", "metrics.json", "curves.png", "checkpoint.safetensors"] {
        assert!(killed.join(file).exists(), "{file}");
    }
}

#[test]
fn resuming_with_another_config_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    pictures(&dir.path().join("train.bin"), 32, 1);
    pictures(&dir.path().join("test.bin"), 10, 1);
    let path = config(dir.path(), "run", LOSSES[0]);
    succeed(train(&path));
    let text = std::fs::read_to_string(&path).unwrap().replace("seed = 7", "seed = 8");
    std::fs::write(&path, text).unwrap();
    let refused = train(&path).arg("--resume").output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another config"));
}
