//! Makes a package of any classifier in ONNX: bring your own network.
//!
//! [`adopt`] finds the logits and the features in the graph, makes them outputs, reads the classifier head where the
//! last layer is a plain one, and proves all of it by running the network on synthetic pictures: nothing is
//! believed for the looks of the graph alone. The package it makes is not calibrated; `oodwatch calibrate` does that on
//! pictures of the user's own.
//!
//! The file's own bytes stay as they are; nodes are added behind (and, for other inputs, in front of) the network.
//! There is no training here and no libtorch.

mod batch;
mod error;
mod find;
mod head;
mod input;
mod list;
mod measure;
mod names;
mod propose;
mod surgery;

use std::collections::BTreeMap;

use ndarray::Array4;

pub use error::AdoptError;
pub use find::Choice;
pub use input::{Axes, Preprocessing};
pub use list::{Listed, list};
pub use propose::{Proposal, propose};

use crate::decode::DecodeConfig;
use crate::infer::{ExecutionProvider, Network, NetworkOptions, Precision};
use crate::onnx::Model;
use crate::package::{
    Calibration, GOLDEN_TOLERANCE, Golden, Head, InputSpec, LocalSpec, Manifest, OutputSpec, SCHEMA, sha256_hex,
};
use crate::score::Fitted;
use crate::self_test::SelfTestError;
use crate::view::ViewConfig;
use crate::{score, self_test, synthetic};
use measure::{Measured, Wanted, measure};
use surgery::{Local, Outputs, Surgery};

/// What the caller says about a network.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The file's name, for the provenance.
    pub file: String,
    /// Tensor with the logits; found if left out.
    pub logits: Option<String>,
    /// Tensor with the features; found if left out.
    pub features: Option<String>,
    /// Class names in the order of the logits.
    pub classes: Vec<String>,
    /// From a picture to the network's input.
    pub preprocessing: Preprocessing,
}

/// All that a package is written from, and how it was come by.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// The network.
    pub model_onnx: Vec<u8>,
    /// Its manifest.
    pub manifest: Manifest,
    /// No scores yet; the head where there is one.
    pub calibration: Calibration,
    /// Synthetic pictures with what the network makes of them.
    pub golden: Golden,
    /// The tensor that became `logits`.
    pub logits: Choice,
    /// The tensor that became `features`.
    pub features: Choice,
    /// The largest |W z + b - logits| over the golden pictures, where the head is known.
    pub head_difference: Option<f64>,
    /// The tensor that became `local_norms` and `local_logits`.
    pub map: Option<String>,
}

/// Makes a package's contents of the bytes of an ONNX file.
///
/// # Errors
/// [`AdoptError`]: the file, a name or a shape is not what it should be; the text says what is.
pub fn adopt(onnx: &[u8], request: &Request) -> Result<Adopted, AdoptError> {
    let model = Model::parse(onnx)?;
    let Proposal { logits, features, map, head } = Proposal::of(&model, request)?;
    let wanted = Wanted { logits: &logits.tensor, features: &features.tensor, map: map.as_deref() };

    let mut surgery = Surgery::new(onnx, &model, &request.preprocessing)?;
    let input = surgery.input.spec.clone();
    let pictures = pictures(&input)?;
    let measured = measure(&surgery.exposing(&wanted.tensors())?, &input.name, pictures.view(), &wanted)?;
    check_classes(request, &logits.tensor, measured.logits.ncols())?;
    let (head, head_difference) = head.and_then(|head| proved(head, &measured)).unzip();

    let outputs = outputs(&wanted, &measured, head.as_ref());
    let map = outputs.local.as_ref().map(|local| local.map.to_owned());
    let manifest = Manifest {
        schema: SCHEMA,
        classes: request.classes.clone(),
        input,
        output: OutputSpec { features: outputs.channels, local: outputs.local.as_ref().map(|local| local.size) },
        provenance: provenance(onnx, &model, request, &wanted),
        view: ViewConfig::default(),
        decode: DecodeConfig::default(),
        files: BTreeMap::new(),
    };
    let model_onnx = surgery.finish(&outputs)?;
    let calibration = uncalibrated(head);
    let golden = golden(&model_onnx, &manifest, &calibration, pictures)?;
    Ok(Adopted { model_onnx, manifest, calibration, golden, logits, features, head_difference, map })
}

/// What becomes the package's outputs, after what the network computed.
fn outputs<'a>(wanted: &Wanted<'a>, measured: &'a Measured, head: Option<&'a Head>) -> Outputs<'a> {
    let map = if measured.pool { Some(wanted.features) } else { wanted.map };
    let local = map.zip(measured.map.as_ref()).zip(head).map(|((map, values), head)| Local {
        map,
        size: LocalSpec { height: values.shape()[2], width: values.shape()[3] },
        head,
        norm_scale: norm_scale(values),
    });
    Outputs {
        logits: wanted.logits,
        classes: measured.logits.ncols(),
        features: wanted.features,
        channels: measured.features.ncols(),
        pool: measured.pool,
        local,
    }
}

/// The golden pictures: fewer where they are large, two at least.
fn pictures(spec: &InputSpec) -> Result<Array4<f32>, AdoptError> {
    const VALUES: usize = 4 << 20;
    let count = (VALUES / spec.chw().iter().product::<usize>().max(1)).clamp(2, 8);
    Ok(synthetic::inputs(spec, count)?)
}

fn check_classes(request: &Request, logits: &str, wanted: usize) -> Result<(), AdoptError> {
    match request.classes.len() {
        found if found == wanted => Ok(()),
        found => Err(AdoptError::Classes { found, tensor: logits.into(), wanted }),
    }
}

/// The head with its largest difference from the logits; `None` where it is not what makes them.
fn proved(head: Head, measured: &Measured) -> Option<(Head, f64)> {
    let difference = head::prove(&head, measured.features.view(), measured.logits.view())?;
    Some((head, difference))
}

/// The power of two nearest to the mean local norm.
fn norm_scale(map: &Array4<f32>) -> f32 {
    let squares = map.map(|value| value * value).sum_axis(ndarray::Axis(1));
    let mean = squares.map(|square| square.sqrt()).mean().filter(|mean| mean.is_normal());
    mean.map_or(1.0, |mean| mean.log2().round().exp2())
}

fn uncalibrated(head: Option<Head>) -> Calibration {
    Calibration {
        head,
        fitted: Fitted::default(),
        scores: BTreeMap::new(),
        fusions: BTreeMap::new(),
        images: 0,
        origin: "not calibrated".into(),
        precision: Precision::Fp32.to_string(),
        execution_provider: ExecutionProvider::Cpu.to_string(),
    }
}

fn provenance(onnx: &[u8], model: &Model<'_>, request: &Request, wanted: &Wanted<'_>) -> toml::Table {
    let entries = [
        ("file", request.file.clone()),
        ("sha256", sha256_hex(onnx)),
        ("producer", model.producer.to_owned()),
        ("logits", wanted.logits.to_owned()),
        ("features", wanted.features.to_owned()),
    ];
    let adopted: toml::Table = entries.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let program = concat!("oodwatch ", env!("CARGO_PKG_VERSION"));
    toml::Table::from_iter([("adopted".to_owned(), adopted.into()), ("exported_by".to_owned(), program.into())])
}

/// Opens the finished network as a robot would, runs the pictures, and has the self-test repeat it.
fn golden(
    onnx: &[u8],
    manifest: &Manifest,
    calibration: &Calibration,
    inputs: Array4<f32>,
) -> Result<Golden, AdoptError> {
    let mut network = Network::from_onnx(onnx, manifest, &NetworkOptions::default())?;
    let outputs = network.run(inputs.view())?;
    let golden = Golden::new(inputs, outputs, GOLDEN_TOLERANCE, manifest, calibration).map_err(SelfTestError::from)?;
    let scored = score::Model::new(manifest, calibration.head.as_ref(), &calibration.fitted);
    self_test::run(&mut network, &golden, &scored, None)?;
    Ok(golden)
}

#[cfg(test)]
mod tests;
