//! Every score against its reference: pytorch-ood 0.4 where it has the score, else the formula of its paper, computed
//! in f64 by `tests/golden/scores/make.py`. The inputs are small synthetic ones with edge cases, and real feature
//! vectors of the shipped network.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView1};
use oodwatch::fit::Fit;
use oodwatch::package::Head;
use oodwatch::score::synthetic::Synthetic;
use oodwatch::score::{Fitted, Model, Outputs, Parameters, ScoreName, Scorers, TemperatureParameters};
use safetensors::{Dtype, SafeTensors};

/// Largest relative difference to the reference that is allowed.
const TOLERANCE: f64 = 1e-5;

/// Pairs of reference values closer than this, relatively, count as tied when rankings are compared: f32 scores cannot
/// tell them apart.
const TIED: f64 = 1e-6;

struct Golden {
    parameters: Parameters,
    head: Head,
    fit_features: Array2<f32>,
    fit_logits: Array2<f32>,
    fit_labels: Vec<usize>,
    features: Array2<f32>,
    logits: Array2<f32>,
    local_norms: Array2<f32>,
    /// Reference scores of the test rows.
    scores: BTreeMap<String, Vec<f64>>,
}

impl Golden {
    fn read(bytes: &[u8]) -> Self {
        let tensors = SafeTensors::deserialize(bytes).unwrap();
        let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        let matrix = |name: &str| {
            let (shape, values) = values(&tensors, name);
            let flat: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            let columns = shape[1..].iter().product();
            Array2::from_shape_vec((shape[0], columns), flat).unwrap()
        };
        let scores = tensors
            .names()
            .into_iter()
            .filter_map(|name| Some((name.strip_prefix("scores/")?.to_string(), values(&tensors, name).1)));
        let mut parameters: Parameters = serde_json::from_str(&metadata["parameters"]).unwrap();
        // The references keep every row.
        (parameters.knn.bank, parameters.nnguide.bank) = (usize::MAX, usize::MAX);
        Self {
            parameters,
            head: Head {
                weight: matrix("head/weight"),
                bias: Array1::from_iter(values(&tensors, "head/bias").1.into_iter().map(|v| v as f32)),
            },
            fit_features: matrix("fit/features"),
            fit_logits: matrix("fit/logits"),
            fit_labels: values(&tensors, "fit/labels").1.into_iter().map(|label| label as usize).collect(),
            features: matrix("test/features"),
            logits: matrix("test/logits"),
            local_norms: matrix("test/local_norms"),
            scores: scores.collect(),
        }
    }

    fn fitted(&self, names: &[ScoreName]) -> Fitted {
        let (classes, features) = (self.logits.ncols(), self.features.ncols());
        let mut fit = Fit::new(names, classes, features, Some(&self.head), self.parameters.clone());
        for (row, label) in self.fit_labels.iter().enumerate() {
            let outputs = outputs(self.fit_features.row(row), self.fit_logits.row(row), None);
            fit.add(&outputs, Some(*label)).unwrap();
        }
        fit.finish("golden").unwrap()
    }

    /// Our scores of the test rows, by name.
    fn ours(&self, names: &[ScoreName]) -> BTreeMap<ScoreName, Vec<f64>> {
        let fitted = self.fitted(names);
        let model = Model {
            classes: self.logits.ncols(),
            features: self.features.ncols(),
            local_norms: true,
            head: Some(&self.head),
            fitted: &fitted,
        };
        let mut scorers = Scorers::new(names, &model).unwrap();
        let mut ours: BTreeMap<ScoreName, Vec<f64>> = BTreeMap::new();
        for row in 0..self.logits.nrows() {
            let norms = self.local_norms.row(row);
            let outputs = outputs(self.features.row(row), self.logits.row(row), Some(norms));
            for (name, score) in names.iter().zip(scorers.score(&outputs)) {
                ours.entry(*name).or_default().push(f64::from(score.0));
            }
        }
        ours
    }
}

fn outputs<'a>(
    features: ArrayView1<'a, f32>,
    logits: ArrayView1<'a, f32>,
    local_norms: Option<ArrayView1<'a, f32>>,
) -> Outputs<'a> {
    Outputs {
        logits: logits.to_slice().unwrap(),
        features: features.to_slice().unwrap(),
        local_norms: local_norms.map(|norms| norms.to_slice().unwrap()),
        local_logits: None,
    }
}

/// Shape and values of a tensor of f32, f64 or i64.
fn values(tensors: &SafeTensors<'_>, name: &str) -> (Vec<usize>, Vec<f64>) {
    let view = tensors.tensor(name).unwrap();
    let data = view.data();
    let values = match view.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
        Dtype::I64 => data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect(),
        other => panic!("{name} is {other:?}"),
    };
    (view.shape().to_vec(), values)
}

/// The largest relative difference, with the row where it is.
fn worst(ours: &[f64], reference: &[f64]) -> (f64, usize) {
    let difference = |(row, (got, want)): (usize, (&f64, &f64))| {
        let difference = (got - want).abs() / want.abs().max(f64::from(f32::MIN_POSITIVE));
        (if difference.is_nan() { f64::INFINITY } else { difference }, row)
    };
    ours.iter().zip(reference).enumerate().map(difference).fold((0.0, 0), |a, b| if b.0 > a.0 { b } else { a })
}

/// Neighbours in the reference's order, further apart than [`TIED`], that stand the other way round in ours.
fn swapped(ours: &[f64], reference: &[f64]) -> usize {
    let mut order: Vec<usize> = (0..reference.len()).collect();
    order.sort_by(|a, b| reference[*a].total_cmp(&reference[*b]));
    // Against the largest of ours among all rows that the reference ranks clearly below.
    let (mut swapped, mut below, mut largest) = (0, 0, f64::NEG_INFINITY);
    for row in &order {
        let clearly = reference[*row] - TIED * reference[*row].abs();
        while reference[order[below]] < clearly {
            largest = largest.max(ours[order[below]]);
            below += 1;
        }
        swapped += usize::from(ours[*row] < largest);
    }
    swapped
}

fn check(bytes: &[u8], rows: usize) {
    let golden = Golden::read(bytes);
    assert_eq!(golden.logits.nrows(), rows);
    let names: Vec<ScoreName> = ScoreName::all().collect();
    let ours = golden.ours(&names);
    let mut failures = Vec::new();
    for name in &names {
        let Some(reference) = golden.scores.get(&name.to_string()) else {
            failures.push(format!("{name}: no reference values"));
            continue;
        };
        let (difference, row) = worst(&ours[name], reference);
        assert_eq!(ours[name].len(), reference.len(), "{name}");
        let swapped = swapped(&ours[name], reference);
        if difference > TOLERANCE || swapped > 0 {
            let (got, want) = (ours[name][row], reference[row]);
            failures
                .push(format!("{name}: {difference:.1e} in row {row}: {got}, wanted {want}; {swapped} out of order"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), names.len(), failures.join("\n"));
}

#[test]
fn every_score_agrees_with_its_reference_on_small_inputs_with_edge_cases() {
    check(include_bytes!("../golden/scores/small.safetensors"), 50);
}

#[test]
fn every_score_agrees_with_its_reference_and_ranks_alike_on_2000_real_feature_vectors() {
    check(include_bytes!("../golden/scores/real.safetensors"), 2_000);
}

/// Per frame nothing is allocated, by any score: a real-time path must not wait for an allocator.
#[test]
fn no_score_allocates_per_frame() {
    let mut synthetic = Synthetic::new(10, 64, 0);
    let parameters = Parameters { temperature: TemperatureParameters { t: Some(2.0) }, ..Parameters::default() };
    let names: Vec<ScoreName> = ScoreName::all().collect();
    let fitted = synthetic.fit(&names, parameters, 500).unwrap();
    let frames = [synthetic.frame(), synthetic.frame()];
    for name in names {
        let mut scorers = Scorers::new(&[name], &synthetic.model(&fitted)).unwrap();
        // The first frame may set up what lives as long as the program, such as the choice of instructions.
        scorers.score(&frames[0].outputs());
        let counted = allocation_counter::measure(|| {
            scorers.score(&frames[1].outputs());
        });
        assert_eq!(counted.count_total, 0, "{name}");
    }
}
