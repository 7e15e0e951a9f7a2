//! From 64 coefficients of a block straight to the averages of its samples in groups of 2x2, 4x4 or 8x8.
//!
//! A coefficient stands for a wave along rows times one along columns (ITU-T T.81, A.3.3). The average of a wave over neighbouring samples is,
//! group by group, one of the few waves that so few groups can have, times a number: of 8 samples in `side` groups, wave `u` becomes wave
//! `u` or, beyond `side`, its mirror image; where they would be `side` itself the averages are 0. So every coefficient is multiplied once
//! and added to one of `side * side` sums, and what remains is a transform of that size. Nothing is left out: the result is what averaging
//! the whole picture's samples gives, before these are rounded and clamped.

use std::f32::consts::FRAC_1_SQRT_2;
use std::f64::consts::PI;

/// Samples of a block per side.
pub(super) const SAMPLES: usize = 8;
/// Coefficients of a block.
const COEFFICIENTS: usize = SAMPLES * SAMPLES;
/// Most sums that there are: of groups of 2x2.
pub(super) const MOST_SUMS: usize = 16;

/// Row times 8 plus column of each coefficient, in the order in which they are written (T.81, figure A.6).
#[rustfmt::skip]
const ZIGZAG: [u8; COEFFICIENTS] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// What becomes of a coefficient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// What it is multiplied with.
    pub(super) weight: f32,
    /// The sum that takes it: its column times the number of rows plus its row.
    pub(super) place: u32,
}

/// Steps of one component's coefficients, in the order in which they are written, and room for the places that a broken run leads to.
pub(super) type Steps = [Step; 2 * COEFFICIENTS];

pub(super) const NO_STEPS: Steps = [Step { weight: 0.0, place: 0 }; 2 * COEFFICIENTS];

/// Waves of one number of groups.
#[derive(Debug)]
pub(super) struct Fold {
    side: usize,
    /// What each wave of 8 samples becomes.
    folded: [(usize, f64); SAMPLES],
}

impl Fold {
    /// For `side` groups per row and per column: 1, 2 or 4.
    pub(super) fn new(side: usize) -> Self {
        Self { side, folded: std::array::from_fn(|index| folded(index, side)) }
    }

    /// Fills the steps of a component whose coefficients, in the order in which they are written, were divided by these numbers.
    pub(super) fn steps(&self, quantisers: &[u16; COEFFICIENTS], steps: &mut Steps) {
        for ((step, place), quantiser) in steps.iter_mut().zip(ZIGZAG).zip(quantisers) {
            let (across, across_weight) = self.folded[usize::from(place) % SAMPLES];
            let (down, down_weight) = self.folded[usize::from(place) / SAMPLES];
            let weight = f64::from(*quantiser) * across_weight * down_weight;
            *step = Step { weight: weight as f32, place: (across * self.side + down) as u32 };
        }
    }
}

/// The wave of `side` groups that wave `index` of 8 samples becomes, and how much of it.
fn folded(index: usize, side: usize) -> (usize, f64) {
    let turned = index % (2 * side);
    let wanted = turned.min(2 * side - turned);
    if wanted == side {
        return (0, 0.0);
    }
    let samples = SAMPLES / side;
    let average = (0..samples).map(|at| wave(index, at, SAMPLES)).sum::<f64>() / samples as f64;
    // Half of T.81's quarter, for one direction; C(0) is the root of a half.
    let scale = if index == 0 { 0.5 * 0.5f64.sqrt() } else { 0.5 };
    (wanted, scale * average / wave(wanted, 0, side))
}

/// Wave `index` of `count` places, at one of them.
fn wave(index: usize, at: usize, count: usize) -> f64 {
    ((2 * at + 1) as f64 * index as f64 * PI / (2 * count) as f64).cos()
}

/// cos(pi / 8), cos(pi / 4) and cos(3 pi / 8).
const COSINES: [f32; 3] = [0.923_879_5, FRAC_1_SQRT_2, 0.382_683_43];

/// Averages of a block's groups from its sums, row by row.
#[inline(always)]
pub(super) fn averages<const SIDE: usize>(sums: &[f32; MOST_SUMS]) -> [[u8; SIDE]; SIDE] {
    match SIDE {
        4 => {
            let columns = transposed(&waves_of_four(&std::array::from_fn(|column| {
                std::array::from_fn(|row| sums[4 * column + row])
            })));
            let rows = waves_of_four(&columns);
            std::array::from_fn(|row| std::array::from_fn(|column| byte(rows[row % 4][column % 4])))
        }
        2 => {
            let [whole, down, across, both] =
                [sums[0], FRAC_1_SQRT_2 * sums[1], FRAC_1_SQRT_2 * sums[2], 0.5 * sums[3]];
            let rows = [
                [whole + across + down + both, whole - across + down - both],
                [whole + across - down - both, whole - across - down + both],
            ];
            std::array::from_fn(|row| std::array::from_fn(|column| byte(rows[row % 2][column % 2])))
        }
        _ => [[byte(sums[0]); SIDE]; SIDE],
    }
}

/// Four columns of values from four of sums, whose rows are those of the first index.
#[inline(always)]
fn waves_of_four(sums: &[[f32; 4]; 4]) -> [[f32; 4]; 4] {
    let [large, middle, small] = COSINES;
    let mut values = [[0.0; 4]; 4];
    for lane in 0..4 {
        let [first, second, third, fourth] = [sums[0][lane], sums[1][lane], sums[2][lane], sums[3][lane]];
        let (outer, inner) = (first + middle * third, first - middle * third);
        let (outer_odd, inner_odd) = (large * second + small * fourth, small * second - large * fourth);
        values[0][lane] = outer + outer_odd;
        values[1][lane] = inner + inner_odd;
        values[2][lane] = inner - inner_odd;
        values[3][lane] = outer - outer_odd;
    }
    values
}

#[inline(always)]
fn transposed(values: &[[f32; 4]; 4]) -> [[f32; 4]; 4] {
    std::array::from_fn(|row| std::array::from_fn(|column| values[column][row]))
}

/// A sample, shifted to where it belongs (T.81, A.3.1), rounded and clamped.
#[inline(always)]
fn byte(value: f32) -> u8 {
    (value + 128.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: T.81, A.3.3.
    fn samples(coefficients: &[i32; COEFFICIENTS], quantisers: &[u16; COEFFICIENTS]) -> [[f64; SAMPLES]; SAMPLES] {
        let scale = |index: u8| if index == 0 { 0.5f64.sqrt() } else { 1.0 };
        let mut samples = [[128.0; SAMPLES]; SAMPLES];
        for ((coefficient, quantiser), place) in coefficients.iter().zip(quantisers).zip(ZIGZAG) {
            let (column, row) = (place % 8, place / 8);
            let value = f64::from(*coefficient) * f64::from(*quantiser) * scale(row) * scale(column) / 4.0;
            for (y, line) in samples.iter_mut().enumerate() {
                for (x, sample) in line.iter_mut().enumerate() {
                    *sample += value * wave(row.into(), y, SAMPLES) * wave(column.into(), x, SAMPLES);
                }
            }
        }
        samples
    }

    fn check<const SIDE: usize>(coefficients: &[i32; COEFFICIENTS], quantisers: &[u16; COEFFICIENTS]) {
        let (mut steps, mut sums) = (NO_STEPS, [0.0; MOST_SUMS]);
        Fold::new(SIDE).steps(quantisers, &mut steps);
        for (coefficient, step) in coefficients.iter().zip(&steps) {
            sums[step.place as usize] += *coefficient as f32 * step.weight;
        }
        let (samples, group) = (samples(coefficients, quantisers), SAMPLES / SIDE);
        for (y, row) in averages::<SIDE>(&sums).iter().enumerate() {
            for (x, found) in row.iter().enumerate() {
                let of_group = samples[y * group..][..group].iter().flat_map(|line| &line[x * group..][..group]);
                let wanted = (of_group.sum::<f64>() / (group * group) as f64).clamp(0.0, 255.0);
                let off = (f64::from(*found) - wanted).abs();
                assert!(off <= 0.501, "{SIDE}: ({x}, {y}) is {found}, wanted {wanted:.3}");
            }
        }
    }

    #[test]
    fn each_coefficient_alone_and_all_together_are_what_averaging_the_samples_gives() {
        let quantisers: [u16; COEFFICIENTS] = std::array::from_fn(|place| 1 + place as u16 % 7);
        let check = |coefficients: &[i32; COEFFICIENTS]| {
            check::<1>(coefficients, &quantisers);
            check::<2>(coefficients, &quantisers);
            check::<4>(coefficients, &quantisers);
        };
        for place in 0..COEFFICIENTS {
            let mut coefficients = [0; COEFFICIENTS];
            coefficients[place] = 100 - 7 * place as i32;
            check(&coefficients);
        }
        check(&std::array::from_fn(|place| (place as i32 * 37 % 41 - 20) * 8 / (1 + place as i32)));
        check(&std::array::from_fn(|place| place as i32 * 91 % 61 - 30));
    }

    #[test]
    fn hostile_numbers_become_black_or_white() {
        let mut sums = [0.0; MOST_SUMS];
        for (value, wanted) in [(1e30, 255), (-1e30, 0), (f32::INFINITY, 255), (127.4, 255), (-128.0, 0), (-0.4, 128)] {
            sums[0] = value;
            assert_eq!(averages::<1>(&sums), [[wanted]], "{value}");
        }
    }
}
