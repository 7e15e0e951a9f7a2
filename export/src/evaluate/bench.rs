//! One network with its fitted scores, ready to judge sets of pictures; the ID set is judged already.

use std::collections::BTreeMap;

use oodwatch::evaluation::detection;
use oodwatch::package::{Head, sha256_hex};
use oodwatch::score::{Fitted, Model, ScoreName, Scorers};

use super::config::{EvaluateConfig, Group, NetworkConfig};
use super::error::EvaluateError;
use super::judge::{Judged, Task, judge};
use super::report::{NetworkReport, ScoreReport};
use crate::data::DataSource;
use crate::fitting::FitTask;
use crate::pictures::Pictures;
use crate::progress;
use crate::trained::Trained;

/// A network on the bench.
pub(crate) struct Bench<'a> {
    config: &'a EvaluateConfig,
    network: &'a NetworkConfig,
    trained: Trained,
    scorers: Scorers,
    /// The ID pictures of the config, and which of them are judged.
    pub(crate) id: Set,
    id_judged: Judged,
    sets: Vec<(String, Group, Judged)>,
}

/// A set of pictures, opened for one network's input size.
pub(crate) struct Set {
    pub(crate) pictures: Pictures,
    pub(crate) indices: Vec<usize>,
}

/// One network's row, and what it was worked out from.
pub(crate) struct Evaluated {
    pub(crate) report: NetworkReport,
    /// How many pictures of the ID set and of each OOD set it was judged on.
    pub(crate) pictures: Vec<usize>,
    /// Every picture's score: of the ID set, then of each OOD set in the order in which they were judged.
    pub(crate) scores: Vec<BTreeMap<ScoreName, Vec<f32>>>,
}

impl<'a> Bench<'a> {
    /// Reads the network, fits the scores on `config.fit` and judges `config.id`; `config.ood` is not looked at.
    ///
    /// # Errors
    /// Weights or pictures that cannot be read, or do not belong together.
    pub(crate) fn open(config: &'a EvaluateConfig, network: &'a NetworkConfig) -> Result<Self, EvaluateError> {
        let mut trained = Trained::open(&network.checkpoint)?;
        trained.net.move_to(config.device.ready()?);
        let [_, height, width] = trained.input.chw();
        let id = Set::half(config, "id", Pictures::labelled(&config.id, height, width)?)?;
        check_classes(network, &trained, &id)?;
        let mut scorers = scorers(config, network, &trained)?;
        let id_judged = judged(config, network, "id", (&trained, &mut scorers), &id)?;
        Ok(Self { config, network, trained, scorers, id, id_judged, sets: Vec::new() })
    }

    /// Judges a set that the network should find strange.
    ///
    /// # Errors
    /// Pictures that cannot be read.
    pub(crate) fn judge(&mut self, name: &str, group: Group, set: &Set) -> Result<(), EvaluateError> {
        let judged = judged(self.config, self.network, name, (&self.trained, &mut self.scorers), set)?;
        self.sets.push((name.to_owned(), group, judged));
        Ok(())
    }

    /// Compares all sets that were judged with the ID set.
    ///
    /// # Errors
    /// Scores that have no order (NaN), or a checkpoint that is gone.
    pub(crate) fn finish(self) -> Result<Evaluated, EvaluateError> {
        let path = &self.network.checkpoint;
        let bytes = std::fs::read(path).map_err(|source| EvaluateError::File { path: path.clone(), source })?;
        let report = NetworkReport {
            name: self.network.name.clone(),
            checkpoint: path.clone(),
            sha256: sha256_hex(&bytes),
            accuracy: self.id_judged.accuracy().unwrap_or(f64::NAN),
            norms: self.id_judged.norms(),
            scores: self.compare()?,
        };
        let mut sets = vec![self.id_judged];
        sets.extend(self.sets.into_iter().map(|(_, _, judged)| judged));
        let pictures = sets.iter().map(|set| set.pictures).collect();
        Ok(Evaluated { report, pictures, scores: sets.into_iter().map(|set| set.scores).collect() })
    }

    /// Every score's detection of each set against the ID set.
    fn compare(&self) -> Result<BTreeMap<ScoreName, ScoreReport>, EvaluateError> {
        let of_score = |(score, id): (&ScoreName, &Vec<f32>)| {
            let of_set = |(name, group, strange): &(String, Group, Judged)| {
                let found = detection(id, &strange.scores[score]).map_err(|source| EvaluateError::Detection {
                    network: self.network.name.clone(),
                    score: *score,
                    set: name.clone(),
                    source,
                })?;
                Ok((name.clone(), *group, found))
            };
            let detections = self.sets.iter().map(of_set).collect::<Result<_, EvaluateError>>()?;
            Ok((*score, ScoreReport::new(detections)))
        };
        self.id_judged.scores.iter().map(of_score).collect()
    }
}

impl Set {
    /// The half of `pictures` that the config judges.
    ///
    /// # Errors
    /// [`EvaluateError::EmptySet`].
    pub(crate) fn half(config: &EvaluateConfig, name: &str, pictures: Pictures) -> Result<Self, EvaluateError> {
        let indices = config.half.indices(pictures.len());
        if indices.is_empty() {
            return Err(EvaluateError::EmptySet { name: name.to_owned() });
        }
        Ok(Self { pictures, indices })
    }
}

fn check_classes(network: &NetworkConfig, trained: &Trained, id: &Set) -> Result<(), EvaluateError> {
    let found = (0..id.pictures.len()).filter_map(|i| id.pictures.label(i)).max().map_or(0, |label| label + 1);
    let wanted = trained.classes.len();
    if found == wanted { Ok(()) } else { Err(EvaluateError::Classes { network: network.name.clone(), found, wanted }) }
}

fn judged(
    config: &EvaluateConfig,
    network: &NetworkConfig,
    name: &str,
    (trained, scorers): (&Trained, &mut Scorers),
    set: &Set,
) -> Result<Judged, EvaluateError> {
    let bar = progress::bar(set.indices.len(), format!("{} on {name}", network.name));
    let background = config.background.filter(|_| name == "id");
    let (pictures, indices) = (&set.pictures, set.indices.as_slice());
    let mut task = Task { trained, pictures, indices, batch_size: config.batch_size, background, scorers };
    let judged = judge(&mut task, &bar);
    bar.finish_and_clear();
    judged
}

/// The scores of the config, or every one with every composition; without pictures to fit on, those that need no fit.
fn scorers(config: &EvaluateConfig, network: &NetworkConfig, trained: &Trained) -> Result<Scorers, EvaluateError> {
    let head = trained.head()?;
    let names: Vec<ScoreName> = match config.scores.as_slice() {
        [] => ScoreName::all().filter(|name| config.fit.is_some() || !name.needs().fit).collect(),
        chosen => chosen.to_vec(),
    };
    let fitted = match &config.fit {
        Some(source) => fit(config, network, (trained, &head), source, &names)?,
        None => Fitted { parameters: config.parameters.clone(), ..Fitted::default() },
    };
    let model = Model {
        classes: trained.classes.len(),
        features: trained.output.features,
        local_norms: trained.output.local.is_some(),
        head: Some(&head),
        fitted: &fitted,
    };
    Ok(Scorers::new(&names, &model)?)
}

fn fit(
    config: &EvaluateConfig,
    network: &NetworkConfig,
    (trained, head): (&Trained, &Head),
    source: &DataSource,
    names: &[ScoreName],
) -> Result<Fitted, EvaluateError> {
    let [_, height, width] = trained.input.chw();
    let pictures = Pictures::labelled(source, height, width)?;
    let bar = progress::bar(pictures.len(), format!("{}: fit", network.name));
    let task = FitTask {
        input: &trained.input,
        classes: trained.classes.len(),
        features: trained.output.features,
        head: Some(head),
        pictures: &pictures,
        batch_size: config.batch_size,
        names,
        parameters: &config.parameters,
        origin: "evaluation",
        bar: &bar,
    };
    let fitted = task.run(|batch| Ok::<_, EvaluateError>(trained.outputs(&trained.forward(batch))?));
    bar.finish_and_clear();
    fitted
}
