//! `manifest.toml`: what a package's network takes, what it gives, and where it comes from.
//!
//! The manifest is the root of trust of a package: it names the sha256 of every other file, and its own sha256 is
//! the package's id, which every verdict carries.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{MODEL_FILE, PackageError, check_manifest};
use crate::decode::DecodeConfig;
use crate::view::ViewConfig;

/// The newest manifest schema that this build reads; it writes this one.
pub const SCHEMA: u32 = 1;

/// The whole of `manifest.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Layout version of the package; a package newer than [`SCHEMA`] is refused.
    pub schema: u32,
    /// Class names in the order of the network's logits, K of them.
    pub classes: Vec<String>,
    /// What the network takes, and how a picture becomes that.
    pub input: InputSpec,
    /// What the network gives.
    pub output: OutputSpec,
    /// How the network was made: loss, lambda, rule, seed, data, metrics. For readers; the runtime uses none of it.
    #[serde(default)]
    pub provenance: toml::Table,
    /// What the camera's pictures went through when the package was calibrated; absent where they were taken as they are.
    #[serde(default, skip_serializing_if = "ViewConfig::is_none")]
    pub view: ViewConfig,
    /// How the camera's pictures were decoded when the package was calibrated; absent where they were decoded whole.
    #[serde(default, skip_serializing_if = "DecodeConfig::is_none")]
    pub decode: DecodeConfig,
    /// sha256 (lower-case hex) of every other file of the package, by file name. Filled in when a package is written.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// The network's input and the way from an RGB picture to it: resize, then `x * scale`, then `(x - mean) / std`
/// per channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Name of the input tensor in the ONNX graph.
    pub name: String,
    /// Element type of the input tensor.
    pub dtype: DType,
    /// Order of the input tensor's axes.
    pub layout: Layout,
    /// Width of the input in pixels.
    pub width: u32,
    /// Height of the input in pixels.
    pub height: u32,
    /// What happens to a picture of another size.
    pub resize: Resize,
    /// Order of the network's colour channels.
    pub color: Color,
    /// Multiplies every 8-bit value; usually 1/255.
    pub scale: f32,
    /// Per-channel mean in the order of `color`, subtracted after scaling.
    pub mean: [f32; 3],
    /// Per-channel standard deviation, divided by last; positive.
    pub std: [f32; 3],
}

impl InputSpec {
    /// Width and height, in pixels.
    pub fn size_px(&self) -> (u32, u32) {
        (self.width, self.height)
    }
}

/// What the network gives. `logits` [N, K] and `features` [N, C] always; the local outputs where it has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// C: length of the pooled penultimate feature.
    pub features: usize,
    /// Size of the map behind `local_norms` [N, H, W] and `local_logits` [N, K, H, W]; absent where the network
    /// gives neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalSpec>,
}

/// Size of the last convolutional feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalSpec {
    /// H of the map, in locations.
    pub height: usize,
    /// W of the map, in locations.
    pub width: usize,
}

/// Element type of the input tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DType {
    /// 32-bit IEEE floating point.
    Float32,
}

/// Order of the input tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Image, channel, row, column.
    Nchw,
}

/// What happens to a picture whose size is not the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The whole picture is resampled to the network's size, whatever its shape.
    Stretch,
    /// The largest centred rectangle of the network's shape is resampled to the network's size.
    CenterCrop,
}

/// Order of the colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Color {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red, as OpenCV has it.
    Bgr,
}

impl Manifest {
    /// Reads and checks the bytes of a manifest; `path` is what errors call it.
    ///
    /// # Errors
    /// No TOML, an unknown key, a value out of range, or a newer schema. The schema is looked at before anything else, so
    /// that a newer package is called newer rather than malformed.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, PackageError> {
        let malformed = |error: toml::de::Error| PackageError::Manifest { path: path.into(), source: Box::new(error) };
        let text = String::from_utf8_lossy(bytes);
        let table: toml::Table = text.parse().map_err(malformed)?;
        if let Some(found) = table.get("schema").and_then(toml::Value::as_integer)
            && found > i64::from(SCHEMA)
        {
            return Err(PackageError::NewerSchema { path: path.into(), found, newest: SCHEMA });
        }
        let manifest: Self = toml::from_str(&text).map_err(malformed)?;
        check_manifest(path, &manifest)?;
        Ok(manifest)
    }

    /// sha256 of `model.onnx`, lower-case hex; empty in a manifest that has not been written with its files.
    pub fn model_sha256(&self) -> &str {
        self.files.get(MODEL_FILE).map_or("", String::as_str)
    }

    /// K: the number of classes.
    pub fn class_count(&self) -> usize {
        self.classes.len()
    }
}

impl InputSpec {
    /// Shape of one input tensor without its batch axis: channels, rows, columns.
    pub fn chw(&self) -> [usize; 3] {
        [3, self.height as usize, self.width as usize]
    }
}
