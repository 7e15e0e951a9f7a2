//! Runs a [`Plan`] in libtorch.

use tch::{Device, Kind, Tensor};

use super::{ModelError, ParamStore, Precision, Role, channels_last};
use crate::plan::{Activation, BatchNorm, Conv, Layer, Plan, Residual, Skip, Window};

/// Tensors of a convolution and its batch norm: kernel, weight, bias, running mean, running variance.
const PER_CONV: usize = 5;

/// A network and its weights. They lie in the order in which the plan names its convolutions; the head comes last.
#[derive(Debug)]
pub struct Net {
    /// What it is made of.
    pub plan: Plan,
    /// All weights and running statistics.
    pub params: ParamStore,
    /// Precision of the convolutions; results are reported in FP32.
    pub precision: Precision,
    /// Batch norms take their running statistics while training too, and leave them as they are.
    pub keep_statistics: bool,
}

/// What one pass through a network gives, all of it FP32.
#[derive(Debug)]
pub struct Forward {
    /// F, the last feature map after its activation, [N, C, H, W].
    pub feature_map: Tensor,
    /// z, the mean of F over H and W, [N, C].
    pub features: Tensor,
    /// y = Wc z + b, [N, K].
    pub logits: Tensor,
}

impl Net {
    /// A network with fresh weights (He initialisation) that depend on `seed` alone.
    ///
    /// # Errors
    /// An architecture that there is no plan of.
    pub fn new(arch: &str, classes: usize, precision: Precision, seed: i64) -> Result<Self, ModelError> {
        let plan = Plan::of(arch)?;
        tch::manual_seed(seed);
        let mut params = ParamStore::default();
        plan.convs().for_each(|conv| add_conv(&mut params, conv));
        let (classes, features) = (classes as i64, plan.features as i64);
        let [weight, bias] = plan.head_names();
        params.add(weight, Role::Trainable, he_normal(&[classes, features], features));
        params.add(bias, Role::Trainable, Tensor::zeros([classes], tch::kind::FLOAT_CPU));
        Ok(Self { plan, params, precision, keep_statistics: false })
    }

    /// Runs the network on a normalised batch [N, 3, H, W]. With `train` the batch's own statistics
    /// normalise it and the running statistics move; without, the running statistics are used.
    pub fn forward(&self, x: &Tensor, train: bool) -> Forward {
        let mut pass = Pass { net: self, train: train && !self.keep_statistics, next: 0 };
        let mut x = channels_last(x);
        for layer in &self.plan.layers {
            x = match layer {
                Layer::Conv(conv) => pass.conv(conv, &x),
                Layer::MaxPool { size, stride, padding } => {
                    let [size, stride, padding] = [size, stride, padding].map(|&extent| [extent as i64; 2]);
                    x.max_pool2d(size, stride, padding, [1, 1], false)
                }
                Layer::Residual(block) => pass.residual(block, &x),
            };
        }
        let x = x.to_kind(Kind::Float);
        let features = x.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        let logits = features.linear(self.head_weight(), Some(self.head_bias()));
        Forward { feature_map: x, features, logits }
    }

    /// Moves the network to `device`; an optimiser that was made for it before is of no use any more.
    pub fn move_to(&mut self, device: Device) {
        self.params.move_to(device);
    }

    /// Where its weights lie, and its input has to.
    pub fn device(&self) -> Device {
        self.head_bias().device()
    }

    /// Wc, [K, C].
    pub fn head_weight(&self) -> &Tensor {
        self.params.at(self.params.len() - 2)
    }

    /// b, [K].
    pub fn head_bias(&self) -> &Tensor {
        self.params.at(self.params.len() - 1)
    }
}

/// A way through the network, from weight to weight.
struct Pass<'a> {
    net: &'a Net,
    /// Whether batch norms take the batch's statistics.
    train: bool,
    /// Position of the next convolution's first tensor.
    next: usize,
}

impl Pass<'_> {
    fn conv(&mut self, conv: &Conv, x: &Tensor) -> Tensor {
        let params = &self.net.params;
        let [kernel, weight, bias, mean, var] = std::array::from_fn(|i| params.at(self.next + i));
        self.next += PER_CONV;
        let kind = match self.net.precision {
            Precision::Fp32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        };
        let Window { stride, .. } = conv.window;
        let (x, padding) = padded(conv.window, x);
        let x = x.to_kind(kind).conv2d(
            &kernel.to_kind(kind),
            None::<Tensor>,
            [stride as i64; 2],
            padding,
            [1, 1],
            conv.groups as i64,
        );
        let BatchNorm { eps, momentum } = self.net.plan.batch_norm;
        // CUDA's batch norms take and give what autocast leaves them, and compute in FP32 inside.
        let on_cuda = x.device().is_cuda();
        let x = if on_cuda { x } else { x.to_kind(Kind::Float) };
        let x = x.batch_norm(Some(weight), Some(bias), Some(mean), Some(var), self.train, momentum, eps, on_cuda);
        activated(conv.activation, x)
    }

    fn residual(&mut self, block: &Residual, x: &Tensor) -> Tensor {
        let mut inner = x.shallow_clone();
        for conv in &block.body {
            inner = self.conv(conv, &inner);
        }
        let skipped = match &block.skip {
            Skip::Identity => x.shallow_clone(),
            Skip::ZeroPadded { stride } => zero_padded(x, *stride, inner.size()[1]),
            Skip::Conv(conv) => self.conv(conv, x),
        };
        // The norm that made `inner` keeps what went into it, not what came out, so the sum may take its place.
        inner += skipped;
        activated(block.activation, inner)
    }
}

fn activated(activation: Activation, mut x: Tensor) -> Tensor {
    match activation {
        Activation::None => x,
        Activation::Relu => x.relu_(),
        Activation::Relu6 => x.relu6_(),
    }
}

/// The map with the zeros that the convolution itself cannot add, and those that it can: the same number on each side.
fn padded(window: Window, x: &Tensor) -> (Tensor, [i64; 2]) {
    let size = x.size();
    let [vertical, horizontal] =
        [size[2], size[3]].map(|extent| window.pads(extent as usize).map(|zeros| zeros as i64));
    if vertical[0] == vertical[1] && horizontal[0] == horizontal[1] {
        return (x.shallow_clone(), [vertical[0], horizontal[0]]);
    }
    (x.constant_pad_nd([horizontal[0], horizontal[1], vertical[0], vertical[1]]), [0, 0])
}

/// Option A: every second pixel, and zero channels on both sides where the width grows.
fn zero_padded(x: &Tensor, stride: usize, width: i64) -> Tensor {
    let stride = stride as i64;
    let sampled = x.slice(2, None, None, stride).slice(3, None, None, stride);
    let missing = width - x.size()[1];
    let before = missing / 2;
    sampled.constant_pad_nd([0, 0, 0, 0, before, missing - before])
}

fn add_conv(params: &mut ParamStore, conv: &Conv) {
    let [from, to, size] = [conv.from / conv.groups, conv.to, conv.window.size].map(|extent| extent as i64);
    let one = |value: f64| Tensor::full([to], value, tch::kind::FLOAT_CPU);
    let kernel = he_normal(&[to, from, size, size], from * size * size);
    params.add(format!("{}.weight", conv.conv), Role::Trainable, kernel);
    let bn = &conv.bn;
    params.add(format!("{bn}.weight"), Role::Trainable, one(1.0));
    params.add(format!("{bn}.bias"), Role::Trainable, one(0.0));
    params.add(format!("{bn}.running_mean"), Role::Buffer, one(0.0));
    params.add(format!("{bn}.running_var"), Role::Buffer, one(1.0));
}

/// Normal with variance 2 / fan_in (He et al., ICCV 2015, eq. 10).
fn he_normal(shape: &[i64], fan_in: i64) -> Tensor {
    Tensor::randn(shape, tch::kind::FLOAT_CPU) * (2.0 / fan_in as f64).sqrt()
}

#[cfg(test)]
mod tests;
