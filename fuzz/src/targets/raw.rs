//! Uncompressed camera frames: a driver's word on format, size, stride and colours, then the frame's bytes.

use oodwatch::decode::{Content, Decoder, Encoding, Matrix, PixelFormat, Range, RawFrame, RawLayout};

use super::within;

const MATRICES: [Matrix; 4] = [Matrix::Bt601, Matrix::Bt709, Matrix::Smpte240m, Matrix::Bt2020];

/// Decodes `input[8..]` as a frame that `input[..8]` describes: format, colours, width, height, stride.
pub fn run(input: &[u8]) {
    let [format, colours, w, width, h, height, s, stride, bytes @ ..] = input else { return };
    let number = |high: &u8, low: &u8| u32::from(u16::from_be_bytes([*high, *low]));
    let format = PixelFormat::ALL[usize::from(*format) % PixelFormat::ALL.len()];
    let range = if colours & 4 == 0 { Range::Limited } else { Range::Full };
    let encoding = Encoding { matrix: MATRICES[usize::from(*colours) % 4], range };
    let Ok(layout) = RawLayout::new(format, (number(w, width), number(h, height)), number(s, stride), encoding) else {
        return;
    };
    let (width_px, height_px) = (layout.width_px(), layout.height_px());
    let pixels = width_px as usize * height_px as usize;
    // A picture of a size that the bytes cannot fill is refused, but its memory is taken once per camera.
    if pixels > 1 << 20 || format == PixelFormat::Mjpg {
        return;
    }
    let content = || Content::Raw(RawFrame { layout, bytes: bytes.to_vec().into() });
    let mut decoder = Decoder::default();
    match within(3 * pixels + bytes.len() + 4096, || decoder.decode(content()).cloned().map(Box::new)) {
        Ok(image) => {
            assert!(bytes.len() >= layout.frame_bytes());
            assert_eq!(image.dimensions(), (width_px, height_px));
            check_colours(&layout, bytes, &image);
            assert_eq!(decoder.decode(content()).expect("the same frame"), &*image);
        }
        Err(error) => assert!(bytes.len() < layout.frame_bytes(), "{error}"),
    }
}

/// Where the bytes are the colours, they come through unchanged.
fn check_colours(layout: &RawLayout, bytes: &[u8], image: &image::RgbImage) {
    if layout.encoding().range == Range::Limited {
        return;
    }
    for (row, pixels) in bytes.chunks(layout.stride_bytes()).zip(image.rows()) {
        let expected = |x: usize| match layout.format() {
            PixelFormat::Rgb3 => Some([row[3 * x], row[3 * x + 1], row[3 * x + 2]]),
            PixelFormat::Bgr3 => Some([row[3 * x + 2], row[3 * x + 1], row[3 * x]]),
            PixelFormat::Grey => Some([row[x]; 3]),
            _ => None,
        };
        assert!(pixels.enumerate().all(|(x, pixel)| expected(x).is_none_or(|colour| colour == pixel.0)));
    }
}
