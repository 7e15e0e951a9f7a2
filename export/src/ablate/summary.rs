//! Numbers over seeds: mean, spread, and the difference from the control.

use std::collections::BTreeMap;

use serde::Serialize;

/// Mean and spread of a number over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Mean over the seeds.
    pub mean: f64,
    /// Sample standard deviation (n - 1); null for one seed.
    pub spread: Option<f64>,
    /// Number of seeds.
    pub seeds: usize,
}

/// A number of a row over its seeds, and how far it is from the control's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// The row's own.
    #[serde(flatten)]
    pub own: Spread,
    /// Row minus control, seed by seed; null for a control, and without a seed that both have.
    pub delta: Option<Spread>,
}

impl Spread {
    /// Of at least one number.
    pub fn of(values: &[f64]) -> Option<Self> {
        let seeds = values.len();
        let mean = values.iter().sum::<f64>() / seeds as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let spread = (seeds > 1).then(|| (squares / (seeds - 1) as f64).sqrt());
        (seeds > 0).then_some(Self { mean, spread, seeds })
    }
}

impl Cell {
    /// Of a row's numbers by seed and its control's, where there is one.
    pub fn of(row: &BTreeMap<u64, f64>, control: Option<&BTreeMap<u64, f64>>) -> Option<Self> {
        let values: Vec<f64> = row.values().copied().collect();
        let paired = |control: &BTreeMap<u64, f64>| {
            row.iter().filter_map(|(seed, value)| control.get(seed).map(|other| value - other)).collect::<Vec<_>>()
        };
        let delta = control.and_then(|control| Spread::of(&paired(control)));
        Spread::of(&values).map(|own| Self { own, delta })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_spread_and_delta_are_those_worked_out_by_hand() {
        let row = BTreeMap::from([(1, 3.0), (2, 5.0), (3, 10.0)]);
        let control = BTreeMap::from([(1, 1.0), (2, 5.0), (9, 100.0)]);
        let cell = Cell::of(&row, Some(&control)).unwrap();
        // Deviations -3, -1, 4: sum of squares 26, over 2. Differences 2 and 0 of the seeds that both have.
        assert_eq!(cell.own, Spread { mean: 6.0, spread: Some(13f64.sqrt()), seeds: 3 });
        assert_eq!(cell.delta, Some(Spread { mean: 1.0, spread: Some(2f64.sqrt()), seeds: 2 }));
    }

    #[test]
    fn one_seed_has_no_spread_and_none_has_no_cell() {
        assert_eq!(Spread::of(&[2.0]), Some(Spread { mean: 2.0, spread: None, seeds: 1 }));
        assert_eq!(Cell::of(&BTreeMap::new(), None), None);
        let strangers = (BTreeMap::from([(1, 1.0)]), BTreeMap::from([(2, 1.0)]));
        assert_eq!(Cell::of(&strangers.0, Some(&strangers.1)).unwrap().delta, None);
    }
}
