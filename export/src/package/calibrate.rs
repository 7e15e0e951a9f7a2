//! Fits a package's scores on the pictures of its training, and sets their thresholds on ID pictures that the network
//! was never trained on, both through ONNX Runtime.

use std::collections::BTreeMap;

use oodwatch::calibrate::{ScoreCalibration, Target};
use oodwatch::infer::Network;
use oodwatch::package::{Calibration, Head, Manifest};
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::{Fitted, Model, Parameters, ScoreName, Scorers};

use super::ExportError;
use crate::data::{DataSource, pictures_at_once};
use crate::fitting::FitTask;
use crate::pictures::{PictureError, Pictures};
use crate::progress;

/// Pictures of 32x32 pixels per run of the network.
const BATCH: usize = 100;

/// The network that is calibrated, beside what runs it.
pub(crate) struct Subject<'a> {
    /// What it takes and gives.
    pub(crate) manifest: &'a Manifest,
    /// Its head, where it is known.
    pub(crate) head: Option<&'a Head>,
}

/// What the calibration pictures gave.
pub(crate) struct Calibrated {
    pub(crate) calibration: Calibration,
    /// Share of them whose class is right, where their classes are known.
    pub(crate) accuracy: Option<f64>,
}

/// Where the pictures come from, and the false-alarm rate to set thresholds for.
pub(crate) struct Wanted<'a> {
    pub(crate) pictures: &'a Pictures,
    pub(crate) indices: &'a [usize],
    pub(crate) origin: String,
    /// The pictures that scores are fitted on, with their classes; without, only scores that need no fit are calibrated.
    pub(crate) fit: Option<&'a DataSource>,
    /// The scores to calibrate; empty for every one that `fit` allows.
    pub(crate) scores: &'a [ScoreName],
    pub(crate) parameters: &'a Parameters,
    /// What the threshold of each of them promises.
    pub(crate) target: &'a dyn Fn(ScoreName) -> Target,
}

/// Fits the scores, scores the pictures, and sets the thresholds.
pub(crate) fn calibrate(
    subject: &Subject<'_>,
    network: &mut Network,
    wanted: Wanted<'_>,
) -> Result<Calibrated, ExportError> {
    let names = names(&wanted)?;
    let fitted = match wanted.fit {
        Some(source) => fit(subject, network, source, (&names, wanted.parameters))?,
        None => Fitted { parameters: wanted.parameters.clone(), ..Fitted::default() },
    };
    let scored = score(subject, network, &wanted, (&names, &fitted))?;
    let per_score = |(name, scores)| Ok((name, ScoreCalibration::new(scores, (wanted.target)(name))?));
    let calibration = Calibration {
        scores: names.into_iter().zip(scored.scores).map(per_score).collect::<Result<_, ExportError>>()?,
        fusions: BTreeMap::new(),
        head: subject.head.cloned(),
        fitted,
        images: wanted.indices.len(),
        origin: wanted.origin,
        precision: network.precision().to_string(),
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
    subject: &Subject<'_>,
    network: &mut Network,
    source: &DataSource,
    (names, parameters): (&[ScoreName], &Parameters),
) -> Result<Fitted, ExportError> {
    let manifest = subject.manifest;
    let [_, height, width] = manifest.input.chw();
    let pictures = Pictures::labelled_of(source, manifest)?;
    let bar = progress::bar(pictures.len(), "fit".into());
    let origin = super::origin(source, crate::pictures::Half::All);
    let task = FitTask {
        input: &manifest.input,
        classes: manifest.class_count(),
        features: manifest.output.features,
        head: subject.head,
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
    subject: &Subject<'_>,
    network: &mut Network,
    wanted: &Wanted<'_>,
    (names, fitted): (&[ScoreName], &Fitted),
) -> Result<Scored, ExportError> {
    let (model, input) = (Model::new(subject.manifest, subject.head, fitted), &subject.manifest.input);
    let mut scorers = Scorers::new(names, &model)?;
    let mut preprocessor = Preprocessor::new(input).map_err(PictureError::from)?;
    let mut scores = vec![Vec::with_capacity(wanted.indices.len()); names.len()];
    let (mut right, mut labelled) = (0_u32, 0_u32);
    let bar = progress::bar(wanted.indices.len(), "thresholds".into());
    let [_, height, width] = input.chw();
    for indices in wanted.indices.chunks(pictures_at_once(BATCH, height, width)) {
        let batch = wanted.pictures.batch(indices, &mut preprocessor, input.chw())?;
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
