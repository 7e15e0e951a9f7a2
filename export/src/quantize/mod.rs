//! Makes a package in 8-bit integers or half precision of one in f32, with everything anew that depends on numbers.
//!
//! The network's file is changed on the wire ([`int8`], [`fp16`]); what the scores read stays in f32 ([`inner`]). Ranges of activations
//! come from ID pictures alone ([`observe`], [`histogram`]). Then the scores are fitted and their thresholds set with the very
//! network that will run, as `export` does it for the f32 one: a threshold of another number format can move the
//! false-alarm rate without a word.

mod error;
mod fp16;
mod histogram;
mod inner;
mod int8;
mod observe;
mod proof;

use std::path::Path;

use oodwatch::calibrate::Target;
use oodwatch::infer::{Network, Precision, own_precision};
use oodwatch::onnx::Model;
use oodwatch::onnx::build::batch_of;
use oodwatch::onnx::proto::ValueInfoProto;
use oodwatch::package::{self, Manifest, Package};
use oodwatch::score::{Parameters, ScoreName};
use toml::{Table, Value};

pub use error::QuantizeError;
pub use histogram::RangeRule;
pub use int8::Layout;
use int8::Scale;

use crate::data::DataSource;
use crate::package::calibrate::{self, Subject};
use crate::package::{Contents, evenly_spread, on_cpu, origin, rehearse};
use crate::pictures::{Half, Pictures};

/// What a network is to be computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 8-bit integers.
    Int8(Layout),
    /// Half precision.
    Fp16,
}

/// How a package is to be quantised.
#[derive(Debug, Clone)]
pub struct QuantizeOptions {
    /// Number format.
    pub format: Format,
    /// ID pictures that set the thresholds: those that the f32 package's thresholds were set on, or others that the network was never
    /// trained on.
    pub calibration: DataSource,
    /// Which of them.
    pub half: Half,
    /// ID pictures with their classes that ranges are taken from and scores are fitted on; without, those that the package names as its
    /// training pictures.
    pub fit: Option<DataSource>,
    /// How many of them ranges are taken from, evenly spread.
    pub range_pictures: usize,
    /// How ranges follow from them.
    pub ranges: RangeRule,
    /// The scores to calibrate; empty for those of the package.
    pub scores: Vec<ScoreName>,
    /// What the thresholds promise; without, for each score what the package's threshold does.
    pub target: Option<Target>,
    /// Whether a package at the same place is replaced.
    pub force: bool,
}

/// A package that was quantised.
#[derive(Debug, Clone)]
pub struct Quantised {
    /// The new package's id.
    pub id: String,
    /// Layers in the new format.
    pub layers: usize,
    /// Inner layers, by their result, that stay in f32.
    pub left: Vec<String>,
    /// How far the new network is from the f32 one.
    pub difference: proof::Difference,
    /// What the golden outputs are held to.
    pub tolerance: f32,
    /// Bytes of the network before and after.
    pub bytes: [usize; 2],
    /// Share of the pictures that set the thresholds whose class is right, where their classes are known.
    pub accuracy: Option<f64>,
}

/// Makes the package at `out` of the one at `from`.
///
/// # Errors
/// [`QuantizeError`]; then `out` is as it was.
pub fn quantize(from: &Path, out: &Path, options: &QuantizeOptions) -> Result<Quantised, QuantizeError> {
    package::check_place(out, options.force)?;
    let package = Package::open(from)?;
    let original = package.model_onnx()?;
    let found = own_precision(&original)?;
    if found != Precision::Fp32 {
        return Err(QuantizeError::Quantised { found });
    }
    if package.calibration.scores.is_empty() && (options.scores.is_empty() || options.target.is_none()) {
        return Err(QuantizeError::NotCalibrated);
    }
    tell_what_is_lost(&package);
    let fit = options.fit.clone().or_else(|| trained_on(&package.manifest)).ok_or(QuantizeError::NoFit)?;
    if fit == options.calibration {
        log::warn!(
            "quantize: the same pictures give ranges, fit scores and set thresholds; the rate on others will be higher"
        );
    }
    let written = written(&original, &package.manifest, &fit, options)?;

    let pictures = Pictures::unlabelled(&options.calibration)?;
    let indices = options.half.indices(pictures.len());
    let mut network = Network::from_onnx(&written.onnx, &package.manifest, &on_cpu())?;
    let difference = proof::difference(&package, &mut network, (&pictures, &indices))?;
    let calibrated = calibrated(&package, &mut network, (&pictures, &indices), &fit, options)?;
    let mut manifest = described(&package, options, &written, &difference, calibrated.accuracy);
    let calibration = (&manifest, &calibrated.calibration);
    let (golden, deviation) = proof::golden(&package, &written.onnx, calibration, &mut network)?;
    if let Some(Value::Table(told)) = manifest.provenance.get_mut(PROVENANCE) {
        told.insert("golden_deviation".into(), proof::rounded(deviation).into());
    }
    let accuracy = calibrated.accuracy;
    let (bytes, tolerance) = ([original.len(), written.onnx.len()], golden.tolerance);
    let contents = Contents { model_onnx: written.onnx, manifest, calibration: calibrated.calibration, golden };
    rehearse(&contents, out)?;
    let id = contents.write(out, options.force)?;
    Ok(Quantised { id, layers: written.layers, left: written.left, difference, tolerance, bytes, accuracy })
}

/// What a manifest's provenance calls all of this.
const PROVENANCE: &str = "quantised";

/// What `oodwatch calibrate` made on footage cannot be made anew of pictures.
fn tell_what_is_lost(package: &Package) {
    let calibration = &package.calibration;
    let extra = calibration.scores.values().any(|score| score.policy.is_some() || score.per_class.is_some());
    if extra || !calibration.fusions.is_empty() || !package.manifest.view.is_none() {
        log::warn!(
            "quantize: fusions, thresholds per class, policies over time and masks of {} are not taken over; run `oodwatch calibrate` \
             on the new package",
            package.dir.display()
        );
    }
}

/// The training pictures that a package names.
fn trained_on(manifest: &Manifest) -> Option<DataSource> {
    manifest.provenance.get("data").cloned().and_then(|data| data.try_into().ok())
}

/// A network in its new format.
struct Written {
    onnx: Vec<u8>,
    layers: usize,
    left: Vec<String>,
    /// Where ranges come from, in words.
    origin: String,
}

fn written(
    bytes: &[u8],
    manifest: &Manifest,
    fit: &DataSource,
    options: &QuantizeOptions,
) -> Result<Written, QuantizeError> {
    let model = Model::parse(bytes)?;
    let inner = inner::Inner::of(&model.graph)?;
    if inner.layers.is_empty() {
        return Err(QuantizeError::NoLayer);
    }
    let pictures = Pictures::unlabelled(fit)?;
    let all = Half::All.indices(pictures.len());
    let few = QuantizeError::TooFew { what: "training", found: all.len(), wanted: options.range_pictures };
    let indices = evenly_spread(&all, options.range_pictures).ok_or(few)?;
    let known = (&pictures, indices.as_slice());
    let outputs = outputs(&model, manifest);
    let onnx = match options.format {
        Format::Int8(layout) => {
            let points = layout.points(&model.graph, &inner);
            let tensors: Vec<&str> = points.iter().map(|point| point.tensor).collect();
            let seen = observe::observe(bytes, &manifest.input, &tensors, known)?;
            let scale = |tensor: &str| Scale::of(&seen[tensor], options.ranges, layout);
            let points: Vec<_> = points.into_iter().map(|point| (point.clone(), scale(point.tensor))).collect();
            int8::write(bytes, &model, &inner, (layout, &points), outputs)?
        }
        Format::Fp16 => {
            let seen = observe::observe(bytes, &manifest.input, &fp16::tensors(&model.graph, &inner)?, known)?;
            let largest = |(tensor, seen): (&&str, &histogram::Histogram)| ((*tensor).to_owned(), seen.largest());
            if let Some((tensor, value)) = seen.iter().map(largest).find(|(_, value)| *value > fp16::LARGEST) {
                return Err(QuantizeError::Overflow { tensor, value });
            }
            fp16::write(bytes, &model, &inner, outputs)?
        }
    };
    Ok(Written {
        onnx,
        layers: inner.layers.len(),
        left: inner.left.iter().map(|name| (*name).to_owned()).collect(),
        origin: format!("{} of {}", options.range_pictures, origin(fit, Half::All)),
    })
}

/// The network's outputs, declared as they were.
fn outputs(model: &Model<'_>, manifest: &Manifest) -> Vec<ValueInfoProto> {
    let classes = manifest.class_count();
    let local = manifest.output.local.as_ref();
    let known = |name: &&str| match (*name, local) {
        ("logits", _) => Some(batch_of(name, &[classes])),
        ("features", _) => Some(batch_of(name, &[manifest.output.features])),
        ("local_norms", Some(local)) => Some(batch_of(name, &[local.height, local.width])),
        ("local_logits", Some(local)) => Some(batch_of(name, &[classes, local.height, local.width])),
        _ => None,
    };
    model.graph.outputs.iter().filter_map(known).collect()
}

/// Fits and calibrates as the f32 package was, with the new network.
fn calibrated(
    package: &Package,
    network: &mut Network,
    (pictures, indices): (&Pictures, &[usize]),
    fit: &DataSource,
    options: &QuantizeOptions,
) -> Result<calibrate::Calibrated, QuantizeError> {
    let old = &package.calibration;
    let scores = match options.scores.as_slice() {
        [] => old.scores.keys().copied().collect(),
        chosen => chosen.to_vec(),
    };
    let parameters: &Parameters = &old.fitted.parameters;
    let usual = Target::rate(0.05);
    let target = |score| options.target.unwrap_or_else(|| old.scores.get(&score).map_or(usual, |score| score.target));
    let wanted = calibrate::Wanted {
        pictures,
        indices,
        origin: origin(&options.calibration, options.half),
        fit: scores.iter().any(|score| score.needs().fit).then_some(fit),
        scores: &scores,
        parameters,
        target: &target,
    };
    let subject = Subject { manifest: &package.manifest, head: old.head.as_ref() };
    Ok(calibrate::calibrate(&subject, network, wanted)?)
}

/// The f32 package's manifest with where this one comes from. What was measured of the f32 network goes with its id.
fn described(
    package: &Package,
    options: &QuantizeOptions,
    written: &Written,
    difference: &proof::Difference,
    accuracy: Option<f64>,
) -> Manifest {
    let mut manifest = Manifest { view: Default::default(), decode: Default::default(), ..package.manifest.clone() };
    let provenance = &mut manifest.provenance;
    let mut original = Table::from_iter([("package".to_owned(), Value::from(package.id.clone()))]);
    for key in ["parity_with_libtorch", "calibration_accuracy", "metrics"] {
        original.extend(provenance.remove(key).map(|value| (key.to_owned(), value)));
    }
    let mut told = Table::from_iter([
        ("from".to_owned(), Value::from(original)),
        ("pictures".to_owned(), written.origin.clone().into()),
        ("layers".to_owned(), (written.layers as i64).into()),
        ("difference".to_owned(), difference.told().into()),
        ("by".to_owned(), concat!("oodwatch-export ", env!("CARGO_PKG_VERSION")).into()),
    ]);
    match options.format {
        Format::Fp16 => told.insert("precision".into(), Precision::Fp16.as_str().into()),
        Format::Int8(layout) => {
            let word = |value: Result<Value, toml::ser::Error>| value.unwrap_or_else(|_| "".into());
            told.insert("layout".into(), word(Value::try_from(layout)));
            told.insert("ranges".into(), word(Value::try_from(options.ranges)));
            told.insert("precision".into(), Precision::Int8.as_str().into())
        }
    };
    provenance.insert(PROVENANCE.into(), told.into());
    provenance.extend(accuracy.map(|accuracy| ("calibration_accuracy".to_owned(), accuracy.into())));
    manifest
}

#[cfg(test)]
mod fp16_tests;
#[cfg(test)]
mod package_tests;
#[cfg(test)]
mod tests;
