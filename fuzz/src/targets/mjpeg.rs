//! Compressed camera frames: two bytes that say which size was negotiated, then what the camera sent.

use oodwatch::decode::{Content, DecodeConfig, Decoder, Encoding, Picture, PixelFormat, RawFrame, RawLayout};
use oodwatch::view::ViewConfig;

use super::within;

/// Coefficients of three components (6 bytes a pixel), rows on their way to RGB, the picture itself, and tables.
const MEMORY_PER_PIXEL: usize = 64;

/// Decodes `input[2..]` as a frame of `input[0] + 1` by `input[1] + 1` pixels, whole and smaller.
pub fn run(input: &[u8]) {
    let [width, height, frame @ ..] = input else { return };
    let size_px = (u32::from(*width) + 1, u32::from(*height) + 1);
    let layout = RawLayout::new(PixelFormat::Mjpg, size_px, 0, Encoding::JPEG).expect("a size within the limits");
    let content = || Content::Raw(RawFrame { layout, bytes: frame.to_vec().into() });
    // Sides are filled up to whole blocks, of 64 pixels at most.
    let pixels = (size_px.0 as usize).next_multiple_of(64) * (size_px.1 as usize).next_multiple_of(64);
    let mut decoder = Decoder::default();
    let most = MEMORY_PER_PIXEL * pixels + 8 * frame.len() + (1 << 20);
    let first = within(most, || decoder.decode(content()).cloned());
    if let Ok(image) = &first {
        assert_eq!(image.dimensions(), size_px);
    }
    // A decoder that has seen a broken frame shows nothing of it in the next one.
    assert_eq!(decoder.decode(content()).ok(), first.ok().as_ref());

    let mut decoder = Decoder::new(DecodeConfig { scaled: true }, (1, 1), &ViewConfig::default());
    let first = within(most, || decoder.picture(content()).ok().map(shown));
    if let Some((of_picture, _)) = &first {
        assert!([1, 2, 4, 8].iter().any(|divisor| (of_picture.0 * divisor, of_picture.1 * divisor) == size_px));
    }
    assert_eq!(decoder.picture(content()).ok().map(shown), first);
}

/// Size and bytes of a picture.
fn shown(picture: Picture<'_>) -> ((u32, u32), Vec<u8>) {
    match picture {
        Picture::Rgb(image) => (image.dimensions(), image.to_vec()),
        Picture::Raw(RawFrame { layout, bytes }) => ((layout.width_px(), layout.height_px()), bytes.to_vec()),
    }
}
