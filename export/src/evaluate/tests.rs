//! An evaluation from config to files, on a network with arbitrary weights and random pictures.

use std::path::Path;

use super::*;
use oodwatch::score::{Parameters, ScoreName};

use crate::data::DataSource;
use crate::device::Device;
use crate::loss::BackgroundRule;
use crate::pictures::Half;
use crate::trained::fixture::{write_checkpoint, write_pictures};

fn config(folder: &Path) -> EvaluateConfig {
    let checkpoint = write_checkpoint(folder, "resnet20");
    let ood =
        |name: &str, group, seed| OodConfig { name: name.into(), group, source: write_pictures(folder, 30, seed) };
    EvaluateConfig {
        out: folder.join("result"),
        half: Half::Validation,
        threads: 1,
        device: Device::Cpu,
        batch_size: 7,
        background: Some(BackgroundRule::Lowest(0.25)),
        id: write_pictures(folder, 40, 4),
        fit: Some(write_pictures(folder, 120, 9)),
        scores: Vec::new(),
        parameters: Parameters::default(),
        networks: ["one", "two"]
            .map(|name| NetworkConfig { name: name.into(), checkpoint: checkpoint.clone() })
            .to_vec(),
        ood: vec![ood("like", Group::Near, 1), ood("noise", Group::Far, 2), ood("more noise", Group::Far, 3)],
    }
}

#[test]
fn every_network_is_judged_on_every_set_with_every_score() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let report = run(&config).unwrap();
    assert_eq!(report.id.pictures, 20);
    assert_eq!(report.ood.iter().map(|set| set.pictures).collect::<Vec<_>>(), [15, 15, 15]);
    let [one, two] = report.networks.as_slice() else { panic!("{} networks", report.networks.len()) };
    assert_eq!(one.scores.len(), ScoreName::all().count());
    for score in one.scores.values() {
        let mean = (score.sets["noise"].auroc + score.sets["more noise"].auroc) / 2.0;
        assert!((score.far.unwrap().auroc - mean).abs() < 1e-12);
        assert_eq!(score.near.unwrap(), score.sets["like"]);
    }
    // The same weights under two names get the same numbers.
    assert_eq!(serde_json::to_value(&one.scores).unwrap(), serde_json::to_value(&two.scores).unwrap());

    let norms = one.norms.unwrap();
    assert_eq!(norms.background_share, 0.25);
    assert!(norms.background.is_some() && norms.foreground.is_some());

    let json = std::fs::read_to_string(config.out.join("metrics.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["networks"][0]["scores"]["energy"]["sets"]["noise"]["auroc"],
        one.scores[&ScoreName::Energy].sets["noise"].auroc
    );
    let table = std::fs::read_to_string(config.out.join("table.md")).unwrap();
    assert!(
        table.contains("| network | score | like (15) | noise (15) | more noise (15) | near | far | mean |"),
        "{table}"
    );
    assert_eq!(table.lines().filter(|line| line.starts_with("| two | energy |")).count(), 5);
}

#[test]
fn batches_do_not_change_what_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    let small = run(&config).unwrap();
    config.batch_size = 250;
    let large = run(&config).unwrap();
    assert_eq!(small.networks[0].accuracy, large.networks[0].accuracy);
}

#[test]
fn pictures_of_another_number_of_classes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.id = write_pictures(folder.path(), 4, 9);
    let text = run(&config).unwrap_err().to_string();
    assert_eq!(text, "evaluate: one: the ID pictures have 4 classes, the network 10");
    assert!(!config.out.exists());
}

#[test]
fn a_config_says_where_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evaluate.toml");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        EvaluateConfig::read(&path)
    };
    let good = r#"
        out = "runs/evaluation"
        background = { lowest = 0.5 }
        id = { cifar = ["test_batch.bin"] }
        [[network]]
        name = "control"
        checkpoint = "control.safetensors"
        [[ood]]
        name = "textures"
        group = "far"
        source = { folder = "textures" }
    "#;
    let config = read(good).unwrap();
    assert_eq!((config.half, config.threads, config.batch_size), (Half::Validation, 1, 250));
    assert_eq!(config.ood[0].source, DataSource::Folder("textures".into()));

    let text = read(&good.replace("group", "gruop")).unwrap_err().to_string();
    assert!(text.contains("gruop") && text.contains("expected"), "{text}");
    let text = read(&good.replace("textures\"\n        group", "control\"\n        group")).unwrap_err().to_string();
    assert!(text.contains(r#""control" twice"#), "{text}");
    let text = read(&format!("batch_size = 0\n{good}")).unwrap_err().to_string();
    assert_eq!(text, "config: batch_size: found 0, wanted at least 1");
}
