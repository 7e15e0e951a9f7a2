//! Gradients against finite differences, for the tests of every term.

use tch::Tensor;

/// Compares the gradient of `loss` at `x` (double precision) with central differences, at the flat positions for
/// which `at` holds. Differences of 1e-6 leave an error of some 1e-9 in double precision; 1e-7 bounds it.
pub(super) fn assert_gradient(loss: impl Fn(&Tensor) -> Tensor, x: &Tensor, at: impl Fn(i64) -> bool, what: &str) {
    const STEP: f64 = 1e-6;
    let x = x.detach().contiguous().set_requires_grad(true);
    loss(&x).backward();
    let (flat, gradient) = (x.detach().view([-1]), x.grad().contiguous().view([-1]));
    for i in (0..flat.numel() as i64).filter(|&i| at(i)) {
        let moved = |by: f64| {
            let copy = flat.copy();
            let _ = copy.get(i).g_add_scalar_(by);
            loss(&copy.view_as(&x)).double_value(&[])
        };
        let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        let gradient = gradient.double_value(&[i]);
        assert!((slope - gradient).abs() < 1e-7, "{what} at {i}: {slope} != {gradient}");
    }
}
