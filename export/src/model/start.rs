//! What a run starts from: fresh weights, or those of a file, whose head may be of other classes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ModelError, Net};
use crate::config::ModelConfig;
use crate::weights::{self, Array, Tensors, WeightsError};

/// What becomes of the head in the file that a run starts from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartHead {
    /// It is taken as it is: the file was trained on these classes.
    #[default]
    Same,
    /// It is left; the head starts from scratch.
    Fresh,
    /// The file's classes of these numbers, in the order of the run's classes: a network of 1000 classes becomes one of ten
    /// of them.
    Rows(Vec<usize>),
}

impl StartHead {
    /// Whether it is taken as it is.
    pub fn is_same(&self) -> bool {
        *self == Self::Same
    }
}

/// Why a run cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The network cannot be built or filled.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The file cannot be read, or holds other weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The list of rows is not as long as the run has classes.
    #[error("model.start_head: {found} rows, the run has {wanted} classes")]
    Rows {
        /// Rows named.
        found: usize,
        /// Classes of the run.
        wanted: usize,
    },
    /// A row that the file's head does not have.
    #[error("model.start_head: row {row}, the file's head has {rows}, counted from 0")]
    Row {
        /// The row.
        row: usize,
        /// Number of rows in the file.
        rows: usize,
    },
}

/// The network that `config` describes, with fresh weights that depend on `seed`.
///
/// # Errors
/// An unknown architecture.
pub fn fresh(config: &ModelConfig, classes: usize, seed: u64) -> Result<Net, StartError> {
    let mut net = Net::new(&config.arch, classes, config.precision, seed as i64)?;
    net.keep_statistics = config.keep_statistics;
    Ok(net)
}

/// Fills the network from `config.start`; without one it keeps its weights.
///
/// # Errors
/// A file that cannot be read or does not fit.
pub fn fill(config: &ModelConfig, net: &Net) -> Result<(), StartError> {
    let Some(path) = &config.start else { return Ok(()) };
    let tensors = match &config.start_head {
        StartHead::Same => weights::load(path, &net.params.shapes())?,
        other => with_another_head(path, net, other)?,
    };
    Ok(net.params.load(|name| tensors.find(name))?)
}

/// The file's weights with a head for the run's classes.
fn with_another_head(path: &Path, net: &Net, start_head: &StartHead) -> Result<Tensors, StartError> {
    let head = net.plan.head_names();
    let (own, trunk): (Vec<_>, Vec<_>) = net.params.export().into_iter().partition(|(name, ..)| head.contains(name));
    let trunk: Vec<_> = trunk.into_iter().map(|(name, shape, _)| (name, shape)).collect();
    let mut tensors = weights::load_beside(path, &trunk, &head)?;
    for (name, shape, values) in own {
        let replaced = match start_head {
            StartHead::Rows(rows) => rows_of(tensors.any_shape(&name)?, rows, shape[0])?,
            StartHead::Same | StartHead::Fresh => Array::new(shape, values)?,
        };
        tensors.insert(&name, replaced);
    }
    Ok(tensors)
}

/// The rows of a head's weight [K, C] or bias [K].
fn rows_of(array: &Array, rows: &[usize], classes: usize) -> Result<Array, StartError> {
    if rows.len() != classes {
        return Err(StartError::Rows { found: rows.len(), wanted: classes });
    }
    let mut shape = array.shape().to_vec();
    let width = shape.iter().skip(1).product();
    let mut values = Vec::with_capacity(rows.len() * width);
    for &row in rows {
        let found = array.values().chunks(width).nth(row);
        values.extend_from_slice(found.ok_or(StartError::Row { row, rows: array.values().len() / width })?);
    }
    shape[0] = rows.len();
    Ok(Array::new(shape, values)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::model::{Precision, values_of};

    fn config(folder: &Path, start_head: StartHead) -> ModelConfig {
        ModelConfig {
            arch: "resnet20".into(),
            start: Some(folder.join("start.safetensors")),
            start_head,
            keep_statistics: false,
            precision: Precision::Fp32,
        }
    }

    /// A file of a network of four classes whose head's biases are 0, 1, 2, 3.
    fn write_start(folder: &Path) -> Net {
        let net = Net::new("resnet20", 4, Precision::Fp32, 3).unwrap();
        let mut file = Checkpoint::default();
        for (name, shape, values) in net.params.export() {
            let values = if name == "linear.bias" { vec![0.0, 1.0, 2.0, 3.0] } else { values };
            file.tensors.insert(name, (shape, values));
        }
        file.write(&folder.join("start.safetensors")).unwrap();
        net
    }

    #[test]
    fn a_head_of_other_classes_is_refused_replaced_or_cut() {
        let folder = tempfile::tempdir().unwrap();
        let start = write_start(folder.path());
        let filled = |start_head: StartHead| {
            let config = config(folder.path(), start_head);
            let net = fresh(&config, 2, 9).unwrap();
            fill(&config, &net).map(|()| net)
        };
        let text = filled(StartHead::Same).unwrap_err().to_string();
        assert!(text.contains("linear.weight [4, 64], wanted [2, 64]"), "{text}");

        let cut = filled(StartHead::Rows(vec![3, 1])).unwrap();
        assert_eq!(values_of(cut.head_bias()), [3.0, 1.0]);
        assert_eq!(values_of(&cut.head_weight().get(1)), values_of(&start.head_weight().get(1)));
        assert_eq!(values_of(cut.params.at(0)), values_of(start.params.at(0)));

        let fresh_head = filled(StartHead::Fresh).unwrap();
        assert_eq!(values_of(fresh_head.head_bias()), [0.0, 0.0]);
        assert_eq!(values_of(fresh_head.params.at(0)), values_of(start.params.at(0)));

        let refusal = |rows: &[usize]| filled(StartHead::Rows(rows.to_vec())).unwrap_err().to_string();
        assert_eq!(refusal(&[1]), "model.start_head: 1 rows, the run has 2 classes");
        assert_eq!(refusal(&[1, 4]), "model.start_head: row 4, the file's head has 4, counted from 0");
    }
}
