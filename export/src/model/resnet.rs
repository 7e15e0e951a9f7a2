//! ResNet-20/32/44/56 for 32x32 pictures (He et al., "Deep Residual Learning for Image Recognition",
//! CVPR 2016, section 4.2) with the parameter-free shortcut (option A).
//!
//! Weight names are those of the widely used PyTorch implementation, so its checkpoints load by name.

use tch::{Kind, Tensor};

use super::{ModelError, ParamStore, Precision, Role};

const BATCH_NORM_EPS: f64 = 1e-5;
const BATCH_NORM_MOMENTUM: f64 = 0.1;
const STAGE_WIDTHS: [i64; 3] = [16, 32, 64];

/// Positions of one convolution and its batch norm in the [`ParamStore`].
#[derive(Debug)]
struct ConvBn {
    conv: usize,
    /// weight, bias, running_mean, running_var
    bn: [usize; 4],
    stride: i64,
}

#[derive(Debug)]
struct Block {
    first: ConvBn,
    second: ConvBn,
}

/// A CIFAR ResNet and its weights.
#[derive(Debug)]
pub struct ResNet {
    /// Name of the architecture, such as `resnet20`.
    pub arch: String,
    /// All weights and running statistics.
    pub params: ParamStore,
    stem: ConvBn,
    blocks: Vec<Block>,
    head: [usize; 2],
    /// Precision of the convolutions; results are reported in FP32.
    pub precision: Precision,
}

/// What one pass through a network gives, all of it FP32.
#[derive(Debug)]
pub struct Forward {
    /// F, the last feature map after its ReLU, [N, C, H, W].
    pub feature_map: Tensor,
    /// z, the mean of F over H and W, [N, C].
    pub features: Tensor,
    /// y = Wc z + b, [N, K].
    pub logits: Tensor,
}

impl ResNet {
    /// A network with fresh weights (He initialisation) that depend on `seed` alone.
    ///
    /// # Errors
    /// An architecture other than `resnet20`, `resnet32`, `resnet44`, `resnet56`.
    pub fn new(arch: &str, classes: usize, precision: Precision, seed: i64) -> Result<Self, ModelError> {
        let blocks_per_stage = match arch {
            "resnet20" => 3,
            "resnet32" => 5,
            "resnet44" => 7,
            "resnet56" => 9,
            _ => return Err(ModelError::UnknownArchitecture { found: arch.into() }),
        };
        tch::manual_seed(seed);
        let mut params = ParamStore::default();
        let stem = conv_bn(&mut params, "conv1", "bn1", 3, STAGE_WIDTHS[0], 1);
        let mut blocks = Vec::new();
        let mut channels = STAGE_WIDTHS[0];
        for (stage, width) in STAGE_WIDTHS.into_iter().enumerate() {
            for i in 0..blocks_per_stage {
                let stride = if stage > 0 && i == 0 { 2 } else { 1 };
                let at = format!("layer{}.{i}", stage + 1);
                let first = conv_bn(&mut params, &format!("{at}.conv1"), &format!("{at}.bn1"), channels, width, stride);
                let second = conv_bn(&mut params, &format!("{at}.conv2"), &format!("{at}.bn2"), width, width, 1);
                blocks.push(Block { first, second });
                channels = width;
            }
        }
        let head = [
            params.add("linear.weight", Role::Trainable, he_normal(&[classes as i64, channels], channels)),
            params.add("linear.bias", Role::Trainable, Tensor::zeros([classes as i64], tch::kind::FLOAT_CPU)),
        ];
        Ok(Self { arch: arch.into(), params, stem, blocks, head, precision })
    }

    /// Runs the network on a normalised batch [N, 3, H, W]. With `train` the batch's own statistics
    /// normalise it and the running statistics move; without, the running statistics are used.
    pub fn forward(&self, x: &Tensor, train: bool) -> Forward {
        let mut x = self.conv_bn(&self.stem, x, train).relu_();
        for block in &self.blocks {
            let inner = self.conv_bn(&block.first, &x, train).relu_();
            let inner = self.conv_bn(&block.second, &inner, train);
            x = (inner + shortcut(&x, &block.first, self.params.at(block.second.conv).size()[0])).relu_();
        }
        let features = x.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        let logits = features.linear(self.head_weight(), Some(self.head_bias()));
        Forward { feature_map: x, features, logits }
    }

    /// Wc, [K, C].
    pub fn head_weight(&self) -> &Tensor {
        self.params.at(self.head[0])
    }

    /// b, [K].
    pub fn head_bias(&self) -> &Tensor {
        self.params.at(self.head[1])
    }

    fn conv_bn(&self, layer: &ConvBn, x: &Tensor, train: bool) -> Tensor {
        let kind = match self.precision {
            Precision::Fp32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        };
        let weight = self.params.at(layer.conv).to_kind(kind);
        let x =
            x.to_kind(kind).conv2d(&weight, None::<Tensor>, [layer.stride; 2], [1, 1], [1, 1], 1).to_kind(Kind::Float);
        let [weight, bias, mean, var] = layer.bn.map(|i| self.params.at(i));
        x.batch_norm(Some(weight), Some(bias), Some(mean), Some(var), train, BATCH_NORM_MOMENTUM, BATCH_NORM_EPS, false)
    }
}

/// Option A: every second pixel, and zero channels on both sides where the width grows.
fn shortcut(x: &Tensor, layer: &ConvBn, width: i64) -> Tensor {
    if layer.stride == 1 {
        return x.shallow_clone();
    }
    let sampled = x.slice(2, None, None, layer.stride).slice(3, None, None, layer.stride);
    let missing = width - x.size()[1];
    let before = missing / 2;
    sampled.constant_pad_nd([0, 0, 0, 0, before, missing - before])
}

fn conv_bn(params: &mut ParamStore, conv: &str, bn: &str, from: i64, to: i64, stride: i64) -> ConvBn {
    let one = |value: f64| Tensor::full([to], value, tch::kind::FLOAT_CPU);
    let conv = params.add(format!("{conv}.weight"), Role::Trainable, he_normal(&[to, from, 3, 3], from * 9));
    let bn = [
        params.add(format!("{bn}.weight"), Role::Trainable, one(1.0)),
        params.add(format!("{bn}.bias"), Role::Trainable, one(0.0)),
        params.add(format!("{bn}.running_mean"), Role::Buffer, one(0.0)),
        params.add(format!("{bn}.running_var"), Role::Buffer, one(1.0)),
    ];
    ConvBn { conv, bn, stride }
}

/// Normal with variance 2 / fan_in (He et al., ICCV 2015, eq. 10).
fn he_normal(shape: &[i64], fan_in: i64) -> Tensor {
    Tensor::randn(shape, tch::kind::FLOAT_CPU) * (2.0 / fan_in as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resnet20_has_the_papers_number_of_weights() {
        let net = ResNet::new("resnet20", 10, Precision::Fp32, 1).unwrap();
        let weights: usize = net.params.trainable().map(|(_, t)| t.numel()).sum();
        // 0.27 M in table 6 of the paper; exactly this many with option A.
        assert_eq!(weights, 269_722);
    }

    #[test]
    fn logits_are_the_head_applied_to_the_mean_of_the_feature_map() {
        let net = ResNet::new("resnet20", 10, Precision::Fp32, 1).unwrap();
        let x = Tensor::randn([2, 3, 32, 32], tch::kind::FLOAT_CPU);
        let out = tch::no_grad(|| net.forward(&x, false));
        assert_eq!(out.feature_map.size(), [2, 64, 8, 8]);
        let head = net.head_weight().unsqueeze(-1).unsqueeze(-1);
        let local = out.feature_map.conv2d(&head, Some(net.head_bias()), [1, 1], [0, 0], [1, 1], 1);
        let mean = local.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        let diff = (mean - &out.logits).abs().max().double_value(&[]);
        assert!(diff < 1e-5, "max abs diff {diff}");
    }

    #[test]
    fn the_shortcut_keeps_every_second_pixel_and_centres_the_channels() {
        let layer = ConvBn { conv: 0, bn: [0; 4], stride: 2 };
        let x = Tensor::arange(2 * 4, tch::kind::FLOAT_CPU).reshape([1, 2, 2, 2]);
        let y = shortcut(&x, &layer, 4);
        assert_eq!(super::super::params::values_of(&y), [0.0, 0.0, 4.0, 0.0]);
    }
}
