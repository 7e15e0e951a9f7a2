//! Excess in integers against its definition, at the corners of every format's range.

use super::*;
use crate::decode::{Encoding, Matrix, PixelFormat, Range, RawLayout};
use crate::package::Resize;
use crate::preprocess::raw::color;
use crate::preprocess::tests::spec;

/// What clamping takes from a colour.
fn excess(gains: [f32; 4], components: [u8; 3]) -> f64 {
    let products = gains.iter().zip(components).map(|(gain, component)| f64::from(*gain) * f64::from(component));
    let color = products.sum::<f64>() + f64::from(gains[3]);
    color - color.clamp(0.0, 255.0)
}

fn every_encoding() -> impl Iterator<Item = Encoding> {
    let matrices = [Matrix::Bt601, Matrix::Bt709, Matrix::Smpte240m, Matrix::Bt2020];
    matrices.into_iter().flat_map(|matrix| [Range::Limited, Range::Full].map(|range| Encoding { matrix, range }))
}

#[test]
fn sums_of_the_most_rows_are_exact_and_each_pixels_excess_is_rounded() {
    let values = [0, 1, 15, 16, 100, 128, 200, 235, 240, 255];
    for (encoding, format) in every_encoding()
        .flat_map(|encoding| [PixelFormat::Yuyv, PixelFormat::Rgb3, PixelFormat::Grey].map(|format| (encoding, format)))
    {
        let layout = RawLayout::new(format, (64, 1), 0, encoding).unwrap();
        for gains in color::channels(&layout, &spec(1, 1, Resize::Stretch)).map(|channel| channel.gains) {
            for (a, b, c) in values.iter().flat_map(|a| values.iter().flat_map(move |b| values.map(|c| (*a, *b, c)))) {
                let pixels = [a, b, c].map(|value| [[i16::from(value) << COMPONENT_BITS; PAIRS]; 2]);
                let mut sums = Sums::NONE;
                let some = sum_up(&[pixels; MAX_ROWS], &Gains::new(gains), &mut sums);
                let (sum, rows) = (i32::from(sums.sum[1][PAIRS - 1]), MAX_ROWS as i32);
                let found = sum / rows;
                assert_eq!((sum, i32::from(sums.running[0][0])), (rows * found, found * rows * (rows + 1) / 2));
                assert_eq!(some, found != 0);
                // Half a step of rounding, and less than 0.2 of error before that.
                let wanted = excess(gains, [a, b, c]);
                let difference = (f64::from(found) - wanted).abs();
                assert!(difference <= 0.7, "{encoding:?} {format} {a} {b} {c}: {found}, wanted {wanted}");
            }
        }
    }
}
