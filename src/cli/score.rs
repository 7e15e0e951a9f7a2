//! `oodwatch score`: one JSON line per picture and score. A picture that cannot be read is counted and left out.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use oodwatch::calibrate::{Criterion, Judge};
use oodwatch::config::ModelConfig;
use oodwatch::decode::{Content, Decoder};
use oodwatch::infer::ExecutionProvider;
use oodwatch::open;
use oodwatch::package::Package;
use oodwatch::pipeline::{Judged, Pipeline};
use oodwatch::source::images::{pictures_in, read_bounded};
use oodwatch::source::list::next_path;
use serde::Serialize;

use super::exit::CliError;
use super::lines;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  oodwatch score --model models/cifar10-resnet20 --score energy --score msp pictures/ cat.png\n  \
                        find . -name '*.jpg' | oodwatch score --model models/cifar10-resnet20 -"
)]
pub(crate) struct Arguments {
    /// Folder of the model package
    #[arg(long, value_name = "PKG")]
    model: PathBuf,
    /// Score to compute, or a fusion such as 'fisher(energy,knn)'; may be given several times [default: energy]
    #[arg(long = "score", value_name = "NAME")]
    scores: Vec<Criterion>,
    /// Execution provider: cpu, xnnpack, cuda or tensorrt
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    execution_provider: ExecutionProvider,
    /// Pictures, folders of pictures, or - for a list of paths on stdin
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// One line of output.
#[derive(Debug, Serialize)]
struct Line<'a> {
    path: &'a str,
    score_name: &'a Criterion,
    /// Null where the score is no number.
    score: Option<f32>,
    threshold: f32,
    p_value: Option<f64>,
    flag: bool,
    class: Option<&'a str>,
    confidence: Option<f32>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut scores = arguments.scores.clone();
    if scores.is_empty() {
        scores.push(Criterion::default());
    }
    let package = Package::begin(&arguments.model)?;
    let model =
        ModelConfig { execution_providers: vec![arguments.execution_provider], ..ModelConfig::new(&arguments.model) };
    let pipeline = open::open(&package, &model, &Criterion::all_scores(&scores))?.pipeline;
    let judges = scores.iter().map(|criterion| open::judge(&package, &pipeline, criterion));
    let judges = judges.collect::<Result<Vec<_>, _>>()?;
    let decoder = Decoder::new(package.manifest.decode, package.manifest.input.size_px(), &package.manifest.view);
    let mut scorer = Scorer { decoder, pipeline, judges, classes: &package.manifest.classes, read: 0, failed: 0 };
    for path in &arguments.paths {
        scorer.input(path)?;
    }
    scorer.finish()
}

struct Scorer<'a> {
    decoder: Decoder,
    pipeline: Pipeline,
    judges: Vec<Judge>,
    classes: &'a [String],
    read: u64,
    failed: u64,
}

impl Scorer<'_> {
    /// An argument: a list on stdin, a folder, or a picture.
    fn input(&mut self, path: &Path) -> anyhow::Result<()> {
        if path == Path::new("-") {
            let mut list = io::stdin().lock();
            while let Some(picture) = next_path(&mut list).context("the list on stdin")? {
                self.picture(&picture)?;
            }
            return Ok(());
        }
        if !path.is_dir() {
            return self.picture(path);
        }
        match pictures_in(path) {
            Ok(pictures) if pictures.is_empty() => self.fail(path, &"no pictures in this folder"),
            Ok(pictures) => pictures.iter().try_for_each(|picture| self.picture(picture))?,
            Err(error) => self.fail(path, &error),
        }
        Ok(())
    }

    fn picture(&mut self, path: &Path) -> anyhow::Result<()> {
        let content = read_bounded(path).map_or_else(Content::Unreadable, Content::Encoded);
        match self.decoder.picture(content) {
            Ok(picture) => {
                let judged = self.pipeline.judge(picture)?;
                self.read += 1;
                self.print(path, &judged)
            }
            Err(error) => {
                self.fail(path, &error);
                Ok(())
            }
        }
    }

    fn fail(&mut self, path: &Path, error: &dyn std::fmt::Display) {
        self.failed += 1;
        log::error!("{}: {error}", path.display());
    }

    fn print(&mut self, path: &Path, judged: &Judged) -> anyhow::Result<()> {
        let class = judged.top_class.map(|(class, _)| class);
        for judge in &mut self.judges {
            let judgement = judge.judge(&judged.scores, class);
            lines::json(&Line {
                path: &path.to_string_lossy(),
                score_name: judge.criterion(),
                score: judgement.score,
                threshold: judgement.threshold,
                p_value: judgement.p_value,
                flag: judgement.flag,
                class: class.and_then(|class| self.classes.get(class)).map(String::as_str),
                confidence: judged.top_class.map(|(_, confidence)| confidence).filter(|c| c.is_finite()),
            })?;
        }
        Ok(())
    }

    fn finish(&self) -> anyhow::Result<()> {
        if self.read == 0 {
            return Err(CliError::NothingRead(self.failed).into());
        }
        if self.failed > 0 {
            lines::note(&format!("{} of {} inputs could not be read", self.failed, self.read + self.failed));
        }
        Ok(())
    }
}
