//! Runs somebody else's network on synthetic pictures, one by one and as a batch, and takes its tensors as what a
//! package wants: logits [N, K], features [N, C], the map behind them [N, C, H, W].

use ndarray::{Array2, Array4, ArrayD, ArrayView4, Axis, Ix4};

use super::AdoptError;
use crate::infer::{InferError, Probe};

/// Values that should be equal may differ by this much of 1 + their size: f32 sums in another order stay far below.
const TOLERANCE: f32 = 1e-3;

/// What the network makes of N pictures.
pub(super) struct Measured {
    /// [N, K].
    pub(super) logits: Array2<f32>,
    /// [N, C]; the mean where the tensor is a map.
    pub(super) features: Array2<f32>,
    /// Whether the features' tensor is a map.
    pub(super) pool: bool,
    /// The map that the features are the mean of [N, C, H, W].
    pub(super) map: Option<Array4<f32>>,
}

/// Names of the tensors to look at, in the file.
pub(super) struct Wanted<'a> {
    pub(super) logits: &'a str,
    pub(super) features: &'a str,
    /// A tensor that the features may be the mean of.
    pub(super) map: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    pub(super) fn tensors(&self) -> Vec<&'a str> {
        [self.logits, self.features].into_iter().chain(self.map).collect()
    }
}

/// Runs `onnx`, whose outputs are `wanted`, and judges their shapes.
pub(super) fn measure(
    onnx: &[u8],
    input: &str,
    pictures: ArrayView4<'_, f32>,
    wanted: &Wanted<'_>,
) -> Result<Measured, AdoptError> {
    let tensors = wanted.tensors();
    let mut arrays = run(onnx, input, pictures, &tensors)?.into_iter();
    let [Some(logits), Some(features)] = [arrays.next(), arrays.next()] else {
        return Err(AdoptError::WhichLogits { found: Vec::new() });
    };
    let (logits, _) = rows("logits", wanted.logits, logits, "[N, K], a number per class")?;
    if logits.ncols() < 2 {
        let (tensor, found, count) = (wanted.logits.into(), logits.shape().to_vec(), logits.nrows());
        let wanted = "at least two classes: a logit for each";
        return Err(AdoptError::Shape { part: "logits", tensor, found, count, wanted });
    }
    let as_map = four_axes(&features);
    let (features, pool) = rows("features", wanted.features, features, "[N, C], or a map [N, C, H, W]")?;
    let map = if pool { as_map } else { arrays.next().and_then(|map| four_axes(&map)) };
    let map = map.filter(|map| mean(map).is_some_and(|mean| alike(&mean, &features).is_ok()));
    Ok(Measured { logits, features, pool, map })
}

/// The tensors' values for all pictures; refuses a network for which it matters how many there are at once.
fn run(
    onnx: &[u8],
    input: &str,
    pictures: ArrayView4<'_, f32>,
    tensors: &[&str],
) -> Result<Vec<ArrayD<f32>>, AdoptError> {
    let mut probe = Probe::open(onnx).map_err(refused)?;
    let alone = pictures
        .axis_chunks_iter(Axis(0), 1)
        .map(|picture| probe.run(input, picture))
        .collect::<Result<Vec<_>, _>>()
        .map_err(refused)?;
    let count = pictures.shape()[0];
    let fixed = |problem: String| AdoptError::FixedBatch { input: input.into(), count, problem };
    let together = probe.run(input, pictures).map_err(|error| fixed(error.to_string()))?;
    for (index, (tensor, array)) in tensors.iter().zip(&together).enumerate() {
        if array.shape().first() != Some(&count) {
            return Err(fixed(format!("{tensor:?} is {:?}", array.shape())));
        }
        for (picture, alone) in array.axis_chunks_iter(Axis(0), 1).zip(&alone) {
            alike(&picture, &alone[index])
                .map_err(|difference| AdoptError::MixesBatch { tensor: (*tensor).into(), difference })?;
        }
        if !array.iter().all(|value| value.is_finite()) {
            return Err(AdoptError::NotFinite { tensor: (*tensor).into() });
        }
    }
    Ok(together)
}

/// What ONNX Runtime says about a network that is none of this machine's fault.
pub(super) fn refused(error: InferError) -> AdoptError {
    match error {
        InferError::Model(source) | InferError::Runtime(source) => {
            AdoptError::DoesNotRun { problem: source.to_string() }
        }
        other => other.into(),
    }
}

/// A tensor as one row per picture, and whether it had to be averaged over locations for that.
fn rows(
    part: &'static str,
    tensor: &str,
    array: ArrayD<f32>,
    wanted: &'static str,
) -> Result<(Array2<f32>, bool), AdoptError> {
    let (found, count) = (array.shape().to_vec(), array.shape().first().copied().unwrap_or(0));
    let wrong = |found| AdoptError::Shape { part, tensor: tensor.into(), found, count, wanted };
    match found[..] {
        [count, width, ref rest @ ..] if rest.iter().all(|extent| *extent == 1) && width > 0 => {
            let flat = array.into_shape_with_order((count, width));
            flat.map(|flat| (flat, false)).map_err(|_| wrong(found))
        }
        [_, _, _, _] if part == "features" => {
            let mean = four_axes(&array).and_then(|map| mean(&map)).filter(|mean| mean.ncols() > 0);
            mean.map(|mean| (mean, true)).ok_or_else(|| wrong(found))
        }
        _ => Err(wrong(found)),
    }
}

fn four_axes(array: &ArrayD<f32>) -> Option<Array4<f32>> {
    array.clone().into_dimensionality::<Ix4>().ok()
}

fn mean(map: &Array4<f32>) -> Option<Array2<f32>> {
    map.mean_axis(Axis(3)).and_then(|columns| columns.mean_axis(Axis(2)))
}

/// Whether two arrays hold the same within [`TOLERANCE`]; if not, by how much they differ. Other shapes differ by
/// infinity.
fn alike<A, B, D>(a: &ndarray::ArrayBase<A, D>, b: &ndarray::ArrayBase<B, D>) -> Result<(), f32>
where
    A: ndarray::Data<Elem = f32>,
    B: ndarray::Data<Elem = f32>,
    D: ndarray::Dimension,
{
    if a.shape() != b.shape() {
        return Err(f32::INFINITY);
    }
    let over = a.iter().zip(b).map(|(a, b)| ((a - b).abs(), TOLERANCE * (1.0 + a.abs())));
    match over.filter(|(difference, allowed)| difference > allowed).map(|(d, _)| d).reduce(f32::max) {
        Some(difference) => Err(difference),
        None => Ok(()),
    }
}
