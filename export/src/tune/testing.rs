//! Rows as a grid would have measured them, for tests.

use std::collections::BTreeMap;

use oodwatch::score::ScoreName;

use crate::ablate::{Cell, Metrics, Results, RowResult, ScoreCells, Spread};
use crate::config::ScheduleConfig;
use crate::data::DataSource;
use crate::evaluate::{Group, SetReport};
use crate::loss::LossConfig;
use crate::pictures::Half;

/// A row with these accuracies and, by score, these shares of one set named "set", each by seed.
pub(super) fn row(name: &str, plain: bool, accuracies: &[f64], scores: &[(&str, &[f64])]) -> RowResult {
    let of_score = |(score, shares): &(&str, &[f64])| {
        let metrics = Metrics { fpr95_id: cell(shares).unwrap(), auroc: cell(&[0.5]).unwrap() };
        let sets = BTreeMap::from([("set".to_owned(), metrics)]);
        (score.parse().unwrap(), ScoreCells { sets, near: None, far: Some(metrics), mean: Some(metrics) })
    };
    let term = if plain { "" } else { "[logit_norm]" };
    RowResult {
        name: name.into(),
        loss: toml::from_str::<LossConfig>(term).unwrap(),
        schedule: ScheduleConfig {
            epochs: 1,
            batch_size: 1,
            learning_rate: 0.1,
            warmup_epochs: 0.0,
            momentum: 0.9,
            weight_decay: 0.0,
        },
        scratch: false,
        control: None,
        seeds: Vec::new(),
        accuracy: cell(accuracies),
        background_norm: None,
        foreground_norm: None,
        scores: scores.iter().map(of_score).collect(),
    }
}

fn cell(values: &[f64]) -> Option<Cell> {
    Spread::of(values).map(|own| Cell { own, delta: None })
}

/// A grid that measured these rows on one real set.
pub(super) fn real(rows: &[RowResult], half: Half) -> Results {
    let source = DataSource::Folder("set".into());
    let set = |name: &str, group| SetReport { name: name.into(), source: source.clone(), pictures: 8, group };
    Results {
        half,
        id: set("id", None),
        ood: vec![set("set", Some(Group::Far))],
        main_score: ScoreName::Energy,
        start: None,
        rows: rows.to_vec(),
    }
}
