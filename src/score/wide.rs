//! Fitted numbers that need more digits than f32 has, kept as two f32 tensors: the number, and what f32 left of it.
//!
//! Together they hold 48 bits. State is kept in f32 because that is what a frame reads; the few numbers whose rounding
//! a score would magnify (log-probabilities of a KL divergence near 0, the threshold of a steep Weibull law) are wide.

use ndarray::{Array, Dimension, Zip};

use super::State;

/// Adds `array` as the tensors `name` and `rest`.
pub(super) fn with_wide<D: Dimension>(state: State, name: &str, rest: &str, array: &Array<f64, D>) -> State {
    let high = array.mapv(|value| value as f32);
    let low = Zip::from(array).and(&high).map_collect(|value, high| (value - f64::from(*high)) as f32);
    state.with_tensor(name, high).with_tensor(rest, low)
}

/// The numbers whose two parts are given.
pub(super) fn join<D: Dimension>(high: &Array<f32, D>, low: &Array<f32, D>) -> Array<f64, D> {
    Zip::from(high).and(low).map_collect(|high, low| f64::from(*high) + f64::from(*low))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn two_parts_hold_48_bits_of_a_number() {
        let numbers = array![1.0, -std::f64::consts::PI, 1e-9 / 3.0, 12_345.678_901_234_567];
        let state = with_wide(State::default(), "x", "x_rest", &numbers);
        let part = |name: &str| state.tensors[name].clone().into_dimensionality::<ndarray::Ix1>().unwrap();
        let joined = join(&part("x"), &part("x_rest"));
        assert!(joined.iter().zip(&numbers).all(|(got, want)| (got - want).abs() <= 4e-15 * want.abs()), "{joined}");
    }
}
