//! Luma and chroma to RGB. Chroma is spread over the pixels that share it, without smoothing.
//!
//! Computed in integers with 21 bits behind the point, which is exact to rounding. (The crate `yuv` computes packed formats
//! with 6 bits and was up to 3 steps of 8 bits off the definition.) Sums stay below 572 * 2^21 < 2^31; `wrapping_*` only
//! says that no check is wanted in the innermost loop, where release builds would otherwise have one.

use image::RgbImage;

use super::color::Encoding;
use super::{DecodeError, PixelFormat, RawLayout};

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

/// Bits behind the point.
const FRACTION_BITS: u32 = 21;

/// What luma and chroma add to red, green and blue, with [`FRACTION_BITS`].
struct Gains {
    luma: i32,
    /// Subtracts black, and rounds to the nearest.
    offset: i32,
    red_from_cr: i32,
    green_from_cb: i32,
    green_from_cr: i32,
    blue_from_cb: i32,
}

impl Gains {
    /// [`Encoding::rgb_from_ycbcr`] in integers.
    fn new(encoding: Encoding) -> Self {
        let gains = encoding.rgb_from_ycbcr();
        let [[_, red_from_cr], [green_from_cb, green_from_cr], [blue_from_cb, _]] = gains.chroma;
        let fixed = |value: f64| (value * f64::from(1 << FRACTION_BITS)).round() as i32;
        Self {
            luma: fixed(gains.luma),
            offset: fixed(0.5 - gains.luma * gains.black),
            red_from_cr: fixed(red_from_cr),
            green_from_cb: fixed(green_from_cb),
            green_from_cr: fixed(green_from_cr),
            blue_from_cb: fixed(blue_from_cb),
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
    fn chroma(&self, [cb, cr]: [u8; 2]) -> [i32; 3] {
        let (cb, cr) = (i32::from(cb).wrapping_sub(128), i32::from(cr).wrapping_sub(128));
        let green = self.green_from_cb.wrapping_mul(cb).wrapping_add(self.green_from_cr.wrapping_mul(cr));
        [self.red_from_cr.wrapping_mul(cr), green, self.blue_from_cb.wrapping_mul(cb)]
            .map(|sum| sum.wrapping_add(self.offset))
    }

    /// What is below black or above white stays at 0 or 255.
    fn pixel(&self, y: u8, chroma: [i32; 3]) -> [u8; 3] {
        let luma = self.luma.wrapping_mul(i32::from(y));
        chroma.map(|chroma| (luma.wrapping_add(chroma) >> FRACTION_BITS).clamp(0, 255) as u8)
    }
}
