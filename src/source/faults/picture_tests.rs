//! Every kind of frame under every kind of fault.

use image::Rgb;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

const SIZE_PX: (u32, u32) = (16, 8);

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

fn image() -> RgbImage {
    RgbImage::from_fn(SIZE_PX.0, SIZE_PX.1, |x, y| Rgb([(9 * x) as u8, (20 * y) as u8, 128]))
}

fn png() -> Content {
    let mut bytes = io::Cursor::new(Vec::new());
    image().write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    Content::Encoded(bytes.into_inner())
}

fn raw(format: PixelFormat) -> Content {
    let layout = RawLayout::new(format, SIZE_PX, 0, Encoding::JPEG).unwrap();
    let bytes = if format == PixelFormat::Mjpg { jpeg(&image()).unwrap() } else { vec![77; layout.frame_bytes()] };
    Content::Raw(RawFrame { layout, bytes: bytes.into() })
}

/// A frame of every kind that sources deliver.
fn frames() -> Vec<Content> {
    let mut frames = vec![png(), Content::Rgb(image())];
    frames.extend(PixelFormat::ALL.map(raw));
    frames
}

#[test]
fn a_copy_is_the_same_picture() {
    for frame in frames() {
        let (copied, what) = (copy(&frame), format!("{frame:?}"));
        assert_eq!(decode(copied).unwrap(), decode(frame).unwrap(), "{what:.40}");
    }
    let unreadable = Content::Unreadable(io::Error::new(io::ErrorKind::NotFound, "gone"));
    let Content::Unreadable(error) = copy(&unreadable) else { panic!("it became readable") };
    assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::NotFound, "gone"));
}

#[test]
fn a_black_picture_has_its_size_and_nothing_else() {
    for frame in frames() {
        let Content::Rgb(black) = on_pixels(frame, blacken) else { panic!("no picture") };
        assert!(black.dimensions() == SIZE_PX && black.iter().all(|value| *value == 0));
    }
}

#[test]
fn what_is_no_picture_does_not_become_one() {
    for broken in [Content::Encoded(b"text".to_vec()), Content::Unreadable(io::Error::other("gone"))] {
        assert!(matches!(on_pixels(broken, blacken), Content::Unreadable(_)));
    }
}

/// Mean and standard deviation of 30,000 values: standard errors are 0.06 and 0.04, and rounding adds 1/12 to the variance.
#[test]
fn noise_has_its_standard_deviation_and_no_bias() {
    let noisy = Noise::new(10.0).add(RgbImage::from_pixel(100, 100, Rgb([128; 3])), &mut rng());
    let values: Vec<f64> = noisy.iter().map(|value| f64::from(*value) - 128.0).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    assert!(mean.abs() < 0.3 && (deviation - 10.0).abs() < 0.3, "mean {mean}, deviation {deviation}");
}

#[test]
fn noise_stays_between_black_and_white() {
    for value in [0, 255] {
        let noisy = Noise::new(255.0).add(RgbImage::from_pixel(20, 20, Rgb([value; 3])), &mut rng());
        assert!(noisy.contains(&value) && noisy.iter().any(|noisy| *noisy != value));
    }
}

#[test]
fn a_frame_that_is_cut_off_is_no_picture_any_more() {
    for frame in frames() {
        let what = format!("{frame:?}");
        assert!(decode(corrupt(frame, Damage::Cut { share: 0.3 }, &mut rng())).is_err(), "{what:.40}");
    }
}

/// Most of whose bytes are there: a JPEG file of them would be a picture with a grey rest.
#[test]
fn a_frame_of_a_video_that_lacks_its_end_is_no_picture_any_more() {
    let large = RgbImage::from_fn(160, 120, |x, y| Rgb([(x * y) as u8, (x * 7 + y * 3) as u8, (x ^ y) as u8]));
    let cut = corrupt(Content::Rgb(large), Damage::Cut { share: 0.9 }, &mut rng());
    assert!(decode(cut).is_err());
}

#[test]
fn damage_changes_the_share_of_bytes_that_it_says() {
    let bytes = damaged(vec![7; 10_000], Damage::Change { share: 0.2 }, &mut rng());
    let changed = bytes.iter().filter(|byte| **byte != 7).count();
    // Binomial: a standard deviation of 40.
    assert!((1_800..=2_200).contains(&changed) && bytes.len() == 10_000, "{changed}");
    assert!(damaged(vec![7; 100], Damage::Change { share: 1.0 }, &mut rng()).iter().all(|byte| *byte != 7));
}

#[test]
fn a_picture_gets_the_size_that_is_asked_for() {
    for (size, wanted) in [(Size::Factor(0.5), (8, 4)), (Size::Factor(0.01), (1, 1)), (Size::Pixels(5, 7), (5, 7))] {
        for frame in [png(), Content::Rgb(image())] {
            assert_eq!(decode(resize(frame, size)).unwrap().dimensions(), wanted);
        }
    }
}

#[test]
fn a_camera_frame_of_a_smaller_size_is_a_bad_frame() {
    for format in PixelFormat::ALL {
        let resized = resize(raw(format), Size::Factor(0.5));
        let Content::Raw(frame) = &resized else { panic!("{format}: not a camera's frame any more") };
        assert_eq!((frame.layout.width_px(), frame.layout.height_px()), SIZE_PX);
        assert!(decode(resized).is_err(), "{format}");
    }
}
