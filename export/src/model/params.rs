//! Weights in a fixed order, so that sums over them and files made of them never depend on a hash map.

use tch::{Device, Kind, Tensor, no_grad};

use super::{ModelError, channels_last};

/// What the optimiser may do with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Trained by gradient descent.
    Trainable,
    /// Running statistics: saved and loaded, never given a gradient.
    Buffer,
}

/// Named FP32 tensors in the order in which they were declared.
#[derive(Debug, Default)]
pub struct ParamStore {
    entries: Vec<(String, Role, Tensor)>,
}

impl ParamStore {
    /// Adds a tensor and returns its position.
    pub(crate) fn add(&mut self, name: impl Into<String>, role: Role, value: Tensor) -> usize {
        let value = if value.dim() == 4 { channels_last(&value) } else { value };
        let value = value.detach().set_requires_grad(role == Role::Trainable);
        self.entries.push((name.into(), role, value));
        self.entries.len() - 1
    }

    /// Moves every tensor to `device`, strides and all.
    pub(crate) fn move_to(&mut self, device: Device) {
        for (_, role, value) in &mut self.entries {
            *value = value.detach().to_device(device).set_requires_grad(*role == Role::Trainable);
        }
    }

    /// The tensor at a position that [`add`](Self::add) returned.
    pub(crate) fn at(&self, index: usize) -> &Tensor {
        &self.entries[index].2
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every entry in declaration order: name, role, tensor.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Role, &Tensor)> {
        self.entries.iter().map(|(name, role, value)| (name.as_str(), *role, value))
    }

    /// The tensors that are trained, in declaration order.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.iter().filter(|(_, role, _)| *role == Role::Trainable).map(|(name, _, value)| (name, value))
    }

    /// Copies values into the existing tensors; `lookup` gives shape and row-major values by name.
    ///
    /// # Errors
    /// A name that `lookup` does not have, or a shape that differs. Then no entry was changed.
    pub fn load<'a>(&self, lookup: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>) -> Result<(), ModelError> {
        load_into(self.iter().map(|(name, _, target)| (name, target)), lookup)
    }

    /// Name and shape of every entry, in declaration order.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.iter().map(|(name, _, value)| (name.to_string(), shape_of(value))).collect()
    }

    /// Shape and row-major values of every entry, in declaration order.
    pub fn export(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        self.iter().map(|(name, _, value)| export_one(name, value)).collect()
    }
}

/// Copies values into existing tensors after all shapes have been compared.
pub(crate) fn load_into<'t, 'a>(
    targets: impl Iterator<Item = (&'t str, &'t Tensor)>,
    lookup: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>,
) -> Result<(), ModelError> {
    let mut copies = Vec::new();
    for (name, target) in targets {
        let (shape, data) = lookup(name).ok_or_else(|| ModelError::MissingWeight { name: name.into() })?;
        let shape: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        if shape != target.size() {
            return Err(ModelError::WrongShape { name: name.into(), found: shape, wanted: target.size() });
        }
        copies.push((target.shallow_clone(), Tensor::from_slice(data).reshape(shape)));
    }
    no_grad(|| copies.iter_mut().for_each(|(target, value)| target.copy_(value)));
    Ok(())
}

/// Name, shape and row-major values of a tensor.
pub(crate) fn export_one(name: &str, tensor: &Tensor) -> (String, Vec<usize>, Vec<f32>) {
    (name.to_string(), shape_of(tensor), values_of(tensor))
}

fn shape_of(tensor: &Tensor) -> Vec<usize> {
    tensor.size().iter().map(|&d| d as usize).collect()
}

/// The values of a tensor, row-major, as FP32.
pub(crate) fn values_of(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_kind(Kind::Float).contiguous().view([-1]);
    let mut values = vec![0f32; flat.numel()];
    let len = values.len();
    flat.copy_data(&mut values, len);
    values
}
