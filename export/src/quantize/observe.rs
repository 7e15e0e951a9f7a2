//! Runs known pictures through a network and keeps how large the values of inner tensors become.

use std::collections::BTreeMap;

use oodwatch::infer::Probe;
use oodwatch::onnx::build;
use oodwatch::onnx::rewrite::{Changes, rewrite};
use oodwatch::package::InputSpec;
use oodwatch::preprocess::Preprocessor;

use super::QuantizeError;
use super::histogram::Histogram;
use crate::pictures::{PictureError, Pictures};
use crate::progress;

/// Pictures of 32x32 pixels at once: all inner tensors of all of them are held in memory meanwhile.
const BATCH: usize = 32;

/// What the pictures made of each tensor.
pub(super) type Seen<'a> = BTreeMap<&'a str, Histogram>;

/// Histograms of `tensors`, of f32, over the pictures at `indices`.
///
/// # Errors
/// Pictures that cannot be read, a network that does not run, or a tensor that is infinite or NaN.
pub(super) fn observe<'a>(
    onnx: &[u8],
    input: &InputSpec,
    tensors: &[&'a str],
    (pictures, indices): (&Pictures, &[usize]),
) -> Result<Seen<'a>, QuantizeError> {
    let (given, made): (Vec<&str>, Vec<&str>) = tensors.iter().partition(|tensor| **tensor == input.name);
    let outputs = made.iter().map(|tensor| build::untyped(tensor)).collect();
    let mut probe = Probe::open(&rewrite(onnx, &Changes { outputs, ..Changes::default() })?)?;
    let mut preprocessor = Preprocessor::new(input).map_err(PictureError::from)?;
    let mut seen: Seen<'a> = tensors.iter().map(|tensor| (*tensor, Histogram::default())).collect();
    let [_, height, width] = input.chw();
    let at_once = (BATCH * 32 * 32 / (height * width).max(1)).max(1);
    let bar = progress::bar(indices.len(), "ranges".into());
    for indices in indices.chunks(at_once) {
        let batch = pictures.batch(indices, &mut preprocessor, input.chw())?;
        let arrays = probe.run(&input.name, batch.view())?;
        given.iter().for_each(|tensor| add(&mut seen, tensor, batch.iter()));
        made.iter().zip(&arrays).for_each(|(tensor, array)| add(&mut seen, tensor, array.iter()));
        bar.inc(indices.len() as u64);
    }
    bar.finish_and_clear();
    match seen.iter().find(|(_, histogram)| !histogram.finite()) {
        Some((tensor, _)) => Err(QuantizeError::NotFinite { tensor: (*tensor).into() }),
        None => Ok(seen),
    }
}

fn add<'v>(seen: &mut Seen<'_>, tensor: &str, values: impl Iterator<Item = &'v f32> + Clone) {
    if let Some(histogram) = seen.get_mut(tensor) {
        histogram.add(values);
    }
}
