//! One weight file of any form: which tensors it has, and their values as f32 on demand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use pytorch_reader::{DType, PytorchReader};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::WeightsError;

/// An open weight file. Values are decoded only when asked for.
pub(super) struct WeightFile {
    path: PathBuf,
    shapes: BTreeMap<String, Vec<usize>>,
    content: Content,
}

enum Content {
    Safetensors(Vec<u8>),
    Pytorch(PytorchReader),
}

/// The float types that weights come in.
#[derive(Clone, Copy)]
enum Float {
    F64,
    F32,
    F16,
    Bf16,
}

impl WeightFile {
    /// Recognises the form by content and lists the tensors.
    pub(super) fn open(path: &Path) -> Result<Self, WeightsError> {
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Read { path: path.into(), source })?;
        if is_safetensors(&bytes) { Self::safetensors(path, bytes) } else { Self::pytorch(path, bytes) }
    }

    /// Shape of every tensor by its full name in the file.
    pub(super) fn shapes(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.shapes
    }

    /// Values of a tensor, row-major.
    pub(super) fn values(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let values = match &self.content {
            Content::Safetensors(bytes) => self.values_of_safetensors(bytes, name)?,
            Content::Pytorch(reader) => self.values_of_pytorch(reader, name)?,
        };
        match values.iter().filter(|v| !v.is_finite()).count() {
            0 => Ok(values),
            count => {
                let (path, name, total) = (self.path.clone(), name.to_owned(), values.len());
                Err(WeightsError::NotFinite { path, name, count, total })
            }
        }
    }

    fn safetensors(path: &Path, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        let damaged = |source| WeightsError::Safetensors { path: path.into(), source };
        let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let shapes = tensors.iter().map(|(name, view)| (name.to_owned(), view.shape().to_vec())).collect();
        Ok(Self { path: path.into(), shapes, content: Content::Safetensors(bytes) })
    }

    fn pytorch(path: &Path, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        let foreign = |source| WeightsError::Pytorch { path: path.into(), source };
        let reader = PytorchReader::from_bytes(bytes, None).map_err(foreign)?;
        let shapes = reader.tensors().iter().map(|(name, t)| (name.clone(), t.shape().to_vec())).collect();
        Ok(Self { path: path.into(), shapes, content: Content::Pytorch(reader) })
    }

    fn values_of_safetensors(&self, bytes: &[u8], name: &str) -> Result<Vec<f32>, WeightsError> {
        let damaged = |source| WeightsError::Safetensors { path: self.path.clone(), source };
        let view = SafeTensors::deserialize(bytes).and_then(|t| t.tensor(name)).map_err(damaged)?;
        let float = match view.dtype() {
            Dtype::F64 => Float::F64,
            Dtype::F32 => Float::F32,
            Dtype::F16 => Float::F16,
            Dtype::BF16 => Float::Bf16,
            other => return Err(self.not_a_float(name, format!("{other:?}"))),
        };
        Ok(decode(float, view.data()))
    }

    fn values_of_pytorch(&self, reader: &PytorchReader, name: &str) -> Result<Vec<f32>, WeightsError> {
        let tensor = reader.get(name).ok_or_else(|| WeightsError::Missing { name: name.to_owned() })?;
        let float = match tensor.dtype() {
            DType::F64 => Float::F64,
            DType::F32 => Float::F32,
            DType::F16 => Float::F16,
            DType::BF16 => Float::Bf16,
            other => return Err(self.not_a_float(name, format!("{other:?}"))),
        };
        let bytes = tensor.read().map_err(|source| WeightsError::Read { path: self.path.clone(), source })?;
        Ok(decode(float, &bytes))
    }

    fn not_a_float(&self, name: &str, found: String) -> WeightsError {
        WeightsError::Type { path: self.path.clone(), name: name.to_owned(), found }
    }
}

/// A safetensors file starts with the length of its header, eight bytes, and the header's brace.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    rest.first() == Some(&b'{') && u64::from_le_bytes(*length) <= rest.len() as u64
}

/// Little-endian elements as f32; f64 is rounded to the nearest.
fn decode(float: Float, bytes: &[u8]) -> Vec<f32> {
    match float {
        Float::F64 => elements(bytes, |b| f64::from_le_bytes(b) as f32),
        Float::F32 => elements(bytes, f32::from_le_bytes),
        Float::F16 => elements(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Float::Bf16 => elements(bytes, |b| bf16::from_le_bytes(b).to_f32()),
    }
}

fn elements<const SIZE: usize>(bytes: &[u8], decode: impl Fn([u8; SIZE]) -> f32) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks::<SIZE>();
    elements.iter().map(|&element| decode(element)).collect()
}
