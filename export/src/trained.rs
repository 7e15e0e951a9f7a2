//! A finished network: its weights, what it takes and gives, and libtorch to run it.
//!
//! The outputs come in the runtime's own type, so that scores, comparisons and golden vectors are
//! computed by the same code for libtorch and for ONNX Runtime.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{Array, Array1, Array2, ArrayView4, Dimension, Ix2, Ix3, Ix4};
use oodwatch::infer::NetworkOutputs;
use oodwatch::package::{Color, DType, Head, InputSpec, Layout, LocalSpec, OutputSpec, Resize};
use tch::{Kind, Tensor, no_grad};
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::data::{DataSource, Normalise};
use crate::model::{Forward, ModelError, Net, Precision};
use crate::weights::{Tensors, WeightsError};

/// Why a checkpoint could not be put to work.
#[derive(Debug, Error)]
pub enum TrainedError {
    /// The file cannot be read, or lacks a description.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The weights do not fit their architecture.
    #[error("{path}: {source}", path = path.display())]
    Model {
        /// The checkpoint.
        path: PathBuf,
        /// What does not fit.
        source: ModelError,
    },
    /// A tensor is not what its shape says.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// libtorch gave a tensor of another kind or shape than asked for.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// An output has another number of values than its shape.
    #[error("libtorch: output of another shape: {0}")]
    Shape(#[from] ndarray::ShapeError),
}

/// A finished network.
#[derive(Debug)]
pub struct Trained {
    /// The network in libtorch.
    pub net: Net,
    /// Its weights by name.
    pub tensors: Tensors,
    /// Names of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// What it takes.
    pub input: InputSpec,
    /// What it gives.
    pub output: OutputSpec,
    /// How it was made.
    pub provenance: serde_json::Value,
    /// The ID pictures that it was trained on, where the checkpoint says so.
    pub training: Option<DataSource>,
    /// The ID pictures that it was never trained on, where the checkpoint says so.
    pub held_out: Option<DataSource>,
}

impl Trained {
    /// Reads a checkpoint that training wrote.
    ///
    /// # Errors
    /// A file that is damaged, does not say what it holds, or holds weights of another shape.
    pub fn open(path: &Path) -> Result<Self, TrainedError> {
        let checkpoint = Checkpoint::read(path)?;
        let classes: Vec<String> = checkpoint.json("classes")?;
        let model = |source| TrainedError::Model { path: path.into(), source };
        let net = Net::new(checkpoint.text("arch")?, classes.len(), Precision::Fp32, 0).map_err(model)?;
        let find =
            |name: &str| checkpoint.tensors.get(name).map(|(shape, values)| (shape.as_slice(), values.as_slice()));
        net.params.load(find).map_err(model)?;

        let parts: BTreeMap<_, _> =
            net.params.export().into_iter().map(|(name, shape, values)| (name, (shape, values))).collect();
        let [height, width]: [u32; 2] = checkpoint.json("input")?;
        let input = input_spec(height, width, &checkpoint.json("normalise")?);
        let output = no_grad(|| output_spec(&net, &input));
        let held_out = checkpoint.metadata.contains_key("test").then(|| checkpoint.json("test")).transpose()?;
        let provenance: serde_json::Value = checkpoint.json("provenance")?;
        let training = provenance.get("data").cloned().and_then(|data| serde_json::from_value(data).ok());
        let tensors = Tensors::from_parts(&parts)?;
        Ok(Self { tensors, net, classes, input, output, provenance, training, held_out })
    }

    /// The classifier head.
    ///
    /// # Errors
    /// [`TrainedError::Weights`]: its weights are of another shape than classes and features say.
    pub fn head(&self) -> Result<Head, TrainedError> {
        let shape = [self.classes.len(), self.output.features];
        let [weight, bias] = self.net.plan.head_names();
        let weight = self.tensors.get(&weight, &shape)?.values().to_vec();
        let bias = self.tensors.get(&bias, &shape[..1])?.values().to_vec();
        Ok(Head { weight: Array2::from_shape_vec(shape, weight)?, bias: Array1::from(bias) })
    }

    /// Runs a prepared batch [N, 3, H, W] through libtorch, where the network lies; there lies what comes out.
    pub fn forward(&self, batch: ArrayView4<'_, f32>) -> Forward {
        let shape: Vec<i64> = batch.shape().iter().map(|&d| d as i64).collect();
        let contiguous = batch.as_standard_layout();
        let x =
            Tensor::from_slice(contiguous.as_slice().unwrap_or_default()).reshape(shape).to_device(self.net.device());
        no_grad(|| self.net.forward(&x, false))
    }

    /// All outputs that the package's network has, computed by libtorch.
    ///
    /// # Errors
    /// [`TrainedError::Torch`], [`TrainedError::Shape`]: libtorch and this program disagree on a shape.
    pub fn outputs(&self, forward: &Forward) -> Result<NetworkOutputs, TrainedError> {
        let map = &forward.feature_map;
        let (norms, local_logits) = no_grad(|| {
            let norms = map.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float).sqrt();
            let head = self.net.head_weight().unsqueeze(-1).unsqueeze(-1);
            (norms, map.conv2d(&head, Some(self.net.head_bias()), [1, 1], [0, 0], [1, 1], 1))
        });
        Ok(NetworkOutputs {
            logits: array::<Ix2>(&forward.logits)?,
            features: array::<Ix2>(&forward.features)?,
            local_norms: Some(array::<Ix3>(&norms)?),
            local_logits: Some(array::<Ix4>(&local_logits)?),
        })
    }
}

fn input_spec(height: u32, width: u32, normalise: &Normalise) -> InputSpec {
    InputSpec {
        name: "input".into(),
        dtype: DType::Float32,
        layout: Layout::Nchw,
        width,
        height,
        resize: Resize::CenterCrop,
        color: Color::Rgb,
        scale: 1.0 / 255.0,
        mean: normalise.mean,
        std: normalise.std,
    }
}

/// Sizes of the outputs, asked of the network itself.
fn output_spec(net: &Net, input: &InputSpec) -> OutputSpec {
    let shape = [1, 3, i64::from(input.height), i64::from(input.width)];
    let map = net.forward(&Tensor::zeros(shape, tch::kind::FLOAT_CPU), false).feature_map.size();
    let local = LocalSpec { height: map[2] as usize, width: map[3] as usize };
    OutputSpec { features: map[1] as usize, local: Some(local) }
}

/// A tensor's values in row-major order.
fn array<D: Dimension>(tensor: &Tensor) -> Result<Array<f32, D>, TrainedError> {
    let shape: Vec<usize> = tensor.size().iter().map(|&d| d as usize).collect();
    let values = Vec::<f32>::try_from(tensor.detach().contiguous().reshape([-1]))?;
    Ok(Array::from_shape_vec(shape, values)?.into_dimensionality::<D>()?)
}

#[cfg(test)]
pub(crate) mod fixture;
