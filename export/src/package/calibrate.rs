//! Fits a package's scores on the pictures of its training, and sets their thresholds on ID pictures that the network
//! was never trained on, both through ONNX Runtime.

use std::collections::BTreeMap;

use oodwatch::calibrate::{ScoreCalibration, Target};
use oodwatch::infer::{Network, Precision};
use oodwatch::package::{Calibration, Head};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::{Fitted, Model, Parameters, ScoreName, Scorers};

use super::ExportError;
use crate::data::{DataSource, pictures_at_once};
use crate::fitting::FitTask;
use crate::pictures::{PictureError, Pictures};
use crate::progress;
use crate::trained::Trained;

/// Pictures of 32x32 pixels per run of the network.
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
    /// The pictures that scores are fitted on, with their classes; without, only scores that need no fit are calibrated.
    pub(super) fit: Option<&'a DataSource>,
    /// The scores to calibrate; empty for every one that `fit` allows.
    pub(super) scores: &'a [ScoreName],
    pub(super) parameters: &'a Parameters,
    pub(super) target: Target,
}

/// Fits the scores, scores the pictures, and sets the thresholds.
pub(super) fn calibrate(
    trained: &Trained,
    network: &mut Network,
    wanted: Wanted<'_>,
) -> Result<Calibrated, ExportError> {
    let head = trained.head()?;
    let names = names(&wanted)?;
    let fitted = match wanted.fit {
        Some(source) => fit(trained, &head, network, source, (&names, wanted.parameters))?,
        None => Fitted { parameters: wanted.parameters.clone(), ..Fitted::default() },
    };
    let scored = score(trained, network, &wanted, (&names, &head, &fitted))?;
    let per_score = |(name, scores)| Ok((name, ScoreCalibration::new(scores, wanted.target)?));
    let calibration = Calibration {
        scores: names.into_iter().zip(scored.scores).map(per_score).collect::<Result<_, ExportError>>()?,
        fusions: BTreeMap::new(),
        head: Some(head),
        fitted,
        images: wanted.indices.len(),
        origin: wanted.origin,
        precision: Precision::Fp32.to_string(),
        execution_provider: network.execution_provider().to_string(),
    };
    Ok(Calibrated { calibration, accuracy: scored.accuracy })
}

/// The scores that are asked for, or every plain one that can be had.
fn names(wanted: &Wanted<'_>) -> Result<Vec<ScoreName>, ExportError> {
    let possible = |name: &ScoreName| wanted.fit.is_some() || !name.needs().fit;
    match wanted.scores {
        [] => Ok(ScoreName::PLAIN.iter().copied().filter(possible).collect()),
        chosen => match chosen.iter().find(|name| !possible(name)) {
            Some(name) => Err(ExportError::NoFit { name: *name }),
            None => Ok(chosen.to_vec()),
        },
    }
}

fn fit(
    trained: &Trained,
    head: &Head,
    network: &mut Network,
    source: &DataSource,
    (names, parameters): (&[ScoreName], &Parameters),
) -> Result<Fitted, ExportError> {
    let [_, height, width] = trained.input.chw();
    let pictures = Pictures::labelled(source, height, width)?;
    let bar = progress::bar(pictures.len(), "fit".into());
    let origin = super::origin(source, crate::pictures::Half::All);
    let task = FitTask {
        trained,
        head,
        pictures: &pictures,
        batch_size: pictures_at_once(BATCH, height, width),
        names,
        parameters,
        origin: &origin,
        bar: &bar,
    };
    let fitted = task.run(|batch| network.run(batch).map_err(ExportError::from));
    bar.finish_and_clear();
    fitted
}

/// Scores per name, in the order of the names.
struct Scored {
    scores: Vec<Vec<f32>>,
    accuracy: Option<f64>,
}

fn score(
    trained: &Trained,
    network: &mut Network,
    wanted: &Wanted<'_>,
    (names, head, fitted): (&[ScoreName], &Head, &Fitted),
) -> Result<Scored, ExportError> {
    let model = Model {
        classes: trained.classes.len(),
        features: trained.output.features,
        local_norms: trained.output.local.is_some(),
        head: Some(head),
        fitted,
    };
    let mut scorers = Scorers::new(names, &model)?;
    let mut preprocessor = Preprocessor::new(&trained.input).map_err(PictureError::from)?;
    let mut scores = vec![Vec::with_capacity(wanted.indices.len()); names.len()];
    let (mut right, mut labelled) = (0_u32, 0_u32);
    let bar = progress::bar(wanted.indices.len(), "thresholds".into());
    let [_, height, width] = trained.input.chw();
    for indices in wanted.indices.chunks(pictures_at_once(BATCH, height, width)) {
        let batch = wanted.pictures.batch(indices, &mut preprocessor, trained.input.chw())?;
        for (image, &index) in network.run(batch.view())?.images().zip(indices) {
            for (all, score) in scores.iter_mut().zip(scorers.score(&image)) {
                all.push(score.0);
            }
            if let Some(label) = wanted.pictures.label(index) {
                labelled += 1;
                right += u32::from(image.top_class().is_some_and(|(class, _)| class == label));
            }
        }
        bar.inc(indices.len() as u64);
    }
    bar.finish_and_clear();
    Ok(Scored { scores, accuracy: (labelled > 0).then(|| f64::from(right) / f64::from(labelled)) })
}
