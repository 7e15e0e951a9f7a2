//! A choice from its config to its tables: made before out-of-distribution pictures are read, and kept.

use std::path::Path;

use crate::ablate::prepare;
use crate::support::{export, succeed};

const GRID: &str = r#"
out = "grid"
base = "base.toml"
seeds = [1, 2]
background = { lowest = 0.3 }
scores = ["energy", "knn"]

[tune]
sets = ["blend", { jigsaw = 4 }, "phase"]

[[row]]
name = "control"

[[row]]
name = "background, lambda 0.5"
[row.loss.background]
lambda = 0.5
rule = { lowest = 0.3 }
"#;

const OOD: &str = r#"
[[ood]]
name = "like"
group = "near"
source = { cifar = ["like.bin"] }
"#;

fn results(folder: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("grid/tune/results.json")).unwrap()).unwrap()
}

#[test]
fn the_choice_is_written_before_strangers_are_read_and_is_the_same_with_and_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let choice = || std::fs::read(path("grid/tune/choice.json")).unwrap();
    let grid = prepare(folder.path(), &format!("{GRID}{OOD}"));
    std::fs::rename(path("like.bin"), path("away.bin")).unwrap();
    let refused = export(folder.path(), "tune", &grid).output().unwrap();
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("like.bin"));
    let chosen = choice();
    assert!(results(folder.path())["comparison"].is_null());

    // What was trained and judged is kept, by tune and by ablate.
    std::fs::rename(path("away.bin"), path("like.bin")).unwrap();
    let said = succeed(export(folder.path(), "tune", &grid));
    assert!(!said.contains("training in") && !said.contains("judging on pseudo"), "{said}");
    assert_eq!((said.matches("judged before").count(), choice() == chosen), (4, true), "{said}");
    check(folder.path());
    let said = succeed(export(folder.path(), "ablate", &grid));
    assert!(!said.contains("training in") && !said.contains("judging"), "{said}");

    std::fs::write(&grid, GRID).unwrap();
    let said = succeed(export(folder.path(), "tune", &grid));
    assert!(choice() == chosen && !said.contains("ablate:"), "{said}");
    let refused = export(folder.path(), "ablate", &grid).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("at least one [[ood]]"));

    std::fs::write(&grid, GRID.replacen("[[row]]\nname = \"control\"\n", "", 1)).unwrap();
    let refused = export(folder.path(), "tune", &grid).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no row without a loss table"));

    // Other pictures are judged again, on the same networks.
    std::fs::write(&grid, GRID.replace("[tune]", "[tune]\npictures = 6")).unwrap();
    let said = succeed(export(folder.path(), "tune", &grid));
    assert_eq!((said.matches("judging on pseudo").count(), said.contains("training in")), (4, false), "{said}");
    assert_eq!(results(folder.path())["sets"][1]["pictures"], 6);
}

/// Looks at the numbers beside real sets, and at the tables and plots.
fn check(folder: &Path) {
    let found = results(folder);
    let comparison = &found["comparison"];
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let overall = &comparison["overall"];
    assert!(number(&overall["regret"]) >= 0.0);
    assert!((number(&overall["real"]) - number(&overall["best_real"]) - number(&overall["regret"])).abs() < 1e-12);
    assert_eq!(comparison["by_score"].as_object().unwrap().len(), 2);
    // Four pairs over both scores; two rows alone have no order to speak of.
    assert!(comparison["ranks"]["energy"].is_null());
    let row = &found["rows"][1]["scores"]["knn"];
    let mean = |of: &str| number(&row["mean"][of]["mean"]);
    let sets = ["blend", "jigsaw 4", "phase"].map(|set| number(&row["sets"][set]["fpr95_id"]["mean"]));
    assert!((mean("fpr95_id") - sets.iter().sum::<f64>() / 3.0).abs() < 1e-12);
    assert_eq!(found["rows"][1]["accuracy"]["seeds"], 2);

    let table = std::fs::read_to_string(folder.join("grid/tune/table.md")).unwrap();
    for wanted in ["**Choice: ", "## What the choice costs", "| blend (10) | jigsaw 4 (10) | phase (10) | near |"] {
        assert!(table.contains(wanted), "{table}");
    }
    for plot in ["bars.png", "pseudo-and-real.png"] {
        let picture = image::open(folder.join("grid/tune").join(plot)).unwrap().to_rgb8();
        assert!(picture.pixels().filter(|pixel| pixel.0 != [255; 3]).count() > 1_000, "{plot}");
    }
}
