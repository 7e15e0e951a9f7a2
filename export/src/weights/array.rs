//! Plain tensors: a shape, values, and a table of them by name.

use std::collections::BTreeMap;

use super::WeightsError;

/// A row-major f32 tensor. Holds exactly as many values as its shape says.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Array {
    /// A tensor of that shape (extents, outermost first).
    ///
    /// # Errors
    /// [`WeightsError::Size`] when the values do not fill the shape.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Result<Self, WeightsError> {
        if shape.iter().product::<usize>() != values.len() {
            return Err(WeightsError::Size { shape, values: values.len() });
        }
        Ok(Self { shape, values })
    }

    /// A one-dimensional tensor.
    pub fn vector(values: Vec<f32>) -> Self {
        Self { shape: vec![values.len()], values }
    }

    /// A tensor without dimensions.
    pub fn scalar(value: f32) -> Self {
        Self { shape: Vec::new(), values: vec![value] }
    }

    /// Extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Values, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// Tensors by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors {
    by_name: BTreeMap<String, Array>,
}

impl Tensors {
    /// Adds a tensor, replacing one of the same name.
    pub fn insert(&mut self, name: &str, array: Array) {
        self.by_name.insert(name.to_owned(), array);
    }

    /// The tensor of that name, which must have that shape.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Shape`].
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&Array, WeightsError> {
        let array = self.any_shape(name)?;
        if array.shape != shape {
            let found = array.shape.clone();
            return Err(WeightsError::Shape { name: name.to_owned(), found, wanted: shape.to_vec() });
        }
        Ok(array)
    }

    /// The tensor of that name, whatever its shape.
    ///
    /// # Errors
    /// [`WeightsError::Missing`].
    pub fn any_shape(&self, name: &str) -> Result<&Array, WeightsError> {
        self.by_name.get(name).ok_or_else(|| WeightsError::Missing { name: name.to_owned() })
    }

    /// Shape and values, or nothing, for code that makes its own errors.
    pub fn find(&self, name: &str) -> Option<(&[usize], &[f32])> {
        self.by_name.get(name).map(|array| (array.shape(), array.values()))
    }

    /// A table of (shape, values) by name, as checkpoints hold it.
    ///
    /// # Errors
    /// [`WeightsError::Size`] when a shape and its values do not belong together.
    pub fn from_parts(parts: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) -> Result<Self, WeightsError> {
        let mut tensors = Self::default();
        for (name, (shape, values)) in parts {
            tensors.insert(name, Array::new(shape.clone(), values.clone())?);
        }
        Ok(tensors)
    }
}
