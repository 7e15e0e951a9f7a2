//! Checkpoints: weights and, while a run lasts, the optimiser's state, in one .safetensors file.
//!
//! Metadata strings say what the weights are: `arch`, and `classes`, `normalise`, `provenance` as JSON.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::files::write_whole;

/// The format writes its own map of metadata strings in random order; one JSON string keeps files equal byte for byte.
const METADATA_KEY: &str = "oodwatch";

/// Named FP32 tensors (shape, row-major values) and the strings that describe them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    /// By name: shape and values.
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// What the tensors are.
    pub metadata: BTreeMap<String, String>,
}

/// What goes wrong with a checkpoint file.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("checkpoint: {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not in the safetensors format.
    #[error("checkpoint: {path}: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: safetensors::SafeTensorError,
    },
    /// A tensor is not FP32.
    #[error("checkpoint: {path}: tensor {name:?} is {found:?}, F32 is needed", path = path.display())]
    NotFp32 {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: Dtype,
    },
    /// A metadata string is missing or has another meaning than expected.
    #[error("checkpoint: metadata {key:?}: found {found:?}, wanted {wanted}")]
    Metadata {
        /// Its name.
        key: &'static str,
        /// Its text, if it is there.
        found: Option<String>,
        /// What it should hold.
        wanted: &'static str,
    },
}

impl Checkpoint {
    /// Reads a file.
    ///
    /// # Errors
    /// An unreadable file, a truncated or foreign one, tensors that are not FP32.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::File { path: path.into(), source })?;
        let format = |source| CheckpointError::Format { path: path.into(), source };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(format)?;
        let metadata = header.metadata().as_ref().and_then(|strings| strings.get(METADATA_KEY));
        let metadata = metadata.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let mut tensors = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(&bytes).map_err(format)?.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(CheckpointError::NotFp32 { path: path.into(), name, found: view.dtype() });
            }
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            tensors.insert(name, (view.shape().to_vec(), values));
        }
        Ok(Self { tensors, metadata })
    }

    /// Writes the file whole or not at all. Equal checkpoints give equal bytes.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes: BTreeMap<&str, Vec<u8>> =
            self.tensors.iter().map(|(name, (_, v))| (name.as_str(), le_bytes(v))).collect();
        let format = |source| CheckpointError::Format { path: path.into(), source };
        let views = self.tensors.iter().map(|(name, (shape, _))| {
            TensorView::new(Dtype::F32, shape.clone(), &bytes[name.as_str()]).map(|view| (name, view))
        });
        let views: Vec<_> = views.collect::<Result<_, _>>().map_err(format)?;
        let header = HashMap::from([(METADATA_KEY.to_string(), serde_json::json!(self.metadata).to_string())]);
        let file = safetensors::serialize(views, Some(header)).map_err(format)?;
        write_whole(path, &file).map_err(|source| CheckpointError::File { path: path.into(), source })
    }

    /// A metadata string.
    ///
    /// # Errors
    /// The string is not there.
    pub fn text(&self, key: &'static str) -> Result<&str, CheckpointError> {
        let wanted = "a string";
        self.metadata.get(key).map(String::as_str).ok_or(CheckpointError::Metadata { key, found: None, wanted })
    }

    /// A metadata string parsed as JSON.
    ///
    /// # Errors
    /// The string is not there, or is not the JSON of a `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self, key: &'static str) -> Result<T, CheckpointError> {
        let text = self.text(key)?;
        let wanted = std::any::type_name::<T>();
        serde_json::from_str(text).map_err(|_| CheckpointError::Metadata { key, found: Some(text.into()), wanted })
    }
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Checkpoint {
        Checkpoint {
            tensors: BTreeMap::from([
                ("a".into(), (vec![2, 1], vec![1.5, -2.0])),
                ("b".into(), (vec![], vec![f32::MIN])),
            ]),
            metadata: BTreeMap::from([("arch".into(), "resnet20".into()), ("classes".into(), "[\"cat\"]".into())]),
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_equal_checkpoints_give_equal_files() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        sample().write(&one).unwrap();
        sample().write(&two).unwrap();
        assert_eq!(Checkpoint::read(&one).unwrap(), sample());
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    }

    #[test]
    fn a_truncated_file_and_a_missing_string_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cut.safetensors");
        sample().write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let text = Checkpoint::read(&path).unwrap_err().to_string();
        assert!(text.contains("cut.safetensors"), "{text}");
        let text = sample().json::<Vec<u32>>("classes").unwrap_err().to_string();
        assert!(text.contains("classes") && text.contains("cat"), "{text}");
        assert!(sample().text("normalise").is_err());
    }
}
