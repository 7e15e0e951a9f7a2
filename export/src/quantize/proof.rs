//! How far a quantised network is from the f32 one, and from itself where its nodes are run one by one.

use ndarray::{Array2, Zip};
use oodwatch::infer::{Network, NetworkOptions, Precision};
use oodwatch::package::{Calibration, GOLDEN_TOLERANCE, Golden, Manifest, Measure, Package};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::Model;
use oodwatch::self_test;
use oodwatch::synthetic;
use toml::{Table, Value};

use super::QuantizeError;
use crate::data::pictures_at_once;
use crate::package::{evenly_spread, on_cpu};
use crate::pictures::{PictureError, Pictures};

/// Pictures that the two networks are compared on, if there are as many.
const COMPARED: usize = 512;

/// Fewest of them.
const FEWEST: usize = 16;

/// Golden inputs.
const GOLDEN: usize = 8;

/// Differences from the f32 network on ID pictures, relative to it: root of the summed squares over root of the summed squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Pictures compared.
    pub pictures: usize,
    /// Of `features`.
    pub features: f64,
    /// Of `logits`.
    pub logits: f64,
    /// Share of the pictures that both put into the same class.
    pub same_class: f64,
}

impl Difference {
    /// As a manifest tells it.
    pub(super) fn told(&self) -> Table {
        let numbers = [("features", self.features), ("logits", self.logits), ("same_class", self.same_class)];
        let numbers = numbers.map(|(key, value)| (key.to_owned(), Value::Float(rounded(value as f32))));
        numbers.into_iter().chain([("pictures".to_owned(), Value::Integer(self.pictures as i64))]).collect()
    }
}

/// Three digits are enough to judge by.
pub(super) fn rounded(value: f32) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(f64::from(value))
}

/// Runs pictures, evenly spread over `indices`, through the package's own network and the quantised one.
///
/// # Errors
/// Too few pictures, or some that cannot be read.
pub(super) fn difference(
    package: &Package,
    quantised: &mut Network,
    (pictures, indices): (&Pictures, &[usize]),
) -> Result<Difference, QuantizeError> {
    let few = QuantizeError::TooFew { what: "calibration", found: indices.len(), wanted: FEWEST };
    let count = indices.len().min(COMPARED);
    let compared = evenly_spread(indices, count).filter(|_| count >= FEWEST).ok_or(few)?;
    let mut original = Network::open(package, &on_cpu())?;
    let input = &package.manifest.input;
    let mut preprocessor = Preprocessor::new(input).map_err(PictureError::from)?;
    let [_, height, width] = input.chw();
    let (mut features, mut logits, mut same) = (Squares::default(), Squares::default(), 0_usize);
    for indices in compared.chunks(pictures_at_once(64, height, width)) {
        let batch = pictures.batch(indices, &mut preprocessor, input.chw())?;
        let (want, got) = (original.run(batch.view())?, quantised.run(batch.view())?);
        features.add(&want.features, &got.features);
        logits.add(&want.logits, &got.logits);
        let classes = want.images().zip(got.images());
        same += classes.filter(|(a, b)| a.top_class().map(|top| top.0) == b.top_class().map(|top| top.0)).count();
    }
    let same_class = same as f64 / count as f64;
    Ok(Difference { pictures: count, features: features.ratio(), logits: logits.ratio(), same_class })
}

/// Sums of squares.
#[derive(Default)]
struct Squares {
    difference: f64,
    of_wanted: f64,
}

impl Squares {
    fn add(&mut self, want: &Array2<f32>, got: &Array2<f32>) {
        Zip::from(want).and(got).for_each(|want, got| {
            self.difference += f64::from(want - got).powi(2);
            self.of_wanted += f64::from(*want).powi(2);
        });
    }

    fn ratio(&self) -> f64 {
        (self.difference / self.of_wanted.max(f64::MIN_POSITIVE)).sqrt()
    }
}

/// Golden vectors of the quantised network, and how far off another implementation may be.
///
/// Of integers that is what the same file gives where every node is run as it stands there, integers being read back and computed
/// with as floats. Of halves it is what the f32 network gives: processors without arithmetic in halves compute in f32, and
/// others round every result, not only what is handed on. The tolerance is twice that.
///
/// # Errors
/// A difference beyond [`Precision::widest_tolerance`].
pub(super) fn golden(
    package: &Package,
    onnx: &[u8],
    (manifest, calibration): (&Manifest, &Calibration),
    network: &mut Network,
) -> Result<(Golden, f32), QuantizeError> {
    let inputs = synthetic::inputs(&manifest.input, GOLDEN).map_err(PictureError::from)?;
    let outputs = network.run(inputs.view())?;
    let precision = network.precision();
    let measure = if precision == Precision::Int8 { Measure::RootMeanSquare } else { Measure::Value };
    let widest = precision.widest_tolerance(measure).unwrap_or(GOLDEN_TOLERANCE);
    let mut golden = Golden { measure, ..Golden::new(inputs, outputs, widest, manifest, calibration)? };
    let mut other = if precision == Precision::Int8 {
        Network::from_onnx(onnx, manifest, &NetworkOptions { as_written: true, ..on_cpu() })?
    } else {
        Network::open(package, &on_cpu())?
    };
    let model = Model::new(manifest, calibration.head.as_ref(), &calibration.fitted);
    let found = self_test::run(&mut other, &golden, &model, None).map_err(QuantizeError::Implementations)?;
    golden.tolerance = (2.0 * found.largest_deviation).clamp(GOLDEN_TOLERANCE, widest);
    Ok((golden, found.largest_deviation))
}
