//! Sets a package's thresholds: ID pictures that the network was never trained on, through ONNX
//! Runtime, to one conformal threshold per score.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2};
use oodwatch::calibrate::{sorted, threshold};
use oodwatch::infer::{Network, PRECISION};
use oodwatch::package::{Calibration, Head, ScoreCalibration};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::ScoreName;

use super::ExportError;
use crate::pictures::{PictureError, Pictures};
use crate::trained::Trained;

/// Pictures per run of the network.
const BATCH: usize = 100;

/// What the calibration pictures gave.
pub(super) struct Calibrated {
    pub(super) calibration: Calibration,
    /// Share of them whose class is right, where their classes are known.
    pub(super) accuracy: Option<f64>,
}

/// Where the pictures come from, and the false-alarm rate to set thresholds for.
pub(super) struct Wanted<'a> {
    pub(super) pictures: &'a Pictures,
    pub(super) indices: &'a [usize],
    pub(super) origin: String,
    pub(super) rate: f64,
}

/// Scores the pictures and sets the thresholds.
pub(super) fn calibrate(
    trained: &Trained,
    network: &mut Network,
    wanted: Wanted<'_>,
) -> Result<Calibrated, ExportError> {
    let mut preprocessor = Preprocessor::new(&trained.input).map_err(PictureError::from)?;
    let mut scores: BTreeMap<ScoreName, Vec<f32>> = BTreeMap::new();
    let (mut right, mut labelled) = (0, 0);
    for indices in wanted.indices.chunks(BATCH) {
        let batch = wanted.pictures.batch(indices, &mut preprocessor, trained.input.chw())?;
        let outputs = network.run(batch.view())?;
        for (image, &index) in outputs.images().zip(indices) {
            for name in ScoreName::ALL {
                scores.entry(*name).or_default().push(name.score(&image).0);
            }
            if let Some(label) = wanted.pictures.label(index) {
                labelled += 1;
                right += usize::from(image.top_class().is_some_and(|(class, _)| class == label));
            }
        }
    }
    let per_score = |(name, scores)| Ok((name, score_calibration(scores, wanted.rate)?));
    let calibration = Calibration {
        head: Some(Head {
            weight: head_weight(trained)?,
            bias: Array1::from(trained.tensors.any_shape("linear.bias")?.values().to_vec()),
        }),
        scores: scores.into_iter().map(per_score).collect::<Result<_, ExportError>>()?,
        images: wanted.indices.len(),
        origin: wanted.origin,
        precision: PRECISION.into(),
        execution_provider: network.execution_provider().to_string(),
    };
    Ok(Calibrated { calibration, accuracy: (labelled > 0).then(|| right as f64 / labelled as f64) })
}

fn score_calibration(scores: Vec<f32>, rate: f64) -> Result<ScoreCalibration, ExportError> {
    let sorted_id_scores = sorted(scores)?;
    let threshold = threshold(&sorted_id_scores, rate)?;
    Ok(ScoreCalibration { sorted_id_scores, threshold, rate })
}

fn head_weight(trained: &Trained) -> Result<Array2<f32>, ExportError> {
    let shape = [trained.classes.len(), trained.output.features];
    let weight = trained.tensors.get("linear.weight", &shape)?;
    Ok(Array2::from_shape_vec(shape, weight.values().to_vec()).map_err(PictureError::from)?)
}
