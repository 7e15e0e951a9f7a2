//! L2 norms whose gradient is defined everywhere.

use tch::Tensor;

/// L2 norms over the last dimension. The square root has an infinite slope at 0; there the gradient is taken as 0.
pub(super) fn norms_with_zero_gradient_at_zero(x: &Tensor) -> Tensor {
    let squares = x.square().sum_dim_intlist([-1i64].as_slice(), false, x.kind());
    let positive = squares.gt(0.0);
    squares.where_self(&positive, &squares.ones_like()).sqrt() * positive.to_kind(x.kind())
}
