//! Which locations of a feature map are background; the choice takes no gradient.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

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
    /// Every location. No choice at all: the control that says whether choosing matters.
    All,
}

/// True where a location is background, [N, H*W]; `locations` is [N, H*W, C].
pub(super) fn background_mask(
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
        BackgroundRule::All => Tensor::ones(&locations.size()[..2], (Kind::Bool, locations.device())),
    }
}
