//! The arithmetic that every frame pays for, written so that the compiler turns it into vector instructions, and
//! run at the widest that the processor has (`pulp` asks once).
//!
//! Inputs are read in f32, which is what they cost; sums and exponentials run in f64.

pub(super) use crate::simd::{dispatch, prefetch, vectorised};

/// Rows of a matrix that are added up together: so many streams the processor fetches ahead side by side.
const ROWS_AT_ONCE: usize = 8;

vectorised! {
    /// `y += sum_i a_i m[i]`: adds chosen rows of a row-major matrix of `y.len()` columns, each with its weight, in f64: the
    /// rows come from memory more slowly than they are added, so that f32 would save nothing. `picked` names the rows, all
    /// of which the matrix has.
    pub(super) fn add_rows(matrix: &[f32], picked: &[(u32, f64)], y: &mut [f64]) -> () {
        let (blocks, rest) = picked.as_chunks::<ROWS_AT_ONCE>();
        for block in blocks {
            add_block(matrix, block, y);
        }
        for one in rest {
            add_block(matrix, &[*one], y);
        }
    }

    /// `sum_i x_i^2` in f64.
    pub(super) fn square_sum(values: &[f32]) -> f64 {
        sum_of(values, |value| f64::from(value) * f64::from(value))
    }

    /// `sum_i x_i` in f64.
    pub(super) fn sum(values: &[f32]) -> f64 {
        sum_of(values, f64::from)
    }

    /// `sum_i |x_i|` in f64.
    pub(super) fn absolute_sum(values: &[f32]) -> f64 {
        sum_of(values, |value| f64::from(value.abs()))
    }

    /// `sum_k exp(y_k - shift)`, for `shift` not far below the largest.
    pub(super) fn exp_sum(logits: &[f32], shift: f64) -> f64 {
        sum_of(logits, |logit| exp_inline(f64::from(logit) - shift))
    }

    /// Softmax of `logits`, whose [`log_sum_exp`] is given, into `probabilities`.
    pub(super) fn softmax(logits: &[f32], log_sum_exp: f64, probabilities: &mut [f64]) -> () {
        for (probability, logit) in probabilities.iter_mut().zip(logits) {
            *probability = exp_inline(f64::from(*logit) - log_sum_exp);
        }
    }

    /// The largest of f64 numbers, whatever is NaN; -infinity of nothing.
    pub(super) fn wide_maximum(values: &[f64]) -> f64 {
        let mut maxima = [f64::NEG_INFINITY; 16];
        let (chunks, rest) = values.as_chunks::<16>();
        for chunk in chunks {
            for lane in 0..16 {
                maxima[lane] = if chunk[lane] > maxima[lane] { chunk[lane] } else { maxima[lane] };
            }
        }
        let mut max = f64::NEG_INFINITY;
        for value in maxima.iter().chain(rest) {
            max = if *value > max { *value } else { max };
        }
        max
    }

    /// Whether any value is NaN.
    pub(super) fn has_nan(values: &[f32]) -> bool {
        let mut nan = false;
        for value in values {
            nan |= value.is_nan();
        }
        nan
    }

    /// The largest number, whatever is NaN; -infinity of nothing.
    fn largest_number(values: &[f32]) -> f32 {
        let mut maxima = [f32::NEG_INFINITY; 16];
        let (chunks, rest) = values.as_chunks::<16>();
        for chunk in chunks {
            for lane in 0..16 {
                maxima[lane] = larger(maxima[lane], chunk[lane]);
            }
        }
        for (place, value) in rest.iter().enumerate() {
            maxima[place] = larger(maxima[place], *value);
        }
        let mut max = f32::NEG_INFINITY;
        for value in maxima {
            max = larger(max, value);
        }
        max
    }
}

#[inline(always)]
fn larger(max: f32, value: f32) -> f32 {
    if value > max { value } else { max }
}

/// The largest value; NaN if any is NaN (f32::max would hide it), -infinity of nothing.
pub(super) fn maximum(values: &[f32]) -> f64 {
    if has_nan(values) { f64::NAN } else { f64::from(largest_number(values)) }
}

/// What f64 logits lack to the largest of them, which is returned.
pub(super) fn relative_to_largest(logits: &[f64], relative: &mut [f32]) -> f64 {
    let max = wide_maximum(logits);
    relative.iter_mut().zip(logits).for_each(|(relative, logit)| *relative = (logit - max) as f32);
    max
}

/// `log sum_k exp(y_k)` with the maximum taken out, so that it neither overflows nor loses small terms.
pub(super) fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = maximum(logits);
    if !max.is_finite() {
        return max;
    }
    max + exp_sum(logits, max).ln()
}

/// The sum of a function of each value, over 16 partial sums.
#[inline(always)]
pub(super) fn sum_of(values: &[f32], term: impl Fn(f32) -> f64) -> f64 {
    let mut sums = [0.0_f64; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for lane in 0..16 {
            sums[lane] += term(chunk[lane]);
        }
    }
    for (place, value) in rest.iter().enumerate() {
        sums[place] += term(*value);
    }
    let mut total = 0.0;
    for sum in sums {
        total += sum;
    }
    total
}

/// [`add_rows`] of N rows.
#[inline(always)]
fn add_block<const N: usize>(matrix: &[f32], picked: &[(u32, f64); N], y: &mut [f64]) {
    let columns = y.len();
    let mut rows: [(&[f32], f64); N] = [(&[], 0.0); N];
    for (row, (place, weight)) in rows.iter_mut().zip(picked) {
        let start = (*place as usize).saturating_mul(columns);
        match matrix.get(start..start.saturating_add(columns)) {
            Some(found) => *row = (found, *weight),
            None => return,
        }
    }
    let whole = columns - columns % 16;
    for (place, y) in y.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        // A copy, which no row can overlap: only then do the lanes become vectors.
        let mut sums = *y;
        for (row, weight) in &rows {
            let Some(row) = row.as_chunks::<16>().0.get(place) else { return };
            for lane in 0..16 {
                sums[lane] = weight.mul_add(f64::from(row[lane]), sums[lane]);
            }
        }
        *y = sums;
    }
    for (place, y) in y.iter_mut().enumerate().skip(whole) {
        for (row, weight) in &rows {
            *y = weight.mul_add(f64::from(row[place]), *y);
        }
    }
}

/// `exp(x)` for x <= 709 to within 2 units in the last place, without a branch, so that it vectorises. Below -700 the
/// result is 0: the true value is less than 1e-304 of the largest term of a softmax.
#[inline(always)]
pub(super) fn exp_inline(x: f64) -> f64 {
    // Cody & Waite: x = k ln 2 + r, |r| <= ln 2 / 2, ln 2 in two parts so that r is exact.
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    /// Adding it rounds to the nearest integer, which then stands in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // Taylor coefficients 1/n!; the remainder after n = 13 is below 1e-17 on the interval.
    const COEFFICIENTS: [f64; 14] = [
        1.605_904_383_682_161_3e-10,
        2.087_675_698_786_81e-9,
        2.505_210_838_544_172e-8,
        2.755_731_922_398_589e-7,
        2.755_731_922_398_589_3e-6,
        2.480_158_730_158_73e-5,
        1.984_126_984_126_984e-4,
        1.388_888_888_888_889e-3,
        8.333_333_333_333_333e-3,
        4.166_666_666_666_666_4e-2,
        1.666_666_666_666_666_6e-1,
        0.5,
        1.0,
        1.0,
    ];
    let clamped = if x > -700.0 { x } else { -700.0 };
    let shifted = clamped.mul_add(std::f64::consts::LOG2_E, ROUND);
    let k = shifted - ROUND;
    let r = k.mul_add(-LN2_LOW, k.mul_add(-LN2_HIGH, clamped));
    let mut polynomial = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        polynomial = polynomial.mul_add(r, *coefficient);
    }
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let value = polynomial * power;
    // NaN fails both comparisons and comes out as NaN.
    if x <= -700.0 {
        0.0
    } else if x > -700.0 {
        value
    } else {
        x
    }
}

#[cfg(test)]
mod tests;
