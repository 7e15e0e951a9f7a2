//! Lengths, distances and products of single vectors, in f64: scores subtract them from one another.
//!
//! Everything here reads one or two vectors per frame; what reads whole matrices is in `kernels` and `triangle`.

use ndarray::Array2;
use pulp::NullaryFnOnce;

use super::kernels::{dispatch, square_sum, vectorised};

/// Lanes of a sum: two vectors of 8.
const LANES: usize = 16;

/// `sum_i (a_i - b_i)^2` over the shorter of both.
pub(super) fn square_distance<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B]) -> f64 {
    dispatch(SumOf(a, b, |a, b| {
        let difference: f64 = a - b;
        difference * difference
    }))
}

/// `sum_i a_i b_i` over the shorter of both.
pub(super) fn dot<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B]) -> f64 {
    dispatch(SumOf(a, b, |a, b| a * b))
}

vectorised! {
    /// `scale * x - centre`.
    pub(super) fn centred(x: &[f32], scale: f64, centre: &[f64], out: &mut [f64]) -> () {
        for ((out, x), centre) in out.iter_mut().zip(x).zip(centre) {
            *out = f64::from(*x) * scale - centre;
        }
    }
}

/// `x / max(||x||, 1e-12)`: on the unit sphere, a zero vector stays zero.
pub(super) fn unit(x: &[f32], out: &mut [f64]) {
    let scale = unit_scale(x);
    for (out, x) in out.iter_mut().zip(x) {
        *out = f64::from(*x) * scale;
    }
}

/// `1 / max(||x||, 1e-12)`, as `torch.nn.functional.normalize` has it.
pub(super) fn unit_scale(x: &[f32]) -> f64 {
    let norm = square_sum(x).sqrt();
    // Not f64::max, which would turn NaN into the bound.
    1.0 / if norm < 1e-12 { 1e-12 } else { norm }
}

/// Row `index` of a matrix in standard layout; empty beyond it.
pub(super) fn row(matrix: &Array2<f32>, index: usize) -> &[f32] {
    let columns = matrix.ncols();
    matrix.as_slice().and_then(|all| all.get(index * columns..(index + 1) * columns)).unwrap_or_default()
}

/// A sum over the pairs of two vectors, run at the widest vectors that the processor has.
struct SumOf<'a, A, B, F>(&'a [A], &'a [B], F);

impl<A: Copy + Into<f64>, B: Copy + Into<f64>, F: Fn(f64, f64) -> f64> NullaryFnOnce for SumOf<'_, A, B, F> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let Self(a, b, term) = self;
        let length = a.len().min(b.len());
        let (a_chunks, a_rest) = a[..length].as_chunks::<LANES>();
        let (b_chunks, b_rest) = b[..length].as_chunks::<LANES>();
        let mut sums = [0.0_f64; LANES];
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for lane in 0..LANES {
                sums[lane] += term(a[lane].into(), b[lane].into());
            }
        }
        for (place, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
            sums[place] += term((*a).into(), (*b).into());
        }
        sums.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_agree_with_plain_loops_at_every_length() {
        let a: Vec<f32> = (0..50).map(|i| (i as f32 * 0.37).sin()).collect();
        let b: Vec<f64> = (0..50).map(|i| (f64::from(i) * 0.11).cos()).collect();
        for length in 0..50 {
            let pairs = || a[..length].iter().zip(&b).map(|(a, b)| (f64::from(*a), *b));
            let close = |got: f64, want: f64| assert!((got - want).abs() <= 1e-13, "{got}, wanted {want}");
            close(square_distance(&a[..length], &b), pairs().map(|(a, b)| (a - b).powi(2)).sum());
            close(dot(&a[..length], &b), pairs().map(|(a, b)| a * b).sum());
        }
    }

    #[test]
    fn unit_vectors_keep_zero_and_nan() {
        let mut out = [0.0; 2];
        unit(&[3.0, 4.0], &mut out);
        assert!(square_distance(&out, &[0.6, 0.8]) < 1e-30);
        unit(&[0.0, 0.0], &mut out);
        assert_eq!(out, [0.0, 0.0]);
        unit(&[f32::NAN, 1.0], &mut out);
        assert!(out.iter().all(|x| x.is_nan()));
    }

    #[test]
    fn centring_keeps_the_digits_that_f32_lacks() {
        let (mut out, small) = ([0.0], 2.0_f64.powi(-40));
        centred(&[1.0], 0.5, &[0.5 - small], &mut out);
        assert_eq!(out, [small]);
    }
}
