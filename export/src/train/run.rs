//! A run from its config to its last file; resumable at every epoch.

use std::path::PathBuf;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::epoch::{accuracy, hits, train_epoch};
use super::log::{append, rewind};
use super::snapshot::{class_names, learner, of_network, of_run, restore};
use super::{EpochError, LogError, draw_curves};
use crate::checkpoint::CheckpointError;
use crate::config::TrainConfig;
use crate::data::{Batcher, DataError, Dataset};
use crate::device::NoCuda;
use crate::files::write_whole;
use crate::loss::LossError;
use crate::model::{ModelError, Net, Precision, StartError};
use crate::plot::PlotError;

/// Config as used, in the run's folder.
const CONFIG: &str = "config.toml";
/// One JSON line per epoch.
const LOG: &str = "log.jsonl";
/// Weights and optimiser after the last finished epoch.
const CHECKPOINT: &str = "checkpoint.safetensors";
/// Weights when all epochs are done.
pub(crate) const MODEL: &str = "model.safetensors";
/// Accuracies when all epochs are done.
const METRICS: &str = "metrics.json";
/// Loss and accuracy over the epochs.
const CURVES: &str = "curves.png";

/// What stops a run.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// CUDA was asked for and is not there.
    #[error("train: {0}")]
    Device(#[from] NoCuda),
    /// Reading pictures.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Building the network.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Setting up the loss.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Reading starting weights.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Reading or writing a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// In an epoch.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// Writing the log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Drawing the curves.
    #[error(transparent)]
    Curves(#[from] PlotError),
    /// A file or folder of the run cannot be written.
    #[error("train: {path}: {source}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder holds a run already and `--resume` was not given.
    #[error("train: {path} holds a run already; give --resume to go on with it, or another `out`", path = path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// `--resume` with a config that is not the run's.
    #[error("train: {path} was made with another config than this one; resuming would mix two runs", path = path.display())]
    OtherConfig {
        /// The run's own config.
        path: PathBuf,
    },
    /// The test pictures have other classes than the training pictures.
    #[error("train: the test pictures' classes are {found:?}, the training pictures' {wanted:?}")]
    TestClasses {
        /// Names of the test pictures' classes.
        found: Vec<String>,
        /// Names of the training pictures' classes.
        wanted: Vec<String>,
    },
    /// Labels beyond the class names.
    #[error("train: the pictures have {found} classes, `data.classes` or the data's own names list {names}")]
    Classes {
        /// One more than the largest label.
        found: usize,
        /// Number of names.
        names: usize,
    },
}

/// Trains as `config` says and returns the run's folder. With `resume`, goes on after the last finished epoch.
///
/// # Errors
/// Unreadable data or weights, a folder that holds another run, a full disk, a loss that is no number.
pub fn train(config: &TrainConfig, resume: bool) -> Result<PathBuf, TrainError> {
    tch::set_num_threads(config.threads);
    let out = &config.out;
    prepare_folder(config, resume)?;
    let data = &config.data;
    let train_set = Dataset::open(&data.train, data.height, data.width)?;
    let test_set = Dataset::open(&data.test, data.height, data.width)?;
    let classes = class_names(config, &train_set)?;
    check_test_classes(&train_set, &test_set, classes.len())?;
    let mut learner = learner(config, classes.len())?;
    let done = restore(config, &out.join(CHECKPOINT), &mut learner)?;
    let mut rows = rewind(&out.join(LOG), done)?;

    let count = data.train_limit.unwrap_or(usize::MAX).min(train_set.len());
    let batcher = Batcher::new(&train_set, &data.normalise);
    let test_batcher = Batcher::new(&test_set, &data.normalise);
    let validation: Vec<usize> = (0..test_set.len()).step_by(2).collect();
    let bar = progress(config, count, done);
    for epoch in done + 1..=config.schedule.epochs {
        let started = Instant::now();
        let mut row = train_epoch(config, &mut learner, &batcher, count, epoch, &bar)?;
        row.images_per_second = count as f64 / started.elapsed().as_secs_f64();
        row.validation_accuracy = accuracy(&learner.net, &test_batcher, &validation);
        row.seconds = started.elapsed().as_secs_f64();
        bar.set_message(format!(
            "epoch {epoch}, loss {:.3}, validation {:.2}%",
            row.cross_entropy,
            100.0 * row.validation_accuracy
        ));
        log::info!("{}", json!(row));
        if epoch > 1 && is_guessing(row.validation_accuracy, classes.len()) {
            log::warn!(
                "train: after epoch {epoch} {:.1} % of the validation pictures are right, no more than by guessing; a smaller lambda, \
                 a floor under the norms or a lower schedule.learning_rate may help",
                100.0 * row.validation_accuracy
            );
        }
        append(&out.join(LOG), &row)?;
        rows.push(row);
        of_run(config, &classes, &learner, epoch).write(&out.join(CHECKPOINT))?;
        draw_curves(&rows, &out.join(CURVES))?;
    }
    bar.finish();
    learner.net.precision = Precision::Fp32;
    finish(config, &classes, &learner.net, &test_batcher, test_set.len())?;
    Ok(out.clone())
}

/// Makes the folder and writes the config into it, or compares it when resuming.
fn prepare_folder(config: &TrainConfig, resume: bool) -> Result<(), TrainError> {
    let path = config.out.join(CONFIG);
    let file = |source| TrainError::File { path: path.clone(), source };
    let text = toml::to_string_pretty(config).map_err(|e| file(std::io::Error::other(e)))?;
    match (path.exists(), resume) {
        (true, false) => Err(TrainError::Exists { path: config.out.clone() }),
        (true, true) if std::fs::read_to_string(&path).map_err(file)? != text => Err(TrainError::OtherConfig { path }),
        (true, true) => Ok(()),
        (false, _) => {
            std::fs::create_dir_all(&config.out).map_err(file)?;
            write_whole(&path, text.as_bytes()).map_err(file)
        }
    }
}

/// Labels are positions in a list of names: with another list they would mean other classes.
fn check_test_classes(train: &Dataset, test: &Dataset, classes: usize) -> Result<(), TrainError> {
    let (wanted, found) = (&train.class_names, &test.class_names);
    if !wanted.is_empty() && !found.is_empty() && wanted != found {
        return Err(TrainError::TestClasses { found: found.clone(), wanted: wanted.clone() });
    }
    match test.classes_used() {
        found if found > classes => Err(TrainError::Classes { found, names: classes }),
        _ => Ok(()),
    }
}

/// Whether a network of so many classes is about as often right as one that has learned nothing, or forgotten all.
fn is_guessing(accuracy: f64, classes: usize) -> bool {
    classes > 1 && accuracy < 1.2 / classes as f64
}

/// Writes the final weights and their accuracies, which are those of the network in FP32.
fn finish(
    config: &TrainConfig,
    classes: &[String],
    net: &Net,
    test: &Batcher<'_>,
    count: usize,
) -> Result<(), TrainError> {
    let half = |first: usize| {
        let indices: Vec<usize> = (first..count).step_by(2).collect();
        (hits(net, test, &indices), indices.len() as f64)
    };
    let (validation, test_half) = (half(0), half(1));
    let metrics = json!({
        "accuracy": {
            "validation": validation.0 / validation.1,
            "test": test_half.0 / test_half.1,
            "all": (validation.0 + test_half.0) / count as f64,
        },
        "images": count,
    });
    let path = config.out.join(METRICS);
    let text = format!("{metrics:#}\n");
    write_whole(&path, text.as_bytes()).map_err(|source| TrainError::File { path, source })?;
    of_network(config, classes, net).write(&config.out.join(MODEL))?;
    Ok(())
}

fn progress(config: &TrainConfig, count: usize, done: usize) -> ProgressBar {
    let steps = count.div_ceil(config.schedule.batch_size);
    let bar = ProgressBar::new((steps * config.schedule.epochs) as u64).with_position((steps * done) as u64);
    bar.reset_eta();
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} steps, {elapsed} gone, {eta} to go  {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::is_guessing;

    #[test]
    fn a_network_that_guesses_is_told_from_one_that_learns() {
        assert!(is_guessing(0.1022, 10) && is_guessing(0.0, 10) && is_guessing(0.5, 2));
        assert!(!is_guessing(0.4778, 10) && !is_guessing(0.65, 2) && !is_guessing(1.0, 1));
    }
}
