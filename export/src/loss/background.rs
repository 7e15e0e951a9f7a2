//! The local background feature loss (arXiv 2510.12259).
//!
//! A location of the last feature map that does not look like the picture's own class is a free
//! sample of "something else". Its L2 norm is added to the loss, so that the network learns to stay
//! quiet on what it does not know:
//!
//! ```text
//! L    = CE(y, t) + lambda * L_bg
//! L_bg = (1 / sum_n |B(n)|) * sum_n sum_{(h,w) in B(n)} || F[n,:,h,w] ||_2
//! ```

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad};

/// How background locations are chosen. The choice itself takes no gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackgroundRule {
    /// The true class is not among the top R classes of the local logits.
    Rank(usize),
    /// The local softmax gives the true class less than p.
    Confidence(f64),
    /// Among the fraction q of locations with the smallest activation of the true class, `Wc[t] . F`.
    Lowest(f64),
}

/// The table `[loss.background]` of a training config.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackgroundConfig {
    /// Weight of the term beside the cross-entropy.
    pub lambda: f64,
    /// Which locations are background.
    pub rule: BackgroundRule,
}

/// The loss and what it was computed from.
#[derive(Debug)]
pub struct Background {
    /// L_bg, a scalar that carries the gradient. Exactly 0 when no location is background.
    pub loss: Tensor,
    /// Number of background locations in the batch, a scalar.
    pub count: Tensor,
    /// Mean norm of the locations that are not background, a scalar without gradient (0 if there are none).
    pub foreground_norm: Tensor,
}

/// Computes L_bg for a batch.
///
/// * `feature_map`: F, [N, C, H, W]
/// * `head_weight`, `head_bias`: Wc [K, C] and b [K]; they choose locations and get no gradient here
/// * `targets`: true classes, [N], int64
pub fn background_loss(
    feature_map: &Tensor,
    head_weight: &Tensor,
    head_bias: &Tensor,
    targets: &Tensor,
    rule: BackgroundRule,
) -> Background {
    let (n, c) = (feature_map.size()[0], feature_map.size()[1]);
    let kind = feature_map.kind();
    let locations = feature_map.permute([0, 2, 3, 1]).reshape([n, -1, c]);
    let mask = no_grad(|| background_mask(&locations, head_weight, head_bias, targets, rule)).to_kind(kind);
    let norms = norms_with_zero_gradient_at_zero(&locations);
    let count = mask.sum(kind);
    let loss = (&norms * &mask).sum(kind) / count.clamp_min(1.0);
    let foreground_norm = no_grad(|| {
        let foreground = 1.0 - &mask;
        (norms * &foreground).sum(kind) / foreground.sum(kind).clamp_min(1.0)
    });
    Background { loss, count, foreground_norm }
}

/// True where a location is background, [N, H*W]; `locations` is [N, H*W, C].
fn background_mask(
    locations: &Tensor,
    head_weight: &Tensor,
    head_bias: &Tensor,
    targets: &Tensor,
    rule: BackgroundRule,
) -> Tensor {
    let own_class = |x: &Tensor| {
        let index = targets.reshape([-1, 1, 1]).expand([-1, x.size()[1], 1], false);
        x.gather(2, &index, false).squeeze_dim(2)
    };
    match rule {
        BackgroundRule::Rank(top) => {
            // Softmax keeps the order, so logits rank as probabilities do; a tie counts for the true class.
            let local = locations.linear(head_weight, Some(head_bias));
            let better =
                local.gt_tensor(&own_class(&local).unsqueeze(2)).sum_dim_intlist([2i64].as_slice(), false, Kind::Int64);
            better.ge(top as i64)
        }
        BackgroundRule::Confidence(p) => {
            let local = locations.linear(head_weight, Some(head_bias)).softmax(2, locations.kind());
            own_class(&local).lt(p)
        }
        BackgroundRule::Lowest(q) => {
            let activation = own_class(&locations.linear(head_weight, None::<Tensor>));
            let count = ((q * activation.size()[1] as f64).round() as i64).max(1);
            let (_, chosen) = activation.topk(count, 1, false, false);
            activation.zeros_like().scatter_value(1, &chosen, 1.0).gt(0.5)
        }
    }
}

/// L2 norms over the last dimension. The square root has an infinite slope at 0; there the gradient is taken as 0.
fn norms_with_zero_gradient_at_zero(x: &Tensor) -> Tensor {
    let squares = x.square().sum_dim_intlist([-1i64].as_slice(), false, x.kind());
    let positive = squares.gt(0.0);
    squares.where_self(&positive, &squares.ones_like()).sqrt() * positive.to_kind(x.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: i64 = 2;

    /// F of pictures of 2x2 locations with two channels, given location by location.
    fn feature_map(pictures: &[[[f64; 2]; 4]]) -> Tensor {
        let flat: Vec<f64> = pictures.iter().flatten().flatten().copied().collect();
        let n = pictures.len() as i64;
        Tensor::from_slice(&flat).view([n, 2, 2, 2]).permute([0, 3, 1, 2]).contiguous().set_requires_grad(true)
    }

    /// With the identity as head, a location's logits are its two features.
    fn loss_of(f: &Tensor, bias: [f64; 2], targets: &[i64], rule: BackgroundRule) -> Background {
        let head = Tensor::eye(K, (Kind::Double, tch::Device::Cpu));
        background_loss(f, &head, &Tensor::from_slice(&bias), &Tensor::from_slice(targets), rule)
    }

    /// Norms 5, 1, 2, 0; the true class 0 wins at the third location alone and ties at the fourth.
    const PICTURE: [[f64; 2]; 4] = [[3.0, 4.0], [0.0, 1.0], [2.0, 0.0], [0.0, 0.0]];

    #[test]
    fn each_rule_gives_the_loss_worked_out_by_hand() {
        for (rule, loss, count) in [
            (BackgroundRule::Rank(1), (5.0 + 1.0) / 2.0, 2),
            (BackgroundRule::Rank(2), 0.0, 0),
            // softmax gives class 0: 0.27, 0.27, 0.88, 0.50
            (BackgroundRule::Confidence(0.5), (5.0 + 1.0) / 2.0, 2),
            (BackgroundRule::Confidence(0.6), (5.0 + 1.0 + 0.0) / 3.0, 3),
            // activations of class 0: 3, 0, 2, 0
            (BackgroundRule::Lowest(0.5), (1.0 + 0.0) / 2.0, 2),
            (BackgroundRule::Lowest(1.0), (5.0 + 1.0 + 2.0 + 0.0) / 4.0, 4),
        ] {
            let found = loss_of(&feature_map(&[PICTURE]), [0.0; 2], &[0], rule);
            assert_eq!(found.count.int64_value(&[]), count, "{rule:?}");
            assert!((found.loss.double_value(&[]) - loss).abs() < 1e-12, "{rule:?}: {:?}", found.loss);
        }
    }

    #[test]
    fn the_mean_is_over_the_locations_of_the_batch_not_over_pictures() {
        // Class 1 is true for the second picture: only its third location (norm 2) is background.
        let found = loss_of(&feature_map(&[PICTURE, PICTURE]), [0.0; 2], &[0, 1], BackgroundRule::Rank(1));
        assert!((found.loss.double_value(&[]) - (5.0 + 1.0 + 2.0) / 3.0).abs() < 1e-12);
        // The other five: 2 and 0 of the first picture, 5, 1 and 0 of the second.
        assert!((found.foreground_norm.double_value(&[]) - (2.0 + 5.0 + 1.0) / 5.0).abs() < 1e-12);
    }

    #[test]
    fn without_background_the_loss_is_zero_and_so_is_its_gradient() {
        let f = feature_map(&[PICTURE]);
        let found = loss_of(&f, [9.0, 0.0], &[0], BackgroundRule::Rank(1));
        assert_eq!(found.count.double_value(&[]), 0.0);
        assert_eq!(found.loss.double_value(&[]), 0.0);
        found.loss.backward();
        assert!(f.grad().defined());
        assert_eq!(f.grad().abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn a_zero_norm_gets_a_zero_gradient_and_not_nan() {
        let f = feature_map(&[PICTURE]);
        loss_of(&f, [0.0; 2], &[0], BackgroundRule::Lowest(0.5)).loss.backward();
        // d||F||/dF = F / ||F||: (0, 1) at the second location, halved by the mean; the fourth has norm 0.
        let wanted = feature_map(&[[[0.0; 2], [0.0, 0.5], [0.0; 2], [0.0; 2]]]).detach();
        assert_eq!((f.grad() - wanted).abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        tch::manual_seed(5);
        let double = (Kind::Double, tch::Device::Cpu);
        let targets = Tensor::from_slice(&[2i64, 0]);
        let head = Tensor::randn([3, 4], double);
        let bias = Tensor::randn([3], double);
        for rule in [BackgroundRule::Rank(1), BackgroundRule::Confidence(0.4), BackgroundRule::Lowest(0.4)] {
            // The whole loss, CE + lambda * L_bg, as a function of F.
            let loss = |f: &Tensor| {
                let logits = f.mean_dim([2i64, 3].as_slice(), false, Kind::Double).linear(&head, Some(&bias));
                let term = background_loss(f, &head, &bias, &targets, rule);
                assert!(term.count.double_value(&[]) > 0.0);
                logits.log_softmax(1, Kind::Double).nll_loss(&targets) + term.loss * 0.3
            };
            let f = Tensor::randn([2, 4, 3, 3], double).relu().set_requires_grad(true);
            loss(&f).backward();
            let flat = f.detach().view([-1]);
            let step = 1e-6;
            for i in (0..flat.numel() as i64).filter(|&i| flat.double_value(&[i]) > 0.0) {
                let moved = |by: f64| {
                    let copy = flat.copy();
                    let _ = copy.get(i).g_add_scalar_(by);
                    loss(&copy.view_as(&f)).double_value(&[])
                };
                let slope = (moved(step) - moved(-step)) / (2.0 * step);
                let gradient = f.grad().contiguous().view([-1]).double_value(&[i]);
                assert!((slope - gradient).abs() < 1e-7, "{rule:?} at {i}: {slope} != {gradient}");
            }
        }
    }
}
