//! A grid from its config to its tables: killed and gone on with, changed, and looked at once on the test half.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::support::{export, pictures, succeed};

/// The base, with everything beside it; `start` is what `start.toml` trains.
const BASE: &str = r#"
out = "unused"
seed = 1
threads = 1
model = { arch = "resnet20", start = "start/model.safetensors" }
augment = { crop_padding_px = 4, flip = true }
schedule = { epochs = 2, batch_size = 20, learning_rate = 0.01, momentum = 0.9, weight_decay = 5e-4 }
[data]
train = { cifar = ["train.bin"] }
test = { cifar = ["test.bin"] }
normalise = { mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }
"#;

const GRID: &str = r#"
out = "grid"
base = "base.toml"
seeds = [1, 2]
background = { lowest = 0.3 }
scores = ["energy", "msp", "knn"]

[[row]]
name = "control"

[[row]]
name = "background, lambda 0.5"
[row.loss.background]
lambda = 0.5
rule = { lowest = 0.3 }

[[row]]
name = "three terms"
seeds = [2]
[row.loss.background]
lambda = 0.5
relative = true
rule = { rank = 1 }
[row.loss.virtual_outliers]
queue = 2
samples = 50
[row.loss.attention_transfer]
weight = 1.0

[[row]]
name = "scratch: LogitNorm"
seeds = [1]
scratch = true
epochs = 1
loss = { logit_norm = { temperature = 0.04 } }

[[ood]]
name = "like"
group = "near"
source = { cifar = ["like.bin"] }

[[ood]]
name = "noise"
group = "far"
source = { cifar = ["noise.bin"] }
"#;

/// A folder with pictures, a trained start, the base and a grid.
pub(crate) fn prepare(folder: &Path, grid: &str) -> PathBuf {
    for (name, count, seed) in [("train", 60, 1), ("test", 20, 2), ("like", 12, 3), ("noise", 12, 4)] {
        pictures(&folder.join(format!("{name}.bin")), count, seed);
    }
    let start = BASE.replace("unused", "start").replace(", start = \"start/model.safetensors\"", "");
    std::fs::write(folder.join("start.toml"), start.replace("epochs = 2", "epochs = 1")).unwrap();
    std::fs::write(folder.join("base.toml"), BASE).unwrap();
    std::fs::write(folder.join("grid.toml"), grid).unwrap();
    succeed(export(folder, "train", Path::new("start.toml")));
    folder.join("grid.toml")
}

/// Every file below `folder` whose name ends so, by its path from there.
fn files(folder: &Path, ending: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.to_string_lossy().ends_with(ending) {
                found.insert(entry.strip_prefix(folder).unwrap().into(), std::fs::read(&entry).unwrap());
            }
        }
    }
    found
}

/// Starts the grid and kills it once its first row is judged.
fn start_and_kill(folder: &Path, grid: &Path) {
    let mut child = export(folder, "ablate", grid).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    while files(&folder.join("grid/rows"), "judged-validation.json").is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "the grid ended before its first row did");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(files(&folder.join("grid/rows"), "model.safetensors").len() < 6, "killed too late to prove anything");
}

#[test]
fn a_killed_grid_goes_on_to_the_same_tables_and_a_changed_row_is_done_anew() {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let grid = prepare(whole.path(), GRID);
    succeed(export(whole.path(), "ablate", &grid));
    let grid = prepare(killed.path(), GRID);
    start_and_kill(killed.path(), &grid);
    let said = succeed(export(killed.path(), "ablate", &grid));
    assert!(said.contains("control, seed 1: done before"), "{said}");
    for ending in ["table.md", "results.json", "model.safetensors", ".png"] {
        let found = files(&killed.path().join("grid"), ending);
        let wanted = files(&whole.path().join("grid"), ending);
        assert!(!wanted.is_empty());
        for (path, bytes) in &wanted {
            assert!(path.ends_with("curves.png") || found.get(path) == Some(bytes), "{} differs", path.display());
        }
    }
    check_results(&whole.path().join("grid"));

    let table = std::fs::read_to_string(killed.path().join("grid/table.md")).unwrap();
    let said = succeed(export(killed.path(), "ablate", &grid));
    assert!(!said.contains("training") && !said.contains("judging"), "{said}");
    assert_eq!(std::fs::read_to_string(killed.path().join("grid/table.md")).unwrap(), table);

    std::fs::write(&grid, GRID.replacen("lambda = 0.5\nrule", "lambda = 0.6\nrule", 1)).unwrap();
    let said = succeed(export(killed.path(), "ablate", &grid));
    assert_eq!(said.matches(": training in").count(), 2, "{said}");
    assert_eq!(files(&killed.path().join("grid/rows"), "model.safetensors").len(), 8);
}

/// Looks at one row's numbers, and at what every grid leaves.
fn check_results(folder: &Path) {
    let results = std::fs::read_to_string(folder.join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let row = &results["rows"][1];
    assert_eq!((row["control"].as_str(), row["seeds"].as_array().unwrap().len()), (Some("control"), 2));
    assert!(row["background_norm"]["delta"]["mean"].is_f64() && row["accuracy"]["spread"].is_f64());
    let mean = |metrics: &str| row["scores"]["knn"][metrics]["fpr95_id"]["mean"].as_f64().unwrap();
    assert!((mean("mean") - (mean("near") + mean("far")) / 2.0).abs() < 1e-12);
    assert!(results["rows"][0]["control"].is_null() && results["rows"][3]["control"].is_null());
    assert!(results["start"]["norms"]["background"].is_f64());

    let table = std::fs::read_to_string(folder.join("table.md")).unwrap();
    assert!(table.contains("| row | like (6) | noise (6) | near | far | mean | Δ mean |"), "{table}");
    assert_eq!(table.matches("| three terms |").count(), 1 + 3 * 2, "{table}");
    for plot in ["bars", "roc-three-terms", "histogram-scratch-logitnorm"] {
        let picture = image::open(folder.join(format!("plots/{plot}.png"))).unwrap().to_rgb8();
        assert!(picture.pixels().filter(|p| p.0 != [255; 3]).count() > 5_000, "{plot}");
    }
}

#[test]
fn the_test_half_is_looked_at_once_and_for_a_trained_grid_only() {
    let folder = tempfile::tempdir().unwrap();
    let grid = prepare(folder.path(), GRID);
    let small = &GRID[..GRID.find("[[row]]\nname = \"three terms\"").unwrap()];
    let sets = &GRID[GRID.find("[[ood]]").unwrap()..];
    let text = format!("{small}{sets}").replace("[1, 2]", "[1]");
    std::fs::write(&grid, &text).unwrap();
    let look = || {
        let mut command = export(folder.path(), "ablate", &grid);
        command.arg("--final");
        command
    };
    let refused = look().output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("control, seed 1 is not trained yet"));
    assert!(!refused.status.success() && files(&folder.path().join("grid"), "model.safetensors").is_empty());

    succeed(export(folder.path(), "ablate", &grid));
    let said = succeed(look());
    assert!(said.contains("judging"), "{said}");
    let table = std::fs::read_to_string(folder.path().join("grid/final/table.md")).unwrap();
    assert!(table.contains("the one look"), "{table}");
    assert!(!succeed(look()).contains("judging"));

    std::fs::write(&grid, text.replace("lambda = 0.5\nrule", "lambda = 0.7\nrule")).unwrap();
    succeed(export(folder.path(), "ablate", &grid));
    let refused = look().output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another grid"));
    assert_eq!(std::fs::read_to_string(folder.path().join("grid/final/table.md")).unwrap(), table);
}

#[test]
fn a_network_that_comes_to_nothing_is_told_of_when_the_others_are_done() {
    let folder = tempfile::tempdir().unwrap();
    let small = &GRID[..GRID.find("[[row]]\nname = \"background").unwrap()];
    let sets = &GRID[GRID.find("[[ood]]").unwrap()..];
    let broken = "[[row]]\nname = \"far too fast\"\nlearning_rate = 1e30\n";
    let other = "[[row]]\nname = \"slow\"\nlearning_rate = 1e-4\n";
    let grid = prepare(folder.path(), &format!("{small}{broken}{other}{sets}").replace("[1, 2]", "[1]"));
    let ended = export(folder.path(), "ablate", &grid).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && said.contains("of 3 runs 1 came to nothing"), "{said}");
    assert!(said.contains("  far too fast, seed 1: train: the loss is NaN at epoch 1"), "{said}");
    let table = std::fs::read_to_string(folder.path().join("grid/table.md")).unwrap();
    assert!(table.contains("| slow | - | 1 |") && table.contains("| far too fast | - | 0 |"), "{table}");
}
