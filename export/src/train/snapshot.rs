//! What a run writes into checkpoint files, and how it starts from one.

use std::path::Path;

use serde_json::json;

use super::TrainError;
use super::epoch::Learner;
use crate::checkpoint::Checkpoint;
use crate::config::TrainConfig;
use crate::data::Dataset;
use crate::loss::Objective;
use crate::model::{Net, fill, fresh};
use crate::optim::Sgd;

/// Prefix of the optimiser's tensors in a checkpoint.
const VELOCITY: &str = "optimizer.velocity.";
/// Prefix of what the terms of the loss remember.
const OBJECTIVE: &str = "objective.";

/// A network with fresh weights, its optimiser at rest and its loss.
pub(super) fn learner(config: &TrainConfig, classes: usize) -> Result<Learner, TrainError> {
    let mut net = fresh(&config.model, classes, config.seed)?;
    net.move_to(config.device.ready()?);
    let sgd = Sgd::new(&net.params, config.schedule.momentum, config.schedule.weight_decay);
    let objective = Objective::new(config, &net, classes)?;
    Ok(Learner { net, sgd, objective })
}

/// Fills the learner from the run's checkpoint, where there is one, else the network from its starting weights.
/// Returns the finished epochs.
pub(super) fn restore(config: &TrainConfig, path: &Path, learner: &mut Learner) -> Result<usize, TrainError> {
    if !path.exists() {
        fill(&config.model, &learner.net)?;
        return Ok(0);
    }
    let checkpoint = Checkpoint::read(path)?;
    let lookup = |name: &str| checkpoint.tensors.get(name).map(|(shape, v)| (shape.as_slice(), v.as_slice()));
    learner.net.params.load(lookup)?;
    learner.sgd.load(&learner.net.params, |name| lookup(&format!("{VELOCITY}{name}")))?;
    learner.objective.load(|name| lookup(&format!("{OBJECTIVE}{name}")))?;
    let epoch = checkpoint.json("epoch")?;
    log::info!("train: resuming after epoch {epoch}");
    Ok(epoch)
}

/// The weights and what they are.
pub(super) fn of_network(config: &TrainConfig, classes: &[String], net: &Net) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    for (name, shape, values) in net.params.export() {
        checkpoint.tensors.insert(name, (shape, values));
    }
    let mut provenance = json!({
        "loss": config.loss, "seed": config.seed, "schedule": config.schedule, "data": config.data.train,
        "train_limit": config.data.train_limit, "start": config.model.start, "start_head": config.model.start_head,
        "keep_statistics": config.model.keep_statistics, "precision": config.model.precision,
        "threads": config.threads,
    });
    if !config.device.is_cpu() {
        provenance["device"] = json!(config.device);
    }
    let metadata = [
        ("arch", net.plan.arch.to_owned()),
        ("classes", json!(classes).to_string()),
        ("normalise", json!(config.data.normalise).to_string()),
        ("input", json!([config.data.height, config.data.width]).to_string()),
        ("test", json!(config.data.test).to_string()),
        ("provenance", provenance.to_string()),
    ];
    checkpoint.metadata.extend(metadata.map(|(k, v)| (k.to_string(), v)));
    checkpoint
}

/// The weights, the optimiser's state and that of the loss after `epoch` finished epochs.
pub(super) fn of_run(config: &TrainConfig, classes: &[String], learner: &Learner, epoch: usize) -> Checkpoint {
    let mut checkpoint = of_network(config, classes, &learner.net);
    checkpoint.metadata.insert("epoch".into(), epoch.to_string());
    let velocity = learner.sgd.export(&learner.net.params).into_iter().map(|entry| (VELOCITY, entry));
    let objective = learner.objective.export().into_iter().map(|entry| (OBJECTIVE, entry));
    for (prefix, (name, shape, values)) in velocity.chain(objective) {
        checkpoint.tensors.insert(format!("{prefix}{name}"), (shape, values));
    }
    checkpoint
}

/// Names of the classes: those of the config, else those of the pictures, else numbers.
pub(super) fn class_names(config: &TrainConfig, set: &Dataset) -> Result<Vec<String>, TrainError> {
    let given = [&config.data.classes, &set.class_names].into_iter().find(|names| !names.is_empty());
    let found = set.classes_used();
    match given {
        Some(names) if names.len() < found => Err(TrainError::Classes { found, names: names.len() }),
        Some(names) => Ok(names.clone()),
        None => Ok((0..found).map(|i| format!("class {i}")).collect()),
    }
}

/// Writes the network that a run starts from as a checkpoint of its own, so that it can be measured like the trained one.
///
/// # Errors
/// Unreadable pictures (they name the classes, where the config does not) or weights, a full disk.
pub fn write_start(config: &TrainConfig, path: &Path) -> Result<(), TrainError> {
    let data = &config.data;
    let classes = match data.classes.as_slice() {
        [] => class_names(config, &Dataset::open(&data.train, data.height, data.width)?)?,
        given => given.to_vec(),
    };
    let net = fresh(&config.model, classes.len(), config.seed)?;
    fill(&config.model, &net)?;
    Ok(of_network(config, &classes, &net).write(path)?)
}
