//! Reading and writing named f32 tensors in a `.safetensors` file, with one JSON text of metadata.
//!
//! All metadata goes into a single entry: the format keeps metadata in a hash map, whose order changes from run to
//! run, and a package must come out byte for byte the same from the same input.

use std::collections::{BTreeMap, HashMap};

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Serialize, de::DeserializeOwned};

use super::PackageError;

/// The only metadata key in use.
const METADATA_KEY: &str = "oodwatch";

/// A parsed file: borrowed bytes, tensors by name.
pub(super) struct Tensors<'a> {
    file: &'static str,
    views: SafeTensors<'a>,
    metadata: Option<String>,
}

impl<'a> Tensors<'a> {
    /// Parses the bytes of `file` (named for error texts only).
    pub(super) fn parse(file: &'static str, bytes: &'a [u8]) -> Result<Self, PackageError> {
        let unreadable = |source| PackageError::Tensors { file: file.into(), source };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let views = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let metadata = header.metadata().as_ref().and_then(|map| map.get(METADATA_KEY).cloned());
        Ok(Self { file, views, metadata })
    }

    /// The file's metadata as the type that was written.
    pub(super) fn metadata<T: DeserializeOwned>(&self) -> Result<T, PackageError> {
        let problem = |problem: String| PackageError::Metadata { file: self.file.into(), key: METADATA_KEY, problem };
        let text = self.metadata.as_ref().ok_or_else(|| problem("missing".into()))?;
        serde_json::from_str(text).map_err(|error| problem(error.to_string()))
    }

    /// Names after `prefix`, sorted.
    pub(super) fn names_under(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.views.names().iter().filter_map(|name| name.strip_prefix(prefix)).map(String::from).collect();
        names.sort();
        names
    }

    /// One f32 tensor; `None` in `wanted` leaves that axis free.
    pub(super) fn array(&self, name: &str, wanted: &[Option<usize>]) -> Result<ArrayD<f32>, PackageError> {
        let (axes, values) = self.values(name, wanted)?;
        // There are as many values as the axes want: safetensors has looked.
        ArrayD::from_shape_vec(IxDyn(&axes), values.collect()).map_err(|error| PackageError::TensorValues {
            file: self.file.into(),
            name: name.into(),
            problem: error.to_string(),
        })
    }

    /// The axes and the values of one f32 tensor, as they lie in the file.
    pub(super) fn values(
        &self,
        name: &str,
        wanted: &[Option<usize>],
    ) -> Result<(Vec<usize>, impl ExactSizeIterator<Item = f32> + Clone + use<'a>), PackageError> {
        let view = self.view(name)?;
        let fits = view.dtype() == Dtype::F32
            && view.shape().len() == wanted.len()
            && view.shape().iter().zip(wanted).all(|(have, want)| want.is_none_or(|want| want == *have));
        if !fits {
            return Err(self.wrong_shape(name, &view, wanted));
        }
        let values = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        Ok((view.shape().to_vec(), values))
    }

    /// One f32 tensor of whatever shape it has.
    pub(super) fn any_array(&self, name: &str) -> Result<ArrayD<f32>, PackageError> {
        let axes = vec![None; self.view(name)?.shape().len()];
        self.array(name, &axes)
    }

    fn view(&self, name: &str) -> Result<TensorView<'a>, PackageError> {
        self.views.tensor(name).map_err(|_| {
            let mut present = self.views.names();
            present.sort_unstable();
            PackageError::TensorMissing { file: self.file.into(), name: name.into(), present: present.join(", ") }
        })
    }

    fn wrong_shape(&self, name: &str, view: &TensorView<'_>, wanted: &[Option<usize>]) -> PackageError {
        let axes: Vec<String> =
            wanted.iter().map(|axis| axis.map_or_else(|| "any".to_string(), |n| n.to_string())).collect();
        PackageError::TensorShape {
            file: self.file.into(),
            name: name.into(),
            found: format!("{:?} {:?}", view.dtype(), view.shape()),
            wanted: format!("F32 [{}]", axes.join(", ")),
        }
    }
}

/// Collects tensors and turns them into the bytes of a file.
#[derive(Default)]
pub(super) struct TensorWriter {
    tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
}

impl TensorWriter {
    /// Adds one tensor.
    pub(super) fn add(&mut self, name: impl Into<String>, array: ArrayViewD<'_, f32>) {
        let bytes = array.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.insert(name.into(), (array.shape().to_vec(), bytes));
    }

    /// The bytes of the file, the same for the same content.
    pub(super) fn finish<T: Serialize>(self, file: &'static str, metadata: &T) -> Result<Vec<u8>, PackageError> {
        let failed = |source| PackageError::Tensors { file: file.into(), source };
        let text = serde_json::to_string(metadata).map_err(|error| PackageError::Metadata {
            file: file.into(),
            key: METADATA_KEY,
            problem: error.to_string(),
        })?;
        let views = self
            .tensors
            .iter()
            .map(|(name, (shape, bytes))| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        safetensors::serialize(views, Some(HashMap::from([(METADATA_KEY.to_string(), text)]))).map_err(failed)
    }
}

/// Refuses infinities and NaN, which no tensor of a package may hold.
pub(super) fn all_finite<'a>(
    file: &str,
    name: &str,
    values: impl IntoIterator<Item = &'a f32>,
) -> Result<(), PackageError> {
    match values.into_iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(PackageError::TensorValues {
            file: file.into(),
            name: name.into(),
            problem: format!("value {index} is not finite"),
        }),
    }
}
