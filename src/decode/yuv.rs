//! Luma and chroma to RGB. Chroma is spread over the pixels that share it, without smoothing.
//!
//! Written out in f32, which compilers turn into vector code, and exact to one step of 8 bits. (The crate `yuv` computes
//! packed formats with 6 bits behind the point and was up to 3 steps off the definition.)

use image::RgbImage;

use super::color::Encoding;
use super::{DecodeError, PixelFormat, Range, RawLayout};

/// Decodes a YUYV, UYVY, NV12, NV21 or YU12 frame.
pub(super) fn decode(bytes: &[u8], layout: &RawLayout, image: &mut RgbImage) -> Result<(), DecodeError> {
    let (luma, chroma) = layout.planes(bytes)?;
    let (width, stride) = (layout.width_px() as usize, layout.stride_bytes());
    let gains = Gains::new(layout.encoding());
    let rows = luma.chunks_exact(stride).zip(image.chunks_exact_mut(3 * width)).enumerate();
    for (y, (row, out)) in rows {
        // Two rows of luma share one of chroma; the two planes of YU12 have rows of half the stride.
        let (pairs, half) = (y / 2 * stride, y / 2 * (stride / 2));
        match layout.format() {
            PixelFormat::Uyvy => gains.packed(row, out, |[cb, y0, cr, y1]| [y0, y1, cb, cr]),
            PixelFormat::Nv12 => gains.row(row, out, chroma[pairs..].chunks_exact(2).map(|pair| [pair[0], pair[1]])),
            PixelFormat::Nv21 => gains.row(row, out, chroma[pairs..].chunks_exact(2).map(|pair| [pair[1], pair[0]])),
            PixelFormat::Yu12 => {
                let (cb, cr) = chroma.split_at(chroma.len() / 2);
                gains.row(row, out, cb[half..].iter().zip(&cr[half..]).map(|(cb, cr)| [*cb, *cr]));
            }
            _ => gains.packed(row, out, |[y0, cb, y1, cr]| [y0, y1, cb, cr]),
        }
    }
    Ok(())
}

/// What luma and chroma add to red, green and blue.
struct Gains {
    luma: f32,
    /// Subtracts black, and rounds to the nearest.
    offset: f32,
    red_from_cr: f32,
    green_from_cb: f32,
    green_from_cr: f32,
    blue_from_cb: f32,
}

impl Gains {
    /// From the weights of red and blue in luma: ITU-R BT.601-7, 2.5, solved for red, green and blue.
    fn new(encoding: Encoding) -> Self {
        let (kr, kb) = encoding.matrix.weights();
        let kg = 1.0 - kr - kb;
        let (luma, black, chroma) = match encoding.range {
            Range::Limited => (255.0 / 219.0, 16.0, 255.0 / 224.0),
            Range::Full => (1.0, 0.0, 1.0),
        };
        Self {
            luma,
            offset: 0.5 - luma * black,
            red_from_cr: 2.0 * (1.0 - kr) * chroma,
            green_from_cb: -2.0 * (1.0 - kb) * kb / kg * chroma,
            green_from_cr: -2.0 * (1.0 - kr) * kr / kg * chroma,
            blue_from_cb: 2.0 * (1.0 - kb) * chroma,
        }
    }

    /// A row of 4:2:2, whose four bytes `order` puts into the order Y0, Y1, Cb, Cr.
    fn packed(&self, row: &[u8], out: &mut [u8], order: impl Fn([u8; 4]) -> [u8; 4]) {
        for (four, two_pixels) in row.chunks_exact(4).zip(out.chunks_exact_mut(6)) {
            let [y0, y1, cb, cr] = order([four[0], four[1], four[2], four[3]]);
            let chroma = self.chroma([cb, cr]);
            let (first, second) = two_pixels.split_at_mut(3);
            first.copy_from_slice(&self.pixel(y0, chroma));
            second.copy_from_slice(&self.pixel(y1, chroma));
        }
    }

    /// A row of luma, with [Cb, Cr] for every two pixels.
    fn row(&self, luma: &[u8], out: &mut [u8], chroma: impl Iterator<Item = [u8; 2]>) {
        for ((luma, pixels), pair) in luma.chunks(2).zip(out.chunks_mut(6)).zip(chroma) {
            let chroma = self.chroma(pair);
            for (y, rgb) in luma.iter().zip(pixels.chunks_exact_mut(3)) {
                rgb.copy_from_slice(&self.pixel(*y, chroma));
            }
        }
    }

    /// What a pair of chroma values adds to red, green and blue, offset included.
    fn chroma(&self, [cb, cr]: [u8; 2]) -> [f32; 3] {
        let (cb, cr) = (f32::from(cb) - 128.0, f32::from(cr) - 128.0);
        [
            self.offset + self.red_from_cr * cr,
            self.offset + self.green_from_cb * cb + self.green_from_cr * cr,
            self.offset + self.blue_from_cb * cb,
        ]
    }

    /// Casting to u8 keeps what is below black or above white at 0 or 255.
    fn pixel(&self, y: u8, [red, green, blue]: [f32; 3]) -> [u8; 3] {
        let luma = self.luma * f32::from(y);
        [(luma + red) as u8, (luma + green) as u8, (luma + blue) as u8]
    }
}
