//! Runs every package over every set.

use std::collections::BTreeMap;

use oodwatch::calibrate::beta_binomial_interval;
use oodwatch::evaluation::detection;
use oodwatch::evidence::share;
use oodwatch::infer::Network;
use oodwatch::package::Package;
use oodwatch::preprocess::Preprocessor;
use oodwatch::score::{ScoreName, Scorers};

use super::config::{CompareConfig, PackageConfig};
use super::report::{Alarms, Comparison, PackageReport, ScoreOutcome};
use super::{CompareError, report};
use crate::data::pictures_at_once;
use crate::evaluate::{Group, ScoreReport, SetReport};
use crate::package::on_cpu;
use crate::pictures::{PictureError, Pictures};
use crate::progress;

/// Pictures of 32x32 pixels per run of a network.
const BATCH: usize = 100;

/// Probability that a right threshold's count lies within the interval that is given for it.
const COVERAGE: f64 = 0.95;

/// A set of pictures, and those of them that are judged.
struct Set {
    name: String,
    group: Option<Group>,
    pictures: Pictures,
    indices: Vec<usize>,
}

/// One package's scores of one set.
struct Judged {
    scores: BTreeMap<ScoreName, Vec<f32>>,
    /// Share of the labelled pictures whose class is right.
    accuracy: Option<f64>,
}

pub(super) fn compare(config: &CompareConfig) -> Result<Comparison, CompareError> {
    let open = |package: &PackageConfig| {
        Package::open(&package.folder).map_err(|source| CompareError::Package { name: package.name.clone(), source })
    };
    let packages = config.packages.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let scores = scores(config, &packages)?;
    let mut counts = Vec::new();
    let mut reports: Vec<PackageReport> = Vec::new();
    for (named, package) in config.packages.iter().zip(&packages) {
        let id = Set::new(config, "id", None, Pictures::labelled_of(&config.id, &package.manifest)?)?;
        let mut bench = Bench::open(named, package, &scores)?;
        let known = bench.judge(&id)?;
        let mut strange = Vec::new();
        counts = vec![id.indices.len()];
        for ood in &config.ood {
            let set = Set::new(config, &ood.name, Some(ood.group), Pictures::unlabelled(&ood.source)?)?;
            counts.push(set.indices.len());
            strange.push((set.name.clone(), ood.group, bench.judge(&set)?));
        }
        let outcomes = scores
            .iter()
            .map(|score| Ok((*score, outcome(*score, (named, package), &packages[0], &known, &strange)?)))
            .collect::<Result<_, CompareError>>()?;
        let onnx = package.model_onnx();
        let model_bytes = onnx.map_err(|source| CompareError::Package { name: named.name.clone(), source })?.len();
        let network = (bench.network.precision(), model_bytes);
        reports.push(report::package(named, package, network, known.accuracy, outcomes));
    }
    let sets = config.ood.iter().zip(&counts[1..]).map(|(ood, pictures)| SetReport {
        name: ood.name.clone(),
        source: ood.source.clone(),
        pictures: *pictures,
        group: Some(ood.group),
    });
    let id = SetReport { name: "id".into(), source: config.id.clone(), pictures: counts[0], group: None };
    Ok(Comparison { half: config.half, id, ood: sets.collect(), packages: reports })
}

/// The scores of the config, or those that all packages are calibrated for.
fn scores(config: &CompareConfig, packages: &[Package]) -> Result<Vec<ScoreName>, CompareError> {
    let lacks = |score: &ScoreName| packages.iter().position(|package| !package.calibration.scores.contains_key(score));
    if config.scores.is_empty() {
        let all = packages[0].calibration.scores.keys().copied();
        return Ok(all.filter(|score| lacks(score).is_none()).collect());
    }
    match config.scores.iter().find_map(|score| Some((*score, lacks(score)?))) {
        Some((score, at)) => Err(CompareError::NotCalibrated { name: config.packages[at].name.clone(), score }),
        None => Ok(config.scores.clone()),
    }
}

impl Set {
    fn new(config: &CompareConfig, name: &str, group: Option<Group>, pictures: Pictures) -> Result<Self, CompareError> {
        let indices = config.half.indices(pictures.len());
        match indices.is_empty() {
            true => Err(CompareError::EmptySet { name: name.into() }),
            false => Ok(Self { name: name.into(), group, pictures, indices }),
        }
    }
}

struct Bench<'a> {
    named: &'a PackageConfig,
    package: &'a Package,
    network: Network,
    scorers: Scorers,
}

impl<'a> Bench<'a> {
    fn open(named: &'a PackageConfig, package: &'a Package, scores: &[ScoreName]) -> Result<Self, CompareError> {
        let name = || named.name.clone();
        let network = Network::open(package, &on_cpu());
        let network = network.map_err(|source| CompareError::Infer { name: name(), source })?;
        let scorers = Scorers::new(scores, &package.model());
        let scorers = scorers.map_err(|source| CompareError::Score { name: name(), source })?;
        Ok(Self { named, package, network, scorers })
    }

    fn judge(&mut self, set: &Set) -> Result<Judged, CompareError> {
        let input = &self.package.manifest.input;
        let mut preprocessor = Preprocessor::new(input).map_err(PictureError::from)?;
        let names = self.scorers.names().to_vec();
        let mut judged = Judged { scores: BTreeMap::new(), accuracy: None };
        let (mut right, mut labelled) = (0_usize, 0_usize);
        let bar = progress::bar(set.indices.len(), format!("{} on {}", self.named.name, set.name));
        let [_, height, width] = input.chw();
        for indices in set.indices.chunks(pictures_at_once(BATCH, height, width)) {
            let batch = set.pictures.batch(indices, &mut preprocessor, input.chw())?;
            let outputs = self.network.run(batch.view());
            let outputs = outputs.map_err(|source| CompareError::Infer { name: self.named.name.clone(), source })?;
            for (image, &index) in outputs.images().zip(indices) {
                for (name, score) in names.iter().zip(self.scorers.score(&image)) {
                    judged.scores.entry(*name).or_default().push(score.0);
                }
                if let (Some(label), None) = (set.pictures.label(index), set.group) {
                    labelled += 1;
                    right += usize::from(image.top_class().is_some_and(|(class, _)| class == label));
                }
            }
            bar.inc(indices.len() as u64);
        }
        bar.finish_and_clear();
        judged.accuracy = (labelled > 0).then(|| right as f64 / labelled as f64);
        Ok(judged)
    }
}

/// What one score of one package told apart, and how often it flagged known pictures.
fn outcome(
    score: ScoreName,
    (named, package): (&PackageConfig, &Package),
    first: &Package,
    known: &Judged,
    strange: &[(String, Group, Judged)],
) -> Result<ScoreOutcome, CompareError> {
    let id = &known.scores[&score];
    let of_set = |(set, group, judged): &(String, Group, Judged)| {
        let found = detection(id, &judged.scores[&score]);
        let name = || named.name.clone();
        let found =
            found.map_err(|source| CompareError::Detection { name: name(), score, set: set.clone(), source })?;
        Ok((set.clone(), *group, found))
    };
    let detections = strange.iter().map(of_set).collect::<Result<_, CompareError>>()?;
    let flagged = |threshold: f32| {
        let flagged = id.iter().filter(|score| !score.is_finite() || **score > threshold).count();
        Alarms { threshold, flagged, rate: share(flagged as f64, id.len() as f64) }
    };
    let own = &package.calibration.scores[&score];
    let (n, m) = (own.all.scores().len(), id.len());
    let expected = beta_binomial_interval(n, own.target, m, COVERAGE);
    let expected = expected.map_err(|source| CompareError::Interval { name: named.name.clone(), score, source })?;
    Ok(ScoreOutcome {
        detection: ScoreReport::new(detections),
        target: own.target.rate,
        own_threshold: flagged(own.all.threshold()),
        first_threshold: flagged(first.calibration.scores[&score].all.threshold()),
        expected,
    })
}
