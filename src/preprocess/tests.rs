//! Preprocessing against a plain implementation written for clarity, and against Pillow's own output.

use image::{Rgb, RgbImage};

use super::*;
use crate::package::{Color, DType, Layout};

/// Raw bytes in, raw bytes out: the normalisation that changes nothing.
pub(super) fn spec(width: u32, height: u32, resize: Resize) -> InputSpec {
    InputSpec {
        name: "input".into(),
        dtype: DType::Float32,
        layout: Layout::Nchw,
        width,
        height,
        resize,
        color: Color::Rgb,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
    }
}

/// Edges, gradients and noise, different in each channel.
pub(super) fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 7;
        let edge = if (x / 5 + y / 3) % 2 == 0 { 230 } else { 12 };
        Rgb([noise as u8, edge, (x * 255 / width.max(2)) as u8])
    })
}

/// The triangle filter, widened when shrinking; every output pixel is the weighted mean of the inputs it covers.
/// Rows first, rounded to bytes, then columns: the order in which Pillow works.
fn plain_resize(image: &RgbImage, region: [f64; 4], width: u32, height: u32) -> RgbImage {
    let [left, top, crop_width, crop_height] = region;
    let columns: Vec<_> = (0..width).map(|x| weights(x, left, crop_width / f64::from(width), image.width())).collect();
    let rows: Vec<_> = (0..height).map(|y| weights(y, top, crop_height / f64::from(height), image.height())).collect();
    let wide = RgbImage::from_fn(width, image.height(), |x, y| {
        mean(&columns[x as usize], |source| image.get_pixel(source, y))
    });
    RgbImage::from_fn(width, height, |x, y| mean(&rows[y as usize], |source| wide.get_pixel(x, source)))
}

/// Source positions and weights of output position `index`, where one output pixel spans `step` source pixels.
fn weights(index: u32, start: f64, step: f64, limit: u32) -> Vec<(u32, f64)> {
    let centre = start + (f64::from(index) + 0.5) * step;
    let reach = step.max(1.0);
    (0..limit)
        .map(|source| (source, 1.0 - ((f64::from(source) + 0.5 - centre) / reach).abs()))
        .filter(|(_, weight)| *weight > 0.0)
        .collect()
}

fn mean<'i>(weights: &[(u32, f64)], pixel: impl Fn(u32) -> &'i Rgb<u8>) -> Rgb<u8> {
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    Rgb([0, 1, 2].map(|channel| {
        let sum: f64 = weights.iter().map(|(source, weight)| weight * f64::from(pixel(*source)[channel])).sum();
        (sum / total).round() as u8
    }))
}

/// Largest difference in bytes between a tensor and a picture.
fn largest_difference(tensor: &[f32], wanted: &RgbImage) -> f32 {
    let plane = (wanted.width() * wanted.height()) as usize;
    assert_eq!(tensor.len(), 3 * plane);
    let differences = wanted.pixels().enumerate().flat_map(|(place, pixel)| {
        (0..3).map(move |channel| (tensor[channel * plane + place] - f32::from(pixel[channel])).abs())
    });
    differences.fold(0.0, f32::max)
}

#[test]
fn resampling_is_within_one_byte_of_the_plain_implementation() {
    for (from, to) in [((97, 61), (32, 32)), ((640, 480), (32, 32)), ((20, 30), (32, 32)), ((33, 8), (16, 24))] {
        let image = picture(from.0, from.1);
        let mut preprocessor = Preprocessor::new(&spec(to.0, to.1, Resize::Stretch)).unwrap();
        let whole = [0.0, 0.0, f64::from(from.0), f64::from(from.1)];
        let wanted = plain_resize(&image, whole, to.0, to.1);
        let difference = largest_difference(preprocessor.run(&image).unwrap(), &wanted);
        assert!(difference <= 1.0, "{from:?} to {to:?}: max abs diff {difference} LSB");
    }
}

#[test]
fn a_centre_crop_takes_the_largest_centred_rectangle() {
    let mut preprocessor = Preprocessor::new(&spec(16, 16, Resize::CenterCrop)).unwrap();
    assert_eq!(preprocessor.region(100, 60), (20.0, 0.0, 60.0, 60.0));
    assert_eq!(preprocessor.region(60, 100), (0.0, 20.0, 60.0, 60.0));
    let image = picture(100, 60);
    let wanted = plain_resize(&image, [20.0, 0.0, 60.0, 60.0], 16, 16);
    let difference = largest_difference(preprocessor.run(&image).unwrap(), &wanted);
    assert!(difference <= 1.0, "max abs diff {difference} LSB");
}

#[test]
fn a_picture_of_the_right_size_is_not_touched() {
    let image = picture(32, 32);
    let mut preprocessor = Preprocessor::new(&spec(32, 32, Resize::Stretch)).unwrap();
    assert_eq!(largest_difference(preprocessor.run(&image).unwrap(), &image), 0.0);
}

#[test]
fn values_are_scaled_then_normalised_in_planes() {
    let normalising =
        InputSpec { scale: 1.0 / 255.0, mean: [0.5, 0.25, 0.0], std: [0.5, 0.25, 2.0], ..spec(2, 1, Resize::Stretch) };
    let image = RgbImage::from_raw(2, 1, vec![255, 0, 255, 0, 255, 0]).unwrap();
    let mut preprocessor = Preprocessor::new(&normalising).unwrap();
    assert_eq!(preprocessor.run(&image).unwrap(), [1.0, -1.0, -1.0, 3.0, 0.5, 0.0]);
}

#[test]
fn a_network_of_blue_green_red_gets_its_planes_and_their_means_in_that_order() {
    let bgr = InputSpec { color: Color::Bgr, mean: [1.0, 2.0, 3.0], ..spec(2, 1, Resize::Stretch) };
    let image = RgbImage::from_raw(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap();
    let mut preprocessor = Preprocessor::new(&bgr).unwrap();
    assert_eq!(preprocessor.run(&image).unwrap(), [29.0, 59.0, 18.0, 48.0, 7.0, 37.0]);
}

#[test]
fn the_tensor_of_a_picture_does_not_depend_on_the_one_before() {
    let mut preprocessor = Preprocessor::new(&spec(32, 32, Resize::Stretch)).unwrap();
    let first = preprocessor.run(&picture(50, 40)).unwrap().to_vec();
    preprocessor.run(&picture(640, 480)).unwrap();
    assert_eq!(preprocessor.run(&picture(50, 40)).unwrap(), first);
}

#[test]
fn a_picture_without_pixels_is_refused() {
    let mut preprocessor = Preprocessor::new(&spec(32, 32, Resize::Stretch)).unwrap();
    let error = preprocessor.run(&RgbImage::new(0, 7)).unwrap_err();
    assert_eq!(error.to_string(), "picture is 0x7 pixels, wanted at least 1x1");
}

/// Made by tests/golden/pillow.py from the picture beside it.
#[test]
fn resampling_is_within_one_byte_of_pillow() {
    let read = |file: &str| image::open(format!("tests/golden/{file}")).unwrap().into_rgb8();
    let source = read("source_120x90.png");
    for (file, width, height, resize) in [
        ("pillow_stretch_32x32.png", 32, 32, Resize::Stretch),
        ("pillow_stretch_160x100.png", 160, 100, Resize::Stretch),
        ("pillow_center_crop_32x32.png", 32, 32, Resize::CenterCrop),
    ] {
        let mut preprocessor = Preprocessor::new(&spec(width, height, resize)).unwrap();
        let difference = largest_difference(preprocessor.run(&source).unwrap(), &read(file));
        assert!(difference <= 1.0, "{file}: max abs diff {difference} LSB");
    }
}
