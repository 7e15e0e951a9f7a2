//! Tables and configs; that packages are judged rightly is seen where they are quantised.

use std::collections::BTreeMap;

use oodwatch::evaluation::Detection;
use oodwatch::evidence::share;
use oodwatch::infer::Precision;

use super::report::ScoreOutcome;
use super::*;
use crate::data::DataSource;
use crate::evaluate::{Group, ScoreReport, SetReport};
use crate::pictures::Half;

fn alarms(flagged: usize) -> Alarms {
    Alarms { threshold: -3.0, flagged, rate: share(flagged as f64, 1000.0) }
}

fn package(name: &str, first: usize, own: usize) -> PackageReport {
    let detection = Detection { auroc: 0.91, fpr95_id: 0.4, ..Detection::default() };
    let outcome = ScoreOutcome {
        detection: ScoreReport::new(vec![("DTD".into(), Group::Far, detection)]),
        target: 0.05,
        own_threshold: alarms(own),
        first_threshold: alarms(first),
        expected: (32, 70),
    };
    PackageReport {
        name: name.into(),
        folder: name.into(),
        id: String::new(),
        precision: Precision::Fp32,
        model_bytes: 1000,
        accuracy: Some(0.9),
        scores: BTreeMap::from([("energy".parse().unwrap(), outcome)]),
    }
}

#[test]
fn a_rate_outside_of_what_a_right_threshold_makes_has_a_star() {
    let source = DataSource::Folder("x".into());
    let set = |name: &str, group| SetReport { name: name.into(), source: source.clone(), pictures: 1000, group };
    let comparison = Comparison {
        half: Half::Test,
        id: set("id", None),
        ood: vec![set("DTD", Some(Group::Far))],
        packages: vec![package("FP32", 50, 50), package("INT8", 90, 60)],
    };
    let text = comparison.markdown();
    assert!(text.contains("makes 3.20 to 7.00 % in 95 of 100 cases"), "{text}");
    assert!(text.contains("| energy | 9.00 [7.30, 10.95] * | 5.00 [3.73, 6.54] | 6.00 [4.61, 7.66] |"), "{text}");
    assert!(!text.contains("shows nothing"), "{text}");
    let on_validation = Comparison { half: Half::Validation, ..comparison };
    assert!(on_validation.markdown().contains("a rate of false alarms shows nothing"));
    assert!(text.contains("| energy | 91.00 | 91.00 |") && text.contains("| energy | INT8 | 40.00 |"), "{text}");
}

#[test]
fn a_config_without_packages_or_with_a_name_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compare.toml");
    let read = |packages: &str| {
        let text = format!("out = \"o\"\nhalf = \"test\"\nid = {{ folder = \"x\" }}\nood = []\n{packages}");
        std::fs::write(&file, text).unwrap();
        CompareConfig::read(&file).map(|config| config.packages.len()).map_err(|error| error.to_string())
    };
    assert_eq!(read("package = []").unwrap_err(), "config: package: found none, wanted at least one [[package]]");
    let one = "[[package]]\nname = \"a\"\nfolder = \"p\"\n";
    assert_eq!(read(one), Ok(1));
    assert!(read(&format!("{one}{one}")).unwrap_err().contains("\"a\" twice"));
}

#[test]
fn the_shipped_configs_can_be_read() {
    for name in ["cifar10", "imagenette"] {
        let path = format!("{}/../configs/train/quantised-{name}.toml", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(CompareConfig::read(path.as_ref()).unwrap().packages.len(), 4);
    }
}
